"""Formats other than ONNX: what they hold answers as PyTorch does, and their README's code runs."""

import gc
import json
import re
import shutil
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.card import Card
from convscope.cli import main
from convscope.conversion import openvino_images, torch_file
from convscope.conversion.formats import engines_for, parse_formats
from convscope.conversion.image_graph import PROBABILITIES
from convscope.engines import is_installed, open_engine
from convscope.errors import NetworkError, RequestError, WorkError
from convscope.exported.folder import ExportedModel

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

CARD = Card(
    classes=("a", "b", "c"), input_size=(12, 16), in_channels=3, resize_mode="crop",
    resize_size=18, mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.3), temperature=1.5,
)  # fmt: skip


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.fc = nn.Linear(4 * 6 * 8, 3)
        self.card = CARD

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.conv1(x)), 2)
        return self.fc(torch.flatten(x, 1))


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    return shutil.copy(str(files("convscope.data") / "bundled" / "flower.jpg"), path)


@pytest.fixture(scope="module")
def expected(photo):
    """What PyTorch answers, in the order of the classes."""
    (found,) = convscope.predict(Small(), [photo], top=3)
    shares = dict(found.top_k)
    return [shares[name] for name in CARD.classes]


ONLY = {
    "openvino": {"model.xml", "model.bin", "images.xml", "images.bin", "golden.safetensors"},
    "ncnn": {"model.ncnn.param", "model.ncnn.bin", "golden.safetensors"},
    "torch": {"model.pt2"},
}
ALWAYS = {"README.md", "card.json", "export.json", "parity.json"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """One folder for each format."""
    for engine in ("openvino", "ncnn"):
        if not is_installed(engine):
            pytest.skip(f"{engine} is not installed")
    out = tmp_path_factory.mktemp("formats")
    for name in ONLY:
        convscope.export(Small(), out / name, format=name, threads=1)
    return out


@pytest.mark.parametrize("name", ONLY)
def test_each_folder_holds_its_format_alone(folders, name):
    assert {path.name for path in (folders / name).iterdir()} == ONLY[name] | ALWAYS
    manifest = ExportedModel.open(folders / name).manifest
    assert manifest["formats"] == [name]
    assert manifest["engines"] == ([] if name == "torch" else [name])


@pytest.mark.parametrize("name", ONLY)
def test_the_code_of_the_readme_prints_the_probabilities(folders, name, photo, expected):
    shutil.copy(photo, folders / name / "photo.jpg")
    text = (folders / name / "README.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folders / name,
        capture_output=True,
        text=True,
        check=False,
    )
    (folders / name / "photo.jpg").unlink()
    assert done.returncode == 0, done.stderr
    found = np.array([float(word) for word in re.findall(r"-?\d+\.\d+(?:e-\d+)?", done.stdout)])
    if name == "ncnn":
        assert "softmax(logits / 1.5)" in text
        found = torch.softmax(torch.from_numpy(found) / 1.5, 0).numpy()
    assert found == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("name", ["openvino", "ncnn"])
def test_predict_answers_from_it(folders, name, photo, expected):
    (found,) = convscope.predict(folders / name, [photo], top=3)
    shares = dict(found.top_k)
    assert [shares[each] for each in CARD.classes] == pytest.approx(expected, abs=2e-3)


def test_what_other_programs_run_is_refused_in_words(folders, photo, capsys):
    with pytest.raises(RequestError, match=r"what other programs run.*Add onnx to `format`"):
        convscope.predict(folders / "torch", [photo])
    for words in (
        ["predict", str(folders / "torch"), str(photo)],
        ["serve", str(folders / "torch")],
    ):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
        assert "Add onnx to --format" in capsys.readouterr().err
    gc.collect()  # a socket that was left open would warn, which is an error here


def test_the_file_of_pytorch_takes_any_number_of_images(folders):
    run, net = torch_file.open_torch_file(folders / "torch" / "model.pt2"), Small().eval()
    for count in (1, 2, 5):
        images = torch.randn(count, 3, 12, 16)
        assert run(images.numpy()) == pytest.approx(net(images).detach().numpy(), abs=1e-6)
    parity = json.loads((folders / "torch" / "parity.json").read_text())["torch"]
    assert parity["logits"] <= parity["tolerance"]


def test_several_formats_share_a_folder(tmp_path):
    exported = convscope.export(
        Small(), tmp_path / "out", format=["torch,onnx"], engine="onnxruntime", threads=1
    )
    assert exported.formats == ("onnx", "torch")
    assert exported.engine == "onnxruntime"
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == ALWAYS | {"model.onnx", "images.onnx", "golden.safetensors", "model.pt2"}
    assert set(json.loads((tmp_path / "out" / "parity.json").read_text())) == {
        "onnxruntime", "torch",
    }  # fmt: skip


def wrongly(opened):
    return lambda *words, **settings: lambda images: opened(*words, **settings)(images) + 1


def test_a_file_of_pytorch_that_answers_otherwise_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_file, "open_torch_file", wrongly(torch_file.open_torch_file))
    with pytest.raises(WorkError, match=r"model\.pt2, read back, answers differently"):
        convscope.export(Small(), tmp_path / "out", format="torch")
    assert [*tmp_path.iterdir()] == []


