"""What is said about an image, as JSON."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card

TOP = 5
"""Classes that are named by default."""


def answer_of(probabilities: NDArray[np.float64], card: Card, top: int) -> dict[str, Any]:
    """The `top` most probable classes of an image, by its probabilities (classes,).

    Of several labels, all that are predicted and the most probable of the others.
    """
    order = [int(index) for index in np.argsort(-probabilities, kind="stable")]
    if card.task == "multi-label":
        is_label = probabilities >= np.array(card.label_thresholds)
        labels = [index for index in order if is_label[index]]
        order = [*labels, *(index for index in order if not is_label[index])]
        top = max(top, len(labels))
        said: dict[str, Any] = {"labels": [card.classes[index] for index in labels]}
    else:
        said = {"label": card.classes[order[0]], "probability": float(probabilities[order[0]])}
    if card.task == "ordinal":
        said["expected_grade"] = float(np.arange(len(probabilities)) @ probabilities)
    best = {card.classes[index]: float(probabilities[index]) for index in order[:top]}
    return {**said, "probabilities": best}
