"""YOLO's text files and CSV files of boxes, as data to train on."""

import importlib.util

import numpy as np
import pytest
from PIL import Image

from convscope.data.boxes.yolo_yaml import read_yolo_file
from convscope.data.source import open_source
from convscope.errors import RequestError
from tests.data.test_boxes import coco, voc

WIDTH, HEIGHT = 40, 20
LINE = (
    "1 0.5 0.5 0.25 0.2"  # columns 15 to 24 and rows 8 to 11: left 15, right 25, top 8, bottom 12
)
BOX = [15, 8, 25, 12]


def image(path, size=(WIDTH, HEIGHT), **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8)).save(path, **more)


def yolo(root, labels, *, yaml="names: [cat, dog]\ntrain: images/train\nval: images/val\n"):
    """Images of the keys in `labels`, with these texts of labels (None: no file)."""
    for key, text in labels.items():
        image(root / "images" / f"{key}.png")
        if text is not None:
            path = root / "labels" / f"{key}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if yaml:
        (root / "data.yaml").write_text(yaml)
    return root


def opened(path, **more):
    return open_source(path, task="detection", for_training=False, **more)


def test_rows_that_write_an_image_in_two_ways_are_of_one_image(tmp_path):
    image(tmp_path / "a.png")
    rows = ["path,label,xmin,ymin,xmax,ymax", "a.png,cat,1,2,3,4", "./a.png,dog,5,6,7,8", ""]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    dataset = opened(tmp_path / "a.csv")
    assert len(dataset) == 1
    assert dataset.objects.boxes.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_shares_of_the_image_become_edges_in_pixels(tmp_path):
    labels = {
        "train/a": f"{LINE}\n0 0.05 0.1 0.1 0.2\n",
        "train/b": "",
        "val/c": LINE,
        "val/d": None,
    }
    dataset = opened(yolo(tmp_path, labels))
    assert dataset.classes == ("cat", "dog")
    assert [dataset.images.key(index) for index in range(4)] == [
        "images/train/a.png", "images/train/b.png", "images/val/c.png", "images/val/d.png",
    ]  # fmt: skip
    assert dataset.split.tolist() == ["train", "train", "val", "val"]
    assert np.diff(dataset.objects.starts).tolist() == [2, 0, 1, 0]
    assert dataset.objects.boxes == pytest.approx(np.array([BOX, [0, 0, 4, 4], BOX]), abs=1e-9)
    assert dataset.objects.labels.tolist() == [1, 0, 1]
    assert dataset.objects.images.tolist() == [[WIDTH, HEIGHT]] * 4


def test_an_outline_has_the_smallest_box_around_it(tmp_path):
    points = "0 0.25 0.5 0.5 0.25 0.75 0.75"
    dataset = opened(yolo(tmp_path, {"train/a": points}))
    assert dataset.objects.boxes.tolist() == [[10, 5, 30, 15]]


def test_boxes_are_those_of_the_upright_image(tmp_path):
    yolo(tmp_path, {"train/a": None})
    exif = Image.Exif()
    exif[0x0112] = 6
    image(tmp_path / "images/train/b.jpg", exif=exif)
    (tmp_path / "labels/train").mkdir(parents=True)
    (tmp_path / "labels/train/b.txt").write_text(LINE)
    dataset = opened(tmp_path)
    assert dataset.objects.images.tolist() == [[WIDTH, HEIGHT], [HEIGHT, WIDTH]]
    assert dataset.objects.boxes[0] == pytest.approx(np.array([7.5, 16, 12.5, 24]))


