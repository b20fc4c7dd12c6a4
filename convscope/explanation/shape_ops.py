"""Operations that compute nothing: they reshape, reorder, cut, pad and put side by side.

Where a unit was taken from is found by doing the same to a tensor of numbered cells.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.explanation.operation_view import Index, Step, Unexplained
from convscope.recording import Source
from convscope.recording.operation import replaced, sources_in
from convscope.terms import Copy, Function, Terms, number

_ZERO, _CONSTANT = 0, -1  # in numbered cells: the zeros of a padding, and a constant that was given


def moved(step: Step, at: Index) -> Copy:
    """y = x, taken from somewhere else."""
    operation = step.operation
    if any(isinstance(value, torch.dtype) for value in operation.call.args):
        raise Unexplained  # the same bytes read as other numbers
    where_to = sources_in([step.given(name) for name in _WHERE_TO.get(operation.kind, ())])
    sources = [s for s in sources_in(dict(operation.given)) if s not in where_to]
    firsts: dict[str, int] = {}
    count = 1
    for source in dict.fromkeys(sources):
        firsts[source.name] = count
        count += step.tensor(source).numel()

    def numbered(source: Source) -> Tensor:
        tensor = step.tensor(source)
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
    made: Any = args[0] if answer is None else answer
    cell = int((made if isinstance(made, Tensor) else made[operation.piece])[at])
    if cell in (_ZERO, _CONSTANT):
        return Copy(terms=Terms(), formula="y = a constant", constant=_constant(step, cell))
    source = next(s for s in reversed(list(dict.fromkeys(sources))) if firsts[s.name] <= cell)
    where = np.unravel_index(cell - firsts[source.name], source.shape) if source.shape else ()
    return Copy(terms=Terms(step.part(source, [tuple(map(int, where))])), formula="y = x")


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
        kept = args[place] if isinstance(args[place], Source) else float(_CONSTANT)
        return (*args[:place], kept, *args[place + 1 :]), kwargs
    usual = kwargs.get("mode", args[2] if len(args) > 2 else "constant") == "constant"
    if kind == "pad" and not usual:
        return args, kwargs
    if isinstance(kwargs.get(name), Source):
        return args, kwargs
    return args, {**kwargs, name: float(_CONSTANT)}


def _constant(step: Step, cell: int) -> float:
    """A constant as the network's numbers have it."""
    value = 0.0
    if cell == _CONSTANT:
        value = step.number(step.given("value", *map(str, range(2, 4)), default=0.0))
    return float(torch.tensor(value, dtype=step.result.dtype))


def cast(step: Step, at: Index) -> Copy | Function:
    """y = x, perhaps rounded to numbers of another kind."""
    before = step.tensor(step.input())
    terms = Terms(step.part(step.input(), [at]))
    if before.dtype == step.result.dtype:
        return Copy(terms=terms, formula="y = x")
    kind = str(step.result.dtype).removeprefix("torch.")
    x = float(terms.values[0])
    total = float(torch.tensor(x, dtype=torch.float64).to(step.result.dtype))
    words = f"x as {kind}"
    return Function(
        terms=terms, formula=f"y = {words}", worked=f"{number(x)} as {kind}", total=total
    )


def overwritten(step: Step, at: Index) -> Copy:
    """y = x as it was before, or what was written to its memory through another tensor since."""
    old, writers = step.given("0"), step.given("1")
    offset, strides = step.given("own")
    address = offset + int(np.dot(strides, at))
    for source, (start, apart) in reversed(list(zip(writers, step.given("lie"), strict=True))):
        if start is None:  # it gave something else than what it wrote
            raise Unexplained
        place = _index_of(address - start, source.shape, apart)
        if place is not None:
            terms = Terms(step.part(source, [place]))
            return Copy(terms=terms, formula=f"y = x, written by {source.name}")
    return Copy(terms=Terms(step.part(old, [at])), formula="y = x as it was")


def _index_of(address: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Index | None:
    """The index of the cell at an address, if the tensor has one there."""
    index = [0] * len(shape)
    for dim in sorted(range(len(shape)), key=lambda d: -strides[d]):
        if strides[dim] > 0:
            index[dim] = min(address // strides[dim], shape[dim] - 1) if address >= 0 else -1
            address -= index[dim] * strides[dim]
    return tuple(index) if not address and min(index, default=0) >= 0 else None
