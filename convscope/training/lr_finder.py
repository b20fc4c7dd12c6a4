"""`lr_find`: the learning rate range test, which tries rising rates and says at which to train.

Smith, 2017, "Cyclical learning rates for training neural networks", section 3.3, as fastai has it.
"""

import copy
import itertools
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

from torch import nn

from convscope import synonyms
from convscope.data.augmentation.own_function import Transform
from convscope.data.dataset import Dataset
from convscope.data.source import DataLike
from convscope.distributed.joining import check_alone
from convscope.errors import RequestError
from convscope.reports.chart import STYLE, Charts, check_svg
from convscope.reports.lr_chart import LearningRateChart
from convscope.signals import undone_by_exit
from convscope.training.api import take_objects
from convscope.training.batches import Batch
from convscope.training.callbacks.base import Callback, CallbackList
from convscope.training.config import TrainConfig, decided
from convscope.training.keywords import TrainSettings
from convscope.training.nonfinite import NonfiniteError
from convscope.training.progress import watched
from convscope.training.recipe import requested_config
from convscope.training.setting import settings_of
from convscope.training.signature import takes_settings
from convscope.training.start import prepared
from convscope.training.trainer import Trainer

MIN_LR, MAX_LR, NUM_RATES = 1e-7, 10.0, 100  # fastai's
_BETA = 0.98  # of the smoothed loss
_DIVERGED = 4.0  # times the lowest smoothed loss
_LEAST_FALL = 0.01  # of the smoothed loss, below which no rate is suggested
_FIXED = ("data", "min_lr", "max_lr", "num_rates", "progress")
_IDLE: dict[str, Any] = {
    "engine": "torch",
    "simd_width": None,
    "compile": False,
    "fsdp": False,
    "ema": 0.0,
    "swa_start": 0.0,
    "swa_lr": None,
    "lr_schedule": "constant",
    "warmup_epochs": None,
    "unfreeze_every": 0,
    "early_stopping_patience": 0,
    "log": None,
}
"""Settings that mean nothing for so few steps, and what they are for them."""


@dataclass(frozen=True, repr=False)
class LRFindResult:
    """What a learning rate range test found.

    Attributes:
        lrs: the rates that were tried, rising; one step each.
        losses: the mean loss of each step's batch before the step, in nats.
        smoothed_losses: their exponential moving average with decay 0.98, without its bias.
        suggestion: the rate to train at, as `lr`; None where the losses show none.
        reason: how it was chosen, or why there is none, in a sentence.
        lr: the rate at which `train` would train with the same settings.
    """

    lrs: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed_losses: tuple[float, ...]
    suggestion: float | None
    reason: str
    lr: float

    def to_dict(self) -> dict[str, Any]:
        """All of it for JSON."""
        return {**vars(self)}

    def plot(self) -> Charts:
        """Loss by learning rate, with the suggestion; see `Charts`."""
        marks = {} if self.suggestion is None else {"suggestion": self.suggestion}
        return Charts(LearningRateChart(self.lrs, self.losses, self.smoothed_losses, marks))

    @property
    def sentence(self) -> str:
        """The suggestion, and how it was chosen."""
        found = "No suggestion" if self.suggestion is None else f"Suggestion {self.suggestion:.2g}"
        return f"{found}: {self.reason}."

    def __repr__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        return (
            f'<div class="convscope-result"><style>{STYLE}</style><p>{self.sentence}</p>'
            f"{self.plot().html}</div>"
        )


@takes_settings(TrainConfig)
def lr_find(
    data: DataLike = "digits",
    *,
    min_lr: float = MIN_LR,
    max_lr: float = MAX_LR,
    num_rates: int = NUM_RATES,
    progress: bool = True,
    **settings: Unpack[TrainSettings],
) -> LRFindResult:
    """Try learning rates from small to large on a network, and suggest one to train it at.

    The first batches of the training that `convscope.train` would begin with the same settings are
    trained on, one step at each of `num_rates` rates from `min_lr` to `max_lr`, each larger than
    the one before by the same factor. It ends early where the smoothed loss exceeds four times its
    lowest value or a loss is not finite. Nothing is kept: a `torch.nn.Module` as `model` is copied,
    and no run folder is left.

    The suggestion is a tenth of the rate at which the smoothed loss is lowest, without the first
    tenth of the steps (fastai's `minimum`): where it turns, training has become unstable. There is
    none where the smoothed loss falls by less than 1%, or to the end. With `backbone_lr_scale`,
    rates are those of the last layer.

    Raises RequestError for an invalid request, WorkError for work that failed, Interrupted when a
    signal asked to stop.
    """
    given, notes = synonyms.translate(settings, [*_FIXED, *settings_of(TrainConfig)])
    fixed: dict[str, Any] = {"data": data, "min_lr": min_lr, "max_lr": max_lr}
    fixed |= {"num_rates": num_rates}
    fixed |= {name: given.pop(name) for name in fixed.keys() & given.keys()}
    module, function = take_objects(given)
    config = requested_config(given)
    with watched(progress=progress) as watchers:
        for note in notes:
            CallbackList(watchers).message(note)
        return range_test(
            fixed.pop("data"),
            config,
            Rates(**fixed),
            given=given.keys(),
            callbacks=watchers,
            module=module,
            function=function,
        )


