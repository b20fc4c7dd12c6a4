"""One operation of a recording with access to its tensors: what the rules of explanation read."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.errors import RequestError
from convscope.explanation.rules.precision import is_product
from convscope.receptive.windows import per_axis
from convscope.recording import ForwardPass, Operation, Shape, Source, get_kind
from convscope.recording.operation import sources_in
from convscope.terms import Floats, Integers, Location, TermGroup

Index = tuple[int, ...]
"""The index of a unit in a tensor, with the batch axis if the tensor has one."""


class UnsupportedOperation(Exception):
    """A rule does not support the arguments of an operation; the message may say why."""


@dataclass(frozen=True)
class OperationView:
    """An operation with the forward pass that it belongs to."""

    operation: Operation
    forward_pass: ForwardPass

    @property
    def result(self) -> Tensor:
        return result_of(self.forward_pass, self.operation.name)

    def of_output(self, index: int) -> "OperationView":
        """Another tensor that the same call returned; calls record all of theirs in a row."""
        operations = self.forward_pass.operations
        here = next(n for n, other in enumerate(operations) if other is self.operation)
        return OperationView(
            operations[here + index - self.operation.output_index], self.forward_pass
        )

    def argument(self, *names: str, default: Any = None) -> Any:
        """The first of these arguments that was passed; a Source stands for a tensor."""
        for name in names:
            if self.operation.arguments.get(name) is not None:
                return self.operation.arguments[name]
        return default

    def source(self, *names: str) -> Source:
        """An argument that must be a tensor; raises UnsupportedOperation otherwise."""
        value = self.argument(*names)
        if not isinstance(value, Source):
            raise UnsupportedOperation
        return value

    def input(self) -> Source:
        """The first argument, a tensor."""
        return self.source("input", "0", "self", "x")

    @property
    def layer(self) -> Any:
        """The layer of convscope that the operation is a call of."""
        return self.operation.layer

    def parameter(self, name: str) -> Source:
        """A parameter or buffer of the layer."""
        path = self.operation.module
        full = f"{path}.{name}" if path else name
        return Source("state", full, Shape(self.forward_pass.state[full].shape))

    def bias(self) -> Source | None:
        return None if self.layer.bias is None else self.parameter("bias")

    def tensor(self, source: Source) -> Tensor:
        """An operand as the operation reads it: autocast and an argument `dtype` cast it first."""
        tensor = self._uncast(source)
        return tensor.to(self.result.dtype) if self._casts(tensor) else tensor

    def _uncast(self, source: Source) -> Tensor:
        if source.role == "state":
            return readable(self.forward_pass.state[source.name].detach())
        return result_of(self.forward_pass, source.name)

    def _casts(self, tensor: Tensor) -> bool:
        dtype = self.result.dtype
        if not tensor.is_floating_point() or tensor.dtype.itemsize <= dtype.itemsize:
            return False
        kind = self.operation.kind
        given = self.operation.arguments.get("dtype") == dtype and get_kind(kind).rule != "cast"
        return given or (dtype.is_floating_point and is_product(kind))

    def note_of_casts(self) -> str:
        """What a formula says of operands that were cast; nothing where none was."""
        sources = sources_in(dict(self.operation.arguments))
        if not any(map(self._casts, map(self._uncast, sources))):
            return ""
        return f", operands cast to {str(self.result.dtype).removeprefix('torch.')}"

    def stored(self, name: str) -> Tensor:
        """A result as it was stored, quantized where it is."""
        result_of(self.forward_pass, name)
        return self.forward_pass.result(name)

    @property
    def spacing(self) -> float:
        """The distance between the subnormal numbers of the type of the result."""
        numbers = torch.finfo(self.result.dtype)
        return numbers.smallest_normal * numbers.eps

    def number(self, source: object, at: Index = ()) -> float:
        """One element of a tensor, or a plain number."""
        if isinstance(source, Source):
            return float(self.tensor(source).detach()[at])
        if isinstance(source, int | float):
            return float(source)
        raise UnsupportedOperation

    def location(self, source: Source, at: Index) -> Location:
        return Location(source.name, at[batch_axes(source) :])

    def terms_of(
        self,
        source: Source,
        at: Sequence[Index] | Integers,
        *,
        weights: Floats | float = 1.0,
        inside: NDArray[np.bool_] | None = None,
        fill: float = 0.0,
        weight: tuple[Source, Integers] | None = None,
        shape: tuple[int, ...] = (),
        window: int = 0,
    ) -> TermGroup:
        """Terms whose values are the elements of a tensor at the indices `at`, (n, dimensions)."""
        indices = np.asarray(at, dtype=np.int64).reshape(len(at), -1)
        clipped = indices if inside is None else np.where(inside[:, None], indices, 0)
        values = gather(self.tensor(source), clipped)
        if inside is not None:
            values = np.where(inside, values, fill)
        return TermGroup(
            source.name,
            values,
            np.broadcast_to(np.asarray(weights, dtype=np.float64), values.shape),
            indices[:, batch_axes(source) :],
            inside,
            None if weight is None else weight[0].name,
            None if weight is None else weight[1][:, batch_axes(weight[0]) :],
            shape,
            window,
        )


def result_of(forward_pass: ForwardPass, name: str) -> Tensor:
    """The result of an operation, of a quantized one the numbers that its integers stand for.

    Raises RequestError if it was not kept.
    """
    try:
        return readable(forward_pass.result(name))
    except KeyError:
        raise RequestError(
            f"The result of {name} was not kept. Record again without `keep=`, or add {name} to it."
        ) from None


def readable(tensor: Tensor) -> Tensor:
    """A plain tensor of the same numbers: of a quantized one, those that its integers stand for.

    Raises UnsupportedOperation for a type of tensor that does not tell its numbers.
    """
    kind: Any = type(tensor)
    if tensor.is_quantized:
        return tensor.dequantize()
    if kind.__torch_dispatch__ is _PLAIN.__torch_dispatch__:
        return tensor
    with suppress(Exception):  # whatever a third party's type does
        plain = tensor.dequantize()
        if type(plain) is Tensor:
            return plain
    raise UnsupportedOperation(f"tensors of the type {kind.__name__} do not tell their numbers")


_PLAIN: Any = Tensor


def batch_axes(source: Source) -> int:
    """How many leading axes locations leave out: 1 for the batch axis of a single image, else 0."""
    return int(source.role != "state" and len(source.shape) > 0 and source.shape[0] == 1)


def gather(tensor: Tensor, at: Integers) -> Floats:
    """The elements at indices (n, dimensions), as float64."""
    if tensor.is_complex():
        raise UnsupportedOperation
    cells = tensor.detach().resolve_neg()  # as the imaginary part of a conjugate
    if not cells.is_cpu or cells.dtype not in _IN_NUMPY:
        columns = tuple(torch.from_numpy(at.T.copy()).to(cells.device))
        return (cells[columns] if cells.ndim else cells.expand(len(at))).double().cpu().numpy()
    return np.asarray(cells.numpy()[tuple(at.T)] if cells.ndim else [float(cells)], np.float64)


_IN_NUMPY = frozenset({torch.float32, torch.float64, torch.float16, torch.int64, torch.bool})
"""Types that numpy reads without a copy; it gathers a few elements faster than torch."""


def index_grid(*axes: Sequence[int] | Integers) -> Integers:
    """All combinations of indices, the last axis fastest: (n, axes)."""
    lines = [
        np.arange(axis.start, axis.stop, axis.step, dtype=np.int64)
        if isinstance(axis, range)
        else np.asarray(axis, dtype=np.int64)
        for axis in axes
    ]
    grid = np.empty((*map(len, lines), len(lines)), dtype=np.int64)
    for axis, line in enumerate(lines):
        grid[..., axis] = line.reshape(-1, *(1,) * (len(lines) - axis - 1))
    return grid.reshape(-1, len(lines))


def broadcast_index(shape: Sequence[int], at: Sequence[int]) -> Index:
    """The index in an operand of this shape that is broadcast to `at` of the result."""
    trailing = at[len(at) - len(shape) :] if shape else ()
    return tuple(0 if side == 1 else n for side, n in zip(shape, trailing, strict=True))


def reduced_indices(shape: Sequence[int], at: Index, dims: object) -> Integers:
    """The indices that a reduction over `dims` (None for all) combines into its unit `at`.

    The result may keep the reduced dimensions with length 1, or drop them.
    """
    ndim = len(shape)
    if 0 in shape:
        raise UnsupportedOperation("it has no units to combine")
    if not isinstance(dims, int | tuple | list | None) or isinstance(dims, Source):
        raise UnsupportedOperation
    several: tuple[int, ...] = () if dims is None else per_axis(dims, 1)
    reduced = [dim % ndim for dim in several] if several else range(ndim)
    remaining = list(at)
    axes: list[Sequence[int]] = []
    for dim, side in enumerate(shape):
        n = remaining.pop(0) if len(at) == ndim or dim not in reduced else 0
        axes.append(range(side) if dim in reduced else [n])
    return index_grid(*axes)


def in_bounds(at: Integers, shape: Sequence[int]) -> NDArray[np.bool_] | None:
    """Which indices lie in a tensor of this shape; None if all do."""
    inside = np.logical_and(at >= 0, at < np.array(shape)).all(axis=1)
    return None if inside.all() else np.asarray(inside, dtype=np.bool_)
