"""`calibrate`: fit the temperature of a run, and keep it in its card."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from convscope.card import Card, refuse_objects
from convscope.data.dataset import Split
from convscope.data.loading import ProgressCallback
from convscope.data.source import DataLike
from convscope.decisions.images import choose_images
from convscope.decisions.temperature import fit_temperature, log_losses
from convscope.distributed.launch import is_first
from convscope.errors import RequestError
from convscope.evaluation.calibration import Reliability
from convscope.evaluation.details import Details
from convscope.evaluation.evaluate import evaluate
from convscope.evaluation.figures import Figure, mean, numbered
from convscope.evaluation.result import EvaluationResult
from convscope.inference import probabilities
from convscope.models import ModelLike
from convscope.runs.folder import Run
from convscope.runs.network import as_run
from convscope.synonyms import takes_synonyms


@dataclass(frozen=True)
class Calibration:
    """What a temperature does to probabilities.

    Attributes:
        run: the run whose card has it.
        temperature: by which logits are now divided.
        before: by which they were.
        fitted_on: a description of the images that it was fitted on; how many is `num_fitted`.
        measured_on: of those that the figures are of; how many is `num_measured`.
        is_held_out: whether these are other images.
        loss, brier: before and after, the mean negative log likelihood in nats and the Brier score.
        loss_change, brier_change: how far they rise, with the interval of a paired comparison.
        calibration: before and after, of the predicted class; of several labels of all of them.
        notes: sentences for the user.
    """

    run: Path
    temperature: float
    before: float
    fitted_on: str
    num_fitted: int
    measured_on: str
    num_measured: int
    is_held_out: bool
    loss: tuple[Figure, Figure]
    loss_change: Figure
    brier: tuple[Figure, Figure]
    brier_change: Figure
    calibration: tuple[Reliability, Reliability]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The same as values of JSON."""
        pairs = {"loss": self.loss, "brier": self.brier, "calibration": self.calibration}
        return {
            "run": str(self.run),
            "temperature": self.temperature,
            "temperature_before": self.before,
            "fitted_on": self.fitted_on,
            "fitted_images": self.num_fitted,
            "measured_on": self.measured_on,
            "measured_images": self.num_measured,
            "held_out": self.is_held_out,
            **{
                name: {"before": before.to_dict(), "after": after.to_dict()}
                for name, (before, after) in pairs.items()
            },
            "loss_change": self.loss_change.to_dict(),
            "brier_change": self.brier_change.to_dict(),
        }


@takes_synonyms
def calibrate(
    run: ModelLike,
    data: DataLike | None = None,
    *,
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
) -> Calibration:
    """Fit the temperature of a run's probabilities, and keep it in the run's card.

    All logits are divided by it before the softmax, or the sigmoid, by `predict`, `evaluate`,
    `export` and `serve` alike. It changes how sure the network is, and not what it answers. It is
    fitted on the validation images, to the least negative log likelihood (see
    `convscope.decisions.temperature`), and measured on the test images.

    With `data`, on their validation split, or on all of them if they have none; with `split` on
    that one. Other arguments as in `evaluate`. Rules that were chosen for the run's probabilities
    before are taken back, since these change. `convscope.restore_card` takes the temperature back.

    Raises RequestError for a network that returns probabilities, and where no temperature is best,
    as where every image is right.
    """
    folder = as_run(run)
    card = folder.read_card()
    refuse_objects(card)
    if card.output == "probabilities":
        raise RequestError(
            f"The network of {folder.path} returns probabilities, and a temperature is for logits."
        )
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
    fitted, measured = images.fitted, images.measured
    temperature = fit_temperature(fitted.outputs.network_outputs, fitted.labels, card.task)
    new = replace(card.of_training, temperature=temperature)
    cards = replace(card.of_training, temperature=card.temperature), new
    details = [_details(measured, each) for each in cards]
    groups = numbered(measured.groups)
    losses, squares = ([each.losses for each in details], [each.brier_losses for each in details])
    if is_first():
        keep(folder, new)
    return Calibration(
        run=folder.path,
        temperature=temperature,
        before=card.temperature,
        fitted_on=fitted.data,
        num_fitted=len(fitted.labels),
        measured_on=measured.data,
        num_measured=len(measured.labels),
        is_held_out=images.held_out is not None,
        loss=(details[0].loss, details[1].loss),
        loss_change=mean(losses[1] - losses[0], groups),
        brier=(details[0].brier, details[1].brier),
        brier_change=mean(squares[1] - squares[0], groups),
        calibration=(_reliability(details[0]), _reliability(details[1])),
        notes=images.notes,
    )


def restore_card(run: ModelLike, *, temperature: bool = True) -> None:
    """Take back what was chosen for a run's probabilities after its training: all that `decide`
    keeps, and, unless it is to stay, the `temperature`.
    """
    folder = as_run(run)
    card = folder.read_card()
    keep(folder, card.of_training if temperature else card.without_rules)


def keep(run: Run, card: Card) -> None:
    """Make a card that of a run's weights. Raises WorkError while another process writes it."""
    with run.locked():
        run.replace_card(card)


def _details(result: EvaluationResult, card: Card) -> Details:
    """The details of an evaluation at the temperature of a card."""
    outputs = result.outputs.network_outputs
    shares = probabilities(torch.from_numpy(outputs), card).numpy()
    is_several = card.task == "multi-label"
    return Details(
        classes=card.classes,
        task=card.task,
        probabilities=shares,
        truth=result.labels,
        predicted=shares >= card.label_thresholds if is_several else outputs.argmax(1),
        losses=log_losses(outputs, result.labels, card.temperature, card.task),
        groups=result.groups,
    )


def _reliability(details: Details) -> Reliability:
    return next(iter(details.calibration.values()))
