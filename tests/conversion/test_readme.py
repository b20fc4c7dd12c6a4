"""The README of an exported network: its code runs as it stands."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import convscope
from convscope.data.decode import decode

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "lenet5"
    convscope.export("lenet5", path, engine="onnxruntime")
    photo = files("convscope.data") / "bundled" / "flower.jpg"
    shutil.copy(str(photo), path / "photo.jpg")
    return path


def code(folder, language):
    text = (folder / "README.md").read_text("utf-8")
    (block,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return block


def run(folder, *words):
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbers(text):
    return np.array([float(number) for number in re.findall(r"\d\.\d+(?:e-\d+)?", text)])


def test_python_prints_the_probabilities(folder):
    found = numbers(run(folder, sys.executable, "-c", code(folder, "python")))
    assert len(found) == 10
    assert found.sum() == pytest.approx(1, abs=1e-4)


def test_the_command_line_answers(folder):
    words = code(folder, "sh").split()
    assert words[:2] == ["convscope", "predict"]
    assert "photo.jpg" in run(folder, sys.executable, "-m", *words)


@pytest.fixture(scope="module")
def expected(folder):
    """What ONNX Runtime answers in Python for the photo."""
    import onnxruntime  # noqa: PLC0415 -- after importorskip

    session = onnxruntime.InferenceSession(folder / "images.onnx")
    return session.run(["probabilities"], {"images": pixels_of(folder)[None]})[0][0]


def pixels_of(folder):
    return np.asarray(decode(folder / "photo.jpg"))


PAGE = """
import {{ readFileSync }} from "node:fs";
import {{ createRequire }} from "node:module";
const ort = createRequire(import.meta.url)("{package}");
const canvas = JSON.parse(readFileSync("pixels.json"));
const context = {{
  getImageData: () => ({{ ...canvas, data: Uint8ClampedArray.from(canvas.rgba) }}),
}};
"""
"""What a browser has, and Node has not; the pixels are those of Pillow."""


@pytest.mark.slow  # needs an npm package of 300 MB
def test_javascript_prints_the_probabilities(folder, expected):
    package, node = os.environ.get("ONNXRUNTIME_NODE"), shutil.which("node")
    if not (package and node):
        pytest.skip("no node, or ONNXRUNTIME_NODE does not name the npm package onnxruntime-node")
    pixels = pixels_of(folder)
    rgba = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    height, width, _ = pixels.shape
    facts = {"width": width, "height": height, "rgba": rgba.ravel().tolist()}
    (folder / "pixels.json").write_text(json.dumps(facts))
    (folder / "program.mjs").write_text(PAGE.format(package=package) + code(folder, "js"))
    found = numbers(run(folder, node, "program.mjs"))
    assert found == pytest.approx(expected, abs=1e-5)


PROGRAM = """
#include <onnxruntime_cxx_api.h>
#include <cstdint>
#include <cstdio>
#include <vector>
int main() {{
  int64_t width = {width}, height = {height};
  std::vector<uint8_t> bytes(width * height * 3);
  uint8_t *pixels = bytes.data();
  if (fread(pixels, 1, bytes.size(), stdin) != bytes.size()) return 2;
  {code}
  for (int k = 0; k < 10; k++) printf("%.8f\\n", result[0].GetTensorMutableData<float>()[k]);
}}
"""


@pytest.mark.slow  # needs the headers, which no package has
def test_cpp_computes_the_probabilities(folder, expected, tmp_path):
    """With the library in the Python package, for which a header as old or older will do."""
    import onnxruntime  # noqa: PLC0415 -- after importorskip

    headers, compiler = os.environ.get("ONNXRUNTIME_INCLUDE"), shutil.which("g++")
    libraries = sorted((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*"))
    if not (headers and compiler and libraries):
        pytest.skip("no g++, or ONNXRUNTIME_INCLUDE does not name the headers of ONNX Runtime")
    shutil.copy(libraries[0], tmp_path / libraries[0].name)
    (tmp_path / "libonnxruntime.so.1").symlink_to(libraries[0].name)
    pixels = pixels_of(folder)
    height, width, _ = pixels.shape
    program = PROGRAM.format(width=width, height=height, code=code(folder, "cpp"))
    (tmp_path / "main.cpp").write_text(program)
    run(
        tmp_path, compiler, "-std=c++17", f"-I{headers}", "main.cpp", libraries[0].name,
        f"-Wl,-rpath,{tmp_path}", "-o", "main",
    )  # fmt: skip
    done = subprocess.run(
        [tmp_path / "main"], cwd=folder, input=pixels.tobytes(), capture_output=True, check=True
    )
    assert numbers(done.stdout.decode()) == pytest.approx(expected, abs=1e-5)
