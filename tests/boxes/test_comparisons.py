"""Suppression as comparisons, against the boxes that are kept and a loop over single numbers."""

import pytest
import torch

from convscope.boxes.coding import BoxCoding
from convscope.boxes.comparisons import suppression
from convscope.boxes.suppression import detections
from tests.reference import boxes as slow

CODING = BoxCoding(
    name="anchors", grid=(4, 3), num_classes=3, num_boxes=2, anchors=((0.5, 0.4), (0.7, 0.9))
)


@pytest.fixture(scope="module")
def outputs():
    return 2 * torch.randn(5, CODING.num_outputs, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("max_overlap", [0.2, 0.5, 0.8])
def test_it_keeps_the_boxes_that_are_predicted(outputs, max_overlap):
    for one, expected in zip(
        outputs,
        detections(outputs.numpy(), CODING, max_overlap=max_overlap, max_boxes=400),
        strict=True,
    ):
        found = suppression(one.numpy(), CODING, max_overlap=max_overlap)
        assert len(found.kept) < len(found.candidates)
        kept = found.candidates.subset(list(found.kept))
        assert kept.cells.tolist() == expected.cells.tolist()
        assert kept.scores.tolist() == expected.scores.tolist()
        assert kept.boxes.tolist() == expected.boxes.tolist()


def test_every_comparison_is_one_that_the_rule_asks_for(outputs):
    found = suppression(outputs[0].numpy(), CODING)
    boxes, labels = found.candidates.boxes.tolist(), found.candidates.labels.tolist()
    gone = set()
    expected = []
    for better in range(len(boxes)):
        if better in gone:
            continue
        for other in range(better + 1, len(boxes)):
            if other in gone or labels[other] != labels[better]:
                continue
            overlap = slow.iou(boxes[better], boxes[other])
            expected.append((better, other, pytest.approx(overlap), overlap > 0.5))
            if overlap > 0.5:
                gone.add(other)
    assert [(c.better, c.other, c.iou, c.is_suppressed) for c in found.comparisons] == expected
    suppressed = [other for kept in found.kept for other in found.suppressed_by(kept)]
    assert sorted(suppressed) == sorted(gone)
    assert {c.other for c in found.of(found.kept[0])} >= set(found.suppressed_by(found.kept[0]))
