"""Operations along whole dimensions whose results have as many units, fewer or more."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np

from convscope.geometry import Support
from convscope.receptive.branches import broadcast, mix, relayout, repeat_unit
from convscope.receptive.field_map import Axes, AxisField, FieldMap, UnknownDependency, length
from convscope.receptive.selection import take
from convscope.receptive.windows import per_axis
from convscope.recording import Operation


def mixed_along(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Units that each depend on whole dimensions, whose lengths may change, as in `topk`."""
    fields, shape = operands[0], operation.shape
    default = 0 if operation.kind == "msort" else -1
    dims = {dim % len(shape) for dim in per_axis(operation.argument_shapes.get("dim", default), 1)}
    kept = [dim for dim in dims if length(fields.dims[dim]) == shape[dim]]
    result = mix(fields, kept, keep=True) if kept else fields
    for dim in sorted(dims - set(kept)):
        result = repeat_unit(mix(result, [dim], keep=False), dim, shape[dim])
    return result


def cumulative(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Units that each depend on those before them along a dimension: `cumsum`, `cummax`."""
    fields, shape = operands[0], operation.shape
    if not shape:
        return fields
    factors = fields.dims[int(operation.argument_shapes["dim"]) % len(shape)]
    along = {axis for axis, _ in factors if axis is not None}
    if not along:  # channels: each depends on those before it, which may be of other branches
        return fields.merged()
    if len(factors) > 1:
        raise UnknownDependency

    def changed(axes: Axes) -> Axes:
        return tuple(_summed_up(one) if n in along else one for n, one in enumerate(axes))

    return replace(fields, axes=changed(fields.axes), branches=tuple(map(changed, fields.branches)))


def _summed_up(axis: AxisField) -> AxisField:
    support = axis.support
    starts = tuple(accumulate(support.starts, min))
    return AxisField(None, Support(support.pixels, starts, tuple(accumulate(support.stops, max))))


def halves(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """`glu`: the first half of the units along a dimension, and the second."""
    fields, shape = operands[0], operation.shape
    dim = int(operation.argument_shapes.get("dim", -1)) % len(shape)
    cuts = (range(start, start + shape[dim]) for start in (0, shape[dim]))
    return broadcast([take(fields, {dim: cut}) for cut in cuts], shape)


def paired_reduction(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """`cosine_similarity`, `pairwise_distance`: over a dimension of two tensors, broadcast."""
    arguments = operation.argument_shapes
    shape = np.broadcast_shapes(arguments["x1"], arguments["x2"])
    default = 1 if operation.kind == "cosine_similarity" else -1
    dim = int(arguments.get("dim", default)) % len(shape)
    mixed = mix(broadcast(operands, shape), [dim], keep=False)
    if len(operation.shape) == len(shape):
        return mixed
    return relayout(mixed, [*mixed.dims[:dim], *mixed.dims[dim + 1 :]])
