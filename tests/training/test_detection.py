"""Boxes through the trainer: training, resuming to the bit, evaluating, refusing."""

import csv
import importlib
import importlib.util
import io
import json
import math
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope.boxes.coding import BoxCoding
from convscope.card import Card
from convscope.conversion.sample_files import read_samples
from convscope.data import scenes
from convscope.data.fingerprint import fingerprint_of
from convscope.errors import Interrupted, RequestError
from convscope.evaluation.detection import DetectionMetrics
from convscope.evaluation.multi_label import metrics_from_dict
from convscope.runs.folder import Run
from convscope.runs.forms import checked_scores
from convscope.runs.tensor_file import load_tensors
from convscope.training.callbacks.base import Callback

SETTINGS = dict(epochs=3, batch_size=16, checkpoint_seconds=0.0, input_size=64, threads=1)


@pytest.fixture(scope="module", autouse=True)
def few_scenes():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, "COUNTS", {"train": 48, "val": 16, "test": 16})
        yield


def train(out, data="scenes", **more):
    return convscope.train(data, out=out, progress=False, **{**SETTINGS, **more})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("detection") / "run", task="detect")


def test_a_training_finds_boxes_and_says_so(trained):
    run = Run(trained.run)
    card = run.read_card()
    assert (card.task, card.boxes.name, card.boxes.grid) == ("detection", "anchors", (8, 8))
    assert card.num_outputs == 2 * 15 * 64
    assert Card.from_json(card.to_json()) == card
    assert '"version": 6' in card.to_json()
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["train_loss"] < 0.8 * lines[0]["train_loss"]
    assert {"val_ap50", "val_ap", "val_loss", "val_top1"} <= lines[0].keys()
    assert "boxes are green" in (run.path / "report.html").read_text()
    assert isinstance(trained.test, DetectionMetrics)
    assert trained.test.num_images == 16


def test_the_file_of_the_test_is_read_back_as_it_was(trained):
    values = json.loads((Run(trained.run).path / "test.json").read_text())
    again = metrics_from_dict(checked_scores(values, where="test.json"))
    assert again.to_dict() == trained.test.to_dict() == values
    with pytest.raises(RequestError, match="top1"):
        checked_scores({**values, "top1": 0.99}, where="test.json")
    with pytest.raises(RequestError, match="10 entries"):
        checked_scores({**values, "voc": []}, where="test.json")


def test_evaluate_finds_the_same_and_has_a_row_for_each_image(trained, tmp_path):
    result = convscope.evaluate(trained.run, csv=tmp_path / "rows.csv")
    assert result.metrics.to_dict() == trained.test.to_dict()
    assert "AP50" in str(result)
    header, *rows = (tmp_path / "rows.csv").read_text().splitlines()
    assert header.startswith("path,objects,found,correct,num_objects,num_found,loss")
    assert len(rows) == 16
    with pytest.raises(RequestError, match="box_details"):
        _ = result.details


