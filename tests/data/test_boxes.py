"""Boxes from files: where each convention has its edges, and what is checked."""

import importlib
import importlib.util
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convscope.boxes.truth import COUNTS, CROWD, DIFFICULT
from convscope.data.boxes.sizes import refuse_other_sizes
from convscope.data.source import open_source
from convscope.data.split import fill_splits
from convscope.errors import RequestError

WIDTH, HEIGHT = 40, 30


def image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(path)


def voc(root, objects, stem="a"):
    """An image, and its annotation: (name, xmin, ymin, xmax, ymax, difficult) of each object."""
    image(root / "JPEGImages" / f"{stem}.jpg")
    (root / "Annotations").mkdir(exist_ok=True)
    rows = "".join(
        f"<object><name>{name}</name><difficult>{hard}</difficult><bndbox><xmin>{a}</xmin>"
        f"<ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for name, a, b, c, d, hard in objects
    )
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
    text = f"<annotation>{size}{rows}</annotation>"
    (root / "Annotations" / f"{stem}.xml").write_text(text)
    return root


def coco(root, annotations, **more):
    image(root / "images" / "a.jpg")
    content = {
        "images": [{"id": 7, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT, **more}],
        "annotations": [
            {"id": number, "image_id": 7, **each} for number, each in enumerate(annotations)
        ],
        "categories": [{"id": 1, "name": "dog"}, {"id": 90, "name": "cat"}],
    }
    (root / "boxes.json").write_text(json.dumps(content))
    return root / "boxes.json"


def opened(path):
    return open_source(path, task="detection", for_training=False)


def test_vocs_boxes_are_one_based_and_their_ends_are_included(tmp_path):
    """xmin 1 and xmax 40 is all of a width of 40; one pixel has xmin = xmax."""
    objects = [("dog", 1, 1, 40, 30, 0), ("cat", 5, 6, 5, 6, 1)]
    dataset = opened(voc(tmp_path, objects))
    assert dataset.classes == ("cat", "dog")
    assert dataset.objects.boxes.tolist() == [[0, 0, 40, 30], [4, 5, 5, 6]]
    assert dataset.objects.labels.tolist() == [1, 0]
    assert dataset.objects.states.tolist() == [COUNTS, DIFFICULT]
    assert dataset.objects.images.tolist() == [[WIDTH, HEIGHT]]


def test_cocos_boxes_are_zero_based_with_sizes_and_crowds(tmp_path):
    annotations = [
        {"category_id": 90, "bbox": [0, 0, 40, 30], "iscrowd": 0},
        {"category_id": 1, "bbox": [4.5, 5.25, 1, 2], "iscrowd": 1},
    ]
    dataset = opened(coco(tmp_path, annotations))
    assert dataset.classes == ("dog", "cat")  # in the order of the file
    assert dataset.objects.boxes.tolist() == [[0, 0, 40, 30], [4.5, 5.25, 5.5, 7.25]]
    assert dataset.objects.labels.tolist() == [1, 0]
    assert dataset.objects.states.tolist() == [COUNTS, CROWD]


def test_the_same_box_is_the_same_in_both(tmp_path):
    one = opened(voc(tmp_path / "voc", [("dog", 11, 6, 20, 15, 0)]))
    box = {"category_id": 1, "bbox": [10, 5, 10, 10]}
    other = opened(coco(tmp_path / "coco", [box]))
    assert one.objects.boxes.tolist() == other.objects.boxes.tolist() == [[10, 5, 20, 15]]


@pytest.mark.skipif(
    not importlib.util.find_spec("pycocotools"), reason="pycocotools is not installed"
)
def test_pycocotools_reads_the_same_boxes(tmp_path):
    tools: Any = importlib.import_module("pycocotools.coco")
    path = coco(tmp_path, [{"category_id": 1, "bbox": [3, 4, 5, 6], "iscrowd": 1, "area": 30}])
    [theirs] = tools.COCO(str(path)).loadAnns([0])
    x, y, width, height = theirs["bbox"]
    assert opened(path).objects.boxes.tolist() == [[x, y, x + width, y + height]]


def test_what_is_wrong_with_boxes_is_left_out_and_said(tmp_path):
    objects = [
        ("dog", 30, 20, 50, 45, 0),  # reaches beyond
        ("dog", 41, 3, 45, 9, 0),  # outside
        ("cat", 3, 3, 8, 8, 0),
        ("cat", 3, 3, 8, 8, 0),  # twice
    ]
    dataset = opened(voc(tmp_path, objects))
    assert dataset.objects.boxes.tolist() == [[29, 19, 40, 30], [2, 2, 8, 8]]
    said = " ".join(dataset.warnings)
    for words in ("beyond their image end at its edge: 1", "that lie outside", "there twice"):
        assert words in said


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        ([("dog", 20, 3, 8, 9, 0)], "right edge at 8 and its left one at 19"),
        ([("dog", "x", 3, 8, 9, 0)], "object 1: a box is four numbers"),
        ([], "no object with a box"),
    ],
)
def test_swapped_unreadable_and_missing_boxes_are_refused(objects, words, tmp_path):
    with pytest.raises(RequestError, match=words):
        opened(voc(tmp_path, objects))


