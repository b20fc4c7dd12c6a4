"""What a detector's outputs stand for, against a loop over single numbers."""

import pytest
import torch

from convscope.boxes.arrays import decode_arrays
from convscope.boxes.coding import BoxCoding
from convscope.boxes.decode import decode
from convscope.boxes.suppression import detections
from convscope.errors import RequestError
from tests.reference import boxes as slow

CODINGS = [
    BoxCoding(name="yolo-2016", grid=(2, 3), num_classes=4, num_boxes=2),
    BoxCoding(
        name="anchors", grid=(3, 2), num_classes=4, num_boxes=2, anchors=((0.5, 0.25), (0.1, 0.9))
    ),
]


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: coding.name)
def test_every_box_is_that_of_the_slow_loop(coding):
    torch.manual_seed(0)
    outputs = torch.randn(3, coding.num_outputs, dtype=torch.float64)
    found = decode(outputs, coding)
    for image, numbers in enumerate(outputs.tolist()):
        for place, (placed, confidence, shares) in slow.decode(numbers, coding).items():
            at = (image, *place)
            assert found.centered[at].tolist() == pytest.approx(placed)
            assert found.confidence[at].item() == pytest.approx(confidence)
            assert found.probabilities[at].tolist() == pytest.approx(shares)
            assert found.scores[at].tolist() == pytest.approx([confidence * s for s in shares])


def test_a_cell_says_where_in_the_image_its_box_is():
    coding = CODINGS[0]
    outputs = torch.zeros(1, coding.num_outputs)
    maps = outputs.view(coding.channels, *coding.grid)
    maps[:5, 1, 2] = torch.tensor([0.5, 0.5, 0.5, 1.0, 0.9])  # the middle of the last cell
    maps[10 + 3, 1, 2] = 1  # of the last class
    [found] = detections(outputs.numpy(), coding)
    assert found.labels.tolist() == [3]
    assert found.scores.tolist() == pytest.approx([0.9])
    assert found.cells.tolist() == [[1, 2, 0]]
    # 5/6 of the width, 3/4 of the height; width 0.5² and height 1, which is cut off at the edge
    assert found.boxes[0].tolist() == pytest.approx([5 / 6 - 1 / 8, 0.25, 5 / 6 + 1 / 8, 1])


def test_detections_are_those_of_the_slow_loops():
    torch.manual_seed(0)
    coding = CODINGS[1]
    outputs = torch.randn(4, coding.num_outputs)
    for numbers, found in zip(
        outputs.double().tolist(), detections(outputs.numpy(), coding), strict=True
    ):
        boxes, scores, labels = [], [], []
        for (x, y, w, h), confidence, shares in slow.decode(numbers, coding).values():
            for label, share in enumerate(shares):
                if confidence * share >= 0.01:
                    edges = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
                    boxes.append([min(max(edge, 0), 1) for edge in edges])
                    scores.append(confidence * share)
                    labels.append(label)
        kept = slow.suppress(boxes, scores, labels, 0.5)
        assert found.labels.tolist() == [labels[index] for index in kept]
        assert found.scores.tolist() == pytest.approx([scores[index] for index in kept])
        assert found.boxes.ravel().tolist() == pytest.approx(
            [edge for index in kept for edge in boxes[index]]
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"grid": (0, 3)}, "grid"),
        ({"num_boxes": 0}, "boxes in each cell"),
        ({"anchors": ((0.5, 0.5),)}, "anchors"),
        ({"name": "ssd"}, "'ssd'"),
        ({"num_classes": 0}, "classes"),
        ({"name": "anchors", "anchors": ((0.5, 0.5), (0, 1))}, "above 0"),
    ],
)
def test_an_impossible_coding_is_refused(change, words):
    fields = dict(name="yolo-2016", grid=(2, 3), num_classes=4, num_boxes=2)
    with pytest.raises(RequestError, match=words):
        BoxCoding(**{**fields, **change})


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: coding.name)
def test_numpy_decodes_as_torch_does(coding):
    outputs = 3 * torch.randn(5, coding.num_outputs, generator=torch.Generator().manual_seed(1))
    found, expected = decode_arrays(outputs.numpy(), coding), decode(outputs.double(), coding)
    assert found.corners == pytest.approx(expected.corners.clamp(0, 1).numpy(), abs=1e-12)
    assert found.scores == pytest.approx(expected.scores.numpy(), abs=1e-12)
