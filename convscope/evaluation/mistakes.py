"""Which images are wrong: the most confident mistakes, the least certain, each confused pair."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.evaluation.measure import EvaluationOutputs

MOST = 24
"""Images of a list."""

_PAIRS, _OF_PAIR = 12, 6


@dataclass(frozen=True)
class ConfusedPair:
    """Images of one class that were taken for another; of labels, those missed or given wrongly.

    Attributes:
        truth: the name of the class; of a label that was missed or given wrongly, its name.
        predicted: the name of the other class; "missed" or "wrongly given".
        indices: of all such images, in the order of the evaluation, the most confident first.
    """

    truth: str
    predicted: str
    indices: NDArray[np.int64]

    @property
    def title(self) -> str:
        """As in "cat taken for dog"."""
        if self.predicted in (_MISSED, _GIVEN):
            return f"{self.truth} {self.predicted}"
        return f"{self.truth} taken for {self.predicted}"


_MISSED, _GIVEN = "missed", "wrongly given"


@dataclass(frozen=True)
class Mistakes:
    """Indices of images, in the order of the evaluation.

    Attributes:
        wrong: how many are wrong.
        confident: wrong ones, the largest probability of the wrong answer first; of several labels,
            the largest loss.
        uncertain: right or wrong ones, those first whose two most probable classes are closest; of
            several labels, those with the probability that is closest to its threshold.
        pairs: the commonest first.
    """

    wrong: int
    confident: NDArray[np.int64]
    uncertain: NDArray[np.int64]
    pairs: tuple[ConfusedPair, ...]


def find_mistakes(outputs: EvaluationOutputs, truth: NDArray[Any]) -> Mistakes:
    """The images to look at, of an evaluation with these true classes or labels."""
    wrong = np.flatnonzero(~outputs.is_correct)
    by_confidence = wrong[np.argsort(-_certainty_of_mistakes(outputs)[wrong], kind="stable")]
    uncertain = np.argsort(_margins(outputs), kind="stable")[:MOST]
    pairs = _pairs(outputs, truth, by_confidence)
    return Mistakes(len(wrong), by_confidence[:MOST], uncertain.astype(np.int64), pairs)


def shown(pair: ConfusedPair) -> NDArray[np.int64]:
    """The images of a pair that a page has room for."""
    return pair.indices[:_OF_PAIR]


def _certainty_of_mistakes(outputs: EvaluationOutputs) -> NDArray[np.float64]:
    return outputs.losses if outputs.predicted.ndim == 2 else outputs.confidence


def _margins(outputs: EvaluationOutputs) -> NDArray[np.float64]:
    if outputs.predicted.ndim == 2:
        return outputs.confidence
    best = np.partition(outputs.probabilities, -2, axis=1)[:, -2:]
    return best[:, 1] - best[:, 0]


def _pairs(
    outputs: EvaluationOutputs, truth: NDArray[Any], wrong: NDArray[np.int64]
) -> tuple[ConfusedPair, ...]:
    classes = outputs.metrics.classes
    members: dict[tuple[str, str], list[int]] = {}
    for index in wrong.tolist():
        for pair in _confused(outputs.predicted[index], truth[index], classes):
            members.setdefault(pair, []).append(index)
    commonest = sorted(members.items(), key=lambda item: -len(item[1]))[:_PAIRS]
    return tuple(
        ConfusedPair(true, said, np.array(indices, np.int64)) for (true, said), indices in commonest
    )


def _confused(said: Any, true: Any, classes: Sequence[str]) -> list[tuple[str, str]]:
    if np.ndim(said) == 0:
        return [(classes[int(true)], classes[int(said)])]
    labels = np.flatnonzero(np.asarray(said) != np.asarray(true))
    return [(classes[label], _MISSED if true[label] else _GIVEN) for label in labels.tolist()]
