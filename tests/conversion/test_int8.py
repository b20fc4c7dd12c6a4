"""In 8 bits: accuracy stays, float kernels are counted, what costs too much is named."""

import json
import shutil

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

import convscope
from convscope.cli import main
from convscope.conversion import costly_layers, int8
from convscope.conversion.calibration import NUM_CALIBRATION, calibration_images
from convscope.conversion.network_graph import exportable, network_graph
from convscope.conversion.quantization import Quantizer, weight_scales
from convscope.engines import is_installed, open_engine
from convscope.engines.timing import EngineTimes
from convscope.errors import RequestError, WorkError
from convscope.exported.classifier import open_classifier
from convscope.exported.folder import ExportedModel
from convscope.exported.pixels import fitted_pixels, normalize
from convscope.models import open_model

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SIZES = [(21, 34), (64, 48), (24, 24), (90, 31), (17, 17)]


def paint(folder, *, count=60):
    """Three classes of files of odd sizes: where the bright stripe of a color lies."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(("apple", "leaf", "plum")):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            height, width = SIZES[number % len(SIZES)]
            pixels = rng.integers(0, 120, (height, width, 3))
            pixels[label * height // 3 : (label + 1) * height // 3, :, label] += 130
            suffix = "jpg" if number % 2 else "png"
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number:02d}.{suffix}")
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return paint(tmp_path_factory.mktemp("int8") / "images")


@pytest.fixture(scope="module")
def run(images, tmp_path_factory):
    """A trained network with batch norm, residual blocks and a global average."""
    out = tmp_path_factory.mktemp("int8") / "run"
    convscope.train(
        images, model="resnet20_cifar", input_size=24, epochs=4, out=out, progress=False,
        batch_size=16, augment="none",
    )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def plain(images, tmp_path_factory):
    """One without batch norm."""
    out = tmp_path_factory.mktemp("int8") / "plain"
    convscope.train(
        images, model="tinyvgg", input_size=24, epochs=6, out=out, progress=False, batch_size=16,
        augment="none",
    )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("int8") / "exported"
    return convscope.export(run, folder, int8=True, threads=1)


def test_accuracy_stays_in_every_engine(exported):
    for candidate in exported.candidates:
        rounding = candidate.rounding
        assert rounding.accuracy.change >= -0.01
        assert rounding.accuracy.before / rounding.accuracy.num_images > 0.9
        assert rounding.agreement > 0.97
        assert 0 < max(rounding.worst, rounding.worst_of_files) < 0.2
        assert rounding.float_layers == ()
    found = json.loads((exported.path / "parity.json").read_text())
    assert set(found) == {*filter(is_installed, int8.PLACEMENTS)}
    assert found["onnxruntime"]["int8"]["accuracy"]["num_images"] == 18
    assert ExportedModel.open(exported.path).manifest["precision"] == "int8"


def test_it_is_smaller_and_opens_as_any_other(exported, run, images, tmp_path):
    convscope.export(run, tmp_path / "float", engine="onnxruntime")
    sizes = [(path / "model.onnx").stat().st_size for path in (exported.path, tmp_path / "float")]
    assert sizes[0] < 0.5 * sizes[1]  # names and scales are a part of so small a file
    model = ExportedModel.open(exported.path)
    files = sorted(images.glob("*/*"))[::4]
    expected = convscope.predict(run, [*map(str, files)]).labels
    pixels = np.stack([fitted_pixels(file, model.card) for file in files])
    for engine in model.manifest["engines"]:
        found = open_classifier(model, engine=engine, threads=1)(pixels).argmax(1)
        same = [model.card.classes[k] == label for k, label in zip(found, expected, strict=True)]
        assert np.mean(same) > 0.95, engine


def test_every_kernel_of_a_residual_network_is_in_8_bits(exported):
    kernels = {one.engine: one.rounding.float_kernels for one in exported.candidates}
    assert kernels["onnxruntime"] == ()
    assert len(kernels.get("openvino", ())) <= 12  # where results are not rounded: sums, pooling


def test_batch_norm_is_folded(exported):
    graph = onnx.load(exported.path / "model.onnx").graph
    assert not [node for node in graph.node if node.op_type == "BatchNormalization"]


def test_a_scale_for_each_filter(exported, run):
    """max |w| / 127, of the filters with batch norm folded in."""
    model = onnx.load(exported.path / "model.onnx")
    layers = [node.name for node in model.graph.node if node.op_type == "Conv"]
    convolutions = {
        name: module
        for name, module in convscope.load(run)[0].named_modules()
        if isinstance(module, torch.nn.Conv2d)
    }
    assert len(layers) == len(convolutions)
    for layer, module in zip(layers, convolutions.values(), strict=True):
        scales = weight_scales(model, layer)
        assert scales.shape == (module.out_channels,)
        assert len(np.unique(scales)) > module.out_channels / 2


@pytest.fixture
def broken(plain):
    """In one layer each filter has a weight, for a map that is always 0, that outweighs all others:
    nothing in float32, everything in 8 bits.
    """
    net, _ = convscope.load(plain)
    convolutions = [
        (name, module)
        for name, module in net.named_modules()
        if isinstance(module, torch.nn.Conv2d)
    ]
    (_, first), (name, second) = convolutions[:2]
    with torch.no_grad():
        first.weight[0] = 0
        first.bias[0] = 0
        second.weight[:, 0] = 2000.0
    return net, name


def test_a_layer_that_costs_too_much_is_named_and_kept_in_float(broken, images, tmp_path):
    net, name = broken
    exported = convscope.export(
        net, tmp_path / "out", int8=True, calibration=images, engine="onnxruntime", max_drop=5
    )
    rounding = exported.candidates[0].rounding
    assert rounding.float_layers == (name,)
    assert rounding.accuracy.change >= -0.05
    assert any(name in kernel for kernel in rounding.float_kernels)
    found = json.loads((tmp_path / "out" / "parity.json").read_text())
    assert found["onnxruntime"]["int8"]["float_layers"] == [name]


def test_where_that_does_not_help_nothing_is_written(broken, images, tmp_path, monkeypatch):
    net, name = broken
    monkeypatch.setattr("convscope.conversion.costly_layers.COUNTS", ())
    with pytest.raises(WorkError, match=rf"comes from {name} \(\d+%\).*Nothing was written"):
        convscope.export(net, tmp_path / "out", int8=True, calibration=images, engine="onnxruntime")
    assert [*tmp_path.iterdir()] == []


def test_an_engine_that_loses_accuracy_is_not_kept(plain, tmp_path, monkeypatch):
    def open_wrongly(name, path, **settings):
        engine = open_engine(name, path, **settings)
        return lambda batch: engine(batch)[:, ::-1].copy()

    monkeypatch.setattr(int8, "mend", lambda *_, **__: costly_layers.Layers())
    monkeypatch.setattr(int8, "open_engine", open_wrongly)
    with pytest.raises(WorkError, match=r"In onnxruntime 8 bits cost too much accuracy \(.*points"):
        convscope.export(plain, tmp_path / "out", int8=True, engine="onnxruntime", threads=1)
    assert [*tmp_path.iterdir()] == []


def test_a_network_without_data_needs_some(tmp_path):
    with pytest.raises(RequestError, match=r"no run.*one folder for each class, by `calibration`"):
        convscope.export("lenet5", tmp_path / "out", int8=True)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_drop": 1.0}, "are for `int8` or"),
        ({"calibration": "folder"}, "are for `int8` or"),
        ({"int8": True, "max_drop": -1.0}, "it may be 0 to 100"),
        ({"int8": True, "calibration": "missing"}, "missing"),
    ],
)
def test_arguments_that_do_not_fit(settings, message, tmp_path):
    with pytest.raises(RequestError, match=message):
        convscope.export("lenet5", tmp_path / "out", **settings)


def test_it_is_told_where_8_bits_are_not_faster(plain, tmp_path, monkeypatch):
    slow = EngineTimes(p50=1, p95=1, fastest_round=1, slowest_round=1, batch_size=1)
    monkeypatch.setattr(
        int8, "time_engines", lambda runners, *_, **__: dict.fromkeys(runners, slow)
    )
    exported = convscope.export(plain, tmp_path / "out", int8=True, engine="onnxruntime")
    assert "is not faster here: 1000.00 ms a batch" in exported.notes[-1]


def test_data_that_moved_are_told(tmp_path):
    paint(tmp_path / "data", count=8)
    convscope.train(
        tmp_path / "data", model="tinyvgg", input_size=24, epochs=1, out=tmp_path / "run",
        progress=False,
    )  # fmt: skip
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(RequestError, match=r"does not exist.*`calibration`"):
        convscope.export(tmp_path / "run", tmp_path / "out", int8=True)
    exported = convscope.export(
        tmp_path / "run", tmp_path / "out", int8=True, calibration=tmp_path / "moved",
        max_drop=100, engine="onnxruntime",
    )  # fmt: skip
    assert "of 24 images of moved" in exported.candidates[0].rounding.images


@pytest.fixture(scope="module")
def unlabeled(images, tmp_path_factory):
    """The same images, all in one folder, with a file that is none, and an empty folder."""
    folder = tmp_path_factory.mktemp("int8") / "photos"
    (folder / "empty").mkdir(parents=True)
    for number, path in enumerate(sorted(images.glob("*/*"))):
        shutil.copy(path, folder / f"{number:03d}{path.suffix}")
    (folder / "bad.png").write_bytes(b"no image")
    return folder


def test_without_classes_the_answers_that_stay_are_counted(plain, unlabeled, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["export", str(plain), "-o", str(out), "--int8", "--calibration", str(unlabeled)]
    said = " ".join(called([*words, "--engine", "onnxruntime"], capsys).split())
    assert "Calibrated on 90 of 181 images of photos. Classes are not known, so accuracy" in said
    assert "only how many of 90 other images of photos keep their answer" in said
    assert " same " in said
    assert "interval" not in said
    found = json.loads((out / "parity.json").read_text())["onnxruntime"]["int8"]
    assert found["accuracy"] is None
    images = calibration_images(open_model(plain), unlabeled)
    assert (len(images.calibration), len(images.measured), images.truth) == (90, 90, None)
    net, card = convscope.load(plain)
    expected = net(torch.from_numpy(normalize(images.measured, card))).argmax(1).numpy()
    same = open_classifier(out, threads=1)(images.measured).argmax(1) == expected
    assert found["agreement"] == pytest.approx(same.mean())


def test_without_classes_too_many_changed_answers_are_refused(
    broken, unlabeled, tmp_path, monkeypatch
):
    net, name = broken
    monkeypatch.setattr("convscope.conversion.costly_layers.COUNTS", ())
    with pytest.raises(WorkError, match=r"^8 bits change too many answers \((\d+) of 90, ") as told:
        convscope.export(
            net, tmp_path / "out", int8=True, calibration=unlabeled, engine="onnxruntime"
        )
    assert f"`max_drop` is 1). Most of it comes from {name} (" in str(told.value)
    assert [*tmp_path.iterdir()] == []


def test_of_images_without_classes_it_is_said_where_these_may_be(run, unlabeled, tmp_path):
    photos = shutil.copytree(unlabeled, tmp_path / "photos")
    assert calibration_images(open_model(run), photos).hint == ""
    (photos / "labels.csv").write_text("path,label\n")
    said = calibration_images(open_model(run), photos).description
    assert said.endswith(
        f"Are their labels in {photos / 'labels.csv'}? Then pass that file instead of the folder."
    )


def test_too_few_images_without_classes_are_refused(run, unlabeled, tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("000.png", "bad.png"):
        shutil.copy(unlabeled / name, tmp_path / "photos")
    with pytest.raises(RequestError, match=r"photos has too few images to be calibrated on"):
        calibration_images(open_model(run), tmp_path / "photos")


def test_calibration_images_are_a_stratified_sample_of_the_training_split(run):
    opened = open_model(run)
    found = calibration_images(opened, None)
    again = calibration_images(opened, None)
    assert np.array_equal(found.calibration, again.calibration)
    assert len(found.calibration) <= NUM_CALIBRATION
    assert len(found.measured) == len(found.truth) == 18
    pixels = {image.tobytes() for image in found.calibration}
    assert pixels.isdisjoint(image.tobytes() for image in found.measured)
    assert found.description.startswith("Calibrated on 126 of 126 training images of images;")


def test_a_sample_has_as_many_of_each_class(run, monkeypatch):
    monkeypatch.setattr("convscope.conversion.calibration.NUM_MEASURED", 9)
    found = calibration_images(open_model(run), None)
    assert np.bincount(found.truth).tolist() == [3, 3, 3]


def called(words, capsys):
    """Standard output of a command that succeeds."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_on_the_command_line(run, capsys):
    out = called(["export", str(run), "--int8", "--engine", "onnxruntime"], capsys)
    assert "95% interval" in out
    assert "Calibrated on 126 of 126 training images" in out
    assert "Kernels of onnxruntime in float32: 0." in out
    assert (run / "exported-int8" / "model.onnx").exists()
    assert not (run / "exported").exists()