def test_predictions_have_the_boxes_that_evaluate_has_in_pixels(trained):
    images = scenes_of_test()
    found = convscope.predict(trained.run, images, min_score=0.05, batch_size=5)
    result = convscope.evaluate(trained.run)
    for one, expected in zip(found, result.outputs.found, strict=True):
        kept = expected.above(0.05)
        assert one.size == (64, 64)
        assert [each.label for each in one.objects] == [str(label) for label in kept.labels]
        assert [each.score for each in one.objects] == pytest.approx(kept.scores, rel=1e-5)
        boxes = np.array([each.box for each in one.objects]).reshape(-1, 4)
        assert boxes == pytest.approx(64 * kept.boxes, abs=1e-4)
        assert [each.cell for each in one.objects] == [tuple(cell) for cell in kept.cells]
    assert sum(len(one.objects) for one in found) > 16
    few = convscope.predict(trained.run, images, min_score=0.05, max_overlap=0.0)
    assert sum(len(one.objects) for one in few) < sum(len(one.objects) for one in found)
    (none,) = convscope.predict(trained.run, images[0], min_score=1)
    assert (none.objects, none.label, none.probability) == ((), "no objects", 0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return written(tmp_path_factory.mktemp("files"), 128, 128)


def written(root, width, height):
    """The scenes of the test as files of another size, and COCO's annotations of them."""
    (root / "images").mkdir()
    dataset = scenes.read_scenes()
    images, annotations = [], []
    for number in np.flatnonzero(dataset.split == "test").tolist():
        image = dataset.images.image(number)
        Image.fromarray(np.asarray(image)).resize((width, height), 0).save(
            root / "images" / f"{number}.png"
        )
        images.append(dict(id=number, file_name=f"{number}.png", width=width, height=height))
        of = dataset.objects.of_image(number)
        for box, label in zip(
            dataset.objects.boxes[of] / 64, dataset.objects.labels[of], strict=True
        ):
            left, top, right, bottom = (box * (width, height, width, height)).tolist()
            annotations.append(
                dict(
                    id=len(annotations) + 1, image_id=number, category_id=50 - int(label),
                    bbox=[left, top, right - left, bottom - top], iscrowd=0,
                    area=(right - left) * (bottom - top),
                )
            )  # fmt: skip
    categories = [dict(id=50 - number, name=str(number)) for number in range(10)]
    content = dict(images=images, annotations=annotations, categories=categories)
    (root / "boxes.json").write_text(json.dumps(content))
    return root


@pytest.mark.skipif(
    not importlib.util.find_spec("pycocotools"), reason="pycocotools is not installed"
)
@pytest.mark.parametrize("size", [(128, 128), (168, 112)], ids=["square", "wide"])
def test_pycocotools_finds_the_ap_of_evaluate_in_the_results_of_predict(trained, tmp_path, size):
    """From files, through COCO's results with their ids, to the same figures, by size too; a wide
    image has black bars, and boxes end at its edges.
    """
    files = written(tmp_path, *size)
    assert Run(trained.run).read_card().resize_mode == "pad"
    coco = importlib.import_module("pycocotools.coco").COCO
    evaluation = importlib.import_module("pycocotools.cocoeval").COCOeval
    truth = coco(str(files / "boxes.json"))
    found = convscope.predict(trained.run, files / "images", min_score=0.01)
    theirs = evaluation(truth, truth.loadRes(found.to_coco(files / "boxes.json")), "bbox")
    theirs.evaluate()
    theirs.accumulate()
    theirs.summarize()
    ours = convscope.evaluate(trained.run, files / "boxes.json").metrics
    assert (ours.ap50, ours.ap) == pytest.approx((theirs.stats[1], theirs.stats[0]), abs=1e-12)
    assert ours.ap50 > 0.02
    assert ours.by_size.sides == (32, 96)
    expected = [math.nan if value < 0 else value for value in theirs.stats[3:6]]
    np.testing.assert_allclose(ours.by_size.means, expected, rtol=0, atol=1e-12)


def test_predict_prints_objects_and_draws_them(trained, files, command, tmp_path):
    words = ("predict", trained.run, files / "images", "--min-score", 0.05)
    table = command(*words, "--draw", tmp_path / "drawn")
    assert "left" in table.stdout.splitlines()[0]
    assert "drawn has the images with their boxes" in table.stderr
    assert len(list((tmp_path / "drawn").glob("*.png"))) == 16
    rows = list(csv.DictReader(io.StringIO(command(*words, "--format", "csv").stdout)))
    facts = json.loads(command(*words, "--json").stdout)["predictions"]
    boxes = json.loads(command(*words, "--format", "coco").stdout)
    each = [one for of in facts for one in of["objects"]]
    assert len(rows) >= len(each) == len(boxes) > 16
    assert [float(row["left"]) for row in rows if row["left"]] == pytest.approx(
        [one["left"] for one in each], abs=1e-6
    )
    assert {of["width"] for of in facts} == {128}
    words = ("predict", trained.run, files / "images", "--output", tmp_path / "out.csv")
    assert "--draw" in command(*words, "--draw", "boxes", code=2).stderr
    words = ("predict", trained.run, files / "images", "--json")
    said = "convscope: --json is --format json, and --format is coco: leave out one."
    assert said in command(*words, "--format", "coco", code=2).stderr
    wrong = command("predict", trained.run, files, "--draw", files / "boxes.json", code=2).stderr
    assert "--draw is a folder" in wrong


def test_details_are_printed_for_people_and_programs_and_drawn_in_the_report(
    trained, files, command
):
    words = ("evaluate", trained.run, files / "boxes.json", "--details")
    told = command(*words).stdout
    for part in ("Precision at recall, IoU 0.5", "least score", "localization  other  background"):
        assert part in told
    details = json.loads(command(*words, "--json").stdout)["details"]
    expected = convscope.evaluate(trained.run, files / "boxes.json").box_details
    assert details["ap50"].keys() == expected.ap50.keys()
    page = (trained.run / "report.html").read_text()
    assert "Precision by recall, IoU 0.5" in page
    assert page.count('<g class="s') >= 6


def test_a_report_of_boxes_is_a_page_json_and_rows(trained, files, tmp_path):
    result = convscope.evaluate(trained.run, files / "boxes.json")
    written = convscope.report(result, tmp_path / "report")
    names = ["report.html", "report.json", "images.csv"]
    has_hub = importlib.util.find_spec("huggingface_hub") is not None
    assert [path.name for path in written] == [*names[:2], *["README.md"] * has_hub, names[2]]
    if has_hub:
        card = (tmp_path / "report" / "README.md").read_text()
        assert "pipeline_tag: object-detection" in card
        assert f"value: {result.metrics.ap}" in card
        assert f"| AP50 | {result.metrics.ap50:.2%} " in card
    content = json.loads((tmp_path / "report" / "report.json").read_text())
    assert content["details"]["ap50"].keys() == result.box_details.ap50.keys()
    assert content["evaluation"]["ap50"] == result.metrics.ap50


@pytest.mark.parametrize("option", [{"min_score": 0.0}, {"max_overlap": 0.5}, {"draw": "drawn"}])
def test_a_classifier_has_no_boxes(option, digits_run):
    with pytest.raises(RequestError, match=r"is for networks that find objects"):
        convscope.predict(digits_run, np.zeros((8, 8), np.uint8), **option)


@pytest.mark.parametrize("wrong", [{"min_score": 1.5}, {"max_overlap": -0.1}])
def test_shares_outside_of_0_to_1_are_refused(trained, wrong):
    with pytest.raises(RequestError, match=f"`{next(iter(wrong))}` is .*; allowed: 0 to 1"):
        convscope.predict(trained.run, np.zeros((64, 64), np.uint8), **wrong)


def scenes_of_test():
    dataset = scenes.read_scenes()
    indices = np.flatnonzero(dataset.split == "test").tolist()
    return [np.asarray(dataset.images.image(index)) for index in indices]


def test_what_does_not_know_boxes_yet_says_so(tmp_path):
    with pytest.raises(RequestError, match="not pooled"):
        convscope.cross_validate("scenes", folds=3, out=tmp_path / "folds", progress=False)


@pytest.mark.parametrize(
    "ask",
    [
        convscope.maps,
        lambda run, image: convscope.patches(run, "scenes"),
        lambda run, image: convscope.embed(run, "scenes"),
        lambda run, image: convscope.probes(run, "scenes"),
        lambda run, image: convscope.robustness(run),
        lambda run, image: convscope.calibrate(run),
        lambda run, image: convscope.prune(run, out="nowhere", multiply_adds=0.5),
    ],
)
def test_what_is_for_classes_of_whole_images_says_so(trained, ask):
    with pytest.raises(RequestError, match="classify whole images"):
        ask(trained.run, np.zeros((64, 64), np.uint8))


def test_an_export_is_compared_on_images_with_objects_that_were_not_trained_on(trained):
    run = Run(trained.run)
    samples = read_samples(run.read_card(), run)
    assert len(samples) == 4 + 4 + 8
    dataset = scenes.read_scenes()
    held_out = np.flatnonzero(dataset.split != "train")
    counts = np.diff(dataset.objects.starts)
    for sample, index in zip(samples, held_out[counts[held_out] > 0], strict=False):
        if sample is samples[4]:
            break
        expected = np.asarray(dataset.images.image(int(index)))
        assert np.array_equal(sample.pixels[0, :, :, 0], expected)


def test_what_has_another_place_is_refused_before_any_work(trained, tmp_path):
    with pytest.raises(RequestError, match="finds objects, and runs are compared by the classes"):
        convscope.compare(trained.run, copy_of(trained.run, tmp_path))
    with pytest.raises(RequestError, match="`html` is a page of mistakes in classes"):
        convscope.evaluate(trained.run, html=tmp_path / "page.html")


def copy_of(run, folder):
    return shutil.copytree(run, folder / "other")


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, state, event):
        if event.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


