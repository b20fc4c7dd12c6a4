"""Boxes from the maps of a classifier that never saw a box."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from convscope.attribution.methods import METHODS, MethodOptions
from convscope.attribution.result import on_image
from convscope.attribution.subject import Subject
from convscope.attribution.target import Target
from convscope.localization.component import Edges, box_of_map
from convscope.models import OpenedModel

MapMethod = Literal["grad-cam", "cam", "hires-cam", "layer-cam"]
THRESHOLD = 0.2
"""The fraction of a map's maximum that is inside, as in Zhou et al., 2016."""


def boxes_of_maps(
    opened: OpenedModel,
    image: Tensor,
    labels: Sequence[int],
    *,
    method: MapMethod,
    threshold: float,
    layer: str | None,
) -> list[Edges | None]:
    """For each class, the box of its map on an image (1, c, h, w), in pixels of that input.

    The map is interpolated to the input first. None where no place speaks for a class.
    """
    size = int(image.shape[2]), int(image.shape[3])
    names = opened.card.classes
    subject = Subject(opened.net, image, opened.card, Target(labels[0], None, names))
    found: list[Edges | None] = []
    for label in labels:
        subject.target = Target(label, None, names)  # the recorded pass stays the same
        raw = METHODS[method].compute(subject, MethodOptions(layer=layer))
        found.append(box_of_map(on_image(raw, size), threshold))
    return found
