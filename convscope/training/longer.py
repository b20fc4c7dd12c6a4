"""Training a run for longer (or shorter) than it was first asked to.

The new length is the total, counted from the start of the run. From where it is, the training goes
on as one of that length: the schedule stretches, so a learning rate that had come down rises again.
config.toml is the one file that decides: it is written, atomically, before the first further step,
with the step at which the run was finished before. A resume that finds the state still there goes
on; one that finds it further on knows that it is under way or done.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from convscope.errors import RequestError
from convscope.training.config import TrainConfig
from convscope.training.limits import Limits
from convscope.training.setting import figure
from convscope.training.state import TrainState

LENGTHS = ("epochs", "steps", "max_minutes")

TABLE = "lengthened"
"""The table of config.toml that says from which step on a finished run was trained longer."""


def with_length(
    config: TrainConfig, *, epochs: int | None, steps: int | None, max_minutes: float | None
) -> TrainConfig:
    """The settings with another length, of which at most one is given; without one, as they are.

    Raises RequestError for more than one, and for a value out of range.
    """
    given = dict(zip(LENGTHS, (epochs, steps, max_minutes), strict=True))
    given = {name: value for name, value in given.items() if value is not None}
    if len(given) > 1:
        names = " and ".join(f"`{name}`" for name in given)
        raise RequestError(f"{names} exclude each other; choose one.")
    if not given:
        return config
    checked = TrainConfig.from_dict(
        {**config.to_dict(), "steps": None, "max_minutes": None, **given}
    )
    return replace(checked, warmup_epochs=0.0) if max_minutes is not None else checked


def length(config: TrainConfig) -> str:
    """The length in words.

    >>> length(TrainConfig(epochs=1)), length(TrainConfig(max_minutes=2.5))
    ('1 epoch', '2.5 minutes')
    """
    if config.max_minutes is not None:
        count, unit = config.max_minutes, "minute"
    elif config.steps is not None:
        count, unit = config.steps, "step"
    else:
        count, unit = config.epochs, "epoch"
    return f"{figure(count)} {unit}{'' if count == 1 else 's'}"


def is_at_its_old_end(saved: Mapping[str, Any], state: TrainState) -> bool:
    """Whether a run that was finished is to go on, and has not made a step since."""
    return state.done and saved.get(TABLE, {}).get("step") == state.step


def check_longer(config: TrainConfig, limits: Limits, state: TrainState) -> None:
    """Raise RequestError if a training has come as far as the new length already."""
    if not limits.reached(state):
        return
    if config.max_minutes is not None:
        name, done = "max_minutes", f"{state.seconds / 60:.1f} minutes"
    elif config.steps is not None:
        name, done = "steps", f"{state.step:,} steps"
    else:
        name, done = "epochs", f"{state.epoch:,} epoch{'' if state.epoch == 1 else 's'}"
    raise RequestError(
        f"`{name}={getattr(config, name)}` is no more than the {done} that this run has been "
        f"trained for; it is the total, counted from its start. Name a larger `{name}`, or start a "
        "new run."
    )


def config_of_longer(
    saved: Mapping[str, Any], before: TrainConfig, config: TrainConfig, state: TrainState
) -> dict[str, Any]:
    """The contents of config.toml with the new length; the rest stays as it is."""
    values = config.to_dict()
    kept = {name: value for name, value in saved.items() if name not in (*LENGTHS, "warmup_epochs")}
    new = {name: values[name] for name in (*LENGTHS, "warmup_epochs") if name in values}
    table = {"step": state.step, "before": length(before)} if state.done else saved.get(TABLE)
    return {**kept, **new, **({} if table is None else {TABLE: table})}


def go_on(state: TrainState) -> None:
    """Take back the end of a training; the wait for an improvement begins anew."""
    state.done, state.stop_reason, state.epochs_without_improvement = False, "", 0


def sentence(config: TrainConfig, state: TrainState, *, lr: float) -> str:
    """What training on means, for the user; `lr` is the learning rate of the next step."""
    before = state.history[-1]["lr"] if state.history else 0.0
    text = f"From step {state.step:,} on, this is a training of {length(config)}"
    if config.lr_schedule in ("constant", "plateau"):
        return f"{text}; the learning rate stays at {lr:.3g}."
    return (
        f"{text}: with `lr_schedule={config.lr_schedule!r}` over that length, the learning rate "
        f"goes on at {lr:.3g}, where it had come down to {before:.3g}. The result is not that of a "
        f"training of {length(config)} from the start."
    )
