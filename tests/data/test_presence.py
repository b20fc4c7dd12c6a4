"""Labels of Pascal VOC and COCO: which classes an image has."""

import importlib
import importlib.util
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convscope.data.dataset import Dataset
from convscope.data.source import open_source
from convscope.errors import RequestError

Plant = Callable[..., Path]


def labels_of(data: Dataset) -> dict[str, set[str]]:
    """The classes of each image by its key."""
    assert data.targets is not None
    return {
        data.images.key(row): {data.classes[column] for column in np.flatnonzero(values)}
        for row, values in enumerate(data.targets)
    }


def xml(objects: Sequence[tuple[str, int]]) -> str:
    inner = "".join(
        f"<object><name>{name}</name><difficult>{hard}</difficult></object>"
        for name, hard in objects
    )
    return f"<annotation><filename>x.jpg</filename>{inner}</annotation>"


@pytest.fixture
def voc(plant: Plant) -> Path:
    """VOC2012 with five images: two for training, three for validation."""
    keys = [f"JPEGImages/2008_{n}.jpg" for n in range(5)]
    root = plant(*keys, root="VOCdevkit/VOC2012")
    for folder in ("ImageSets/Main", "Annotations"):
        (root / folder).mkdir(parents=True)
    for n, objects in enumerate(
        [
            [("cat", 0), ("dog", 1)],
            [("cat", 0), ("cat", 1), ("dog", 0)],
            [("dog", 0)],
            [],
            [("cat", 1)],
        ]
    ):
        (root / "Annotations" / f"2008_{n}.xml").write_text(xml(objects))
    lists = {
        "cat_train": "2008_0  1\n2008_1  1\n", "cat_val": "2008_2 -1\n2008_3 -1\n2008_4  0\n",
        "dog_train": "2008_0  0\n2008_1  1\n", "dog_val": "2008_2  1\n2008_3 -1\n2008_4 -1\n",
        "dog_trainval": "2008_0  0\n2008_1  1\n2008_2  1\n2008_3 -1\n2008_4 -1\n",
        "train": "2008_0\n2008_1\n", "val": "2008_2\n2008_3\n2008_4\n",
    }  # fmt: skip
    for name, text in lists.items():
        (root / "ImageSets" / "Main" / f"{name}.txt").write_text(text)
    return root


def test_the_lists_and_the_annotations_of_voc_say_the_same(voc: Path):
    expected = {
        "2008_0.jpg": {"cat"}, "2008_1.jpg": {"cat", "dog"}, "2008_2.jpg": {"dog"},
        "2008_3.jpg": set[str](), "2008_4.jpg": set[str](),
    }  # fmt: skip
    for here in (voc, voc.parent, voc.parent.parent):
        data = open_source(here)
        assert (data.name, data.classes) == ("VOC2012", ("cat", "dog"))
        assert labels_of(data) == expected
        assert data.split.tolist() == ["train", "train", "val", "val", "val"]
    for path in (voc / "ImageSets" / "Main").glob("*_*.txt"):
        path.unlink()
    data = open_source(voc)
    assert labels_of(data) == expected
    assert data.split.tolist() == ["train", "train", "val", "val", "val"]


def test_two_years_of_voc_are_not_one_data_set(voc: Path):
    shutil.copytree(voc, voc.with_name("VOC2007"))
    with pytest.raises(RequestError, match="has VOC2007 and VOC2012, whose images overlap"):
        open_source(voc.parent)
    assert open_source(voc.with_name("VOC2007")).name == "VOC2007"


def test_faults_of_voc_are_named(voc: Path):
    path = voc / "ImageSets" / "Main" / "cat_val.txt"
    path.write_text("2008_2 2\n")
    with pytest.raises(RequestError, match=r"cat_val\.txt, line 1: '2008_2 2' is not an image and"):
        open_source(voc)
    path.write_text("2008_0 1\n")
    with pytest.raises(RequestError, match=r"cat_val\.txt: 2008_0 is in train and in val"):
        open_source(voc)
    path.write_text("2008_9 1\n")
    with pytest.raises(RequestError, match="1 images of the labels are not in JPEGImages"):
        open_source(voc)
    for path in (voc / "ImageSets" / "Main").glob("*_*.txt"):
        path.unlink()
    (voc / "Annotations" / "2008_3.xml").write_text("<annotation><object>")
    with pytest.raises(RequestError, match=r"2008_3\.xml cannot be read"):
        open_source(voc)
    (voc / "Annotations" / "2008_3.xml").write_text("<!DOCTYPE a><annotation></annotation>")
    with pytest.raises(RequestError, match=r"2008_3\.xml declares a document type"):
        open_source(voc)
    (voc / "Annotations" / "2008_3.xml").unlink()
    assert "without an annotation are left out: 1." in open_source(voc).warnings[0]


