"""Units that each depend on a range of units along one dimension."""

from collections.abc import Callable
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from convscope.receptive.axis_field import AxisField, Pixels, squeezed
from convscope.receptive.field_map import FieldMap
from convscope.receptive.window import Window

Indices = NDArray[np.intp]

Choose = Callable[[Pixels, Pixels], Pixels]


def shared_out(fields: FieldMap, dim: int, output: int) -> FieldMap:
    """Unit i of the result reads floor(i·n/output) up to ceil((i + 1)·n/output)."""
    length = fields.shape[dim]
    size, rest = divmod(length, output)
    if not rest:
        window = Window(length, size, size, 0, 1, output)
        shape = (*fields.shape[:dim], output, *fields.shape[dim + 1 :])
        return fields.map(lambda axis: window.slide(axis, dim), shape)
    units = np.arange(output)
    return united(fields, dim, units * length // output, -(-(units + 1) * length // output))


def united(fields: FieldMap, dim: int, starts: Indices, stops: Indices) -> FieldMap:
    """Units that each depend on those from one index to another along a dimension."""
    shape = (*fields.shape[:dim], len(starts), *fields.shape[dim + 1 :])
    taps = [np.minimum(starts + n, stops - 1) for n in range(int((stops - starts).max()))]

    def mix(choose: Choose, numbers: Pixels) -> Pixels:
        if numbers.shape[dim] == 1:
            return numbers
        mixed = reduce(choose, (numbers.take(tap, dim) for tap in taps))
        return mixed if mixed.size == mixed.shape[dim] else squeezed(mixed)

    def change(axis: AxisField) -> AxisField:
        first, end = mix(np.minimum, axis.first), mix(np.maximum, axis.end)
        is_still = axis.start is not None and axis.start.shape[dim] == 1
        is_still = is_still and axis.stop is not None and axis.stop.shape[dim] == 1
        if is_still and not (axis.run and axis.run[0] == dim):
            return AxisField(axis.pixels, first, end, axis.start, axis.stop, axis.run)
        return AxisField(axis.pixels, first, end, None, None)

    return fields.map(change, shape)
