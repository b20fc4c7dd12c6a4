"""Areas and overlaps of boxes, (..., 4) corners: left, top, right, bottom."""

import torch
from torch import Tensor


def area(boxes: Tensor) -> Tensor:
    """The areas (...,); 0 where right < left or bottom < top."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(-1)


def intersection(one: Tensor, other: Tensor) -> Tensor:
    """The area that two boxes have in common, box by box; shapes are broadcast."""
    low = torch.maximum(one[..., :2], other[..., :2])
    high = torch.minimum(one[..., 2:], other[..., 2:])
    return (high - low).clamp_min(0).prod(-1)


def iou(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union, 0 to 1, box by box; shapes are broadcast. Two empty boxes have 0.

    It is the same for boxes in pixels and in shares of the image, for a factor by which all widths
    are multiplied, and one for heights, multiplies both areas alike.

        >>> one, other = torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 1, 3, 3])
        >>> float(iou(one, other))  # 1 pixel of 4 + 4 - 1
        0.1428571...
    """
    common = intersection(one, other)
    union = area(one) + area(other) - common
    return common / torch.where(union > 0, union, 1)


def generalized_iou(one: Tensor, other: Tensor) -> Tensor:
    """The generalized intersection over union, above -1 to 1: IoU - (|H| - |union|) / |H|.

    H is the smallest box that holds both. Where boxes do not overlap, it tells how far they are
    from each other, and has a gradient: Rezatofighi et al., 2019, https://arxiv.org/abs/1902.09630.
    """
    common = intersection(one, other)
    union = area(one) + area(other) - common
    low = torch.minimum(one[..., :2], other[..., :2])
    high = torch.maximum(one[..., 2:], other[..., 2:])
    hull = (high - low).clamp_min(0).prod(-1)
    safe_union, safe_hull = torch.where(union > 0, union, 1), torch.where(hull > 0, hull, 1)
    return common / safe_union - (hull - union) / safe_hull


def corners(centered: Tensor) -> Tensor:
    """Corners (..., 4) of boxes given as (center x, center y, width, height)."""
    half = centered[..., 2:] / 2
    return torch.cat([centered[..., :2] - half, centered[..., :2] + half], -1)


def centered(boxes: Tensor) -> Tensor:
    """(center x, center y, width, height) of boxes given by their corners."""
    return torch.cat([(boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]], -1)
