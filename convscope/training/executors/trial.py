"""Steps of PyTorch and the compiled engine on trial: how long each takes, which is fastest."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from convscope.training.batches import TrainingBatches
from convscope.training.executors.base import Executor
from convscope.training.executors.factory import ExecutorFactory
from convscope.training.executors.timing import least_milliseconds, step_clock
from convscope.training.optimizer import Optimizer
from convscope.training.state import TrainState

if TYPE_CHECKING:  # it needs an extra
    from convscope.lanes.ir import Target

_TIMED = 0.15  # seconds in which PyTorch and the engine are timed
_WIDTHS_TIMED = 0.05  # seconds in which the engine's widths are timed
_CLEAR = 1.5  # times as long: no more turns are needed to tell
_HOPELESS = 2.0  # times as long as PyTorch: no other width makes up for it
_GAIN = 0.98  # of the time of fewer lanes that more must stay below: they need twice the memory


@dataclass(frozen=True)
class Times:
    """Milliseconds of a step: of the engine for each width that was timed, and of PyTorch.

    On all threads, or `on_one` where others had the cores.
    """

    widths: Mapping[int, float]
    torch: float | None = None
    on_one: bool = False

    @property
    def width(self) -> int:
        """The fastest; of two that are nearly as fast the one that needs less memory."""
        best = min(self.widths)
        for width in sorted(self.widths):
            if self.widths[width] < _GAIN * self.widths[best]:
                best = width
        return best

    @property
    def torch_is_faster(self) -> bool:
        return self.torch is not None and self.torch <= self.widths[self.width]

    @property
    def sentence(self) -> str:
        """What was chosen, and what it was compared with."""
        best = self.widths[self.width]
        where = " on one thread (the CPU is busy)" if self.on_one else ""
        if self.torch is not None and self.torch_is_faster:
            times = f"{self.torch:.1f} ms a step{where}, compiled engine {best:.1f} ms"
            return f"Using PyTorch: {times}."
        others = [f"{ms:.1f} ms with {width}" for width, ms in self.widths.items() if ms != best]
        lanes = f" with {self.width} SIMD lanes" if others else ""
        compared = "".join(f" ({other})" for other in others)
        engine = f"Using the compiled engine{lanes}: {best:.1f} ms a step{where}{compared}"
        if self.torch is None:
            return f"{engine}."
        return (
            f"{engine}, PyTorch {self.torch:.1f} ms, {self.torch / best:.1f} times as long "
            "(`engine='torch'` turns it off)."
        )


def torch_seconds(
    factory: ExecutorFactory, network: nn.Module, batches: TrainingBatches, steps: int
) -> float:
    """About how long so many steps take by PyTorch, by the second of two on a copy."""
    clock = step_clock(torch.get_num_threads())
    with torch.random.fork_rng():
        batch, copied = next(iter(batches(0))), copy.deepcopy(network).train()
        executor = factory.eager(copied, Optimizer(copied, factory.config))
        executor.step(TrainState(), batch, 0.0)
        began = clock()
        executor.step(TrainState(), batch, 0.0)
        return steps * (clock() - began)


def time_steps(
    factory: ExecutorFactory,
    network: nn.Module,
    batches: TrainingBatches,
    targets: "Sequence[Target]",
    *,
    beside_torch: bool,
) -> Times:
    """How long a step takes for each target, and `beside_torch` by PyTorch.

    Timed on copies of the network with optimizers of their own, which are then thrown away. More
    targets than the first are compiled only if the engine has a chance against PyTorch. Where
    others had the cores, it is timed again on one thread, which has to wait for no other.
    """
    threads = torch.get_num_threads()
    times, disturbed = _times(factory, network, batches, targets, beside_torch=beside_torch)
    if not disturbed or threads == 1:
        return times
    torch.set_num_threads(1)
    try:
        times, _ = _times(factory, network, batches, targets, beside_torch=beside_torch)
    finally:
        torch.set_num_threads(threads)
    return replace(times, on_one=True)


def _times(
    factory: ExecutorFactory,
    network: nn.Module,
    batches: TrainingBatches,
    targets: "Sequence[Target]",
    *,
    beside_torch: bool,
) -> tuple[Times, bool]:
    """The times on torch's threads, and whether they were disturbed."""
    state, threads, disturbed = TrainState(), torch.get_num_threads(), False
    with torch.random.fork_rng():
        batch = next(iter(batches(0)))

        def steps_of(make: Callable[[nn.Module, Optimizer], Executor]) -> Callable[[], object]:
            copied = copy.deepcopy(network).train()
            executor = make(copied, Optimizer(copied, factory.config))
            return lambda: executor.step(state, batch, 0.0)

        def compiled(target: "Target") -> Callable[[], object]:
            return steps_of(lambda copied, optimizer: factory.compiled(copied, optimizer, target))

        engines, by_torch = {targets[0].lanes: compiled(targets[0])}, None
        widths: dict[int, float] = {}
        if beside_torch:
            both = {**engines, None: steps_of(factory.eager)}
            found, disturbed = least_milliseconds(
                both, threads=threads, seconds=_TIMED, is_clear=_is_clear
            )
            by_torch = found.pop(None)
            widths = {width: ms for width, ms in found.items() if width is not None}
            if disturbed and threads > 1:  # all is timed again
                return Times(widths, by_torch), disturbed
        if by_torch is None or widths[targets[0].lanes] < _HOPELESS * by_torch:
            engines |= {target.lanes: compiled(target) for target in targets[1:]}
            if len(engines) > 1:
                widths, others = least_milliseconds(
                    engines, threads=threads, seconds=_WIDTHS_TIMED, calls=2
                )
                disturbed |= others
    return Times(widths, by_torch), disturbed


def _is_clear(times: Mapping[int | None, float]) -> bool:
    return max(times.values()) > _CLEAR * min(times.values())
