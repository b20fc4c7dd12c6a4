"""Interpolation: units that are copied, averaged or blended from their neighbors."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from convscope.receptive.field_map import FieldMap, UnknownDependency
from convscope.receptive.inputs import Inputs
from convscope.receptive.ranges import shared_out, united
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
    line = weights.movedim(own + 2, 2).flatten(3)[0, :, :, 0]
    read = (line != 0).numpy()
    return read.argmax(0), length - read[::-1].argmax(0)
