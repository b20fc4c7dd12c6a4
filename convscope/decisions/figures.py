"""What a rule does on images: figures with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convscope.card import Card
from convscope.decisions.choice import Choice
from convscope.evaluation.figures import Figure, mean, numbered, share, undefined
from convscope.evaluation.rates import Rate
from convscope.evaluation.result import EvaluationResult

_RATES: dict[str, Rate] = {
    "sensitivity": "recall",
    "specificity": "specificity",
    "precision (PPV)": "precision",
    "NPV": "npv",
    "F1": "f1",
}


@dataclass(frozen=True)
class RuleFigures:
    """One figure of a rule.

    Attributes:
        name: "sensitivity", ...
        label: of which class it is; "" for all.
        chosen: on the images that the rule was chosen on.
        measured: on others; None where there are none.
        before: on the images that are measured, without the rule; None where it has no meaning.
    """

    name: str
    label: str
    chosen: Figure
    measured: Figure | None
    before: Figure | None

    def to_dict(self) -> dict[str, Any]:
        """The same as values of JSON."""
        found = {"chosen": self.chosen, "measured": self.measured, "before": self.before}
        return {
            "name": self.name,
            **({"label": self.label} if self.label else {}),
            **{key: None if each is None else each.to_dict() for key, each in found.items()},
        }


_Named = dict[tuple[str, str], Figure]


def figures_of(
    choice: Choice, card: Card, decided: Sequence[EvaluationResult], plain: EvaluationResult
) -> tuple[RuleFigures, ...]:
    """The figures of a rule, from evaluations by it: on the images that it was chosen on, and on
    others, if there are; and from one without it.
    """
    chosen, *others = [_figures(choice, card, each) for each in decided]
    measured = others[0] if others else None
    before = _figures(choice, card, plain)
    return tuple(
        RuleFigures(
            name,
            label,
            figure,
            None if measured is None else measured[name, label],
            before.get((name, label)),
        )
        for (name, label), figure in chosen.items()
    )


def _figures(choice: Choice, card: Card, result: EvaluationResult) -> _Named:
    match choice.kind:
        case "threshold":
            return _of_threshold(choice, card, result)
        case "costs":
            return _of_costs(card, result)
        case "abstention":
            return _of_abstention(result)
        case "sets":
            return _of_sets(result)


def _of_threshold(choice: Choice, card: Card, result: EvaluationResult) -> _Named:
    rows = {row["name"]: row for row in result.details.per_class}
    names = [choice.positive] if choice.positive is not None else card.classes
    found: _Named = {}
    for label in names:
        shown = label if len(names) > 1 else ""
        found |= {(name, shown): rows[label][rate] for name, rate in _RATES.items()}
    return found | {("accuracy", ""): _accuracy(result)}


def _of_costs(card: Card, result: EvaluationResult) -> _Named:
    assert card.costs is not None
    costs = np.array(card.costs)[result.labels, result.outputs.predicted]
    figure = mean(costs, numbered(result.groups))
    return {("average cost", ""): figure, ("accuracy", ""): _accuracy(result)}


def _of_abstention(result: EvaluationResult) -> _Named:
    is_sure, groups = result.outputs.answers.is_sure, numbered(result.groups)
    wrong = ~result.outputs.is_correct
    if is_sure is None:
        return {("errors among answers", ""): share(wrong, groups)}

    def errors(of: Any) -> Figure:
        return share(wrong[of], None if groups is None else groups[of])

    return {
        ("answered", ""): share(is_sure, groups),
        ("errors among answers", ""): errors(is_sure),
        ("errors among the others", ""): errors(~is_sure),
    }


def _of_sets(result: EvaluationResult) -> _Named:
    sets, groups = result.outputs.answers.sets, numbered(result.groups)
    if sets is None:
        return {}
    own = np.take_along_axis(sets, result.labels[:, None], 1)[:, 0]
    sizes = sets.sum(1)
    of_classes = [share(own[result.labels == k]) for k in np.unique(result.labels)]
    least = min(of_classes, key=lambda each: each.value, default=undefined("there are no images"))
    return {
        ("coverage", ""): share(own, groups),
        ("least coverage of a class", ""): least,
        ("mean size of a set", ""): mean(sizes.astype(np.float64), groups),
        ("sets of one class", ""): share(sizes == 1, groups),
    }


def _accuracy(result: EvaluationResult) -> Figure:
    return share(result.outputs.is_correct, numbered(result.groups))
