"""The README of an exported network: its code runs as it stands."""

import re
import shutil
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest

import convscope

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