def coco(path: Path, images: Mapping[int, Sequence[int]], categories: Mapping[int, str]) -> Path:
    """A file of annotations, of an object for each category that an image has."""
    rows: list[dict[str, Any]] = []
    for image, present in images.items():
        for category in present:
            place = {"bbox": [0, 0, 1, 1], "area": 1, "iscrowd": 0}
            rows.append({"id": len(rows), "image_id": image, "category_id": category, **place})
    content = {
        "images": [{"id": n, "file_name": f"{n:03d}.jpg", "width": 2, "height": 2} for n in images],
        "annotations": rows,
        "categories": [{"id": n, "name": name} for n, name in categories.items()],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


CATEGORIES = {1: "person", 90: "toothbrush", 18: "dog", 91: "hat"}
IMAGES = {"train2017": {3: [1, 1, 90], 5: [18], 9: []}, "val2017": {4: [90, 1]}}


@pytest.fixture
def coco_folder(plant: Plant) -> Path:
    keys = [f"{part}/{n:03d}.jpg" for part, images in IMAGES.items() for n in images]
    root = plant(*keys, root="coco")
    for part, images in IMAGES.items():
        coco(root / "annotations" / f"instances_{part}.json", images, CATEGORIES)
    return root


def test_cocos_categories_are_matched_by_number(coco_folder: Path):
    data = open_source(coco_folder)
    assert data.classes == ("person", "toothbrush", "dog")
    assert labels_of(data) == {
        "train2017/003.jpg": {"person", "toothbrush"}, "train2017/005.jpg": {"dog"},
        "train2017/009.jpg": set[str](), "val2017/004.jpg": {"person", "toothbrush"},
    }  # fmt: skip
    assert data.split.tolist() == ["train", "train", "train", "val"]
    assert "no images of 'hat'" in data.warnings[0]
    alone = open_source(coco_folder / "annotations" / "instances_train2017.json")
    assert labels_of(alone)["train2017/003.jpg"] == {"person", "toothbrush"}


@pytest.mark.skipif(
    not importlib.util.find_spec("pycocotools"), reason="pycocotools is not installed"
)
def test_presence_is_that_of_cocos_own_tools(coco_folder: Path):
    tools: Any = importlib.import_module("pycocotools.coco")
    theirs = tools.COCO(str(coco_folder / "annotations" / "instances_train2017.json"))
    labels = labels_of(open_source(coco_folder))
    for name, number in (("person", 1), ("toothbrush", 90), ("dog", 18)):
        images = theirs.loadImgs(theirs.getImgIds(catIds=[number]))
        files = {f"train2017/{one['file_name']}" for one in images}
        assert files == {key for key in labels if key.startswith("train") and name in labels[key]}


def test_one_category_an_image_is_its_class(plant: Plant):
    """As Roboflow exports it: a file beside the images of each split."""
    root = plant(*(f"{part}/{n:03d}.jpg" for part in ("train", "valid") for n in (1, 2)))
    for part in ("train", "valid"):
        coco(root / part / "_annotations.coco.json", {1: [1, 1], 2: [18]}, CATEGORIES)
    data = open_source(root)
    assert data.targets is None
    assert (data.classes, data.labels.tolist()) == (("person", "dog"), [0, 1, 0, 1])
    assert data.split.tolist() == ["train", "train", "val", "val"]
    several = open_source(root, task="multi-label")
    assert several.targets is not None
    assert several.targets.tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]


def test_faults_of_coco_are_named(coco_folder: Path):
    path = coco_folder / "annotations" / "instances_val2017.json"
    coco(path, {4: [7]}, CATEGORIES)
    with pytest.raises(RequestError, match="is of image 4 and category 7, which are not both"):
        open_source(coco_folder)
    coco(path, {8: [1]}, CATEGORIES)
    with pytest.raises(
        RequestError, match=r"names 008\.jpg, which is neither in .*coco nor in val"
    ):
        open_source(coco_folder)
    listed = json.loads(path.read_text())
    listed["images"].append({"id": 9, "file_name": "../train2017/003.jpg"})
    path.write_text(json.dumps(listed))
    with pytest.raises(RequestError, match=r"names the image '\.\./train2017/003\.jpg', which"):
        open_source(coco_folder)
    listed["images"][1:] = [dict(listed["images"][0])]
    path.write_text(json.dumps(listed))
    (coco_folder / "val2017" / "008.jpg").write_bytes(b"")
    with pytest.raises(RequestError, match=r"val2017/008\.jpg is listed twice"):
        open_source(coco_folder)
    listed["images"][0]["id"] = []
    path.write_text(json.dumps(listed))
    with pytest.raises(RequestError, match=r"not a file of COCO's annotations \(TypeError"):
        open_source(coco_folder)
    path.write_text(path.read_text()[:200])
    with pytest.raises(RequestError, match=r"val2017\.json is not a file of COCO's annotations"):
        open_source(coco_folder)
    path.write_text("[]")
    with pytest.raises(RequestError, match=r"val2017\.json is not a file of COCO's annotations"):
        open_source(coco_folder)
