"""The engine: a network's training step as machine code over memory that the network shares."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.errors import RequestError, WorkError
from convscope.lanes.graph import Shape
from convscope.lanes.images import Images, is_plain
from convscope.lanes.ir import Target
from convscope.lanes.passes import FIELDS, FLOATS
from convscope.lanes.program import SGD, Program, offsets_of
from convscope.lanes.running_statistics import RunningStatistics
from convscope.lanes.step import Rule

_AT = {name: index for index, name in enumerate(FIELDS)}


class Engine:
    """Training steps of `net` on bytes of images; its parameters live in `engine.parameters`.

    The network's own tensors become views of the engine's memory, so whatever reads or writes them
    (checkpoints, evaluation) sees what the engine sees. `first` and `second` are the optimizer's
    momenta, in the order of the parameters; `statistics` holds what batch norms keep; `drops` says
    whether it needs random bits. `program` is the code of a network with the same layers; without
    one it is made, by the settings of `Program`.

    Raises Unsupported for a network that the engine does not cover.
    """

    def __init__(
        self,
        net: nn.Module,
        shape: Shape,
        *,
        program: Program | None = None,
        rule: Rule = SGD,
        threads: int | None = None,
        target: Target | None = None,
        row: int | None = None,
        cache: Path | None = None,
        with_openmp: bool = True,
        tiles: bool = True,
    ) -> None:
        program = program or Program(
            net,
            shape,
            rule=rule,
            target=target,
            row=row,
            cache=cache,
            with_openmp=with_openmp,
            tiles=tiles,
        )
        self.program, self.compiled = program, program.compiled
        self.shape, self.classes, self.target = program.shape, program.classes, program.target
        self.row, self.count, self.drops = program.row, program.count, program.drops
        self._pool, self._outside = program.pool, program.outside
        self.most = threads or torch.get_num_threads()
        named = [(weight, name) for name, weight in net.named_parameters()]
        begins, _ = offsets_of([weight for weight, _ in named])
        self.begins = {name: (begins[weight], weight.shape) for weight, name in named}
        self._allocate(program.vectors)
        self.statistics = RunningStatistics(net, program.norms)
        self._kept = aligned(0)
        self._apart = _apart(program.kept_vectors * self.target.lanes)
        self._keep(self.most)
        for weight, _ in named:
            view = self.parameters[begins[weight] : begins[weight] + weight.numel()]
            view.copy_(weight.detach().reshape(-1))
            weight.data = view.view(weight.shape)

    def _allocate(self, vectors: int) -> None:
        """The memory of all threads; the context, the table of a step's arguments, points to it."""
        lanes, count = self.target.lanes, self.count
        self.parameters = torch.zeros(count + lanes)
        self.first, self.second = torch.zeros(count + lanes), torch.zeros(count + lanes)
        self.lr_scales = torch.ones(count + lanes)
        self._workspace = -(-vectors * lanes // 1024) * 1024 + 1040
        gradient = -(-(count + lanes) // 16) * 16 + 16
        self._workspaces = aligned(self._workspace * self.most)
        self._gradients = aligned(gradient * self.most)
        self._norms = np.zeros(self.most)
        self._context = np.zeros(len(FIELDS), np.int64)
        self._set_context(
            workspaces=self._workspaces.ctypes.data,
            parameters=self.parameters.data_ptr(),
            gradients=self._gradients.ctypes.data,
            lr_scales=self.lr_scales.data_ptr(),
            first=self.first.data_ptr(),
            second=self.second.data_ptr(),
            norms=self._norms.ctypes.data,
            workspace=self._workspace,
            gradient=gradient,
            count=count,
        )

    def _keep(self, count: int) -> None:
        """Memory of their own for so many micro-batches, where they keep anything."""
        if self._apart:
            self._kept = aligned(self._apart * count)
            self._set_context(
                kept=self._kept.ctypes.data,
                apart=self._apart,
                running=self.statistics.values.data_ptr(),
                momenta=self.statistics.momenta.ctypes.data,
            )

    def _set_context(self, **values: float) -> None:
        """Write into the context: whole numbers and addresses, and floats."""
        floats = self._context.view(np.float32)
        for name, value in values.items():
            if name in FLOATS:
                floats[2 * _AT[name]] = value
            else:
                self._context[_AT[name]] = value

    def state_views(self, flat: Tensor) -> dict[str, Tensor]:
        """Each parameter's piece of `first` or `second`, by name, in its shape."""
        return {
            name: flat[start : start + shape.numel()].view(shape)
            for name, (start, shape) in self.begins.items()
        }

    def gradients(self) -> dict[str, Tensor]:
        """The gradients of the last step, added up over the threads."""
        return self.state_views(torch.from_numpy(self._gradients[: self.count]))

    def step(
        self,
        images: Images,
        labels: NDArray[np.int64],
        *,
        scales: NDArray[np.float32],
        lr: float = 0.0,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        label_smoothing: float = 0.0,
        weights: NDArray[np.float32] | None = None,
        clip: float = 0.0,
        number: int = 1,
        seed: int = 0,
        threads: int | None = None,
        update: bool = True,
    ) -> tuple[float, int]:
        """One step on a batch; its loss and its hits.

        `scales` (channels, 2) are the factor and the summand that make a byte a value, `number`
        counts AdamW's steps from 1.

        Raises RequestError, before any memory is touched, for labels that are no class and for
        arrays of another kind or size; WorkError where checked code left its memory.
        """
        class_weights = np.ones(self.classes, np.float32) if weights is None else weights
        self._check(labels, class_weights)
        self._set_context(
            weights=class_weights.ctypes.data,
            seed=seed & 0x7FFFFFFF,
            factor=1 / float(class_weights[labels].astype(np.float64).sum()),
            label_smoothing=label_smoothing,
            all=float(class_weights.astype(np.float64).sum()),
            lr=lr,
            momentum=momentum,
            weight_decay=weight_decay,
            clip=clip,
            bias1=1 - 0.9**number,
            bias2=(1 - 0.999**number) ** 0.5,
        )
        phases = (*self.program.work, "fold", "update")[: None if update else -1]
        threads = self._run(phases, images, labels, scales, threads)
        lanes, size = self.target.lanes, self._workspace
        heads = self._workspaces[: threads * size].reshape(threads, size)
        return float(heads[:, :lanes].sum()), int(heads[:, lanes : 2 * lanes].sum())

    def logits(
        self, images: Images, *, scales: NDArray[np.float32], threads: int | None = None
    ) -> NDArray[np.float32]:
        """What the network answers, (n, classes), with nothing dropped; arguments as for `step`."""
        count, lanes = len(images.first), self.target.lanes
        logits = np.empty((-(-count // lanes), self.classes, lanes), np.float32)
        self._set_context(logits=logits.ctypes.data, seed=0, factor=1.0)
        self._run(("look",), images, np.zeros(count, np.int64), scales, threads)
        return logits.swapaxes(1, 2).reshape(-1, self.classes)[:count]

    def _run(
        self,
        phases: Sequence[str],
        images: Images,
        labels: NDArray[np.int64],
        scales: NDArray[np.float32],
        threads: int | None,
    ) -> int:
        """Run phases on a batch; how many threads did."""
        if not is_plain(scales, np.float32, (self.shape[0], 2)) or len(labels) != len(images.first):
            raise RequestError(
                "A batch needs one label per image, and a scale and a shift per channel."
            )
        addresses = images.addresses(self.shape, row=self.row)
        num_threads = min(threads or self.most, self.most)
        if phases[0] != "look":
            self._prepare_to_learn(len(labels))
        self._set_context(
            images=addresses.ctypes.data,
            steps=images.steps.ctypes.data,
            labels=labels.ctypes.data,
            scales=scales.ctypes.data,
            batch=len(labels),
            threads=num_threads,
        )
        self._pool.run(phases, self._context.ctypes.data, num_threads)
        self._complain()
        return num_threads

    def _prepare_to_learn(self, count: int) -> None:
        """What batch norms need for a step on so many images."""
        self.statistics.check(count)
        pieces = -(-count // self.target.lanes)
        if self._apart * pieces > len(self._kept):
            self._keep(pieces)
        self.statistics.count_batch()

    def _check(self, labels: NDArray[np.int64], weights: NDArray[np.float32]) -> None:
        if not is_plain(labels, np.int64, (len(labels),)):
            raise RequestError("Labels must be contiguous 64-bit integers.")
        if not len(labels) or labels.min() < 0 or labels.max() >= self.classes:
            raise RequestError(f"Labels must be from 0 to {self.classes - 1}.")
        if not is_plain(weights, np.float32, (self.classes,)):
            raise RequestError(f"Class weights must be {self.classes} contiguous float32 numbers.")

    def _complain(self) -> None:
        """Raise an error if checked code had to redirect accesses; gradients are wrong then."""
        violations = {name: number.value for name, number in self._outside.items() if number.value}
        for number in self._outside.values():
            number.value = 0
        if violations:
            values = ", ".join(f"{name} ({count} times)" for name, count in violations.items())
            raise WorkError(f"Generated code accessed memory out of bounds: {values}.")


def _apart(floats: int) -> int:
    """From one micro-batch's floats to the next's: whole cache lines, and no multiple of a page."""
    return -(-floats // 1024) * 1024 + 16 if floats else 0


def aligned(count: int) -> NDArray[np.float32]:
    """Zeros that begin at a multiple of 64 bytes."""
    buffer = np.zeros(count + 16, np.float32)
    first = -(buffer.ctypes.data // 4) % 16
    return buffer[first : first + count]
