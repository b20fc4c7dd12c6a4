"""A network that finds objects in 8 bits: by how much its average precision drops."""

import json

import numpy as np
import pytest

import convscope
from convscope.boxes.average_precision import average_precision, mean_average_precision
from convscope.boxes.detections import Detections
from convscope.boxes.matching import match
from convscope.boxes.truth import Objects
from convscope.errors import RequestError, WorkError
from convscope.evaluation.paired_precision import PairedPrecision
from tests.conversion.test_boxes import network, picture
from tests.explanation.test_boxes import anchored

for package in ("onnx", "onnxruntime", "onnxscript"):
    pytest.importorskip(package)

CLASSES = ("cat", "dog", "owl")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Images whose objects are what the network itself finds, so that it is right in float32."""
    net, root = network(anchored), tmp_path_factory.mktemp("own")
    rows = ["path,label,xmin,ymin,xmax,ymax,split"]
    for number in range(16):
        image = picture((32, 32), number).convert("L")
        image.save(root / f"{number}.png")
        split = "train" if number < 4 else "val"
        rows += [
            f"{number}.png,{one.label},{','.join(map(str, one.box))},{split}"
            for one in convscope.predict(net, [image], min_score=0.3)[0].objects
        ]
    path = root / "boxes.csv"
    path.write_text("\n".join(rows) + "\n")
    return net, path


def measured(found, path):
    """AP of boxes in pixels, of the images that are not calibrated on."""
    truth = {number: ([], []) for number in range(4, 16)}
    for line in path.read_text().splitlines()[1:]:
        name, label, *edges, _ = line.split(",")
        if (number := int(name.partition(".")[0])) in truth:
            truth[number][0].append([float(edge) for edge in edges])
            truth[number][1].append(CLASSES.index(label))
    objects = Objects.of(
        [np.array(boxes).reshape(-1, 4) for boxes, _ in truth.values()],
        [np.array(labels, int) for _, labels in truth.values()],
    )
    boxes = [
        Detections(
            np.array([each.box for each in one.objects]).reshape(-1, 4),
            np.array([each.score for each in one.objects]),
            np.array([CLASSES.index(each.label) for each in one.objects], int),
            np.zeros((len(one.objects), 3), int),
        )
        for one in found
    ]
    matches = match(boxes, objects, 3)
    return mean_average_precision(
        [average_precision(one, step) for step in range(10) for one in matches]
    )


def test_the_drop_of_average_precision_is_that_of_predict(own, tmp_path):
    net, path = own
    done = convscope.export(
        net, tmp_path / "out", int8=True, calibration=path, engine="onnxruntime", threads=1,
        max_drop=100,
    )  # fmt: skip
    facts = json.loads((done.path / "parity.json").read_text())["onnxruntime"]["int8"]
    images = [path.parent / f"{number}.png" for number in range(4, 16)]
    before, after = (
        measured(convscope.predict(each, images, min_score=0.01), path) for each in (net, done.path)
    )
    assert facts["accuracy"]["metric"] == "ap"
    assert facts["accuracy"]["before"] == pytest.approx(before, abs=0.01)
    assert before > 0.9
    assert facts["accuracy"]["after"] == pytest.approx(after, abs=0.01)
    assert facts["accuracy"]["change"] < 0
    assert "average precision on 12 of 12 validation images" in facts["images"]


def test_too_large_a_drop_is_refused_and_so_are_images_without_boxes(own, tmp_path):
    net, path = own
    settings = dict(int8=True, engine="onnxruntime", threads=1)
    with pytest.raises(WorkError, match=r"cost too much accuracy.*AP .* before.*Nothing was"):
        convscope.export(net, tmp_path / "out", calibration=path, max_drop=0, **settings)
    with pytest.raises(RequestError, match="Then pass that file instead"):
        convscope.export(net, tmp_path / "out", calibration=path.parent, **settings)
    with pytest.raises(RequestError, match="`precision=bf16` is for networks that classify"):
        convscope.export(net, tmp_path / "out", precision="bf16")
    assert not (tmp_path / "out").exists()


def test_the_interval_draws_both_alike():
    """Of a network and itself it is 0; of one that loses every second box it lies below."""
    random = np.random.default_rng(0)
    boxes = [np.array([[k, k, k + 5.0, k + 5.0] for k in (0, 20)]) for _ in range(40)]
    labels = [random.integers(0, 2, 2) for _ in range(40)]
    truth = Objects.of(boxes, labels)

    def found(kept):
        return [
            Detections(each[:kept], np.array([0.9, 0.8])[:kept], label[:kept], np.zeros((kept, 3)))
            for each, label in zip(boxes, labels, strict=True)
        ]

    whole, half = match(found(2), truth, 2), match(found(1), truth, 2)
    assert PairedPrecision((whole, whole)).interval == (0, 0)
    lost = PairedPrecision((whole, half))
    low, high = lost.interval
    assert low < lost.change < high < 0
    assert lost.change == pytest.approx(-0.5, abs=0.05)
