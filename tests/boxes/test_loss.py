"""The paper's loss against a loop over its terms, and gradients against finite differences."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from convscope.boxes.coding import BoxCoding
from convscope.boxes.decode import decode
from convscope.boxes.loss import box_losses, num_found, responsible
from convscope.boxes.truth import CROWD, DIFFICULT, Objects
from convscope.errors import RequestError
from tests.reference import boxes as slow

YOLO = BoxCoding(name="yolo-2016", grid=(3, 4), num_classes=3, num_boxes=2)
ANCHORS = BoxCoding(
    name="anchors", grid=(3, 4), num_classes=3, num_boxes=2, anchors=((0.3, 0.2), (0.2, 0.5)),
    loss="giou",
)  # fmt: skip
CODINGS = [YOLO, ANCHORS, replace(ANCHORS, loss="squares")]
NAMES = ["yolo", "giou", "squares of anchors"]


def objects(seed, images=4):
    """Objects of which some share a cell, some do not count, and one image has none."""
    random = np.random.default_rng(seed)
    boxes, labels, states = [], [], []
    for image in range(images):
        n = 0 if image == 1 else int(random.integers(1, 7))
        low = random.random((n, 2)) * 0.6
        boxes.append(np.concatenate([low, low + 0.05 + random.random((n, 2)) * 0.35], 1))
        labels.append(random.integers(0, 3, n))
        states.append(random.choice([0, 0, 0, DIFFICULT, CROWD], n))
    truth = Objects.of(boxes, labels, states)
    return torch.from_numpy(truth.padded(np.arange(images)).astype(np.float64))


def outputs_of(coding, seed, images=4):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(images, coding.num_outputs, generator=random, dtype=torch.float64) * 0.5


def slow_loss(numbers, rows, coding):
    """Equation 3 of the paper, term by term."""
    height, width = coding.grid
    boxes, taken, total = slow.decode(numbers, coding), {}, 0.0
    for label, left, top, right, bottom, state, *_ in rows:
        if label < 0 or state:
            continue
        x, y, w, h = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
        cell = (min(int(y * height), height - 1), min(int(x * width), width - 1))
        used = [b for b in range(coding.num_boxes) if (*cell, b) in taken]
        if used and (coding.name == "yolo-2016" or len(used) == coding.num_boxes):
            continue
        ious, distances = {}, {}
        for b in range(coding.num_boxes):
            (bx, by, bw, bh), _, _ = boxes[*cell, b]
            edges = (bx - bw / 2, by - bh / 2, bx + bw / 2, by + bh / 2)
            ious[b] = slow.iou(edges, (left, top, right, bottom))
            distances[b] = (bx - x) ** 2 + (by - y) ** 2 + (bw - w) ** 2 + (bh - h) ** 2
        free = [b for b in range(coding.num_boxes) if b not in used]
        by_overlap = max(ious.values()) > 0
        best = max(free, key=ious.get) if by_overlap else min(free, key=distances.get)
        taken[*cell, best] = None
        (bx, by, bw, bh), confidence, shares = boxes[*cell, best]
        if coding.name == "yolo-2016":
            rows_of, at = coding.grid[0], cell
            u, v = (numbers[((5 * best + k) * rows_of + at[0]) * width + at[1]] for k in (2, 3))
        else:
            u, v = bw**0.5, bh**0.5
        total += 5 * (((bx - x) * width) ** 2 + ((by - y) * height) ** 2)
        total += 5 * ((u - w**0.5) ** 2 + (v - h**0.5) ** 2)
        total += (confidence - ious[best]) ** 2
        total += sum((share - (k == label)) ** 2 for k, share in enumerate(shares))
    total += sum(0.5 * c**2 for place, (_, c, _) in boxes.items() if place not in taken)
    return total


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("coding", [YOLO, CODINGS[2]], ids=["yolo", "anchors"])
def test_the_papers_loss_is_the_sum_of_its_terms(coding, seed):
    outputs, targets = outputs_of(coding, seed), objects(seed)
    found = box_losses(outputs, targets, coding)
    for value, numbers, rows in zip(found, outputs.tolist(), targets.tolist(), strict=True):
        assert value.item() == pytest.approx(slow_loss(numbers, rows, coding))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("coding", CODINGS, ids=NAMES)
def test_gradients_are_those_of_finite_differences(coding, seed):
    """In float64. The confidence's target, an IoU, is held: no gradient goes through it."""
    outputs, targets = outputs_of(coding, seed, 2).requires_grad_(), objects(seed, 2)
    box_losses(outputs, targets, coding).sum().backward()
    held = responsible(decode(outputs.detach(), coding), targets, coding)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("convscope.boxes.loss.responsible", lambda *_: held)
        assert torch.autograd.gradcheck(lambda x: box_losses(x, targets, coding), (outputs,))
        again = outputs.detach().clone().requires_grad_()
        box_losses(again, targets, coding).sum().backward()
    assert torch.equal(outputs.grad, again.grad)


