"""Which executor computes the steps: what was asked for, what is possible, what is faster."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from torch import nn

from convscope.errors import RequestError
from convscope.training.batches import TrainingBatches
from convscope.training.config import decided
from convscope.training.executors.base import Executor
from convscope.training.executors.factory import EXPECTED, ExecutorFactory
from convscope.training.executors.trial import time_steps, torch_seconds
from convscope.training.limits import Limits
from convscope.training.optimizer import Optimizer
from convscope.training.state import TrainState

if TYPE_CHECKING:  # it needs an extra
    from convscope.lanes.ir import Target


def select_executor(
    factory: ExecutorFactory,
    network: nn.Module,
    optimizer: Optimizer,
    batches: TrainingBatches,
    *,
    limits: Limits,
    state: TrainState,
    notify: Callable[[str], None],
) -> Executor:
    """Select the executor by the setting `engine`, and report the choice and its reason.

    A resumed training keeps the executor that it began with, if possible. Raises RequestError where
    the compiled engine was asked for by name and is not possible.
    """
    requested = state.engine or factory.config.engine
    if requested == "torch":
        return factory.eager(network, optimizer)
    reason = factory.unsupported_reason(network)
    if reason:
        if state.engine:
            notify(f"Not bit-identical to an uninterrupted run: {reason}.")
        elif factory.config.engine == "lanes":
            raise RequestError(
                f"`engine='lanes'` is not possible: {reason}. Choose `engine='torch'`."
            )
        elif reason not in EXPECTED:
            notify(f"Using PyTorch (compiled engine unsupported: {reason}).")
        return factory.eager(network, optimizer)
    if requested == "auto" and (note := _too_short(factory, network, batches, limits)):
        notify(note)
        return factory.eager(network, optimizer)
    targets = _targets(factory, notify)
    if requested == "auto" or len(targets) > 1:
        times = time_steps(factory, network, batches, targets, beside_torch=requested == "auto")
        notify(times.sentence)
        if times.torch_is_faster:
            return factory.eager(network, optimizer)
        targets = [target for target in targets if target.lanes == times.width]
    return factory.compiled(network, optimizer, targets[0])


def _too_short(
    factory: ExecutorFactory, network: nn.Module, batches: TrainingBatches, limits: Limits
) -> str:
    """Why compiling cannot pay, though steps took no time at all then; "" where it can."""
    compiling = factory.compile_seconds(network)
    if limits.steps is None:
        whole = decided(limits.seconds)
    else:
        whole = torch_seconds(factory, network, batches, limits.steps)
    if whole >= compiling:
        return ""
    return (
        f"Using PyTorch: its steps take about {whole:.1f} s in all, and the engine about "
        f"{compiling:.1f} s to compile (`engine='lanes'` compiles it)."
    )


def _targets(factory: ExecutorFactory, notify: Callable[[str], None]) -> "Sequence[Target]":
    """What code can be written for: the width that is asked for, or those that must be timed."""
    from convscope.lanes.jit import (  # noqa: PLC0415 -- needs an extra
        fast_targets,
        host_target,
        host_targets,
    )

    width, possible = factory.config.simd_width, host_targets()
    if width is None:
        return [host_target()] if factory.is_earlier else fast_targets()
    if width in possible:
        return [possible[width]]
    has = f"this processor's SIMD vectors hold at most {max(possible)} float32 numbers"
    if not factory.resumes:
        raise RequestError(
            f"`simd_width={width}` is not possible: {has}. Choose `simd_width={max(possible)}`, or "
            "leave it out."
        )
    notify(f"Not bit-identical to an uninterrupted run: simd_width was {width}, and {has}.")
    return [host_target()]
