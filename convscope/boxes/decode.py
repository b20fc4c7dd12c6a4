"""From what a detector returns to boxes with confidences and probabilities."""

from typing import NamedTuple

import torch
from torch import Tensor

from convscope.boxes.coding import BoxCoding
from convscope.boxes.geometry import corners


class Cells(NamedTuple):
    """The outputs of a detector, by image, row and column of the grid, and box of the cell.

    Attributes:
        placed: (n, R, C, B, 4) as they come out: x, y, u, v; see `CodingName`.
        confidence: (n, R, C, B) as they come out.
        classes: (n, R, C, B, K) as they come out; of `yolo-2016` the same for all boxes of a cell.
    """

    placed: Tensor
    confidence: Tensor
    classes: Tensor


class Boxes(NamedTuple):
    """What the outputs of a detector stand for.

    Attributes:
        centered: (n, R, C, B, 4) center x, center y, width, height, as shares of the image.
        confidence: (n, R, C, B), of `anchors` from 0 to 1.
        probabilities: (n, R, C, B, K) of the classes, if the box has an object.
    """

    centered: Tensor
    confidence: Tensor
    probabilities: Tensor

    @property
    def corners(self) -> Tensor:
        """(n, R, C, B, 4) left, top, right, bottom."""
        return corners(self.centered)

    @property
    def scores(self) -> Tensor:
        """(n, R, C, B, K) probability times confidence: the paper's equation 1."""
        return self.confidence[..., None] * self.probabilities


def cells(outputs: Tensor, coding: BoxCoding) -> Cells:
    """The outputs (n, num_outputs) by cell and box."""
    rows, columns = coding.grid
    maps = outputs.view(len(outputs), coding.channels, rows, columns).permute(0, 2, 3, 1)
    shape = (len(outputs), rows, columns, coding.num_boxes)
    if coding.name == "anchors":
        by_box = maps.reshape(*shape, 5 + coding.num_classes)
        return Cells(by_box[..., :4], by_box[..., 4], by_box[..., 5:])
    by_box = maps[..., : 5 * coding.num_boxes].reshape(*shape, 5)
    classes = maps[..., None, 5 * coding.num_boxes :].expand(*shape, coding.num_classes)
    return Cells(by_box[..., :4], by_box[..., 4], classes)


def decode(outputs: Tensor, coding: BoxCoding) -> Boxes:
    """The boxes of outputs (n, num_outputs)."""
    return boxes_of(cells(outputs, coding), coding)


def boxes_of(found: Cells, coding: BoxCoding) -> Boxes:
    """The boxes of cells."""
    placed = found.placed
    rows, columns = coding.grid
    offset = placed[..., :2].sigmoid() if coding.name == "anchors" else placed[..., :2]
    row = torch.arange(rows, dtype=placed.dtype, device=placed.device).view(-1, 1, 1)
    column = torch.arange(columns, dtype=placed.dtype, device=placed.device).view(1, -1, 1)
    x, y = (offset[..., 0] + column) / columns, (offset[..., 1] + row) / rows
    if coding.name == "anchors":
        anchors = torch.tensor(coding.anchors, dtype=placed.dtype, device=placed.device)
        size = anchors.flip(-1) * placed[..., 2:].exp()
        return Boxes(
            torch.cat([x[..., None], y[..., None], size], -1),
            found.confidence.sigmoid(),
            found.classes.softmax(-1),
        )
    size = placed[..., 2:].square()
    return Boxes(torch.cat([x[..., None], y[..., None], size], -1), found.confidence, found.classes)
