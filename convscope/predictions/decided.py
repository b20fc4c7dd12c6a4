"""From probabilities to answers, by the rules of a card."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.decision_rules import PredictionSets, SetMethod

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answers(Sequence["Answers"]):
    """What a network answers for images; each is an `Answers` of one image.

    Attributes:
        probabilities: (n, classes).
        predicted: (n,) index of the predicted class; where an image may have several labels,
            (n, classes), whether each is predicted.
        is_sure: (n,) whether it answers at all; None where the card lets it answer always.
        sets: (n, classes) whether each class is in the prediction set; None where there are none.
    """

    probabilities: _Floats
    predicted: NDArray[Any]
    is_sure: NDArray[np.bool_] | None = None
    sets: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.probabilities)

    @overload
    def __getitem__(self, index: int) -> "Answers": ...

    @overload
    def __getitem__(self, index: slice) -> "Answers": ...

    def __getitem__(self, index: int | slice) -> "Answers":
        of = slice(index, index + 1 or None) if isinstance(index, int) else index
        if isinstance(index, int) and not -len(self) <= index < len(self):
            raise IndexError(index)
        return Answers(
            self.probabilities[of],
            self.predicted[of],
            None if self.is_sure is None else self.is_sure[of],
            None if self.sets is None else self.sets[of],
        )

    def __iter__(self) -> Iterator["Answers"]:
        return (self[index] for index in range(len(self)))


def joined_answers(parts: Sequence[Answers]) -> Answers:
    """The answers of all images together. There is at least one part."""
    return Answers(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.predicted for part in parts]),
        _joined([part.is_sure for part in parts]),
        _joined([part.sets for part in parts]),
    )


def decide(outputs: NDArray[Any], probabilities: _Floats, card: Card) -> Answers:
    """What follows from a network's outputs and their probabilities, both (n, classes)."""
    abstention, rule = card.abstention, card.prediction_sets
    is_sure = None
    if abstention is not None:
        certainty = certainties(outputs, probabilities, card)[abstention.by]
        is_sure = certainty >= abstention.threshold
    return Answers(
        probabilities,
        predicted_classes(probabilities, card),
        is_sure,
        None if rule is None else prediction_sets(probabilities, rule),
    )


def predicted_classes(probabilities: _Floats, card: Card) -> NDArray[Any]:
    """The index of the predicted class of each image (n,), of equal ones the first.

    By the card it is the one with the least expected cost Σ_k p_k C_kj, that of the operating point
    where it reaches its threshold, or else the most probable. Of several labels, (n, classes):
    whether each reaches its threshold.
    """
    if card.task == "multi-label":
        return probabilities >= np.array(card.label_thresholds)
    if card.costs is not None:
        return (probabilities @ np.array(card.costs)).argmin(1)
    if card.operating_point is None:
        return probabilities.argmax(1)
    positive = card.classes.index(card.operating_point.positive)
    others = probabilities.copy()
    others[:, positive] = -1
    is_positive = probabilities[:, positive] >= card.operating_point.threshold
    return np.where(is_positive, positive, others.argmax(1))


def certainties(outputs: NDArray[Any], probabilities: _Floats, card: Card) -> dict[str, _Floats]:
    """How certain a network is of each image (n,), by the names of `CertaintyName`.

    There is no energy where the network returns probabilities.
    """
    found = {"probability": probabilities.max(1)}
    if card.output == "logits":
        cooled = outputs.astype(np.float64) / card.temperature
        found["energy"] = card.temperature * np.logaddexp.reduce(cooled, axis=1)
    return found


def prediction_sets(probabilities: _Floats, rule: PredictionSets) -> NDArray[np.bool_]:
    """Whether each class is in the set of each image, (n, classes)."""
    scores = set_scores(probabilities, rule.method)
    return scores <= rule.quantile


def set_scores(probabilities: _Floats, method: SetMethod) -> _Floats:
    """How unlike each class is to an image, (n, classes), 0..1: up to a quantile of the scores of
    true classes it is in the set. The most probable class has 0.

    Of another class `lac` is 1 - p_k, `aps` the sum of all p_j that are larger than p_k.
    """
    if method == "lac":
        scores = 1 - probabilities
        np.put_along_axis(scores, probabilities.argmax(1)[:, None], values=0, axis=1)
        return scores
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, 1)
    before = np.zeros_like(ranked)
    before[:, 1:] = np.cumsum(ranked, 1)[:, :-1]
    before[:, 1:][ranked[:, 1:] == ranked[:, :-1]] = 0  # of equal ones as of the first
    scores = np.empty_like(ranked)
    np.put_along_axis(scores, order, np.minimum(np.maximum.accumulate(before, axis=1), 1), 1)
    return scores


def _joined(parts: Sequence[NDArray[np.bool_] | None]) -> NDArray[np.bool_] | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known else None