def test_what_is_refused_on_the_command_line_names_flags(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["export", "lenet5", "-o", str(tmp_path / "out"), "--int8"])
    assert ended.value.code == 2
    assert "one folder for each class, by --calibration" in capsys.readouterr().err


def test_as_json(plain, tmp_path, capsys):
    words = ["export", str(plain), "-o", str(tmp_path / "out"), "--int8", "--json"]
    out = called([*words, "--engine", "onnxruntime", "--max-drop", "2"], capsys)
    found = json.loads(out)["engines"]["onnxruntime"]["int8"]
    assert found["float_kernels"] == []
    assert len(found["accuracy"]["interval"]) == 2


def test_hard_swish_is_one_operation_and_global_averages_are_a_pooling():
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Hardswish(), torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(), torch.nn.Linear(4, 3),
    )  # fmt: skip
    graph = network_graph(exportable(net), (3, 8, 8), 3)
    kinds = [node.op_type for node in graph.graph.node]
    assert kinds.count("HardSwish") == kinds.count("GlobalAveragePool") == 1
    assert "ReduceMean" not in kinds


def mean_of(axes, *, keepdim):
    class Mean(torch.nn.Module):
        def forward(self, x):
            return x.mean(axes, keepdim=keepdim).flatten(1)[:, :3]

    return Mean()