def test_annotations_without_what_boxes_need_are_refused(tmp_path):
    with pytest.raises(RequestError, match="has no bbox"):
        opened(coco(tmp_path / "a", [{"category_id": 1}]))
    with pytest.raises(RequestError, match="no width and height"):
        opened(coco(tmp_path / "b", [{"category_id": 1, "bbox": [1, 1, 2, 2]}], width=None))


def test_data_without_boxes_are_refused_and_classes_alone_stay_what_they_were(tmp_path):
    with pytest.raises(RequestError, match="needs boxes, and digits has none"):
        open_source("digits", task="detection")
    objects = [("dog", 1, 1, 9, 9, 0), ("cat", 5, 6, 8, 8, 0)]
    dataset = open_source(voc(tmp_path, objects), for_training=False)
    assert dataset.objects is None
    assert dataset.targets.tolist() == [[1, 1]]


def table(root, rows, header="path,label,xmin,ymin,xmax,ymax,patient"):
    for name in {row.split(",")[0] for row in rows}:
        image(root / name)
    path = root / "boxes.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


PATIENTS = [
    f"{number}_{side}.png,cat,1,2,9,9,p{number}" for number in reversed(range(30)) for side in "ab"
]  # fmt: skip


def test_a_patient_stays_on_one_side_of_the_split(tmp_path):
    path = table(tmp_path, PATIENTS)
    with pytest.raises(RequestError, match=r"`group_column='patient'`.*`group_column='none'`"):
        open_source(path, task="detection")
    for options in (dict(group_column="patient"), dict(group_pattern=r"^(\d+)_")):
        dataset = open_source(path, task="detection", **options)
        assert len(set(dataset.groups)) == 30
        for key, group in zip(dataset.images.paths, dataset.groups, strict=True):
            assert group.removeprefix("p") == key.partition("_")[0]
        split = fill_splits(dataset, val=0.2, test=0.3, seed=1).split.tolist()
        sides = {}
        for group, side in zip(dataset.groups, split, strict=True):
            sides.setdefault(group, set()).add(side)
        assert all(len(one) == 1 for one in sides.values())
        assert set.union(*sides.values()) == {"train", "val", "test"}
    assert open_source(path, task="detection", group_column="none").groups is None
    named = table(tmp_path, PATIENTS, "path,label,xmin,ymin,xmax,ymax,group")
    assert len(set(open_source(named, task="detection").groups)) == 30


def test_groups_by_the_names_of_files_are_those_of_any_boxes(tmp_path):
    for stem in ("1_a", "1_b", "2_a"):
        voc(tmp_path, [("dog", 1, 1, 9, 9, 0)], stem)
    dataset = open_source(tmp_path, task="detection", group_pattern=r"^(\d+)_")
    assert dataset.groups == ("1", "1", "2")
    with pytest.raises(RequestError, match="`group_column` is for"):
        open_source(tmp_path, task="detection", group_column="patient")
    with pytest.raises(RequestError, match="`group_pattern` is for"):
        open_source(tmp_path, task="auto", group_pattern=r"^(\d+)_", for_training=False)


def test_groups_that_cannot_be_are_refused(tmp_path):
    path = table(tmp_path, PATIENTS)
    with pytest.raises(RequestError, match="has no column 'ward'"):
        open_source(path, task="detection", group_column="ward")
    with pytest.raises(RequestError, match="exclude each other"):
        open_source(path, task="detection", group_column="patient", group_pattern="x")
    twice = ["a.png,cat,1,2,9,9,p1", "a.png,cat,3,4,9,9,p2"]
    with pytest.raises(RequestError, match=r"line 3: a.png is in group 'p1' and in 'p2'"):
        open_source(table(tmp_path, twice), task="detection", group_column="patient")
    header = "path,label,xmin,ymin,xmax,ymax,split,group"
    divided = ["a.png,cat,1,2,9,9,train,p1", "b.png,cat,3,4,9,9,test,p1"]
    with pytest.raises(RequestError, match=r"group 'p1' is in train and in test"):
        open_source(table(tmp_path, divided, header), task="detection")


def test_images_of_another_size_than_is_stated_are_refused_before_a_training(tmp_path):
    dataset = opened(voc(tmp_path, [("dog", 1, 1, 40, 30, 0)]))
    refuse_other_sizes(dataset)
    picture = Image.fromarray(np.zeros((WIDTH, HEIGHT, 3), np.uint8))
    picture.save(tmp_path / "JPEGImages" / "a.jpg")
    with pytest.raises(RequestError, match=r"a\.jpg: it has 30x40 pixels.*for 40x30.*EXIF"):
        refuse_other_sizes(dataset)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned: upright it is as stated
    picture.save(tmp_path / "JPEGImages" / "a.jpg", exif=exif)
    refuse_other_sizes(dataset)
    (tmp_path / "JPEGImages" / "a.jpg").write_bytes(b"no image")  # which is said elsewhere
    refuse_other_sizes(dataset)