def test_a_format_that_was_asked_for_must_agree(tmp_path, monkeypatch):
    if not is_installed("openvino"):
        pytest.skip("OpenVINO is not installed")

    def open_wrongly(name, path, **settings):
        engine = open_engine(name, path, **settings)
        return (lambda images: engine(images) + 1) if name == "openvino" else engine

    monkeypatch.setattr("convscope.conversion.candidates.open_engine", open_wrongly)
    with pytest.raises(WorkError, match=r"In openvino .* answers differently.*Nothing was written"):
        convscope.export(Small(), tmp_path / "out", format="onnx,openvino", engine="onnxruntime")
    assert [*tmp_path.iterdir()] == []


def test_a_graph_of_images_that_disagrees_is_left_out_and_said(tmp_path, monkeypatch):
    if not is_installed("openvino"):
        pytest.skip("OpenVINO is not installed")
    original = openvino_images._open

    def brighter(path, threads):
        run = original(path, threads)
        return lambda images: {**(found := run(images)), PROBABILITIES: found[PROBABILITIES] + 0.1}

    monkeypatch.setattr(openvino_images, "_open", brighter)
    exported = convscope.export(Small(), tmp_path / "out", format="openvino", threads=1)
    assert "images.xml was left out: OpenVINO answers differently." in exported.notes
    assert not (tmp_path / "out" / "images.xml").exists()
    assert "model.xml" in (tmp_path / "out" / "README.md").read_text("utf-8")


class Branching(Small):
    def forward(self, x):
        return super().forward(x) if x.sum() > 0 else super().forward(-x)


def test_what_cannot_be_followed_is_told(tmp_path):
    with pytest.raises(NetworkError, match=r"reads the values of an image \(.*x\.sum\(\) > 0"):
        convscope.export(Branching(), tmp_path / "out", format="torch")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("coreml", "on a Mac, coremltools 9 converts its model.pt2"),
        ("mlpackage", "nothing unchecked is written"),
        ("onnyx", "may be onnx, openvino, ncnn, torch, litert, not 'onnyx'"),
        ("", "may be onnx"),
    ],
)
def test_formats_that_are_not_written(name, message, tmp_path):
    with pytest.raises(RequestError, match=message):
        convscope.export("lenet5", tmp_path / "out", format=name)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format": "openvino", "engine": "onnxruntime"}, "does not run what `format=openvino`"),
        ({"format": "torch", "engine": "onnxruntime"}, "add onnx to it"),
        ({"format": "onnx,torch", "int8": True}, "leave torch out"),
        ({"format": "ncnn", "int8": True}, "no kernels in ncnn"),
        ({"format": "torch", "web": True}, "add onnx to `format`"),
        ({"format": "torch", "output": "hf://user/name"}, "add onnx to it"),
    ],
)
def test_settings_that_do_not_fit(settings, message, tmp_path):
    if not is_installed("openvino") or not is_installed("ncnn"):
        pytest.skip("an engine is not installed")
    with pytest.raises(RequestError, match=message):
        convscope.export("lenet5", **{"output": tmp_path / "out", **settings})


def test_names_and_the_order_of_formats():
    assert parse_formats(["pt2, onnx", "IR"]) == ("onnx", "openvino", "torch")
    assert engines_for(("torch",), "auto") == ()


def test_on_the_command_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["export", "lenet5", "-o", str(tmp_path / "out"), "--format", "torch"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "model.pt2, read back, differs from the network by" in out
    assert "its README says how it is used" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--int8", "--threads", "2"], "leave out --int8, --threads"),
        (["--engine", "ncnn", "--format", "onnx"], "leave out --format, --engine"),
        (["--input-size", "32", "--mean", "0.5"], "leave out --input-size, --mean"),
    ],
)
def test_weights_by_other_names_refuse_what_they_would_ignore(words, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["export", "resnet18", "-o", str(tmp_path / "x"), "--names", "timm", *words])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
