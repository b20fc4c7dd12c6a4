"""From probabilities to predictions: the most probable classes of each image."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.predictions.result import Prediction, expected_grade


def rank_classes(
    names: Sequence[str], probabilities: NDArray[np.float64], card: Card, top: int
) -> list[Prediction]:
    """A prediction with the `top` most probable classes for each image, from (n, classes).

    Where an image may have several labels, those that reach the card's thresholds come first, all
    of them.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    predictions: list[Prediction] = []
    for name, row, ranked in zip(names, probabilities, order, strict=True):
        labels, count = None, top
        if card.task == "multi-label":
            is_label = row >= np.array(card.label_thresholds)
            first = [int(index) for index in ranked if is_label[index]]
            ranked = [*first, *(index for index in ranked if not is_label[index])]  # noqa: PLW2901
            labels = tuple(card.classes[index] for index in first)
            count = max(top, len(labels))
        grade = expected_grade(row) if card.task == "ordinal" else None
        best = tuple((card.classes[int(index)], float(row[int(index)])) for index in ranked[:count])
        predictions.append(Prediction(name, best, labels, grade))
    return predictions
