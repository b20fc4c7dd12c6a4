"""Overlaps against a slow loop and torchvision; suppression against a slow loop."""

import numpy as np
import pytest
import torch

from convscope.boxes.arrays import iou_arrays
from convscope.boxes.geometry import area, centered, corners, generalized_iou, iou
from convscope.boxes.suppression import suppress
from tests.reference import boxes as slow


def some_boxes(n, *, seed=0, dtype=torch.float64):
    """Boxes on a coarse lattice, so that many touch, are equal, are empty or lie in each other."""
    random = torch.Generator().manual_seed(seed)
    low = torch.randint(0, 6, (n, 2), generator=random)
    return torch.cat([low, low + torch.randint(0, 5, (n, 2), generator=random)], 1).to(dtype) / 8


def test_iou_is_that_of_the_slow_loop():
    one, other = some_boxes(40), some_boxes(40, seed=1)
    found = iou(one[:, None], other[None])
    for i, a in enumerate(one.tolist()):
        for j, b in enumerate(other.tolist()):
            assert found[i, j].item() == pytest.approx(slow.iou(a, b), abs=1e-15)


def test_generalized_iou_is_that_of_the_slow_loop_and_tells_distances():
    one, other = some_boxes(40), some_boxes(40, seed=1)
    found = generalized_iou(one, other)
    for value, a, b in zip(found.tolist(), one.tolist(), other.tolist(), strict=True):
        if slow.size(a) and slow.size(b):
            assert value == pytest.approx(slow.generalized_iou(a, b), abs=1e-14)
    near, far = torch.tensor([[2.0, 0, 3, 1], [9.0, 0, 10, 1]], dtype=torch.float64)
    of = torch.tensor([0.0, 0, 1, 1], dtype=torch.float64)
    assert iou(near, of) == iou(far, of) == 0
    assert generalized_iou(near, of) == pytest.approx(-1 / 3)
    assert generalized_iou(far, of) == pytest.approx(-8 / 10)


def test_torchvision_has_the_same_overlaps():
    ops = pytest.importorskip("torchvision").ops
    one, other = some_boxes(60), some_boxes(60, seed=1)
    one, other = one[area(one) > 0], other[area(other) > 0]
    assert torch.equal(ops.box_iou(one, other), iou(one[:, None], other[None]))
    found = generalized_iou(one[:, None], other[None])
    torch.testing.assert_close(ops.generalized_box_iou(one, other), found, rtol=0, atol=1e-15)


def test_iou_is_the_same_in_pixels_and_in_shares_of_the_image():
    one, other = some_boxes(30), some_boxes(30, seed=1)
    scale = torch.tensor([640.0, 480.0, 640.0, 480.0], dtype=torch.float64)
    torch.testing.assert_close(iou(one * scale, other * scale), iou(one, other))


def test_corners_and_centers_are_each_others_inverse():
    boxes = some_boxes(30)
    torch.testing.assert_close(corners(centered(boxes)), boxes)
    assert centered(torch.tensor([1.0, 2, 5, 4])).tolist() == [3, 3, 4, 2]


@pytest.mark.parametrize("max_overlap", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_suppression_is_that_of_the_slow_loop_with_ties(seed, max_overlap):
    random = np.random.default_rng(seed)
    boxes = some_boxes(50, seed=seed).numpy()
    scores = random.integers(0, 6, 50) / 5  # many are equal
    labels = random.integers(0, 3, 50)
    found = suppress(boxes, scores, labels, max_overlap=max_overlap)
    assert found.tolist() == slow.suppress(
        boxes.tolist(), scores.tolist(), labels.tolist(), max_overlap
    )


def test_no_box_is_suppressed_by_one_of_another_class_and_none_is_no_error():
    box = np.array([[0.0, 0, 1, 1], [0.0, 0, 1, 1]])
    scores = np.array([0.9, 0.8])
    assert suppress(box, scores, np.array([0, 1])).tolist() == [0, 1]
    assert suppress(box, scores, np.array([0, 0])).tolist() == [0]
    assert suppress(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64)).tolist() == []


def test_numpy_has_the_same_overlaps():
    boxes = torch.rand(40, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    boxes[0, 2:] = boxes[0, :2]  # an empty one
    found = iou_arrays(boxes.numpy()[:, None], boxes.numpy()[None])
    assert found == pytest.approx(iou(boxes[:, None], boxes[None]).numpy(), abs=1e-15)
