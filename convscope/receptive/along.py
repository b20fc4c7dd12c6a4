"""Operations along whole dimensions whose results have as many units, fewer or more."""

from dataclasses import replace

import numpy as np

from convscope.receptive.axis_field import AxisField, Pixels
from convscope.receptive.field_map import FieldMap, broadcast
from convscope.receptive.inputs import Inputs
from convscope.receptive.selection import take
from convscope.receptive.windows import per_axis


def mixed_along(inputs: Inputs) -> FieldMap:
    """Units that each depend on whole dimensions, whose lengths may change, as in `topk`."""
    default = 0 if inputs.operation.kind == "msort" else -1
    dims = per_axis(inputs.settings.get("dim", default), 1)
    return replace(inputs.first.mixed(dims), shape=inputs.operation.shape)


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
