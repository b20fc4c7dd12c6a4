"""Which executor computes the steps: what was asked for, what is possible, what is faster."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from torch import nn

from convscope.errors import RequestError
from convscope.training.batches import Augmentation, TrainingBatches
from convscope.training.config import TrainConfig
from convscope.training.executors.base import Executor, Inputs
from convscope.training.executors.eager import EagerExecutor
from convscope.training.executors.timing import least_milliseconds
from convscope.training.loss import CrossEntropy
from convscope.training.optimizer import Optimizer
from convscope.training.state import TrainState

if TYPE_CHECKING:  # they need an extra
    from convscope.lanes.ir import Target
    from convscope.lanes.program import Program
    from convscope.training.executors.compiled import ImageMemory

_MAX_WEIGHTS = 2_000_000  # of a network that is compiled
_MAX_MULTIPLY_ADDS = 60_000_000  # for one image
_TIMED = 0.15  # seconds in which PyTorch and the engine are timed
_WIDTHS_TIMED = 0.05  # seconds in which the engine's widths are timed
_CLEAR = 1.5  # times as long: no more turns are needed to tell
_HOPELESS = 2.0  # times as long as PyTorch: no other width makes up for it
_GAIN = 0.98  # of the time of fewer lanes that more must stay below: they need twice the memory
_MISSING = 'llvmlite is not installed: `pip install "convscope[lanes]"`'
_EXPECTED = (
    "the device is cuda",
    "the device is mps",
    "`compile` was asked for",
    "steps are in bf16",
)


@dataclass(frozen=True)
class ExecutorFactory:
    """Makes executors for a network and its optimizer."""

    inputs: Inputs
    criterion: CrossEntropy
    augmentation: Augmentation
    config: TrainConfig
    _programs: "dict[Target, Program]" = field(default_factory=dict["Target", "Program"])
    _memory: "list[ImageMemory]" = field(default_factory=list["ImageMemory"])

    def eager(self, network: nn.Module, optimizer: Optimizer) -> EagerExecutor:
        """PyTorch."""
        return EagerExecutor(
            network,
            optimizer,
            self.inputs,
            self.criterion,
            clip_grad_norm=self.config.clip_grad_norm,
            compile=self.config.compile,
            bf16=self.config.precision == "bf16",
        )

    def compiled(self, network: nn.Module, optimizer: Optimizer, target: "Target") -> Executor:
        """The compiled engine, where `unsupported_reason` finds nothing against it.

        What it needs is made once, for this network and for copies of it.
        """
        from convscope.training.executors.compiled import (  # noqa: PLC0415 -- needs an extra
            CompiledExecutor,
            ImageMemory,
            write_program,
        )

        inputs, augmentation, config = self.inputs, self.augmentation, self.config
        if not self._memory:
            self._memory.append(ImageMemory.of(inputs, augmentation, config))
        [memory] = self._memory
        if target not in self._programs:
            self._programs[target] = write_program(network, inputs, config, memory, target)
        program = self._programs[target]
        return CompiledExecutor(
            network, optimizer, inputs, self.criterion, augmentation, config, memory, program
        )

    def unsupported_reason(self, network: nn.Module) -> str:
        """Why the compiled engine cannot train a network; empty if it can."""
        device, config = self.inputs.device.type, self.config
        reasons = (
            (device != "cpu", f"the device is {device}"),
            (config.compile, "`compile` was asked for"),
            (config.precision == "bf16", "steps are in bf16"),
            (config.freeze is not None, "layers are frozen"),
            (self.inputs.card.output == "probabilities", "the network ends in softmax"),
            (find_spec("llvmlite") is None, _MISSING),
        )
        for applies, reason in reasons:
            if applies:
                return reason
        return _unsupported_network(network, self.inputs)


def _unsupported_network(network: nn.Module, inputs: Inputs) -> str:
    from convscope.lanes.frontend import Unsupported, read_network  # noqa: PLC0415 -- needs an extra

    weights = sum(weight.numel() for weight in network.parameters())
    if weights > _MAX_WEIGHTS:
        return f"the network has {weights:,} parameters and the engine is for small ones"
    try:
        nodes = read_network(network, (inputs.card.in_channels, *inputs.card.input_size))
    except Unsupported as error:
        return str(error)
    work = sum(node.multiply_adds for node in nodes)
    if work > _MAX_MULTIPLY_ADDS:
        return f"the network takes {work:,} multiply-adds and the engine is for small ones"
    return ""


def select_executor(
    factory: ExecutorFactory,
    network: nn.Module,
    optimizer: Optimizer,
    batches: TrainingBatches,
    *,
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
        elif reason not in _EXPECTED:
            notify(f"Using PyTorch (compiled engine unsupported: {reason}).")
        return factory.eager(network, optimizer)
    targets = _targets(factory.config, state, notify)
    if requested == "auto" or len(targets) > 1:
        times = time_steps(factory, network, batches, targets, beside_torch=requested == "auto")
        notify(times.sentence)
        if times.torch_is_faster:
            return factory.eager(network, optimizer)
        targets = [target for target in targets if target.lanes == times.width]
    return factory.compiled(network, optimizer, targets[0])


def _targets(
    config: TrainConfig, state: TrainState, notify: Callable[[str], None]
) -> "Sequence[Target]":
    """What code can be written for: the width that is asked for, or those that must be timed."""
    from convscope.lanes.jit import (  # noqa: PLC0415 -- needs an extra
        fast_targets,
        host_target,
        host_targets,
    )

    width, possible = config.simd_width, host_targets()
    if width is None:
        return fast_targets()
    if width in possible:
        return [possible[width]]
    has = f"this processor's SIMD vectors hold at most {max(possible)} float32 numbers"
    if not state.engine:
        raise RequestError(
            f"`simd_width={width}` is not possible: {has}. Choose `simd_width={max(possible)}`, or "
            "leave it out."
        )
    notify(f"Not bit-identical to an uninterrupted run: simd_width was {width}, and {has}.")
    return [host_target()]


def resumed_width(config: TrainConfig) -> int | None:
    """The width of a run that goes on; the only one that there was where its config has none."""
    if config.engine == "torch" or config.simd_width or find_spec("llvmlite") is None:
        return config.simd_width
    from convscope.lanes.jit import host_target  # noqa: PLC0415 -- needs an extra

    return host_target().lanes


@dataclass(frozen=True)
class Times:
    """Milliseconds of a step: of the engine for each width that was timed, and of PyTorch."""

    widths: Mapping[int, float]
    torch: float | None = None

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
        if self.torch is not None and self.torch_is_faster:
            return f"Using PyTorch: {self.torch:.1f} ms a step, compiled engine {best:.1f} ms."
        others = [f"{ms:.1f} ms with {width}" for width, ms in self.widths.items() if ms != best]
        lanes = f" with {self.width} SIMD lanes" if others else ""
        compared = "".join(f" ({other})" for other in others)
        engine = f"Using the compiled engine{lanes}: {best:.1f} ms a step{compared}"
        if self.torch is None:
            return f"{engine}."
        return (
            f"{engine}, PyTorch {self.torch:.1f} ms, {self.torch / best:.1f} times as long "
            "(`engine='torch'` turns it off)."
        )


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
    targets than the first are compiled only if the engine has a chance against PyTorch.
    """
    state, threads = TrainState(), torch.get_num_threads()
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
            found = least_milliseconds(both, threads=threads, seconds=_TIMED, is_clear=_is_clear)
            by_torch = found.pop(None)
            widths = {width: ms for width, ms in found.items() if width is not None}
        if by_torch is None or widths[targets[0].lanes] < _HOPELESS * by_torch:
            engines |= {target.lanes: compiled(target) for target in targets[1:]}
            if len(engines) > 1:
                widths = least_milliseconds(
                    engines, threads=threads, seconds=_WIDTHS_TIMED, calls=2
                )
    return Times(widths, by_torch)


def _is_clear(times: Mapping[int | None, float]) -> bool:
    return max(times.values()) > _CLEAR * min(times.values())