def test_a_stopped_training_ends_with_the_bits_of_one_that_was_not(trained, tmp_path):
    with pytest.raises(Interrupted):
        train(tmp_path / "run", task="detect", callbacks=[StopAt(5)])
    convscope.resume(tmp_path / "run", progress=False)
    one, other = (
        load_tensors(path / "model.safetensors").tensors for path in (trained.run, tmp_path / "run")
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (dict(mixup=0.2), "mixup"),
        (dict(augment=lambda image: image), "where boxes go"),
        (dict(class_weights="balanced"), "class_weights"),
        (dict(task="ordinal"), "does not fit these labels"),
        (dict(metric="top5"), "metric"),
    ],
)
def test_what_does_not_fit_boxes_is_refused(more, words, tmp_path):
    with pytest.raises(RequestError, match=words):
        train(tmp_path / "run", **more)
    assert not (tmp_path / "run").exists()


def test_boxes_move_along_with_resized_crops_in_a_training(tmp_path):
    result = train(tmp_path / "run", augment="resized-crop", crop_scale=(0.5, 1.0), epochs=4)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["train_loss"] for line in lines]
    assert losses[-1] < 0.8 * losses[0]
    assert result.test.task == "detection"


def test_classes_alone_are_trained_where_they_are_asked_for(tmp_path):
    result = train(tmp_path / "run", task="multi-label", model="tinyvgg", epochs=1)
    assert result.test.task == "multi-label"


