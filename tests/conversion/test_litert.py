"""LiteRT: its converter runs in a Python of its own, and what it writes is compared.

The converter itself runs where CONVSCOPE_LITERT_PYTHON names the Python that has it, as in the
weekly tests; elsewhere a program stands for it.
"""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

import convscope
from convscope.cli import main
from convscope.conversion import litert_file
from convscope.conversion.litert_file import PYTHON_VARIABLE, open_litert_file
from convscope.errors import RequestError, WorkError
from tests.conversion.test_formats import Small

pytest.importorskip("ai_edge_litert")
CONVERTER = os.environ.get(PYTHON_VARIABLE)
converted = pytest.mark.skipif(not CONVERTER, reason=f"{PYTHON_VARIABLE} names no Python")


def standing_in(monkeypatch, folder, lines):
    """Have a program of these lines of Python in place of the converter's Python."""
    path = folder / "python"
    path.write_text(f"#!{sys.executable}\n{lines}\n")
    path.chmod(0o755)
    monkeypatch.setenv(PYTHON_VARIABLE, str(path))


def test_without_a_converter_it_says_how_one_is_installed(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["export", "lenet5", "-o", str(tmp_path / "out"), "--format", "tflite"])
    assert ended.value.code == 2
    assert "litert/bin/pip install litert-torch" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


def test_without_the_interpreter_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(litert_file, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"pip install 'convscope\[litert\]'"):
        convscope.export("lenet5", tmp_path / "out", format="litert")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("raise SystemExit('cannot lower aten.foo')", "could not convert.*: cannot lower aten.foo"),
        ("", "could not convert the network: it wrote nothing"),
        ("import sys; open(sys.argv[4], 'w').write('no model')", "LiteRT refuses model.tflite"),
    ],
)
def test_what_is_not_converted_leaves_nothing(lines, message, tmp_path, monkeypatch):
    standing_in(monkeypatch, tmp_path, lines)
    with pytest.raises(WorkError, match=message):
        convscope.export("lenet5", tmp_path / "out", format="litert")
    assert [path.name for path in tmp_path.iterdir()] == ["python"]


def test_a_python_that_does_not_start_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "missing"))
    with pytest.raises(WorkError, match=rf"missing, of {PYTHON_VARIABLE}, did not convert"):
        convscope.export("lenet5", tmp_path / "out", format="litert")


def test_lower_precision_is_not_for_it(tmp_path, monkeypatch):
    standing_in(monkeypatch, tmp_path, "")
    with pytest.raises(RequestError, match="leave litert out of `format`"):
        convscope.export("lenet5", tmp_path / "out", format="onnx,litert", int8=True)


@converted
@pytest.mark.slow
def test_it_answers_as_the_network_and_its_readme_runs(tmp_path):
    exported = convscope.export(Small(), tmp_path / "out", format="litert")
    assert exported.litert is not None
    assert 0 < exported.litert.logits < 1e-5
    images = np.random.default_rng(0).normal(size=(3, 3, 12, 16)).astype(np.float32)
    engine = open_litert_file(tmp_path / "out" / "model.tflite", threads=1)
    assert engine(images).shape == (3, 3)
    text = (tmp_path / "out" / "README.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    source = convscope.__path__[0] + "/data/bundled/flower.jpg"
    code = code.replace("photo.jpg", source)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "out", capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    (found,) = re.findall(r"\[\[(.*)\]\]", done.stdout)
    (answer,) = convscope.predict(Small(), [source], top=3)
    assert np.argmax([*map(float, found.split())]) == "abc".index(answer.label)


@converted
@pytest.mark.slow
def test_what_answers_otherwise_is_not_written(tmp_path, monkeypatch):
    changed = litert_file._CONVERT.replace(
        "litert_torch.convert(network,",
        "litert_torch.convert(torch.nn.Sequential(network, torch.nn.Softplus()),",
    )
    monkeypatch.setattr(litert_file, "_CONVERT", changed)
    with pytest.raises(WorkError, match=r"model\.tflite answers differently than the network"):
        convscope.export(Small(), tmp_path / "out", format="litert")
    assert [*tmp_path.iterdir()] == []
