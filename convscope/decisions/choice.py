"""What is asked of `decide`, and the card that it leads to."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Literal

import numpy as np

from convscope.card import Card
from convscope.data.classes import quote_names
from convscope.decision_rules import Abstention, CertaintyName, OperatingPoint, SetMethod
from convscope.decisions.abstention import choose_certainty
from convscope.decisions.conformal import fit_sets
from convscope.decisions.costs import CostsLike, parse_costs
from convscope.decisions.operating_point import Wish, choose_threshold
from convscope.errors import RequestError, nearest
from convscope.evaluation.result import EvaluationResult
from convscope.predictions.decided import certainties

Kind = Literal["threshold", "costs", "abstention", "sets"]

_FEW = 5  # classes whose costs are listed
_SURE = 1 - 1e-6  # a probability in float32 has no finer steps below 1
_CHOICES = (
    "`sensitivity`, `specificity`, `maximize`, `threshold`, `costs`, `coverage`, `max_error` or "
    "`conformal`"
)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The arguments of `decide` that say what is chosen."""

    positive: str | None = None
    wish: Wish = field(default_factory=Wish)
    costs: CostsLike | None = None
    coverage: float | None = None
    max_error: float | None = None
    by: CertaintyName = "probability"
    conformal: float | None = None
    method: SetMethod = "lac"

    @property
    def kind(self) -> Kind:
        """What is chosen."""
        if self.costs is not None:
            return "costs"
        if self.conformal is not None:
            return "sets"
        return "threshold" if self.coverage is None and self.max_error is None else "abstention"

    def check(self, card: Card) -> None:
        """Raise RequestError unless one thing is asked for that suits the card."""
        wishes = [getattr(self.wish, each.name) for each in fields(Wish)]
        given = [*wishes, self.costs, self.coverage, self.max_error, self.conformal]
        if sum(one is not None for one in given) != 1:
            raise RequestError(f"Choose one thing at a time: {_CHOICES}.")
        self.wish.check()
        is_several = card.task == "multi-label"
        if is_several and self.kind != "threshold":
            raise RequestError(
                "The images have several labels, each with a threshold of its own; `costs`, "
                "`coverage`, `max_error` and `conformal` are for single classes."
            )
        if self.kind != "threshold" and self.positive is not None:
            raise RequestError("`positive` is the class of a threshold; leave it out here.")
        if self.kind == "threshold" and not is_several and self.positive is None:
            raise RequestError(
                f"Name the class that the threshold is for with `positive`: "
                f"{quote_names([*card.classes])}."
            )
        if self.positive is not None and self.positive not in card.classes:
            hint = nearest(self.positive, card.classes)
            raise RequestError(
                f"`positive`: there is no class {self.positive!r}.{hint} The classes are "
                f"{quote_names([*card.classes])}."
            )
        if self.kind == "abstention" and self.by == "energy" and card.output == "probabilities":
            raise RequestError("`by='energy'` needs logits, and the network returns probabilities.")
        has_rule = card.operating_point is not None or card.costs is not None
        if self.kind == "abstention" and self.by == "probability" and has_rule:
            raise RequestError(
                "The run predicts by a threshold or by costs, where the probability of the most "
                "probable class does not say how certain the answer is. Abstain by "
                "`by='energy'`, or take the rule back first."
            )

    def without(self, card: Card) -> Card:
        """The card without the rule that is to be chosen."""
        if self.kind in ("threshold", "costs"):
            return card.without_rules
        if self.kind == "abstention":
            return replace(card, abstention=None)
        return replace(card, prediction_sets=None)


def chosen_card(choice: Choice, card: Card, on: EvaluationResult) -> tuple[Card, list[str]]:
    """The card with the rule that is chosen on an evaluation by it, and notes.

    Raises RequestError where the images cannot decide.
    """
    shares, truth = on.outputs.probabilities, on.labels
    match choice.kind:
        case "costs":
            assert choice.costs is not None
            costs = parse_costs(choice.costs, card.classes)
            return replace(card, costs=costs, operating_point=None, abstention=None), []
        case "sets":
            assert choice.conformal is not None
            sets = fit_sets(shares, truth, coverage=choice.conformal, method=choice.method)
            return replace(card, prediction_sets=sets), []
        case "abstention":
            certainty = certainties(on.outputs.network_outputs, shares, card)[choice.by]
            least = choose_certainty(
                certainty,
                on.outputs.is_correct,
                coverage=choice.coverage,
                max_error=choice.max_error,
            )
            if choice.by == "probability":
                least = min(max(least, 0.0), _SURE)
            return replace(card, abstention=Abstention(choice.by, least)), []
        case "threshold":
            return _with_threshold(choice, card, on)


def _with_threshold(choice: Choice, card: Card, on: EvaluationResult) -> tuple[Card, list[str]]:
    shares = on.outputs.probabilities
    if card.task != "multi-label":
        assert choice.positive is not None
        index = card.classes.index(choice.positive)
        least = choose_threshold(on.labels == index, shares[:, index], choice.wish, choice.positive)
        point = OperatingPoint(choice.positive, least)
        return replace(card, operating_point=point, costs=None, abstention=None), []
    thresholds, kept = [*card.label_thresholds], list[str]()
    for index, name in enumerate(card.classes):
        if choice.positive not in (None, name):
            continue
        has = on.labels[:, index].astype(bool)
        if choice.positive is None and len(np.unique(has)) < 2 and choice.wish.threshold is None:
            kept.append(name)
            continue
        thresholds[index] = choose_threshold(has, shares[:, index], choice.wish, name)
    if len(kept) == len(card.classes):
        raise RequestError("No label divides the images, so no threshold can be chosen on them.")
    notes = [
        f"{quote_names(kept)} kept the threshold of before: every image has it there, or none."
    ]
    return replace(card, thresholds=tuple(thresholds)), notes if kept else []


def describe(choice: Choice, card: Card) -> Iterator[str]:
    """Sentences on the rule that was chosen."""
    match choice.kind:
        case "costs":
            yield "The class with the least expected cost is predicted."
            yield from _costs(card)
        case "sets":
            assert card.prediction_sets is not None
            rule = card.prediction_sets
            yield (
                f"The prediction set ({rule.method.upper()}, quantile {rule.quantile:.4g}) has the "
                f"true class for {rule.coverage:.4g} of such images."
            )
        case "abstention":
            assert card.abstention is not None
            what = "a probability" if card.abstention.by == "probability" else "an energy score"
            yield f"Answers from {what} of {card.abstention.threshold:.4g} on; else it is not sure."
        case "threshold" if card.operating_point is not None:
            point = card.operating_point
            others = "the other class" if len(card.classes) == 2 else "the most probable other one"
            yield (
                f"{point.positive!r} is predicted from a probability of {point.threshold:.4g} on, "
                f"else {others}."
            )
        case "threshold":
            for name, least in zip(card.classes, card.label_thresholds, strict=True):
                if choice.positive in (None, name):
                    yield f"{name!r} is predicted from a probability of {least:.4g} on."


def _costs(card: Card) -> Iterator[str]:
    """The costs of a few classes by name, so that a matrix with its sides exchanged is noticed."""
    assert card.costs is not None
    if len(card.classes) > _FEW:
        return
    for name, row in zip(card.classes, card.costs, strict=True):
        listed = [
            f"{cost:g} as {other!r}" for other, cost in zip(card.classes, row, strict=True) if cost
        ]
        yield f"An image of {name!r} costs {', '.join(listed) or 'nothing'}."
