"""In bfloat16: refused where the processor has none, measured where it has.

Which kernels run in 16 bits is OpenVINO's part; here its account of the processor is replaced, so
that everything around them runs on any machine.
"""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope.card import Card
from convscope.cli import main
from convscope.conversion import bf16
from convscope.conversion.bf16 import BF16_TOLERANCE
from convscope.conversion.network_graph import exportable, network_graph
from convscope.conversion.parity import difference
from convscope.engines import is_installed, open_engine, splits
from convscope.errors import RequestError, WorkError
from convscope.exported.folder import ExportedModel
from convscope.zoo import create_model, default_input
from tests.repetition import first_fast

pytest.importorskip("onnx")
if not is_installed("openvino"):
    pytest.skip("OpenVINO is not installed", allow_module_level=True)

from convscope.engines import openvino_engine

CARD = Card(
    classes=("dark", "light"), input_size=(12, 12), in_channels=3, resize_mode="crop",
    mean=(0.5,) * 3, std=(0.25,) * 3,
)  # fmt: skip


class Brightness(nn.Module):
    """Light images, from dark ones: right for all."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)
        with torch.no_grad():
            self.conv.weight[0], self.conv.weight[1] = -0.1, 0.1
            self.conv.bias.zero_()
        self.card = CARD

    def forward(self, x):
        return self.conv(x).mean((2, 3))


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bf16") / "images"
    rng = np.random.default_rng(0)
    for name, level in (("dark", 40), ("light", 200)):
        (folder / name).mkdir(parents=True)
        for number in range(8):
            pixels = rng.integers(level - 30, level + 30, (20, 16, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def able(monkeypatch):
    monkeypatch.setattr(openvino_engine, "has_bf16", lambda: True)


def test_a_processor_without_it_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(openvino_engine, "has_bf16", lambda: False)
    with pytest.raises(RequestError, match=r"no arithmetic in bf16.*Take `int8`"):
        convscope.export(Brightness(), tmp_path / "out", precision="bf16")
    with pytest.raises(SystemExit) as ended:
        main(["export", "lenet5", "-o", str(tmp_path / "out"), "--precision", "bf16"])
    assert ended.value.code == 2
    assert "Take --int8" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


def test_openvino_is_asked_for_it_and_says_what_it_takes():
    """On a processor without bfloat16 it may compute in either."""
    import openvino  # noqa: PLC0415

    assert isinstance(openvino_engine.has_bf16(), bool)
    core = openvino.Core()
    graph = network_graph(exportable(Brightness()), (3, 12, 12), 2)
    settings = {"INFERENCE_PRECISION_HINT": "bf16"}
    compiled = core.compile_model(core.read_model(graph.SerializeToString()), "CPU", settings)
    taken = compiled.get_property("INFERENCE_PRECISION_HINT")
    if openvino_engine.has_bf16():
        assert taken == openvino.Type.bf16


@pytest.mark.usefixtures("able")
def test_accuracy_and_time_are_measured(tmp_path, images):
    exported = convscope.export(
        Brightness(), tmp_path / "out", precision="bf16", calibration=images, threads=1
    )
    (candidate,) = exported.candidates
    assert (exported.precision, exported.formats) == ("bf16", ("openvino",))
    rounding = candidate.rounding
    assert rounding.accuracy.num_images == rounding.accuracy.before == rounding.accuracy.after == 8
    assert rounding.accuracy.interval[0] < 0 < rounding.accuracy.interval[1]
    assert rounding.float_seconds > 0
    assert rounding.images == "Accuracy on 8 of the 8 others."
    assert candidate.parity.tolerance == BF16_TOLERANCE
    found = json.loads((tmp_path / "out" / "parity.json").read_text())["openvino"]["bf16"]
    assert found["precision"] == "bf16"
    assert found["accuracy"]["num_images"] == 8
    if not openvino_engine.has_bf16():
        assert any("Convolution" in one for one in rounding.float_kernels)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"model.xml", "model.bin"} <= names
    assert names.isdisjoint({"images.xml", "images.onnx", "model.onnx"})
    text = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert '{"INFERENCE_PRECISION_HINT": "bf16"}' in text


@pytest.mark.usefixtures("able")
def test_without_images_it_is_said_that_accuracy_was_not_measured(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["export", "lenet5", "-o", str(tmp_path / "out"), "--precision", "bf16"])
    assert ended.value.code == 0
    assert "accuracy was not measured" in capsys.readouterr().out


@pytest.mark.usefixtures("able")
def test_without_classes_the_answers_that_stay_are_counted(tmp_path, images, monkeypatch):
    out, photos = tmp_path / "out", images / "dark"
    exported = convscope.export(Brightness(), out, precision="bf16", calibration=photos)
    rounding = exported.candidates[0].rounding
    assert (rounding.accuracy, rounding.agreement) == (None, 1.0)
    assert "only how many of 4 other images of dark keep their answer" in rounding.images
    monkeypatch.setattr(bf16, "open_engine", backwards)
    with pytest.raises(WorkError, match=r"16 bits change too many answers \(4 of 4, 100\.00%;"):
        convscope.export(Brightness(), tmp_path / "no", precision="bf16", calibration=photos)


@pytest.mark.usefixtures("able")
def test_predict_asks_the_engine_for_it(tmp_path, images, monkeypatch):
    convscope.export(Brightness(), tmp_path / "out", precision="bf16", threads=1)
    assert ExportedModel.open(tmp_path / "out").manifest["precision"] == "bf16"
    asked = []

    def opened(name, model, **settings):
        asked.append((name, settings["precision"]))
        return open_engine(name, model, **settings)

    monkeypatch.setattr(splits, "open_engine", opened)
    found = convscope.predict(tmp_path / "out", [str(images / "light" / "0.png")])
    assert found.labels == ["light"]
    assert asked == [("openvino", "bf16")]


def backwards(name, path, *, threads, precision="float32", **_):
    """An engine that takes each class for the other in bfloat16."""
    engine = open_engine(name, path, threads=threads)
    return lambda batch: engine(batch)[:, ::-1].copy() if precision == "bf16" else engine(batch)


def off_by(share):
    """An engine whose outputs in bfloat16 are off by a share of the largest."""

    def opened(name, path, *, threads, precision="float32", **_):
        engine = open_engine(name, path, threads=threads)

        def run(images):
            answers = engine(images)
            return answers + np.float32(share * np.abs(answers).max() * (precision == "bf16"))

        return run

    return opened


@pytest.mark.usefixtures("able")
def test_an_engine_that_rounds_worse_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(bf16, "open_engine", off_by(0.03))
    assert convscope.export(Brightness(), tmp_path / "some", precision="bf16").candidates
    monkeypatch.setattr(bf16, "open_engine", off_by(0.07))
    with pytest.raises(WorkError, match=r"In bf16 openvino answers differently.*allowed: 0\.05"):
        convscope.export(Brightness(), tmp_path / "out", precision="bf16")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("able")
def test_what_costs_too_much_accuracy_is_not_kept(tmp_path, images, monkeypatch):
    monkeypatch.setattr(bf16, "open_engine", backwards)
    with pytest.raises(
        WorkError,
        match=r"In openvino 16 bits cost too much accuracy \(100\.00% before, 0\.00% after",
    ):
        convscope.export(Brightness(), tmp_path / "out", precision="bf16", calibration=images)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "bf16", "format": "onnx"}, "is for `format=openvino` alone"),
        ({"precision": "bf16", "engine": "ncnn"}, "does not run|is not installed"),
        ({"precision": "bf16", "int8": True}, "`int8` excludes `precision=bf16`"),
        ({"precision": "fp16"}, "may be float32, bf16, int8, not 'fp16'"),
        ({"precision": "bf16", "max_drop": 101}, "it may be 0 to 100"),
        ({"precision": "bf16", "web": True}, "add onnx to `format`"),
    ],
)
@pytest.mark.usefixtures("able")
def test_settings_that_do_not_fit(settings, message, tmp_path):
    with pytest.raises(RequestError, match=message):
        convscope.export("lenet5", tmp_path / "out", **settings)


def rounded(values, bits):
    """Float32 with so many bits of the significand, the first included, to nearest."""
    step = 2 ** (24 - bits)
    whole = values.contiguous().view(torch.int32)
    return ((whole + step // 2) & -step).view(torch.float32)


@pytest.mark.parametrize("name", first_fast(1, ["lenet5", "resnet20_cifar"]))
def test_the_tolerance_is_that_of_8_bits(name):
    """Each layer's weights and results rounded to 8 bits, as in bfloat16, stay within it, and to 3
    bits do not.
    """
    channels, size = default_input(name)
    torch.manual_seed(0)
    net = create_model(name, num_classes=10).eval()
    images = torch.randn(2, channels, *size)

    def outputs(bits):
        other = create_model(name, num_classes=10).eval()
        state = net.state_dict()
        other.load_state_dict({
            key: rounded(value, bits) if value.is_floating_point() else value
            for key, value in state.items()
        })  # fmt: skip
        for module in other.modules():
            if not [*module.children()]:
                module.register_forward_hook(lambda _, __, output: rounded(output, bits))
        with torch.inference_mode():
            return other(images).numpy()

    with torch.inference_mode():
        expected = net(images).numpy()
    assert difference(outputs(24), expected) < 1e-6
    assert 1e-4 < difference(outputs(8), expected) < BF16_TOLERANCE
    assert difference(outputs(3), expected) > BF16_TOLERANCE
