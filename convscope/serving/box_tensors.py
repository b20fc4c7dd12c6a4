"""The objects of images as tensors of the Open Inference Protocol."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.boxes.detections import SHOWN
from convscope.card import Card
from convscope.http_server.access import Refusal
from convscope.predictions.objects import objects_of
from convscope.serving.pipeline import LocatedBoxes

BOX_TENSORS = (
    {"name": "boxes", "datatype": "FP32", "shape": [-1, 4]},
    {"name": "scores", "datatype": "FP32", "shape": [-1]},
    {"name": "labels", "datatype": "BYTES", "shape": [-1]},
    {"name": "image_index", "datatype": "INT64", "shape": [-1]},
)
"""A row for each object, image by image, by falling score: left, top, right and bottom in pixels of
its image, the score, the class, and which of the images it is in.
"""


def min_score_of(parameters: dict[str, Any]) -> float:
    """The least score that a request asks for, by default SHOWN. Raises Refusal."""
    score = parameters.get("min_score", SHOWN)
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise Refusal(400, "`min_score` must be a number from 0 to 1.")
    return float(score)


def box_tensor(
    name: str, images: Sequence[LocatedBoxes], card: Card, min_score: float
) -> tuple[str, NDArray[Any] | list[str], list[int]]:
    """Type, values and shape of one of BOX_TENSORS."""
    found = [objects_of(one.found.above(min_score), one.size, card) for one in images]
    objects = [(one, index) for index, image in enumerate(found) for one in image]
    match name:
        case "boxes":
            boxes = np.array([one.box for one, _ in objects], "<f4").reshape(-1, 4)
            return "FP32", boxes, [*boxes.shape]
        case "scores":
            return "FP32", np.array([one.score for one, _ in objects], "<f4"), [len(objects)]
        case "labels":
            return "BYTES", [one.label for one, _ in objects], [len(objects)]
        case _:
            return "INT64", np.array([index for _, index in objects], "<i8"), [len(objects)]
