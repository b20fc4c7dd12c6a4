"""Which executor computes the steps: what was asked for, what is possible, what is faster."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import nn

from convscope.errors import RequestError
from convscope.training.batches import Augmentation, TrainingBatches
from convscope.training.config import TrainConfig
from convscope.training.executors.base import Executor, Inputs
from convscope.training.executors.eager import EagerExecutor
from convscope.training.loss import CrossEntropy
from convscope.training.optimizer import Optimizer
from convscope.training.state import TrainState

_MAX_WEIGHTS = 2_000_000  # of a network that is compiled
_MAX_MULTIPLY_ADDS = 60_000_000  # for one image
_TIMED = 0.15  # seconds in which both executors are timed
_MIN_TURNS = 4  # steps that each makes at least
_MISSING = 'llvmlite is not installed: `pip install "convscope[lanes]"`'
_EXPECTED = ("the device is cuda", "the device is mps", "`compile` was asked for")


@dataclass(frozen=True)
class ExecutorFactory:
    """Makes executors for a network and its optimizer."""

    inputs: Inputs
    criterion: CrossEntropy
    augmentation: Augmentation
    config: TrainConfig

    def eager(self, network: nn.Module, optimizer: Optimizer) -> EagerExecutor:
        """PyTorch."""
        return EagerExecutor(
            network,
            optimizer,
            self.inputs,
            self.criterion,
            clip_grad_norm=self.config.clip_grad_norm,
            compile=self.config.compile,
        )

    def compiled(self, network: nn.Module, optimizer: Optimizer) -> Executor:
        """The compiled engine, where `unsupported_reason` finds nothing against it."""
        from convscope.training.executors.compiled import (  # noqa: PLC0415 -- needs an extra
            CompiledExecutor,
        )

        return CompiledExecutor(
            network, optimizer, self.inputs, self.criterion, self.augmentation, self.config
        )

    def unsupported_reason(self, network: nn.Module) -> str:
        """Why the compiled engine cannot train a network; empty if it can."""
        device, config = self.inputs.device.type, self.config
        reasons = (
            (device != "cpu", f"the device is {device}"),
            (config.compile, "`compile` was asked for"),
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
    if requested == "auto":
        compiled, eager = time_steps(factory, network, batches)
        if compiled >= eager:
            notify(f"Using PyTorch: {eager:.1f} ms a step, compiled engine {compiled:.1f} ms.")
            return factory.eager(network, optimizer)
        notify(
            f"Using the compiled engine: {compiled:.1f} ms a step, PyTorch {eager:.1f} ms, "
            f"{eager / compiled:.1f} times as long (`engine='torch'` turns it off)."
        )
    return factory.compiled(network, optimizer)


def time_steps(
    factory: ExecutorFactory, network: nn.Module, batches: TrainingBatches
) -> tuple[float, float]:
    """Milliseconds of a step by the compiled engine and by PyTorch.

    Timed on copies of the network with optimizers of their own, which are then thrown away.
    """
    with torch.random.fork_rng():
        trials = [
            make(copied := copy.deepcopy(network).train(), Optimizer(copied, factory.config))
            for make in (factory.compiled, factory.eager)
        ]
        state, batch = TrainState(), next(iter(batches(0)))
        best = [math.inf, math.inf]
        began, turn = time.perf_counter(), 0
        while turn < _MIN_TURNS or time.perf_counter() - began < _TIMED:
            for index, executor in enumerate(trials):
                start = time.perf_counter()
                executor.step(state, batch, 0.0)
                milliseconds = 1000 * (time.perf_counter() - start)
                if turn:  # the first step prepares
                    best[index] = min(best[index], milliseconds)
            turn += 1
    return best[0], best[1]
