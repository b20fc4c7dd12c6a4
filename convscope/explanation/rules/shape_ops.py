"""Operations that compute nothing: they reshape, permute, slice, pad and concatenate.

To find which element a unit copies, the operation runs on tensors whose elements are numbered.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.explanation.rules.complex_sums import linear_in_parts
from convscope.explanation.rules.operation_view import Index, OperationView, UnsupportedOperation
from convscope.receptive.copying import INDEX_ARGUMENTS, with_constant
from convscope.recording import Source
from convscope.recording.operation import map_nested, sources_in
from convscope.terms import Expression, Identity, Sum, Terms, number

_ZERO, _CONSTANT = 0, -1  # numbers of no element: the zeros of padding, and a constant argument


def move(op: OperationView, at: Index) -> Identity | Expression | Sum:
    """y = x, copied from elsewhere."""
    operation = op.operation
    if any(isinstance(value, torch.dtype) for value in operation.call.args):
        raise UnsupportedOperation  # the same bytes reinterpreted as another type
    if op.argument("accumulate"):
        return linear_in_parts(op, at)
    if op.argument("reduce"):
        raise UnsupportedOperation  # combines with what is there
    indices = sources_in([op.argument(name) for name in INDEX_ARGUMENTS.get(operation.kind, ())])
    sources = [s for s in sources_in(dict(operation.arguments)) if s not in indices]
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
        ids = torch.arange(first, end, dtype=torch.float64, device=tensor.device)
        return ids.resize_(tensor.shape)  # no view, which `detach_` refuses

    args, kwargs = with_constant(operation, _CONSTANT)
    args, kwargs = map_nested((args, kwargs), numbered, of=Source)
    with torch.no_grad():
        output: Any = operation.call.function(*args, **kwargs)
    result: Any = args[0] if output is None else output
    element = int((result if isinstance(result, Tensor) else result[operation.output_index])[at])
    if element in (_ZERO, _CONSTANT):
        return Identity(terms=Terms(), formula="y = a constant", constant=_constant(op, element))
    source = next(s for s in reversed(list(dict.fromkeys(sources))) if firsts[s.name] <= element)
    index = np.unravel_index(element - firsts[source.name], source.shape) if source.shape else ()
    at = tuple(map(int, index))
    copied = _as_result(op, source, at)
    if copied.exact_value == copied.terms[0].value or math.isnan(copied.exact_value):
        return Identity(terms=copied.terms, formula="y = x")
    return copied  # written to a tensor of another type


def _constant(op: OperationView, element: int) -> float:
    """The constant, rounded to the network's precision."""
    value = 0.0
    if element == _CONSTANT:
        value = op.number(op.argument("value", *map(str, range(2, 4)), default=0.0))
    return float(torch.tensor(value, dtype=op.result.dtype))


def cast(op: OperationView, at: Index) -> Identity | Expression:
    """y = x, rounded if the type differs."""
    copied = _as_result(op, op.input(), at)
    if op.tensor(op.input()).dtype == op.result.dtype:
        return Identity(terms=copied.terms, formula="y = x")
    return copied


def _as_result(op: OperationView, source: Source, at: Index) -> Expression:
    dtype = op.result.dtype
    terms = Terms(op.terms_of(source, [at]))
    name = str(dtype).removeprefix("torch.")
    x = float(terms.values[0])
    return Expression(
        terms=terms,
        formula=f"y = x as {name}",
        substituted=f"{number(x)} as {name}",
        exact_value=float(torch.tensor(x, dtype=torch.float64).to(dtype)),
        roundings=0,
    )


def overwrite(op: OperationView, at: Index) -> Identity:
    """y = x as it was before, or what was since written to its memory through another tensor."""
    old, writers = op.argument("0"), op.argument("1")
    offset, strides = op.argument("layout")
    address = offset + int(np.dot(strides, at))
    layouts = op.argument("written_layouts")
    for source, (start, source_strides) in reversed(list(zip(writers, layouts, strict=True))):
        if start is None:  # its result is not what it wrote
            raise UnsupportedOperation
        index = _index_of(address - start, source.shape, source_strides)
        if index is not None:
            terms = Terms(op.terms_of(source, [index]))
            return Identity(terms=terms, formula=f"y = x, written by {source.name}")
    return Identity(terms=Terms(op.terms_of(old, [at])), formula="y = x, not overwritten")


def _index_of(address: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Index | None:
    """The index of the element at an address; None if the tensor has none there."""
    index = [0] * len(shape)
    for dim in sorted(range(len(shape)), key=lambda d: -strides[d]):
        if strides[dim] > 0:
            index[dim] = min(address // strides[dim], shape[dim] - 1) if address >= 0 else -1
            address -= index[dim] * strides[dim]
    return tuple(index) if not address and min(index, default=0) >= 0 else None