def test_a_detector_is_refused_for_images_with_classes_alone(tmp_path):
    with pytest.raises(RequestError, match="finds objects"):
        train(tmp_path / "run", data="digits", model="yolo_small")


def test_a_head_is_put_on_a_classification_network_and_read_back(tmp_path):
    result = train(tmp_path / "run", model="tinyvgg", epochs=1)
    net, card = convscope.load(result.run)
    assert [name for name, _ in net.named_children()][-2:] == ["boxes", "flatten"]
    assert net.box_coding == card.boxes
    again = convscope.evaluate(result.run)
    assert again.metrics.to_dict() == result.test.to_dict()


def test_a_card_says_what_its_outputs_mean():
    coding = BoxCoding(name="yolo-2016", grid=(7, 7), num_classes=1, num_boxes=2)
    card = Card(
        classes=("a",), task="detection", boxes=coding, input_size=(64, 64), in_channels=1,
        resize_mode="pad", mean=(0.0,), std=(1.0,),
    )  # fmt: skip
    assert Card.from_json(card.to_json()) == card
    for change in (dict(task="single-label"), dict(classes=("a", "b"))):
        with pytest.raises(RequestError, match=r"boxes|two classes"):
            replace(card, **change)
    text = card.to_json().replace('"yolo-2016"', '"ssd"')
    with pytest.raises(RequestError, match="ssd"):
        Card.from_json(text)


def test_objects_are_part_of_the_fingerprint():
    one = scenes.read_scenes()
    moved = replace(one.objects, sizes=one.objects.sizes + np.eye(len(one.objects.sizes), 2))
    assert fingerprint_of(one, ()) != fingerprint_of(replace(one, objects=moved), ())
