"""Objects in predictions: in pixels of the image, as rows, as text, as COCO's, drawn."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from convscope.boxes.coding import BoxCoding
from convscope.boxes.detections import Detections
from convscope.card import Card
from convscope.errors import RequestError
from convscope.predictions.drawing import COLORS, draw_predictions, png_names
from convscope.predictions.ranking import locate_objects
from convscope.predictions.result import Prediction, Predictions

CODING = BoxCoding(name="yolo-2016", grid=(1, 1), num_classes=2, num_boxes=1)
CARD = Card(
    classes=("cat", "dog"), input_size=(32, 32), in_channels=1, resize_mode="letterbox",
    mean=(0.0,), std=(1.0,), task="detection", boxes=CODING,
)  # fmt: skip


@pytest.fixture
def predictions() -> Predictions:
    """Of an image of 200x100 that is black above and below; the last box lies there."""
    found = Detections(
        np.array([[0.25, 0.5, 0.5, 0.75], [0, 0, 1, 1], [0.5, 0.1, 0.9, 0.2]]),
        np.array([0.875, 0.75, 0.5]),
        np.array([1, 0, 1]),
        np.zeros((3, 3), np.int64),
    )
    none = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64), np.zeros((0, 3)))
    return Predictions(
        tuple(locate_objects(["a.png", "b.png"], [(200, 100), (10, 10)], [found, none], CARD)),
        (),
        classes=CARD.classes,
    )


def test_boxes_are_in_pixels_of_the_image(predictions):
    first, second = predictions
    assert [(one.label, one.score, one.box) for one in first.objects] == [
        ("dog", 0.875, (50, 50, 100, 100)),
        ("cat", 0.75, (0, 0, 200, 100)),
    ]
    assert first.labels == ("dog", "cat")
    assert first.top_k == (("dog", 0.875), ("cat", 0.75))
    assert second.objects == ()
    assert predictions.labels == ["dog; cat", "no objects"]


def test_each_object_is_a_row_and_an_image_without_one_has_its_own(predictions):
    rows = predictions.to_dicts()
    assert [list(row.values()) for row in rows] == [
        ["a.png", "dog", 0.875, 50, 50, 100, 100],
        ["a.png", "cat", 0.75, 0, 0, 200, 100],
        ["b.png", None, None, None, None, None, None],
    ]
    assert (
        list(rows[0])
        == list(rows[2])
        == ["path", "label", "score", "left", "top", "right", "bottom"]
    )


def test_json_has_the_size_of_each_image(predictions):
    one = json.loads(json.dumps(predictions[0].to_dict()))
    assert (one["width"], one["height"], len(one["objects"])) == (200, 100, 2)
    assert one["objects"][0]["bottom"] == 100


def test_the_text_names_each_box(predictions):
    lines = str(predictions).splitlines()
    assert lines[0] == "a.png: dog 87.5% at 50,50 to 100,100; cat 75.0% at 0,0 to 200,100"
    assert lines[1] == "b.png: no objects"


def test_cocos_results_have_corner_and_size_and_ids_by_name_or_by_a_file(predictions, tmp_path):
    rows = predictions.to_coco()
    assert rows[0]["bbox"] == [50, 50, 50, 50]
    assert [(row["image_id"], row["category_id"]) for row in rows] == [("a.png", 2), ("a.png", 1)]
    content = {
        "images": [{"id": 77, "file_name": "some/a.png"}],
        "categories": [{"id": 90, "name": "cat"}, {"id": 13, "name": "dog"}],
    }
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    assert [(row["image_id"], row["category_id"]) for row in predictions.to_coco(path)] == [
        (77, 13),
        (77, 90),
    ]
    path.write_text(json.dumps({**content, "categories": [{"id": 90, "name": "cat"}]}))
    with pytest.raises(RequestError, match="no category 'dog'"):
        predictions.to_coco(path)
    path.write_text(json.dumps({**content, "images": []}))
    with pytest.raises(RequestError, match=r"no image a\.png"):
        predictions.to_coco(path)
    path.write_text("[]")
    with pytest.raises(RequestError, match="not a file of COCO's annotations"):
        predictions.to_coco(path)
    with pytest.raises(RequestError, match="classifies whole images"):
        Predictions((Prediction("a", (("cat", 0.5),)),), ()).to_coco()


def test_the_number_that_an_image_is_named_by_is_its_id():
    found = Detections(np.array([[0, 0, 1, 1.0]]), np.ones(1), np.ones(1, int), np.zeros((1, 3)))
    one = locate_objects(["val2017/000000000139.jpg"], [(40, 40)], [found], CARD)
    assert Predictions(tuple(one), (), classes=CARD.classes).to_coco()[0]["image_id"] == 139


def test_images_of_one_name_are_told_apart_by_their_paths():
    found = Detections(np.array([[0, 0, 1, 1.0]]), np.ones(1), np.ones(1, int), np.zeros((1, 3)))
    paths = ["a/1.png", "b/01.png", "a/x.png", "b/x.png", "b/y.png"]
    many = locate_objects(paths, [(40, 40)] * 5, [found] * 5, CARD)
    rows = Predictions(tuple(many), (), classes=CARD.classes).to_coco()
    assert [row["image_id"] for row in rows] == [*paths[:4], "y.png"]


def test_lines_lie_around_what_a_box_holds(predictions, tmp_path):
    image = tmp_path / "a.png"
    Image.new("RGB", (200, 100), (9, 9, 9)).save(image)
    gray = tmp_path / "b.png"
    Image.new("L", (10, 10), 9).save(gray)
    paths = [str(image), str(tmp_path / "unreadable.png"), str(gray)]
    named = [replace(one, path=path) for one, path in zip(predictions, paths[::2], strict=True)]
    draw_predictions(named, paths, CARD, tmp_path / "drawn")
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["a.png", "b.png"]
    pixels = np.asarray(Image.open(tmp_path / "drawn" / "a.png"))
    line = COLORS[1]  # of dogs: pixels 49 and 100 of each axis
    inside = pixels[70:100, 50:100]
    assert (inside == 9).all()
    assert (pixels[60:100, 49] == line).all()
    assert (pixels[60:100, 100] == line).all()
    with Image.open(tmp_path / "drawn" / "b.png") as enlarged:
        assert enlarged.size == (320, 320)


def test_files_are_named_as_the_images_and_no_two_alike():
    names = png_names(["/x/a/1.jpg", "/x/b/1.jpg", "/x/b/1.tif", "/x/b/1.png", "/x/b/c"])
    assert list(names) == ["a/1.png", "b/1.png", "b/1.tif.png", "b/1.png.png", "b/c.png"]
    assert list(png_names(["image 0", "image 1"])) == ["image 0.png", "image 1.png"]
    assert len(set(png_names(["/a/1.jpg", "2.jpg", "/b/1.jpg", "1.jpg", "1.jpg", "1.jpg"]))) == 6
