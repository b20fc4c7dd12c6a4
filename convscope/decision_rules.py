"""The rules by which probabilities become an answer, as a card keeps them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

CertaintyName = Literal["probability", "energy"]
"""What is compared with the threshold of an abstention.

- `probability`: of the most probable class.
- `energy`: T · ln Σ exp(z / T) over the logits z at the temperature T, the negative energy of Liu
  et al., 2020: large where some logit is.
"""

SetMethod = Literal["lac", "aps"]
"""How a prediction set is made; each has the most probable class, and also all others

- `lac`: of a probability of at least 1 - quantile (Sadinle et al., 2019);
- `aps`: for which the probabilities of all more probable classes add up to the quantile at most
  (Romano et al., 2020, without randomization).
"""

Costs = tuple[tuple[float, ...], ...]
"""What it costs to predict a class (column) for an image of a class (row)."""

MAX_COST = 1e9


@dataclass(frozen=True)
class OperatingPoint:
    """Predict `positive` where its probability is at least `threshold`, and else the most probable
    of the other classes.
    """

    positive: str
    threshold: float


@dataclass(frozen=True)
class Abstention:
    """Answer only where the certainty `by` is at least `threshold`."""

    by: CertaintyName
    threshold: float


@dataclass(frozen=True)
class PredictionSets:
    """Sets of classes that have the true one for a share `coverage` of images; see `SetMethod`."""

    method: SetMethod
    coverage: float
    quantile: float


def problem_of_point(point: OperatingPoint, classes: Sequence[str]) -> str:
    """What is wrong with an operating point; empty if nothing is."""
    if point.positive not in classes:
        return f"has an operating point for {point.positive!r}, which is no class of it"
    if not 0 < point.threshold < 1:
        return f"has an operating point at {point.threshold}; it must be above 0 and below 1"
    return ""


def problem_of_costs(costs: Costs, classes: Sequence[str]) -> str:
    """What is wrong with costs; empty if nothing is."""
    count = len(classes)
    if len(costs) != count or any(len(row) != count for row in costs):
        return f"needs costs of {count} rows and {count} columns, one for each class"
    if not all(0 <= cost <= MAX_COST for row in costs for cost in row):
        return f"needs costs from 0 to {MAX_COST:g}"
    for index, (name, row) in enumerate(zip(classes, costs, strict=True)):
        others = [*row[:index], *row[index + 1 :]]
        if row[index] > min(others):
            return f"has a cost of {row[index]:g} for a right answer of {name!r}, more than a wrong"
    if all(cost == row[0] for row in costs for cost in row):
        return "has the same costs for all classes, which decide nothing"
    return ""


def problem_of_abstention(abstention: Abstention) -> str:
    """What is wrong with an abstention; empty if nothing is."""
    if not math.isfinite(abstention.threshold):
        return f"abstains below {abstention.threshold}, which is not finite"
    if abstention.by == "probability" and not 0 <= abstention.threshold <= 1:
        return f"abstains below a probability of {abstention.threshold}"
    return ""


def problem_of_sets(sets: PredictionSets) -> str:
    """What is wrong with prediction sets; empty if nothing is."""
    if not 0 < sets.coverage < 1:
        return f"has prediction sets with a coverage of {sets.coverage}"
    if not 0 <= sets.quantile <= 1:
        return f"has prediction sets with a quantile of {sets.quantile}"
    return ""
