"""What executors need, and whether the compiled engine can train a network."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from torch import nn

from convscope.data.augmentation.pipeline import Augmentation
from convscope.distributed.group import ALONE, Group
from convscope.training.callbacks.freeze import batch_norms
from convscope.training.config import TrainConfig, decided
from convscope.training.executors.base import Executor, Inputs
from convscope.training.executors.ddp import GradientSum
from convscope.training.executors.eager import EagerExecutor
from convscope.training.executors.fsdp import ShardedNetwork
from convscope.training.loss import BatchLoss
from convscope.training.loss_scaler import LossScaler
from convscope.training.optimizer import Optimizer

if TYPE_CHECKING:  # they need an extra
    from convscope.lanes.graph import Node
    from convscope.lanes.ir import Target
    from convscope.lanes.program import Program
    from convscope.training.executors.compiled import ImageMemory

_MAX_WEIGHTS = 2_000_000  # of a network that is compiled
_MAX_MULTIPLY_ADDS = 60_000_000  # for one image
_SECONDS_A_LAYER = 0.1  # to compile: 0.07 to 0.12 on a Zen 4
_MISSING = 'llvmlite is not installed: `pip install "convscope[lanes]"`'
EXPECTED = (
    "the device is cuda",
    "the device is mps",
    "`compile` was asked for",
    "steps are in bf16",
    "steps are in fp16",
    "gradients are accumulated",
)
"""Reasons that are not worth a message."""


@dataclass(frozen=True)
class ExecutorFactory:
    """Makes executors for a network and its optimizer.

    Attributes:
        resumes: whether a run goes on, which keeps what it began with.
        group: the processes that compute each step together.
        scaler: of the loss in fp16; None in other precisions.
        sharded: the network, where its weights are divided among them.
    """

    inputs: Inputs
    criterion: BatchLoss
    augmentation: Augmentation
    config: TrainConfig
    resumes: bool = False
    group: Group = ALONE
    scaler: LossScaler | None = None
    sharded: ShardedNetwork | None = None
    _programs: "dict[Target, Program]" = field(default_factory=dict["Target", "Program"])
    _memory: "list[ImageMemory]" = field(default_factory=list["ImageMemory"])

    @property
    def is_earlier(self) -> bool:
        """Whether a run goes on that was begun before there was a choice of widths.

        Such runs have 8 lanes (4 where vectors have no more), and sum over images last of all.
        """
        return self.resumes and self.config.simd_width is None

    def eager(self, network: nn.Module, optimizer: Optimizer) -> EagerExecutor:
        """PyTorch."""
        group = self.group
        return EagerExecutor(
            network,
            optimizer,
            self.inputs,
            self.criterion,
            clip_grad_norm=decided(self.config.clip_grad_norm),
            compile=self.config.compile,
            precision=self.config.precision,
            scaler=self.scaler,
            micro_batch=-(-decided(self.config.batch_size) // group.size),
            sums=GradientSum(group, network, optimizer, self.config.seed)
            if group.size > 1
            else None,
            sharded=self.sharded,
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
            self._programs[target] = write_program(
                network, inputs, config, memory, target, turns=not self.is_earlier
            )
        program = self._programs[target]
        return CompiledExecutor(
            network, optimizer, inputs, self.criterion, augmentation, config, memory, program
        )

    def compile_seconds(self, network: nn.Module) -> float:
        """About how long it takes to compile the engine for a network that it covers.

        That it may have been compiled before does not count, so that the same request has the same
        answer.
        """
        return _SECONDS_A_LAYER * len(_layers(network, self.inputs))

    def unsupported_reason(self, network: nn.Module) -> str:
        """Why the compiled engine cannot train a network; empty if it can."""
        device, config = self.inputs.device.type, self.config
        reasons = (
            (self.group.size > 1, "several processes train together"),
            (device != "cpu", f"the device is {device}"),
            (config.compile, "`compile` was asked for"),
            (config.precision != "float32", f"steps are in {config.precision}"),
            (config.mixes, "`mixup` and `cutmix` mix images in floating point"),
            (config.freeze is not None, "layers are frozen"),
            (bool(config.freeze_bn and batch_norms(network)), "batch norm keeps its statistics"),
            (config.accumulate > 1, "gradients are accumulated"),
            (config.optimizer == "rmsprop", "the optimizer is rmsprop"),
            (self.inputs.card.output == "probabilities", "the network returns probabilities"),
            (self.inputs.card.task != "single-label", f"the task is {self.inputs.card.task}"),
            (find_spec("llvmlite") is None, _MISSING),
        )
        for applies, reason in reasons:
            if applies:
                return reason
        return _unsupported_network(network, self.inputs)


def _unsupported_network(network: nn.Module, inputs: Inputs) -> str:
    from convscope.lanes.frontend import Unsupported  # noqa: PLC0415 -- needs an extra

    weights = sum(weight.numel() for weight in network.parameters())
    if weights > _MAX_WEIGHTS:
        return f"the network has {weights:,} parameters and the engine is for small ones"
    try:
        nodes = _layers(network, inputs)
    except Unsupported as error:
        return str(error)
    work = sum(node.multiply_adds for node in nodes)
    if work > _MAX_MULTIPLY_ADDS:
        return f"the network takes {work:,} multiply-adds and the engine is for small ones"
    return ""


def _layers(network: nn.Module, inputs: Inputs) -> "Sequence[Node]":
    from convscope.lanes.frontend import read_network  # noqa: PLC0415 -- needs an extra

    return read_network(network, (inputs.card.in_channels, *inputs.card.input_size))
