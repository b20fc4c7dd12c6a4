"""What a detector is trained to minimize: the paper's sum of squares, and a younger one."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from convscope.boxes.coding import BoxCoding
from convscope.boxes.decode import Boxes, Cells, boxes_of, cells
from convscope.boxes.geometry import centered, generalized_iou, iou
from convscope.boxes.truth import COUNTS

COORDINATES, NO_OBJECT = 5.0, 0.5
"""The paper's λ_coord and λ_noobj."""

BOX = 2.0
"""Weight of 1 - GIoU in the younger loss."""

NEAR = 0.5
"""The IoU from which on an object counts as found in training."""


class Responsible(NamedTuple):
    """Which box of which cell is responsible for which object: k of them.

    Attributes:
        at: the image, row, column and box of each (k,), as an index of (n, R, C, B).
        truth: (k, 4) left, top, right, bottom of its object.
        labels: (k,) its class.
        overlaps: (k,) the IoU of the box, as predicted, with the object.
        missed: (n,) objects of each image for which no box was left.
    """

    at: tuple[Tensor, Tensor, Tensor, Tensor]
    truth: Tensor
    labels: Tensor
    overlaps: Tensor
    missed: Tensor


def box_losses(outputs: Tensor, targets: Tensor, coding: BoxCoding) -> Tensor:
    """The loss of each image (n,), by the coding's `loss`.

    `squares`, of the paper (section 2.2, equation 3): with the sum over responsible boxes,

        5·Σ (x - x̂)² + (y - ŷ)² + (√w - √ŵ)² + (√h - √ĥ)²  +  Σ (C - Ĉ)²  +  0.5·Σ' C²
        + Σ over their cells, Σ over classes, (p - p̂)²

    where x and y are in cells, w and h shares of the image, Ĉ is the IoU of the predicted box with
    the object (no gradient goes through it), and Σ' is over all other boxes.

    `giou`: 2·Σ (1 - GIoU) + Σ BCE(C, Ĉ) + 0.5·Σ' BCE(C, 0) - Σ ln p of the true class, for codings
    in which confidences and probabilities come from logits.

    Args:
        outputs: (n, num_outputs) of the network.
        targets: (n, objects, 10) as `Objects.padded`; only objects that count are trained on.
    """
    found = cells(outputs, coding)
    boxes = boxes_of(found, coding)
    chosen = responsible(boxes, targets, coding)
    if coding.loss == "squares":
        return _squares(found, boxes, chosen, coding)
    return _giou(found, boxes, chosen)


def num_found(outputs: Tensor, targets: Tensor, coding: BoxCoding) -> int:
    """In how many images every object has a responsible box with IoU >= 0.5 and its class."""
    boxes = boxes_of(cells(outputs, coding), coding)
    chosen = responsible(boxes, targets, coding)
    is_right = boxes.probabilities[chosen.at].argmax(-1) == chosen.labels
    wrong = ~(is_right & (chosen.overlaps >= NEAR))
    failed = chosen.missed.clone().index_add_(0, chosen.at[0], wrong.to(chosen.missed.dtype))
    return int((failed == 0).sum())


def responsible(boxes: Boxes, targets: Tensor, coding: BoxCoding) -> Responsible:
    """Assign objects to boxes: of the cell in which the object's center is, the box that overlaps
    it most; if none does, that which is nearest in center and size (as in the release).

    In `yolo-2016` a cell has one object, the first in the order of the targets. With anchors it has
    as many as boxes: each object takes the best box that is left.
    """
    with torch.no_grad():
        return _responsible(Boxes(*(one.detach() for one in boxes)), targets, coding)


def _responsible(boxes: Boxes, targets: Tensor, coding: BoxCoding) -> Responsible:
    n, device = len(targets), targets.device
    rows, columns = coding.grid
    every = torch.arange(n, device=device)
    truth = targets[..., 1:5].to(boxes.centered.dtype)
    counts = (targets[..., 0] >= 0) & (targets[..., 5] == COUNTS)
    middle = centered(truth)
    column = (middle[..., 0] * columns).long().clamp(0, columns - 1)
    row = (middle[..., 1] * rows).long().clamp(0, rows - 1)
    taken = torch.zeros(boxes.confidence.shape, dtype=torch.bool, device=device)
    missed = torch.zeros(n, dtype=torch.int64, device=device)
    parts: list[tuple[Tensor, ...]] = []
    corners = boxes.corners
    for number in range(targets.shape[1]):
        r, c, box = row[:, number], column[:, number], truth[:, number, None]
        overlap = iou(corners[every, r, c], box)  # (n, B)
        distance = (boxes.centered[every, r, c] - middle[:, number, None]).square().sum(-1)
        key = torch.where((overlap > 0).any(1, keepdim=True), overlap, -distance)
        is_taken = taken[every, r, c]
        free = ~is_taken if coding.name == "anchors" else ~is_taken.any(1, keepdim=True)
        best = key.masked_fill(~free, -torch.inf).argmax(1)
        use = counts[:, number] & free.any(1)
        missed += counts[:, number] & ~use
        i, r, c, best = every[use], r[use], c[use], best[use]
        taken[i, r, c, best] = True
        label = targets[use, number, 0].long()
        parts.append((i, r, c, best, truth[use, number], label, overlap[i, best]))
    image, r, c, best, true, labels, overlaps = (
        torch.cat(part) for part in zip(*parts, strict=True)
    )
    return Responsible((image, r, c, best), true, labels, overlaps, missed)


def _squares(found: Cells, boxes: Boxes, chosen: Responsible, coding: BoxCoding) -> Tensor:
    grid = torch.tensor(coding.grid[::-1], dtype=boxes.centered.dtype, device=found.placed.device)
    predicted, true = boxes.centered[chosen.at], centered(chosen.truth)
    offset = ((predicted[:, :2] - true[:, :2]) * grid).square().sum(-1)
    root = found.placed[chosen.at][:, 2:] if coding.name == "yolo-2016" else predicted[:, 2:].sqrt()
    size = (root - true[:, 2:].clamp_min(0).sqrt()).square().sum(-1)
    confidence = boxes.confidence[chosen.at]
    is_class = F.one_hot(chosen.labels, coding.num_classes).to(confidence.dtype)
    classes = (boxes.probabilities[chosen.at] - is_class).square().sum(-1)
    of_objects = COORDINATES * (offset + size) + (confidence - chosen.overlaps).square() + classes
    squares = NO_OBJECT * boxes.confidence.square()
    return _per_image(of_objects, squares, chosen)


def _giou(found: Cells, boxes: Boxes, chosen: Responsible) -> Tensor:
    overlap = generalized_iou(boxes.corners[chosen.at], chosen.truth)
    logits = found.confidence
    entropy = F.binary_cross_entropy_with_logits(
        logits[chosen.at], chosen.overlaps, reduction="none"
    )
    classes = F.cross_entropy(found.classes[chosen.at], chosen.labels, reduction="none")
    of_objects = BOX * (1 - overlap) + entropy + classes
    return _per_image(of_objects, NO_OBJECT * F.softplus(logits), chosen)


def _per_image(of_objects: Tensor, of_boxes: Tensor, chosen: Responsible) -> Tensor:
    """Sums over the objects of each image, and over the boxes that are not responsible for any."""
    is_free = torch.ones_like(of_boxes)
    is_free[chosen.at] = 0
    sums = (of_boxes * is_free).flatten(1).sum(1)
    return sums.index_add(0, chosen.at[0], of_objects)