@dataclass(frozen=True)
class Rates:
    """The rates that are tried. Raises RequestError for numbers out of range."""

    min_lr: float = MIN_LR
    max_lr: float = MAX_LR
    num_rates: int = NUM_RATES

    def __post_init__(self) -> None:
        if not 0 < self.min_lr < self.max_lr <= 1e6:
            raise RequestError(
                "`min_lr` must be above 0 and below `max_lr`, and that at most 1000000, not "
                f"{self.min_lr:g} and {self.max_lr:g}."
            )
        if not 20 <= self.num_rates <= 1000:
            raise RequestError(f"`num_rates` must be between 20 and 1000, not {self.num_rates}.")

    def __iter__(self) -> Iterator[float]:
        """Each larger than the one before by the same factor; both ends are among them."""
        ratio = self.max_lr / self.min_lr
        for number in range(self.num_rates):
            yield self.min_lr * ratio ** (number / (self.num_rates - 1))


def range_test(
    data: DataLike,
    config: TrainConfig,
    rates: Rates,
    *,
    given: Collection[str] = (),
    callbacks: Sequence[Callback] = (),
    module: nn.Module | None = None,
    function: Transform | None = None,
    ahead: Callable[[], Dataset | None] = lambda: None,
) -> LRFindResult:
    """`lr_find` with its settings in one object; see `convscope.training.start.prepared`."""
    check_alone("`convscope lr-find` tries learning rates with one process")
    user = CallbackList(callbacks)
    for name in sorted(_IDLE.keys() & given):
        user.message(f"`{name}` has no effect on a search for a learning rate.")
    folder = tempfile.TemporaryDirectory(prefix="convscope-")
    with (
        folder,
        undone_by_exit(folder.cleanup),
        prepared(
            data,
            replace(config, **_IDLE),
            given={*given} - _IDLE.keys(),
            out=Path(folder.name) / "run",
            callbacks=callbacks,
            module=copy.deepcopy(module),
            function=function,
            ahead=ahead,
        ) as ready,
    ):
        lrs, losses = sweep(ready.trainer, rates, ready.session.user.trying)
        lr = decided(ready.task.config.lr)
    return result_of(lrs, losses, rates, lr=lr)


def sweep(
    trainer: Trainer, rates: Rates, on_step: Callable[[int, int], None]
) -> tuple[list[float], list[float]]:
    """One step at each rate: the rates that were tried, and the losses; it may end early.

    Raises StepError for a network whose loss is not finite before its first step.
    """
    state, lrs, losses = trainer.state, list[float](), list[float]()
    for lr, batch in zip(rates, _batches(trainer), strict=False):
        try:
            loss, _ = trainer.executor.step(state, batch, lr)
        except NonfiniteError:
            if not state.step:
                raise
            break
        state.step += 1
        lrs.append(lr)
        losses.append(loss)
        on_step(state.step, rates.num_rates)
        if has_diverged(smooth(losses)):
            break
    return lrs, losses


def _batches(trainer: Trainer) -> Iterator[Batch]:
    """The batches of one epoch after the other."""
    for epoch in itertools.count():
        yield from trainer.batches(epoch, 0)


def smooth(losses: Sequence[float]) -> list[float]:
    """Exponential moving averages from 0 on, each divided by the weight of what it has seen."""
    averages = itertools.accumulate(
        losses, lambda average, loss: _BETA * average + (1 - _BETA) * loss, initial=0.0
    )
    return [average / (1 - _BETA**n) for n, average in enumerate(averages) if n]


def has_diverged(smoothed: Sequence[float]) -> bool:
    """Whether the last loss is far above the lowest."""
    return smoothed[-1] > _DIVERGED * min(smoothed)


def check_picture(path: Path | None) -> None:
    """Raise RequestError, before any work, for a picture that cannot be written."""
    if path is not None:
        check_svg(path)


def result_of(
    lrs: Sequence[float], losses: Sequence[float], rates: Rates, *, lr: float
) -> LRFindResult:
    """The result with its suggestion; `lr` is the rate of the settings."""
    smoothed = smooth(losses)
    suggestion, first = None, rates.num_rates // 10
    looked_at = smoothed[first:]
    lowest = min(looked_at, default=0.0)
    if len(looked_at) < 3:
        reason = f"the loss rose after {len(lrs)} steps; lower `min_lr`"
    elif lowest > (1 - _LEAST_FALL) * looked_at[0]:
        reason = "the loss fell nowhere by 1%"
    elif lowest == smoothed[-1]:
        reason = f"the loss still fell at {lrs[-1]:.2g}, the last rate; raise `max_lr`"
    else:
        turn = lrs[first + looked_at.index(lowest)]
        suggestion = turn / 10
        reason = (
            f"a tenth of {turn:.2g}, where the smoothed loss is lowest of {len(lrs)} steps at "
            f"rates from {lrs[0]:.2g} to {lrs[-1]:.2g}; `train` would take {lr:.2g}"
        )
    return LRFindResult(tuple(lrs), tuple(losses), tuple(smoothed), suggestion, reason, lr)
