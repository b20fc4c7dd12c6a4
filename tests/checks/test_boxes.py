"""What `check` finds among boxes: each fault, planted once."""

import json

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.errors import RequestError

WIDTH, HEIGHT = 40, 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five images with noise, four of them listed in COCO's file, with every fault once."""
    root = tmp_path_factory.mktemp("boxes")
    random = np.random.default_rng(0)
    for name in "abcde":
        pixels = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{name}.png")
    images = [dict(id=k, file_name=f"{n}.png", width=WIDTH, height=HEIGHT)
              for k, n in enumerate("abcd")]  # fmt: skip
    images[2]["height"] = 99
    boxes = [
        (0, 1, [3, 4, 10, 10]), (0, 1, [3, 4, 10, 10]),  # twice
        (0, 2, [3, 4, 10, 10]),  # the same place, of another class
        (0, 1, [30, 20, 40, 5]),  # beyond
        (0, 1, [31, 20, 9.4, 5]),  # by less than half a pixel
        (1, 1, [50, 4, 10, 10]),  # outside
        (1, 2, [9, 9, -5, 4]),  # swapped
        (1, 1, [9, 9, 0, 4]),  # empty
        (1, 7, [9, 9, 3, 4]),  # of no class
        (2, 3, [1, 1, 5, 5]),
    ]  # fmt: skip
    annotations = [
        dict(id=number, image_id=image, category_id=category, bbox=box)
        for number, (image, category, box) in enumerate(boxes)
    ]
    categories = [dict(id=1, name="red car"), dict(id=2, name="dog"), dict(id=3, name="Red_Car")]
    content = dict(images=images, annotations=annotations, categories=categories)
    (root / "boxes.json").write_text(json.dumps(content))
    return root


@pytest.fixture(scope="module")
def report(folder):
    return convscope.check(folder / "boxes.json", skip=["wrong-labels"])


@pytest.mark.parametrize(
    ("name", "severity", "images", "detail"),
    [
        ("boxes-swapped", "error", ["b.png"], "dog from 9,9 to 4,13"),
        ("boxes-unknown-class", "error", ["b.png"], "number 7 from 9,9 to 12,13"),
        ("boxes-sizes", "error", ["c.png"], "40x30 pixels, boxes for 40x99"),
        ("boxes-empty", "warning", ["b.png"], "red car from 9,9 to 9,13"),
        ("boxes-outside", "warning", ["b.png"], "red car from 50,4 to 60,14"),
        ("boxes-cut", "warning", ["a.png"], "red car from 30,20 to 70,25"),
        ("boxes-repeated", "warning", ["a.png"], "red car from 3,4 to 13,14"),
        ("boxes-none", "note", ["b.png", "d.png"], "no box"),
    ],
)
def test_each_fault_is_found_where_it_is_and_nowhere_else(report, name, severity, images, detail):
    outcome = report[name]
    assert (outcome.severity, report.images(name)) == (severity, images)
    assert outcome.findings[0].detail == detail


def test_a_single_box_is_spoken_of_as_one(report):
    assert report["boxes-cut"].summary == "1 box in 1 image reaches beyond its image."
    assert report["boxes-swapped"].summary.startswith("1 box in 1 image has its right edge left")
    assert report["boxes-none"].summary == "2 images without a box, of 4 with 5 boxes in all."


def test_class_names_that_are_spelled_alike_are_told(report):
    assert report["class-names"].findings[0].detail == "'red car', 'Red_Car'"


def test_a_training_and_an_evaluation_refuse_what_is_an_error(folder, tmp_path):
    with pytest.raises(RequestError, match=r"class number 7|right edge at 4"):
        convscope.train(folder / "boxes.json", task="detection", out=tmp_path / "run", epochs=1)


def test_a_plain_set_of_boxes_has_no_outcome_on_boxes():
    report = convscope.check("scenes", skip=["wrong-labels", "near-duplicates"])
    assert [one.check for one in report.outcomes if one.check.startswith("boxes")] == []


def test_boxes_of_a_table_are_checked_without_being_asked_for(folder, command):
    rows = ["path,label,xmin,ymin,xmax,ymax", "a.png,dog,9,9,4,12", "b.png,cat,1,1,5,5", ""]
    (folder / "boxes.csv").write_text("\n".join(rows))
    done = command("check", folder / "boxes.csv", "--skip", "wrong-labels", "--strict", code=1)
    assert "boxes-swapped" in done.stdout
    assert "dog from 9,9 to 4,12" in done.stdout
    assert "Swap them in the file" in done.stdout


def test_where_no_box_is_left_the_faults_are_still_told(folder):
    (folder / "one.csv").write_text("path,label,xmin,ymin,xmax,ymax\na.png,dog,9,9,4,12\n")
    report = convscope.check(folder / "one.csv")
    assert "boxes-swapped" in report
    assert report["boxes-none"].severity == "note"
