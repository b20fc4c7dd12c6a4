"""Objects in predictions: in pixels of the image, as rows, as text."""

import json

import numpy as np
import pytest

from convscope.boxes.coding import BoxCoding
from convscope.boxes.detections import Detections
from convscope.card import Card
from convscope.predictions.ranking import locate_objects
from convscope.predictions.result import Predictions

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
        tuple(locate_objects(["a.png", "b.png"], [(200, 100), (10, 10)], [found, none], CARD)), ()
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
