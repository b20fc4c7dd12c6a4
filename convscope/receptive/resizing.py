"""Interpolation and sampling: units that are copied, averaged or blended from their neighbors."""

import itertools
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from convscope.receptive.axis_field import AxisField, Pixels, squeezed
from convscope.receptive.field_map import FieldMap, UnknownDependency
from convscope.receptive.inputs import Inputs
from convscope.receptive.ranges import Choose, shared_out, united
from convscope.receptive.windows import per_axis

Taps = tuple[NDArray[np.intp], NDArray[np.intp]]
"""The first unit that each unit of the result reads, and the one after the last."""


def resize(inputs: Inputs) -> FieldMap:
    """Interpolation, whose weights torch itself is asked for along each axis."""
    settings, fields, shape = inputs.settings, inputs.first, inputs.operation.shape
    mode = settings.get("mode") or "nearest"
    count = len(shape) - 2
    size = settings.get("size")
    scales = per_axis(settings.get("scale_factor"), count)
    sizes = per_axis(size, count)
    dtype = _dtype(inputs)
    if settings.get("antialias") and fields.shape[-1] == 1 < fields.shape[-2]:
        raise UnknownDependency
    for axis in range(count):
        dim = axis + 2
        if mode == "area":
            fields = shared_out(fields, dim, shape[dim])
            continue
        taps = _taps(
            fields.shape[dim],
            None if sizes[axis] is None else int(sizes[axis]),
            None if scales[axis] is None else float(scales[axis]),
            (axis, count),
            mode,
            settings.get("align_corners"),
            settings.get("recompute_scale_factor"),
            bool(settings.get("antialias")),
            dtype,
        )
        if len(taps[0]) != shape[dim]:
            raise UnknownDependency
        if not _is_unchanged(taps, fields.shape[dim]):
            fields = united(fields, dim, *taps)
    return fields


def _dtype(inputs: Inputs) -> torch.dtype:
    value = inputs.values.get(inputs.operation.operands[0])
    return torch.float32 if value is None else value.dtype


def _is_unchanged(taps: Taps, length: int) -> bool:
    units = np.arange(len(taps[0]))
    return len(units) == length and bool((taps[0] == units).all() and (taps[1] == units + 1).all())


@lru_cache(maxsize=256)
def _taps(
    length: int,
    size: int | None,
    scale: float | None,
    axis: tuple[int, int],
    mode: str,
    align_corners: bool | None,  # noqa: FBT001 -- torch's
    recompute: bool | None,  # noqa: FBT001
    antialias: bool,  # noqa: FBT001
    dtype: torch.dtype,
) -> Taps:
    """The units that are not weighted by 0, by torch's interpolation of one unit at a time.

    The other axes have two cells, because torch 2.13 takes a column of one pixel's width from its
    first row alone where it is antialiased.
    """
    own, count = axis
    sides, ones = [1] * count, [1.0] * count
    sides[own] = length
    image = torch.eye(length, dtype=dtype).reshape(1, length, *sides)
    wide = [side if n == own else 2 for n, side in enumerate(sides)]
    image = image.expand(1, length, *wide).contiguous()
    sizes: list[int] | None = None
    scales: list[float] | None = None
    if scale is None:
        sizes = [2] * count
        sizes[own] = size if size is not None else length
    else:
        scales = ones
        scales[own] = scale
    options: dict[str, Any] = {"antialias": True} if antialias else {}
    weights = F.interpolate(
        image,
        sizes,
        scales,
        mode,
        align_corners,
        recompute_scale_factor=recompute,
        **options,
    )
    line = weights.movedim(own + 2, -1)[(0, slice(None), *[0] * (count - 1))]
    return _range_of(line)


def _range_of(weights: Tensor) -> Taps:
    """The first cell (cells, ...) that is not weighted by 0, and the one after the last."""
    read: NDArray[np.bool_] = (weights != 0).numpy()
    starts: NDArray[np.intp] = read.argmax(0)
    stops: NDArray[np.intp] = len(read) - read[::-1].argmax(0)
    return starts, np.where(read.any(0), stops, starts)


def sample(inputs: Inputs) -> FieldMap:
    """`grid_sample` at constant places, whose weights torch itself is asked for along each axis."""
    settings, fields, shape = inputs.settings, inputs.first, inputs.operation.shape
    grid = inputs.value(inputs.operation.arguments["grid"])
    if len(grid) > 1 or inputs.operation.operands[0] != inputs.operation.arguments["input"].name:
        raise UnknownDependency
    mode, outside = (settings.get(name) for name in ("mode", "padding_mode"))
    align = settings.get("align_corners")
    ranges = [
        _read(grid, axis, side, (mode or "bilinear", outside or "zeros", align))
        for axis, side in enumerate(fields.shape[2:])
    ]
    taps = [range(int((stops - starts).max())) for starts, stops in ranges]
    is_read = np.all([stops > starts for starts, stops in ranges], axis=0)

    def mix(choose: Choose, numbers: Pixels, empty: int) -> Pixels:
        mixed = np.full((1, 1, *shape[2:]), empty, np.int32)
        for offsets in itertools.product(*taps):
            places = [
                np.zeros_like(starts) if side == 1 else np.clip(starts + n, 0, stops - 1)
                for n, (starts, stops), side in zip(offsets, ranges, numbers.shape[2:], strict=True)
            ]
            mixed = choose(mixed, numbers[:, :, *places])
        return squeezed(np.where(is_read, mixed, empty))

    def change(axis: AxisField) -> AxisField:
        first = mix(np.minimum, axis.first, axis.pixels)
        return AxisField(axis.pixels, first, mix(np.maximum, axis.end, 0), None, None)

    return fields.map(change, shape)


def _read(grid: Tensor, axis: int, side: int, settings: tuple[str, str, bool | None]) -> Taps:
    """The range of cells along one axis that each place of a grid is not weighted by 0 from."""
    count = grid.shape[-1]
    mode, outside, align = settings
    places = torch.zeros_like(grid)
    places[..., count - 1 - axis] = grid[..., count - 1 - axis]
    sides = [side if n == axis else 3 for n in range(count)]
    eye = torch.eye(side, dtype=grid.dtype).reshape(
        1, side, *(side if n == axis else 1 for n in range(count))
    )
    weights = F.grid_sample(eye.expand(1, side, *sides), places, mode, outside, align)
    return _range_of(weights[0])