@pytest.mark.parametrize(
    ("yaml", "names"),
    [
        ("names:\n  0: cat\n  1: dog\ntrain: images/train\n", ("cat", "dog")),
        ("names:\n- cat\n- 'a: dog'\ntrain: ./images/train  # here\n", ("cat", "a: dog")),
        ("path: .\ntrain: ../images/train\nnc: 2\nnames: ['cat', \"dog\"]\n", ("cat", "dog")),
        ("names: {0: cat, 1: dog}\ntrain:\n  - images/train\n", ("cat", "dog")),
        ("train: list.txt\nnames: [cat,\n  dog]\n", ("cat", "dog")),
        (
            "names: [cat, dog]\nroboflow:\n  license: MIT\ndownload: |\n  import os\n",
            ("cat", "dog"),
        ),
    ],
)
def test_descriptions_as_programs_write_them(yaml, names, tmp_path):
    root = yolo(tmp_path, {"train/a": LINE}, yaml=yaml)
    (root / "list.txt").write_text("./images/train/a.png\n")
    assert read_yolo_file(root / "data.yaml").names == names
    assert opened(root).classes == names[1:]
    assert opened(root / "data.yaml").objects.boxes[0] == pytest.approx(np.array(BOX), abs=1e-9)
    if importlib.util.find_spec("yaml"):
        theirs = importlib.import_module("yaml").safe_load(yaml)["names"]
        assert (tuple(theirs.values()) if isinstance(theirs, dict) else tuple(theirs)) == names


def test_names_are_texts_whatever_yaml_makes_of_them(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [no, 007, 1e3, ~x, 'a # b']\ntrain: images\n")
    assert read_yolo_file(tmp_path / "data.yaml").names == ("no", "007", "1e3", "~x", "a # b")


def test_without_a_description_folders_are_splits_and_classes_numbers_or_those_of_a_list(tmp_path):
    for split in ("train", "valid"):
        image(tmp_path / split / "images" / f"{split}.png")
        (tmp_path / split / "labels").mkdir()
        (tmp_path / split / "labels" / f"{split}.txt").write_text(LINE)
    dataset = opened(tmp_path)
    assert (dataset.classes, dataset.split.tolist()) == (("1",), ["train", "val"])
    assert "called by numbers" in dataset.warnings[0]
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert opened(tmp_path).classes == ("dog",)


def test_classes_alone_are_the_labels_without_the_task(tmp_path):
    root = yolo(tmp_path, {"train/a": f"{LINE}\n0 0.5 0.5 0.1 0.1", "train/b": LINE})
    dataset = open_source(root, for_training=False)
    assert dataset.targets.tolist() == [[1, 1], [0, 1]]
    assert dataset.objects is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("2 0.5 0.5 0.1 0.1", "of class number 2, which has no name"),
        ("-1 0.5 0.5 0.1 0.1", "the class is -1"),
        ("0.5 0.5 0.5 0.1 0.1", "the class is 0.5"),
        ("cat 0.5 0.5 0.1 0.1", "not a class and numbers"),
        ("0 320 240 64 48", "Divide pixels by"),
        ("0 0.5 0.5 0.1", "has 4 numbers"),
        ("0 0.5 0.5 0.1 0.1 0.9", "has 6 numbers"),
        ("0 nan 0.5 0.1 0.1", "shares of the image"),
        ("0 0.5 0.5 -0.1 0.1", "right edge at 18 and its left one at 22"),
        ("0 0.5 0.5 0 0.1", "no object with a box"),
    ],
)
def test_lines_that_are_no_boxes_are_refused(line, words, tmp_path):
    with pytest.raises(RequestError, match=words):
        opened(yolo(tmp_path, {"train/a": line}))


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("names: [cat, cat]\n", "names a class twice"),
        ("nc: 3\nnames: [cat, dog]\n", "nc: 3 and 2 names"),
        ("train: images\n", "does not name the classes"),
        ("names: [cat, dog]\ntrain: elsewhere\n", "names 'elsewhere', of which nothing is in"),
        ("names: [cat, dog]\ntrain: list.txt\n", "names 1 images that are not in"),
        ("names: [cat, dog]\ntrain: images\nval: images\n", "is in train and in val"),
        ("!!\n", "is not `key: value`"),
    ],
)
def test_descriptions_that_are_not_plain_are_refused(yaml, words, tmp_path):
    root = yolo(tmp_path, {"train/a": LINE}, yaml=yaml)
    (root / "list.txt").write_text("gone.png\n")
    with pytest.raises(RequestError, match=words):
        opened(root / "data.yaml")


