"""`decide`: choose what a run answers by its probabilities, and keep it in its card."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from convscope.card import Card, refuse_objects
from convscope.data.dataset import Split
from convscope.data.loading import ProgressCallback
from convscope.data.source import DataLike
from convscope.decision_rules import CertaintyName, SetMethod
from convscope.decisions.calibrate import keep
from convscope.decisions.choice import Choice, chosen_card, describe
from convscope.decisions.costs import CostsLike
from convscope.decisions.figures import RuleFigures, figures_of
from convscope.decisions.images import choose_images
from convscope.decisions.operating_point import Score, Wish
from convscope.distributed.launch import is_first
from convscope.evaluation.evaluate import evaluate
from convscope.evaluation.figures import mean, numbered
from convscope.evaluation.measure import compute_metrics
from convscope.evaluation.result import EvaluationResult
from convscope.models import ModelLike
from convscope.runs.network import as_run
from convscope.synonyms import takes_synonyms


@dataclass(frozen=True)
class Decision:
    """A rule that was chosen for a run, and what it does.

    Attributes:
        run: the run whose card has it.
        rules: in sentences.
        card: with the rules.
        chosen_on: a description of the images that it was chosen on; how many is `num_chosen`.
        measured_on: of other images; "" where there are none.
        figures: by name, on the images that it was chosen on, on others, and on these without the
            rule.
        notes: sentences for the user.
    """

    run: Path
    rules: tuple[str, ...]
    card: Card
    chosen_on: str
    num_chosen: int
    measured_on: str
    num_measured: int
    figures: tuple[RuleFigures, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The same as values of JSON."""
        card = self.card.to_dict()
        names = ("thresholds", "operating_point", "costs", "abstention", "prediction_sets")
        return {
            "run": str(self.run),
            "rules": [*self.rules],
            **{name: card[name] for name in names if card[name] is not None},
            "chosen_on": self.chosen_on,
            "chosen_images": self.num_chosen,
            "measured_on": self.measured_on or None,
            "measured_images": self.num_measured,
            "figures": [each.to_dict() for each in self.figures],
        }


@takes_synonyms
def decide(
    run: ModelLike,
    data: DataLike | None = None,
    *,
    positive: str | None = None,
    sensitivity: float | None = None,
    specificity: float | None = None,
    maximize: Score | None = None,
    threshold: float | None = None,
    costs: CostsLike | None = None,
    coverage: float | None = None,
    max_error: float | None = None,
    by: CertaintyName = "probability",
    conformal: float | None = None,
    method: SetMethod = "lac",
    split: Split | None = None,
    model: str | nn.Module | None = None,
    trust: bool = False,
    data_dir: str | Path | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    group_pattern: str | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    on_progress: ProgressCallback = lambda done, total: None,
) -> Decision:
    """Choose what a run answers by its probabilities, and keep it in the run's card.

    One of these is chosen, on the validation images, and measured on the test images; with `data`
    or `split` on others, as in `calibrate`. `predict`, `evaluate`, `export` and `serve` follow it.

    Args:
        positive: a class, which is then predicted from a threshold on, for a wished `sensitivity`
            or `specificity`, the best `maximize`, "youden" or "f1", or a `threshold` itself; see
            `convscope.decisions.operating_point`. Where the image has several labels, one of them;
            by default each gets its own threshold.
        costs: of predicting a class for an image of another, see `convscope.decisions.costs`: the
            class with the least expected cost is predicted.
        coverage: the share of images, the most certain ones, that are answered; others are "not
            sure". Certain is what `by` says: "probability", of the most probable class, or
            "energy".
        max_error: the share of answers that may be wrong: as many images are answered as have it.
        conformal: a share of images whose true class shall be in the prediction set, made by
            `method`, "lac" or "aps"; see `convscope.decision_rules`.

    A threshold or costs take back how certain the network has to be, which was chosen for other
    answers. `convscope.restore_card` takes everything back.

    Raises RequestError for several choices or none, and for what the images cannot decide.
    """
    choice = Choice(
        positive=positive,
        wish=Wish(
            sensitivity=sensitivity, specificity=specificity, maximize=maximize, threshold=threshold
        ),
        costs=costs,
        coverage=coverage,
        max_error=max_error,
        by=by,
        conformal=conformal,
        method=method,
    )
    folder = as_run(run)
    card = folder.read_card()
    refuse_objects(card)
    choice.check(card)
    on_split = partial(
        evaluate,
        run,
        data,
        model=model,
        trust=trust,
        data_dir=data_dir,
        image_column=image_column,
        label_column=label_column,
        group_column=group_column,
        group_pattern=group_pattern,
        batch_size=batch_size,
        device=device,
        threads=threads,
        on_progress=on_progress,
    )
    images = choose_images(on_split, split)
    new, notes = chosen_card(choice, card, images.fitted)
    before = choice.without(card)
    decided = [_decided(each, new) for each in (images.fitted, images.held_out) if each]
    plain = _decided(images.measured, before)
    if is_first():
        keep(folder, new)
    return Decision(
        run=folder.path,
        rules=tuple(describe(choice, new)),
        card=new,
        chosen_on=images.fitted.data,
        num_chosen=len(images.fitted.labels),
        measured_on=images.held_out.data if images.held_out else "",
        num_measured=len(images.measured.labels),
        figures=figures_of(choice, new, decided, plain),
        notes=(
            *images.notes,
            *notes,
            *_of_groups(choice, images.fitted),
            *(_of_costs(new, decided[-1], plain) if choice.kind == "costs" else []),
        ),
    )


def _decided(result: EvaluationResult, card: Card) -> EvaluationResult:
    """The same evaluation by another card."""
    outputs = torch.from_numpy(result.outputs.network_outputs)
    return replace(result, outputs=compute_metrics(outputs, result.labels, card))


def _of_costs(card: Card, decided: EvaluationResult, plain: EvaluationResult) -> list[str]:
    """A note where costs are not seen to fall."""
    costs = np.array(card.costs)
    after, before = (costs[each.labels, each.outputs.predicted] for each in (decided, plain))
    change = mean(after - before, numbered(plain.groups))
    if change.interval is not None and change.interval[1] < 0:
        return []
    return ["The average cost is not seen to fall: by chance it could be as it was."]


def _of_groups(choice: Choice, result: EvaluationResult) -> list[str]:
    if choice.conformal is None or result.details.num_groups is None:
        return []
    return [
        "The images come in groups; for one of a new group, the coverage may be less than promised."
    ]
