"""From answers to predictions: the classes of each image by name, or its objects, best first."""

from collections.abc import Sequence

import numpy as np

from convscope.boxes.detections import Detections
from convscope.card import Card
from convscope.predictions.decided import Answers
from convscope.predictions.objects import best_scores, objects_of
from convscope.predictions.result import Prediction, expected_grade


def rank_classes(names: Sequence[str], answers: Answers, card: Card, top: int) -> list[Prediction]:
    """A prediction with the `top` most probable classes for each image.

    What is predicted comes first, even where another class is more probable: where an image may
    have several labels, all that reach their thresholds.
    """
    order = np.argsort(-answers.probabilities, axis=1, kind="stable")
    is_several = card.task == "multi-label"
    predictions: list[Prediction] = []
    for index, name in enumerate(names):
        row, said, ranks = answers.probabilities[index], answers.predicted[index], order[index]
        is_first = said[ranks] if is_several else ranks == said
        first = ranks[is_first].tolist()
        count = max(top, len(first)) if is_several else top
        ranked = [*first, *ranks[~is_first][:count].tolist()]
        members = None if answers.sets is None else answers.sets[index]
        predictions.append(
            Prediction(
                path=name,
                top_k=tuple((card.classes[k], float(row[k])) for k in ranked[:count]),
                labels=tuple(card.classes[k] for k in first) if is_several else None,
                expected_grade=expected_grade(row) if card.task == "ordinal" else None,
                is_sure=None if answers.is_sure is None else bool(answers.is_sure[index]),
                set=None
                if members is None
                else tuple(card.classes[k] for k in ranks[members[ranks]]),
            )
        )
    return predictions


def locate_objects(
    names: Sequence[str], sizes: Sequence[tuple[int, int]], found: Sequence[Detections], card: Card
) -> list[Prediction]:
    """A prediction with the objects of each image; sizes are (width, height) in pixels."""
    predictions: list[Prediction] = []
    for name, size, one in zip(names, sizes, found, strict=True):
        objects = objects_of(one, size, card)
        labels = tuple(each.label for each in objects)
        predictions.append(
            Prediction(name, best_scores(objects), labels=labels, objects=objects, size=size)
        )
    return predictions
