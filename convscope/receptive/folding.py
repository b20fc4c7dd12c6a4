"""Folding: overlapping windows put back in place and added up."""

import itertools

import numpy as np

from convscope.receptive.axis_field import AxisField, Pixels, squeezed
from convscope.receptive.field_map import FieldMap
from convscope.receptive.inputs import Inputs
from convscope.receptive.ranges import Choose
from convscope.receptive.shapes import reshaped
from convscope.receptive.windows import per_axis


def fold(inputs: Inputs) -> FieldMap:
    """`F.fold`: each unit is the sum of what the windows over it hold for it."""
    settings, fields, shape = inputs.settings, inputs.first, inputs.operation.shape
    names = ("kernel_size", "dilation", "padding", "stride")
    usual = {"stride": 1, "padding": 0, "dilation": 1}
    kernel, *others = (per_axis(settings.get(name, usual.get(name)), 2) for name in names)
    axes = list(zip(kernel, *others, shape[-2:], strict=True))
    counts = [
        (side + 2 * around - apart * (size - 1) - 1) // step + 1
        for size, apart, around, step, side in axes
    ]
    windows = reshaped(fields, (*shape[:-2], *kernel, *counts))

    def mix(choose: Choose, numbers: Pixels, empty: int) -> Pixels:
        numbers = np.broadcast_to(numbers, (*numbers.shape[:-4], *kernel, *counts))
        padded = [side + 2 * around for _, _, around, _, side in axes]
        mixed = np.full((*numbers.shape[:-4], *padded), empty, np.int32)
        for taps in itertools.product(*map(range, kernel)):
            cells = tuple(
                slice(tap * apart, tap * apart + step * count, step)
                for tap, (_, apart, _, step, _), count in zip(taps, axes, counts, strict=True)
            )
            mixed[..., *cells] = choose(mixed[..., *cells], numbers[..., *taps, :, :])
        inside = tuple(slice(around, around + side) for _, _, around, _, side in axes)
        return squeezed(mixed[..., *inside])

    def change(axis: AxisField) -> AxisField:
        first = mix(np.minimum, axis.first, axis.pixels)
        return AxisField(axis.pixels, first, mix(np.maximum, axis.end, 0), None, None)

    return windows.map(change, shape)