def perfect(coding, targets):
    """Outputs that say exactly what the targets are, one object in an image."""
    rows, columns = coding.grid
    outputs = torch.zeros(len(targets), coding.num_outputs, dtype=torch.float64)
    if coding.name == "anchors":
        outputs -= 20
    for maps, [row] in zip(
        outputs.view(-1, coding.channels, rows, columns), targets.tolist(), strict=True
    ):
        label, left, top, right, bottom, *_ = row
        x, y = (left + right) / 2 * columns, (top + bottom) / 2 * rows
        w, h = right - left, bottom - top
        cell = maps[:, int(y), int(x)]
        if coding.name == "yolo-2016":
            cell[:5] = torch.tensor([x % 1, y % 1, w**0.5, h**0.5, 1])
            cell[10 + int(label)] = 1
        else:
            (ah, aw), *_ = coding.anchors
            placed = [np.log(v / (1 - v)) for v in (x % 1, y % 1)]
            cell[:5] = torch.tensor([*placed, np.log(w / aw), np.log(h / ah), 20])
            cell[5 + int(label)] = 20
    return outputs


@pytest.mark.parametrize("coding", CODINGS, ids=NAMES)
def test_what_is_exactly_right_has_no_loss_and_counts_as_found(coding):
    boxes = [np.array([[0.1, 0.2, 0.35, 0.5]]), np.array([[0.62, 0.7, 0.9, 0.95]])]
    truth = Objects.of(boxes, [np.array([2]), np.array([0])])
    targets = torch.from_numpy(truth.padded(np.arange(2)).astype(np.float64))
    targets[..., 1:5] = torch.from_numpy(np.stack(boxes))  # not rounded to float32
    outputs = perfect(coding, targets)
    assert box_losses(outputs, targets, coding).tolist() == pytest.approx([0, 0], abs=1e-6)
    assert num_found(outputs, targets, coding) == 2
    targets[0, 0, 0] = 1  # another class
    assert num_found(outputs, targets, coding) == 1


def test_a_cell_of_the_paper_has_one_object_and_with_anchors_as_many_as_boxes():
    box = np.array([[0.1, 0.1, 0.2, 0.2], [0.1, 0.1, 0.22, 0.22], [0.1, 0.1, 0.24, 0.24]])
    truth = Objects.of([box], [np.array([0, 1, 2])])
    targets = torch.from_numpy(truth.padded(np.arange(1)))
    for coding, count in ((YOLO, 1), (ANCHORS, 2)):
        chosen = responsible(decode(outputs_of(coding, 0, 1), coding), targets, coding)
        assert len(chosen.labels) == count
        assert chosen.labels.tolist() == [0, 1][:count]
        assert chosen.missed.tolist() == [3 - count]
        assert len({tuple(int(x) for x in at) for at in zip(*chosen.at, strict=True)}) == count


def test_parts_of_a_batch_have_the_losses_of_the_whole():
    outputs, targets = outputs_of(ANCHORS, 1), objects(1)
    whole = box_losses(outputs, targets, ANCHORS)
    parts = [box_losses(outputs[i : i + 1], targets[i : i + 1], ANCHORS) for i in range(4)]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_the_release_has_no_logits_for_giou():
    with pytest.raises(RequestError, match="'giou'; of 'yolo-2016' allowed: squares"):
        replace(YOLO, loss="giou")
