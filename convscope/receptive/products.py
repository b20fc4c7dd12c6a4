"""Products of tensors: matrices, attention, Einstein sums."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from convscope.receptive.axis_field import FAR, AxisField, Pixels, repeated, squeezed, whole
from convscope.receptive.field_map import FieldMap, UnknownDependency, broadcast
from convscope.receptive.inputs import Inputs
from convscope.recording import Source


def matrix_product(inputs: Inputs) -> FieldMap:
    """Products of matrices and vectors: rows of the first, columns of the second, and a bias."""
    operation = inputs.operation
    left, right, bias = (operation.arguments.get(name) for name in ("input", "other", "bias"))
    if not isinstance(left, Source) or not isinstance(right, Source):
        raise UnknownDependency
    if not left.shape or not right.shape:
        raise UnknownDependency
    parts = [inputs.of(bias)] if inputs.is_dependent(bias) else []
    for source, other, dim in ((left, right, -1), (right, left, -2)):
        if inputs.is_dependent(source):
            fields = inputs.of(source)
            summed = max(len(fields.shape) + dim, 0)
            mixed = fields.mixed([summed])
            if len(other.shape) == 1 or len(fields.shape) == 1:  # a vector's sum leaves no axis
                mixed = mixed.without([summed])
            parts.append(mixed)
    return broadcast(parts, operation.shape)


def einsum(inputs: Inputs) -> FieldMap:
    """Einstein sums: what is summed over is mixed."""
    arguments = list(inputs.operation.call.args)
    equation = arguments.pop(0)
    if not isinstance(equation, str):  # indices in lists
        raise UnknownDependency
    several = arguments[0] if type(arguments[0]) in (list, tuple) else arguments
    terms, arrow, output = equation.replace(" ", "").partition("->")
    letters = terms.split(",")
    if not arrow:
        joined = "".join(letters).replace(".", "")
        output = "..." * ("." in terms)
        output += "".join(sorted(one for one in set(joined) if joined.count(one) == 1))
    parts = [
        _summed(inputs.of(source), term, output, len(inputs.operation.shape))
        for source, term in zip(several, letters, strict=True)
        if inputs.is_dependent(source)
    ]
    return broadcast(parts, inputs.operation.shape)


def _summed(fields: FieldMap, term: str, output: str, count: int) -> FieldMap:
    """The fields of one factor, with its dimensions in the places that they have in the result."""
    places = _places(output, count - len(output.replace("...", "")))
    letters = _places(term, len(fields.shape) - len(term.replace("...", "")))
    if len(set(letters)) < len(letters):  # a diagonal
        raise UnknownDependency
    mixed = fields.mixed([n for n, letter in enumerate(letters) if letter not in places])
    kept = [n for n, letter in enumerate(letters) if letter in places]
    mixed = mixed.without([n for n in range(len(letters)) if n not in kept])
    names = [letters[n] for n in kept]
    order = sorted(range(len(kept)), key=lambda n: places.index(names[n]))
    own = {places.index(names[n]): mixed.shape[n] for n in order}
    shape = tuple(own.get(place, 1) for place in range(count))

    def move(numbers: Pixels) -> Pixels:
        sides = numbers.transpose(order).shape
        filled = dict(zip(own, sides, strict=True))
        return numbers.transpose(order).reshape([filled.get(n, 1) for n in range(count)])

    return mixed.moved(
        move, shape, lambda run: (places.index(names[run[0]]), run[1]) if names else None
    )


def _places(term: str, dots: int) -> list[str]:
    """A name for every dimension; those of an ellipsis are numbered from the last."""
    before, ellipsis, after = term.partition("...")
    return [*before, *(str(n) for n in range(dots, 0, -1) if ellipsis), *after]


def attention(inputs: Inputs) -> FieldMap:
    """Attention: a query's row, the keys that it may look at, and one column of the values."""
    arguments = inputs.operation.arguments
    query, key, value = (inputs.of(arguments[name]) for name in ("query", "key", "value"))
    mask = arguments.get("attn_mask")
    if arguments.get("enable_gqa"):
        key, value = (_for_each_head(fields, query.shape[-3]) for fields in (key, value))
    keys = key.mixed([-1])
    if inputs.is_dependent(mask):
        bias = inputs.of(mask)
        keys = broadcast([keys.moved(_turned, _swapped(keys.shape)), bias], _scores(query, key))
        keys, value = keys.mixed([-1]), value.mixed([-2])
    else:
        allowed = _allowed(inputs, mask, len(inputs.operation.shape), query, key)
        keys, value = (_attended(fields, allowed) for fields in (keys, value))
    return broadcast([query.mixed([-1]), keys, value], inputs.operation.shape)


def _scores(query: FieldMap, key: FieldMap) -> tuple[int, ...]:
    batch = np.broadcast_shapes(query.shape[:-2], key.shape[:-2])
    return (*batch, query.shape[-2], key.shape[-2])


def _swapped(shape: Sequence[int]) -> tuple[int, ...]:
    return (*shape[:-2], shape[-1], shape[-2])


def _turned(numbers: Pixels) -> Pixels:
    return numbers.swapaxes(-1, -2)


def _for_each_head(fields: FieldMap, heads: int) -> FieldMap:
    each, dim = heads // fields.shape[-3], len(fields.shape) - 3
    shape = (*fields.shape[:-3], heads, *fields.shape[-2:])
    return fields.moved(lambda numbers: repeated(numbers, dim, each), shape)


Allowed = np.ndarray[Any, np.dtype[np.bool_]] | None
"""Which keys (..., queries, keys) a query looks at; None for all."""


def _allowed(inputs: Inputs, mask: object, ndim: int, query: FieldMap, key: FieldMap) -> Allowed:
    allowed: Allowed = None
    if inputs.operation.arguments.get("is_causal"):
        allowed = np.tri(query.shape[-2], key.shape[-2], dtype=bool)
    if mask is not None:
        value = inputs.value(mask)
        looked = value if value.dtype == torch.bool else value != -torch.inf
        if not looked.all():
            own = np.asarray(looked.numpy(), dtype=bool)
            allowed = own if allowed is None else own & allowed
    if allowed is None:
        return None
    return allowed.reshape((1,) * (ndim - allowed.ndim) + allowed.shape)


def _attended(fields: FieldMap, allowed: Allowed) -> FieldMap:
    """The union over the keys that each query looks at: (..., keys, d) to (..., queries, d)."""
    if allowed is None:
        return fields.mixed([-2])
    queries = allowed.shape[-2]
    aligned = fields.aligned(allowed.ndim)
    batch = np.broadcast_shapes(allowed.shape[:-2], aligned.shape[:-2])
    dim = allowed.ndim - 2

    def mix(numbers: Pixels, choose: np.ufunc, empty: int) -> Pixels:
        numbers = whole(numbers, dim, allowed.shape[-1])
        seen = np.where(allowed[..., None], numbers[..., None, :, :], empty)  # queries, keys, d
        return squeezed(choose.reduce(seen, axis=-2).astype(np.int32))

    def change(axis: AxisField) -> AxisField:
        start = None if axis.start is None else mix(axis.start, np.minimum, FAR)
        stop = None if axis.stop is None else mix(axis.stop, np.maximum, -FAR)
        first = mix(axis.first, np.minimum, axis.pixels)
        return AxisField(axis.pixels, first, mix(axis.end, np.maximum, 0), start, stop)

    return aligned.map(change, (*batch, queries, aligned.shape[-1]))
