"""Slices: images of one camera, folder, size or the like that are wrong more often than others.

Each is compared with the other images of the same classes, so that none is found for having harder
classes. Many are compared, and some would seem worse by chance; Holm's procedure keeps the
probability of naming any slice by mistake at 5% for all of them together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.evaluation.attributes import Attributes
from convscope.evaluation.clustered import effective_size
from convscope.evaluation.figures import Figure, numbered, proportion
from convscope.evaluation.stratified_test import chance_by_groups, chance_of_as_many, holm

FEWEST = 20
"""Images of a slice, and of the others, at least."""

_LEVEL = 0.05
_MOST = 50  # values of a property that are looked at, the commonest


@dataclass(frozen=True)
class Slice:
    """Images that are wrong more often than other images of the same classes.

    Attributes:
        names: the properties that they alone have, each with its value; several where the same
            images are, for example, all of one camera and all in one folder.
        indices: of the images, in the order of the evaluation.
        accuracy: the share of them that is right.
        expected: the share of others that is right, weighted by the classes of the slice; NaN where
            no class of it has others.
        chance: the probability that blindly chosen images of these classes are wrong as often.
    """

    names: tuple[tuple[str, str], ...]
    indices: NDArray[np.int64]
    accuracy: Figure
    expected: float
    chance: float

    @property
    def title(self) -> str:
        """As in "camera: Canon CR-2"."""
        return ", ".join(f"{name}: {value}" for name, value in self.names)

    def to_dict(self) -> dict[str, Any]:
        """Values of JSON."""
        return {
            "properties": dict(self.names),
            "images": len(self.indices),
            "accuracy": self.accuracy.to_dict(),
            "expected": self.expected,
            "p_value": self.chance,
        }


@dataclass(frozen=True)
class Slices:
    """What was found where images were compared by their properties.

    Attributes:
        found: the slices that differ by more than noise, the largest shortfall first.
        properties: the names of the properties that were looked at.
        num_compared: how many slices were compared.
    """

    found: tuple[Slice, ...]
    properties: tuple[str, ...]
    num_compared: int

    def describe(self) -> str:
        """What was compared, and what of it can be relied on, in two sentences."""
        if not self.num_compared:
            return (
                "No slices were compared: the images have no property that at least "
                f"{FEWEST} of them share and {FEWEST} others of their classes do not."
            )
        by = ", ".join(self.properties)
        head = (
            f"Compared with the other images of their classes, by {by}: {self.num_compared} "
            f"slice{'s' * (self.num_compared > 1)}"
        )
        if not self.found:
            return f"{head}. None is worse by more than noise (Holm's test, 5% for all together)."
        return (
            f"{head}. Those below are worse by more than noise (Holm's test, 5% for all together)."
        )

    def rows(self) -> list[list[str]]:
        """A header and a row for each slice that was found."""
        return [
            ["slice", "images", "accuracy", "95% interval", "others alike"],
            *(
                [
                    found.title,
                    str(len(found.indices)),
                    f"{found.accuracy.value:.1%}",
                    _interval(found.accuracy),
                    f"{found.expected:.1%}",
                ]
                for found in self.found
            ),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Values of JSON."""
        return {
            "compared": self.num_compared,
            "properties": list(self.properties),
            "level": _LEVEL,
            "correction": "Holm",
            "found": [found.to_dict() for found in self.found],
        }


def find_slices(
    is_correct: NDArray[np.bool_],
    strata: NDArray[np.int64],
    attributes: Attributes,
    groups: Sequence[str] | None = None,
) -> Slices:
    """The slices of images (n,) that are wrong more often than others of their classes.

    `strata` are the classes of the images, 0 ... m - 1; the images of a group count as dependent.
    """
    numbers = numbered(groups)
    compared: dict[bytes, tuple[NDArray[np.bool_], list[tuple[str, str]]]] = {}
    looked_at: list[str] = []
    for name, values in attributes.items():
        for value, chosen in _values(values, strata):
            key = np.packbits(chosen).tobytes()
            compared.setdefault(key, (chosen, []))[1].append((name, value))
            looked_at += [name] * (name not in looked_at)
    chances = np.array(
        [_chance(~is_correct, chosen, strata, numbers) for chosen, _ in compared.values()]
    )
    kept = holm(chances, _LEVEL) if len(chances) else np.zeros(0, bool)
    pairs = zip(compared.values(), kept, chances.tolist(), strict=True)
    found = [
        _slice(chosen, names, is_correct, strata, groups, chance)
        for (chosen, names), is_kept, chance in pairs
        if is_kept
    ]
    found.sort(key=lambda each: each.accuracy.value - each.expected)
    return Slices(tuple(found), tuple(looked_at), len(compared))


def _values(
    values: Sequence[str], strata: NDArray[np.int64]
) -> list[tuple[str, NDArray[np.bool_]]]:
    """The values that enough images share and enough others of their classes do not."""
    names, places, counts = np.unique(
        np.array(values, dtype=object).astype(str), return_inverse=True, return_counts=True
    )
    common = np.argsort(-counts, kind="stable")[:_MOST]
    found: list[tuple[str, NDArray[np.bool_]]] = []
    for place in common.tolist():
        chosen = places == place
        if not names[place] or counts[place] < FEWEST:
            continue
        mixed = np.intersect1d(strata[chosen], strata[~chosen])
        alike = np.isin(strata, mixed)
        if min((alike & chosen).sum(), (alike & ~chosen).sum()) >= FEWEST:
            found.append((str(names[place]), chosen))
    return found


def _chance(
    is_wrong: NDArray[np.bool_],
    chosen: NDArray[np.bool_],
    strata: NDArray[np.int64],
    groups: NDArray[np.int64] | None,
) -> float:
    chance = chance_of_as_many(is_wrong, chosen, strata)
    if groups is None:
        return chance
    return max(chance, chance_by_groups(is_wrong, chosen, strata, groups))


def _slice(
    chosen: NDArray[np.bool_],
    names: list[tuple[str, str]],
    is_correct: NDArray[np.bool_],
    strata: NDArray[np.int64],
    groups: Sequence[str] | None,
    chance: float,
) -> Slice:
    indices = np.flatnonzero(chosen)
    right = is_correct[indices].astype(np.float64)
    share = 1.0
    if groups is not None:
        share = effective_size(right, [groups[index] for index in indices.tolist()]) / len(right)
    accuracy = proportion(right.sum(), len(right), share)
    return Slice(tuple(names), indices, accuracy, _expected(chosen, is_correct, strata), chance)


def _expected(
    chosen: NDArray[np.bool_], is_correct: NDArray[np.bool_], strata: NDArray[np.int64]
) -> float:
    """The accuracy of the other images, weighted by the classes of the chosen ones."""
    count = int(strata.max()) + 1
    inside = np.bincount(strata[chosen], minlength=count)
    outside = np.bincount(strata[~chosen], minlength=count)
    right = np.bincount(strata[~chosen & is_correct], minlength=count)
    weight = np.where(outside > 0, inside, 0)
    return float((weight * right / np.maximum(outside, 1)).sum() / weight.sum())


def _interval(figure: Figure) -> str:
    low, high = figure.interval or (figure.value, figure.value)
    return f"{low:.1%} to {high:.1%}"
