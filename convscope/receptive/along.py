"""Operations along whole dimensions whose results have as many units, fewer or more."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from convscope.receptive.axis_field import AxisField, Pixels
from convscope.receptive.field_map import FieldMap, UnknownDependency, broadcast
from convscope.receptive.inputs import Inputs
from convscope.receptive.selection import take
from convscope.receptive.windows import per_axis


def mixed_along(inputs: Inputs) -> FieldMap:
    """Units that each depend on whole dimensions, whose lengths may change, as in `topk`."""
    kind, count = inputs.operation.kind, len(inputs.first.shape)
    default: int | range = 0 if kind == "msort" else -1
    if kind[-1] in "2n":  # Fourier transforms of planes or of all dimensions
        default = range(-2 if kind[-1] == "2" else -count, 0)
    dims = [int(dim) % count for dim in per_axis(inputs.settings.get("dim", default), 1)]
    fields = take(inputs.first, _read_by_transform(inputs, dims))
    return replace(fields.mixed(dims), shape=inputs.operation.shape)


def _read_by_transform(inputs: Inputs, dims: Sequence[int]) -> dict[int, range]:
    """What a Fourier transform to another length reads along each dimension: the first units.

    A transform to real numbers reads half of them, and one more, along the last.
    """
    lengths = inputs.settings.get("s", inputs.settings.get("n"))
    if lengths is None:
        return {}
    several = [int(length) for length in per_axis(lengths, 1)]
    if inputs.operation.kind.startswith(("irfft", "hfft")):
        several[-1] = several[-1] // 2 + 1
    shape = inputs.first.shape
    pairs = zip(dims[-len(several) :], several, strict=True)
    return {dim: range(min(length, shape[dim])) for dim, length in pairs if length > 0}


def cumulative(inputs: Inputs) -> FieldMap:
    """Units that each depend on those before them along a dimension: `cumsum`, `cummax`."""
    fields = inputs.first
    if not fields.shape:
        return fields
    return accumulated(fields, int(inputs.settings["dim"]) % len(fields.shape))


def accumulated(fields: FieldMap, dim: int, *, reverse: bool = False) -> FieldMap:
    """Unite the fields of every unit along a dimension with those before it, or after."""

    def running(choose: np.ufunc, numbers: Pixels) -> Pixels:
        if not reverse:
            return choose.accumulate(numbers, axis=dim)
        return np.flip(choose.accumulate(np.flip(numbers, dim), axis=dim), dim)

    def change(axis: AxisField) -> AxisField:
        run = axis.run if axis.run is not None and axis.run[0] != dim else None
        return axis.changed(
            lambda low: running(np.minimum, low), lambda high: running(np.maximum, high), run
        )

    return fields.map(change)


def complex_parts(inputs: Inputs) -> FieldMap:
    """Complex numbers as pairs of real ones, or the reverse.

    Where the two parts have other fields, only the union of both is known.
    """
    fields, shape = inputs.first, inputs.operation.shape
    match inputs.operation.kind:
        case "view_as_real":
            return fields.moved(lambda numbers: numbers[..., None], shape)
        case "view_as_complex":
            united = fields.mixed([-1]).without([-1])
            is_same = all(axis.first.shape[-1] == axis.end.shape[-1] == 1 for axis in fields.axes)
        case _:
            united = broadcast(inputs.operands, shape)
            is_same = all(_are_equal(united, part) for part in inputs.operands)
    return united if is_same else replace(united, exact=False)


def _are_equal(one: FieldMap, other: FieldMap) -> bool:
    """Whether all units of both see the same pixels."""
    return all(
        bool((mine == theirs).all())
        for axis, same in zip(one.axes, other.axes, strict=True)
        for mine, theirs in ((axis.first, same.first), (axis.end, same.end))
    )


def embedding(inputs: Inputs) -> FieldMap:
    """`embedding`: a row of weights for every index."""
    arguments = inputs.operation.arguments
    index = arguments.get("input", arguments.get("indices"))
    if inputs.is_dependent(arguments.get("weight")):
        raise UnknownDependency
    return inputs.of(index).moved(lambda numbers: numbers[..., None], inputs.operation.shape)


def halves(inputs: Inputs) -> FieldMap:
    """`glu`: the first half of the units along a dimension, and the second."""
    fields, shape = inputs.first, inputs.operation.shape
    dim = int(inputs.settings.get("dim", -1)) % len(shape)
    cuts = (range(start, start + shape[dim]) for start in (0, shape[dim]))
    return broadcast([take(fields, {dim: cut}) for cut in cuts], shape)


def paired_reduction(inputs: Inputs) -> FieldMap:
    """`cosine_similarity`, `pairwise_distance`: over a dimension of two tensors, broadcast."""
    settings = inputs.settings
    shape = np.broadcast_shapes(settings["x1"], settings["x2"])
    default = 1 if inputs.operation.kind == "cosine_similarity" else -1
    dim = int(settings.get("dim", default)) % len(shape)
    mixed = broadcast(inputs.operands, shape).mixed([dim])
    return mixed if len(inputs.operation.shape) == len(shape) else mixed.without([dim])
