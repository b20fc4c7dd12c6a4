"""Operations that compute nothing: they reshape, reorder, cut, pad and put side by side.

Where a unit was taken from is found by doing the same to a tensor of numbered cells.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.explanation.operation_view import Index, OperationView, UnsupportedOperation
from convscope.recording import Source
from convscope.recording.operation import replaced, sources_in
from convscope.terms import Expression, Identity, Terms, number

_ZERO, _CONSTANT = 0, -1  # in numbered cells: the zeros of a padding, and a constant that was given


def moved(op: OperationView, at: Index) -> Identity:
    """y = x, taken from somewhere else."""
    operation = op.operation
    if any(isinstance(value, torch.dtype) for value in operation.call.args):
        raise UnsupportedOperation  # the same bytes read as other numbers
    where_to = sources_in([op.argument(name) for name in _WHERE_TO.get(operation.kind, ())])
    sources = [s for s in sources_in(dict(operation.given)) if s not in where_to]
    firsts: dict[str, int] = {}
    count = 1
    for source in dict.fromkeys(sources):
        firsts[source.name] = count
        count += op.tensor(source).numel()

    def numbered(source: Source) -> Tensor:
        tensor = op.tensor(source)
        if source.name not in firsts:
            return tensor
        first = firsts[source.name]
        end = first + tensor.numel()
        cells = torch.arange(first, end, dtype=torch.float64, device=tensor.device)
        return cells.reshape(tensor.shape)

    args, kwargs = _with_constant(operation.kind, operation.call.args, dict(operation.call.kwargs))
    args, kwargs = replaced((args, kwargs), numbered, of=Source)
    with torch.no_grad():
        answer: Any = operation.call.function(*args, **kwargs)
    decomposition: Any = args[0] if answer is None else answer
    cell = int(
        (decomposition if isinstance(decomposition, Tensor) else decomposition[operation.piece])[at]
    )
    if cell in (_ZERO, _CONSTANT):
        return Identity(terms=Terms(), formula="y = a constant", constant=_constant(op, cell))
    source = next(s for s in reversed(list(dict.fromkeys(sources))) if firsts[s.name] <= cell)
    where = np.unravel_index(cell - firsts[source.name], source.shape) if source.shape else ()
    return Identity(terms=Terms(op.terms_of(source, [tuple(map(int, where))])), formula="y = x")


_WHERE_TO = {
    "getitem": ("index",),
    "setitem": ("index",),
    "gather": ("index", "2"),
    "index_select": ("index", "2"),
    "take_along_dim": ("indices", "1"),
    "masked_fill": ("mask", "1"),
    "repeat_interleave": ("repeats", "1"),
}
"""Arguments that say where numbers go, and are not moved themselves."""

_CONSTANTS = {"pad": ("value", 3), "masked_fill": ("value", 2), "setitem": ("value", 2)}
"""Operations that put a constant in some cells, and where it stands among their arguments."""


def _with_constant(
    kind: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with a mark in the place of a constant."""
    if kind not in _CONSTANTS:
        return args, kwargs
    name, place = _CONSTANTS[kind]
    if place < len(args):
        value = args[place] if isinstance(args[place], Source) else float(_CONSTANT)
        return (*args[:place], value, *args[place + 1 :]), kwargs
    usual = kwargs.get("mode", args[2] if len(args) > 2 else "constant") == "constant"
    if kind == "pad" and not usual:
        return args, kwargs
    if isinstance(kwargs.get(name), Source):
        return args, kwargs
    return args, {**kwargs, name: float(_CONSTANT)}


def _constant(op: OperationView, cell: int) -> float:
    """A constant as the network's numbers have it."""
    value = 0.0
    if cell == _CONSTANT:
        value = op.number(op.argument("value", *map(str, range(2, 4)), default=0.0))
    return float(torch.tensor(value, dtype=op.result.dtype))


def cast(op: OperationView, at: Index) -> Identity | Expression:
    """y = x, perhaps rounded to numbers of another kind."""
    before = op.tensor(op.input())
    terms = Terms(op.terms_of(op.input(), [at]))
    if before.dtype == op.result.dtype:
        return Identity(terms=terms, formula="y = x")
    kind = str(op.result.dtype).removeprefix("torch.")
    x = float(terms.values[0])
    total = float(torch.tensor(x, dtype=torch.float64).to(op.result.dtype))
    words = f"x as {kind}"
    return Expression(
        terms=terms, formula=f"y = {words}", substituted=f"{number(x)} as {kind}", exact_value=total
    )


def overwritten(op: OperationView, at: Index) -> Identity:
    """y = x as it was before, or what was written to its memory through another tensor since."""
    old, writers = op.argument("0"), op.argument("1")
    offset, strides = op.argument("own")
    address = offset + int(np.dot(strides, at))
    for source, (start, apart) in reversed(list(zip(writers, op.argument("lie"), strict=True))):
        if start is None:  # it gave something else than what it wrote
            raise UnsupportedOperation
        place = _index_of(address - start, source.shape, apart)
        if place is not None:
            terms = Terms(op.terms_of(source, [place]))
            return Identity(terms=terms, formula=f"y = x, written by {source.name}")
    return Identity(terms=Terms(op.terms_of(old, [at])), formula="y = x as it was")


def _index_of(address: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Index | None:
    """The index of the cell at an address, if the tensor has one there."""
    index = [0] * len(shape)
    for dim in sorted(range(len(shape)), key=lambda d: -strides[d]):
        if strides[dim] > 0:
            index[dim] = min(address // strides[dim], shape[dim] - 1) if address >= 0 else -1
            address -= index[dim] * strides[dim]
    return tuple(index) if not address and min(index, default=0) >= 0 else None