@pytest.mark.parametrize("axes", [(2, 3), (-1, -2), (3,), (1, 2), (1,)])
@pytest.mark.parametrize("keepdim", [True, False])
def test_means_are_pytorchs(axes, keepdim):
    net = exportable(mean_of(axes, keepdim=keepdim))
    model = network_graph(net, (3, 5, 7), 3)
    images = torch.randn(2, 3, 5, 7)
    for name in filter(is_installed, int8.PLACEMENTS):
        found = open_engine(name, model.SerializeToString(), threads=1)(images.numpy())
        assert found == pytest.approx(net(images).numpy(), abs=1e-6), name


def test_only_inputs_of_layers_are_rounded_where_that_is_asked_for():
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.SiLU(), torch.nn.Conv2d(4, 4, 3), torch.nn.Flatten(),
        torch.nn.Linear(64, 3),
    )  # fmt: skip
    network = network_graph(exportable(net), (3, 8, 8), 3)
    quantizer = Quantizer.calibrate(network, [torch.randn(4, 3, 8, 8).numpy()])
    rounded = {
        placement: sum(
            node.op_type == "QuantizeLinear"
            for node in quantizer.quantize(placement=placement).graph.node
        )
        for placement in ("layers", "everywhere")
    }
    assert rounded["layers"] == 3
    assert rounded["everywhere"] > 3
    alone = quantizer.quantize(placement="layers", float_layers=["0", "2"])
    assert sum(node.op_type == "QuantizeLinear" for node in alone.graph.node) == 1
