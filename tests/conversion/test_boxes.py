"""Networks that find objects: exported with their boxes, compared with PyTorch, and refused."""

import json
import re
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope.boxes.coding import BoxCoding
from convscope.boxes.detections import Detections
from convscope.boxes.suppression import detections
from convscope.conversion import box_graph, candidates, openvino_images
from convscope.conversion.box_parity import matched, output_differences
from convscope.engines import is_installed
from convscope.errors import RequestError, WorkError
from tests.explanation.test_boxes import anchored, of_2016
from tests.reference import boxes as slow

for package in ("onnx", "onnxruntime", "onnxscript"):
    pytest.importorskip(package)


def network(make):
    net, card = make()
    net.card = card
    return net


@pytest.fixture(scope="module", params=[anchored, of_2016], ids=["anchors", "yolo-2016"])
def exported(request, tmp_path_factory):
    net = network(request.param)
    folder = tmp_path_factory.mktemp("boxes") / "exported"
    return net, convscope.export(net, folder, engine="onnxruntime", threads=1).path


def picture(size, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(pixels)


def session(folder):
    onnxruntime = pytest.importorskip("onnxruntime")
    return onnxruntime.InferenceSession(folder / "images.onnx")


@pytest.mark.parametrize("size", [(32, 32), (48, 27), (21, 90), (7, 5)])
def test_an_image_of_any_size_gets_the_boxes_of_predict(exported, size):
    net, folder = exported
    image = picture(size)
    expected = convscope.predict(net, [image], min_score=0.05)[0].objects
    assert expected
    found = convscope.predict(folder, [image], min_score=0.05)[0].objects
    boxes, scores, labels, of = session(folder).run(None, {"images": np.asarray(image)[None]})
    above = (scores >= 0.05) & ((boxes[:, 2:] > boxes[:, :2]).all(1))
    assert of.tolist() == [0] * len(of)
    assert all(a >= b for a, b in pairwise(scores.tolist()))
    assert above.sum() == len(found) == len(expected)
    assert [one.label for one in found] == [one.label for one in expected]
    assert [net.card.classes[k] for k in labels[above]] == [one.label for one in expected]
    for one, other, box, score in zip(found, expected, boxes[above], scores[above], strict=True):
        assert one.box == pytest.approx(other.box, abs=0.2)  # PyTorch scales by other roundings
        assert box == pytest.approx(other.box, abs=0.2)
        assert one.score == pytest.approx(other.score, abs=5e-3)
        assert score == pytest.approx(other.score, abs=5e-3)


def test_images_of_a_generator_are_drawn(exported, tmp_path):
    _, folder = exported
    images = (picture((40, 30), seed) for seed in range(2))
    convscope.predict(folder, images, draw=tmp_path / "drawn")
    assert len([*(tmp_path / "drawn").iterdir()]) == 2


def test_several_images_are_told_apart(exported):
    _, folder = exported
    images = np.stack([np.asarray(picture((40, 30), seed)) for seed in range(3)])
    run = session(folder)
    boxes, scores, labels, of = run.run(None, {"images": images})
    for index in range(3):
        alone = run.run(None, {"images": images[index : index + 1]})
        assert boxes[of == index] == pytest.approx(alone[0], abs=1e-4)
        assert scores[of == index] == pytest.approx(alone[1], abs=1e-6)
        assert labels[of == index].tolist() == alone[2].tolist()


def test_outside_all_boxes_are_returned(tmp_path):
    net = network(anchored)
    folder = convscope.export(
        net, tmp_path / "out", engine="onnxruntime", threads=1, suppression="outside"
    ).path
    image = picture((48, 27))
    boxes, scores = session(folder).run(None, {"images": np.asarray(image)[None]})
    assert boxes.shape == (1, 32, 4)
    assert scores.shape == (1, 32, 3)
    assert "Suppression is outside" in (folder / "README.md").read_text()
    kept, numbers = slow.suppress, [(n, k) for n in range(32) for k in range(3)]
    numbers = [(n, k) for n, k in numbers if scores[0, n, k] >= 0.05]
    at = kept(
        [boxes[0, n].tolist() for n, _ in numbers],
        [float(scores[0, n, k]) for n, k in numbers],
        [k for _, k in numbers],
        0.5,
    )
    expected = convscope.predict(folder, [image], min_score=0.05)[0].objects
    found = [numbers[index] for index in at]
    found = [(n, k) for n, k in found if (boxes[0, n, 2:] > boxes[0, n, :2]).all()]
    assert [net.card.classes[k] for _, k in found] == [one.label for one in expected]
    for (n, _), one in zip(found, expected, strict=True):
        assert boxes[0, n] == pytest.approx(one.box, abs=0.1)


@pytest.fixture(scope="module")
def formats(tmp_path_factory):
    """A folder for each format but ONNX."""
    out, net = tmp_path_factory.mktemp("formats"), network(anchored)
    for name in ("openvino", "ncnn", "torch"):
        if name != "torch" and not is_installed(name):
            pytest.skip(f"{name} is not installed")
        convscope.export(net, out / name, format=name, threads=1)
    return net, out


@pytest.mark.parametrize("name", ["openvino", "ncnn"])
def test_other_formats_answer_with_the_boxes_of_predict(formats, name):
    net, out = formats
    (facts,) = [
        one for key, one in json.loads((out / name / "parity.json").read_text()).items()
        if key == name
    ]  # fmt: skip
    assert facts["num_boxes"] > 20
    assert facts["boxes"] < 0.01
    image = picture((48, 27))
    expected = convscope.predict(net, [image], min_score=0.05)[0].objects
    found = convscope.predict(out / name, [image], min_score=0.05)[0].objects
    assert [one.label for one in found] == [one.label for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.box == pytest.approx(other.box, abs=0.2)


@pytest.mark.parametrize("name", ["openvino", "ncnn", "torch"])
def test_the_code_of_each_readme_finds_the_boxes(formats, name):
    net, out = formats
    image = picture((48, 27))
    image.save(out / name / "photo.jpg", quality=95)
    expected = convscope.predict(net, [out / name / "photo.jpg"], min_score=0.01)[0].objects
    text = (out / name / "README.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    code = code.replace("min_score=0.5", "min_score=0.01")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=out / name, capture_output=True, text=True, check=False
    )
    (out / name / "photo.jpg").unlink()
    assert done.returncode == 0, done.stderr
    numbers = [float(word) for word in re.findall(r"\d+\.\d+(?:e-\d+)?", done.stdout)]
    assert expected
    for value in (expected[0].score, *(edge for edge in expected[0].box if 0 < edge < 27)):
        assert min(abs(value - number) for number in numbers) < 0.05


def test_of_another_openvino_file_for_images_nothing_is_kept(tmp_path, monkeypatch):
    if not is_installed("openvino"):
        pytest.skip("openvino is not installed")
    whole = openvino_images._open

    def other(*args):
        run = whole(*args)
        return lambda images: {**(found := run(images)), "boxes": found["boxes"] * 1.5}

    monkeypatch.setattr(openvino_images, "_open", other)
    done = convscope.export(network(anchored), tmp_path / "out", format="openvino", threads=1)
    assert any("images.xml was left out" in note for note in done.notes)
    assert not (done.path / "images.xml").exists()


def test_the_parity_is_that_of_boxes(exported):
    _, folder = exported
    (facts,) = json.loads((folder / "parity.json").read_text()).values()
    assert facts["num_files"] == 8 + 4  # with scenes
    assert facts["num_boxes"] > 20
    assert 0 < facts["boxes"] < 1e-3
    assert 0 < facts["probabilities"] < 1e-4
    assert facts["answers"] == 0


def test_torch_is_not_needed(exported, tmp_path):
    _, folder = exported
    picture((48, 27)).save(tmp_path / "a.png")
    code = (
        "import sys, convscope; "
        f"found = convscope.predict({str(folder)!r}, {str(tmp_path / 'a.png')!r}, min_score=0.05); "
        "print(len(found[0].objects), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, has_torch = done.stdout.split()
    assert int(count) > 0
    assert has_torch == "False"


BREAKS = {
    "the size of boxes": ("Mul (u_factor, anchor_widths)", "Exp (u_number)"),
    "where they lie": ("Div (x_in_cells, column_count)", "Mul (x_share, the_one)"),
    "suppression": (f"float[1] {{{0.5}}}", f"float[1] {{{0.9}}}"),
    "the way back": ("Mul (without_bars, all_box_factor)", "Identity (without_bars)"),
    "scores": ("confidence = Sigmoid (o_number)", "confidence = Tanh (o_number)"),
}  # fmt: skip


@pytest.mark.parametrize("broken", BREAKS)
def test_of_a_graph_with_other_boxes_nothing_is_written(broken, tmp_path, monkeypatch):
    right, wrong = BREAKS[broken]
    whole = box_graph.after_boxes

    def after_boxes(*args):
        text = whole(*args)
        assert right in text
        return text.replace(right, wrong)

    monkeypatch.setattr("convscope.conversion.image_graph.after_boxes", after_boxes)
    with pytest.raises(WorkError, match=r"answers differently.*1 - IoU.*Nothing was written"):
        convscope.export(network(anchored), tmp_path / "out", engine="onnxruntime", threads=1)
    assert not list(tmp_path.iterdir())


def test_of_an_engine_with_other_numbers_nothing_is_written(tmp_path, monkeypatch):
    opened = candidates.open_engine

    def open_engine(*args, **more):
        run = opened(*args, **more)
        return lambda images: run(images) * np.float32(1.01)

    monkeypatch.setattr(candidates, "open_engine", open_engine)
    with pytest.raises(WorkError, match="answers differently"):
        convscope.export(network(anchored), tmp_path / "out", engine="onnxruntime", threads=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(int8=True), "images to be calibrated on.*data with boxes by `calibration`"),
        (dict(suppression="somewhere"), "inside or outside, not 'somewhere'"),
    ],
)
def test_what_is_not_built_is_refused_in_words(options, words, tmp_path):
    with pytest.raises(RequestError, match=words):
        convscope.export(network(anchored), tmp_path / "out", **options)
    assert not list(tmp_path.iterdir())


def test_suppression_of_whole_images_is_refused(tmp_path):
    with pytest.raises(RequestError, match="this one classifies whole images"):
        convscope.export("lenet5", tmp_path / "out", suppression="inside")


CODING = BoxCoding(
    name="anchors", grid=(4, 3), num_classes=3, num_boxes=2, anchors=((0.5, 0.4), (0.7, 0.9))
)


def outputs(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(1, CODING.num_outputs, generator=generator).numpy()


def test_equal_outputs_have_equal_boxes_and_others_differ():
    one = outputs()
    same = output_differences(one, one, CODING)
    assert (same.scores, same.is_other) == (0, False)
    assert same.apart < 1e-12
    other = output_differences(outputs(1), one, CODING)
    assert other.is_other
    assert other.apart > 0.5
    assert output_differences(one + np.nan, one, CODING).is_other


def test_a_box_too_few_or_too_many_is_seen_unless_a_threshold_is_close():
    one = outputs()
    (found,) = detections(one, CODING)
    best = np.arange(len(found))
    assert not matched(found, one, CODING).is_other
    assert matched(found.subset(best[1:]), one, CODING).is_other
    twice = Detections(
        np.concatenate([found.boxes[:1], found.boxes]),
        np.concatenate([found.scores[:1], found.scores]),
        np.concatenate([found.labels[:1], found.labels]),
        np.concatenate([found.cells[:1], found.cells]),
    )
    assert matched(twice, one, CODING).is_other
    tiny = found.scores < 0.0105
    assert not matched(found.subset(best[~tiny]), one, CODING).is_other


def test_boxes_of_an_image_with_bars_lie_in_it():
    net, card = anchored()
    image = picture((48, 27))
    net.card = card
    found = convscope.predict(net, [image], min_score=0.01)[0].objects
    assert found
    for left, top, right, bottom in (one.box for one in found):
        assert 0 <= left < right <= 48
        assert 0 <= top < bottom <= 27