def test_a_split_that_is_not_there_is_left_out_and_said(tmp_path):
    dataset = opened(yolo(tmp_path, {"train/a": LINE}))
    assert "'images/val'" in dataset.warnings[0]
    assert dataset.split.tolist() == ["train"]


def test_an_entry_does_not_leave_its_folder(tmp_path):
    image(tmp_path / "secret" / "a.png")
    yaml = "names: [cat]\ntrain: ../secret\n"
    with pytest.raises(RequestError, match="of which nothing is in"):
        opened(yolo(tmp_path / "data", {"train/a": LINE}, yaml=yaml))


def table(root, rows, header="path,label,xmin,ymin,xmax,ymax,split"):
    for name in "abc":
        image(root / "photos" / f"{name}.png")
    (root / "boxes.csv").write_text("\n".join([header, *rows, ""]))
    return root / "boxes.csv"


def test_rows_of_a_table_are_objects_and_rows_without_numbers_images(tmp_path):
    rows = ["photos/a.png,dog,15,8,25,12,train", "photos/a.png,cat,0,0,4,4,train",
            "photos/b.png,,,,,,val", "c.png,dog,1,2,3,4,test"]  # fmt: skip
    dataset = opened(table(tmp_path, rows))
    assert dataset.classes == ("cat", "dog")
    assert dataset.split.tolist() == ["train", "val", "test"]
    assert dataset.objects.boxes.tolist() == [BOX, [0, 0, 4, 4], [1, 2, 3, 4]]
    assert dataset.objects.labels.tolist() == [1, 0, 1]
    assert "found by their names" in dataset.warnings[0]  # c.png
    sizes = table(tmp_path, ["photos/a.png,dog,15,8,10,4"], "path,label,x,y,w,h")
    assert opened(sizes).objects.boxes.tolist() == [BOX]
    named = table(tmp_path, ["1,dog,15,8,25,12,photos/a.png"], "id,kind,xmin,ymin,xmax,ymax,where")
    found = opened(named, image_column="where", label_column="kind")
    assert (found.classes, found.objects.boxes.tolist()) == (("dog",), [BOX])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("photos/a.png,dog,25,8,15,12,train", "right edge at 15 and its left one at 25"),
        ("photos/a.png,,5,8,15,12,train", "the box has no class"),
        ("photos/a.png,dog,5,8,15,12,some", "'some' is not a split"),
        ("photos/z.png,dog,5,8,15,12,train", "none of its 1 images can be read"),
        ("photos/a.png,dog,5,8,15,x,train", "line 2: a box is four numbers"),
    ],
)
def test_rows_that_are_none_are_refused(row, words, tmp_path):
    with pytest.raises(RequestError, match=words):
        opened(table(tmp_path, [row]))


def test_an_unknown_image_and_an_empty_table_are_said(tmp_path):
    rows = ["photos/a.png,dog,1,2,3,4,train", "photos/zzz.png,dog,1,2,3,4,train"]
    dataset = opened(table(tmp_path, rows))
    assert len(dataset) == 1
    assert "left out: 1, first photos/zzz.png" in dataset.warnings[0]
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(RequestError, match="has no rows"):
        opened(tmp_path / "empty.csv")


def test_the_same_box_is_the_same_in_all_four(tmp_path):
    in_voc = opened(voc(tmp_path / "voc", [("dog", 11, 6, 20, 15, 0)]))
    in_coco = opened(coco(tmp_path / "coco", [{"category_id": 1, "bbox": [10, 5, 10, 10]}]))
    in_table = opened(table(tmp_path, ["photos/a.png,dog,10,5,20,15,train"]))
    in_yolo = opened(yolo(tmp_path / "yolo", {"train/a": "0 0.375 0.5 0.25 0.5"}))
    for one in (in_voc, in_coco, in_table, in_yolo):
        assert one.objects.boxes.tolist() == [[10, 5, 20, 15]]
