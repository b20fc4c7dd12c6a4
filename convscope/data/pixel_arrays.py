"""Arrays of pixels as people hand them over: their layout, their channels and their range."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from convscope.errors import RequestError

CHANNELS = (1, 2, 3, 4)
"""Grayscale, grayscale with alpha, color, color with alpha."""

_CHUNK = 1024  # images that are converted at a time
_TOLERANCE = 1e-3  # by which fractions may leave 0..1, as resampled ones do by rounding


def as_array(values: Any) -> NDArray[Any]:
    """A numpy array of an array, a tensor of any device, or a list."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return (values.float() if values.dtype.is_floating_point else values).numpy()
    return np.asarray(values)


def channels_last(images: NDArray[Any], *, is_tensor: bool, where: str) -> NDArray[Any]:
    """Images as (n, h, w) or (n, h, w, c), from (n, h, w[, c]) or (n, c, h, w).

    The channels of a tensor are looked for in its second dimension first, as PyTorch has them,
    those of an array in its last.
    """
    if images.ndim == 3:
        return images
    if images.ndim == 4:
        for dimension in (1, 3) if is_tensor else (3, 1):
            if images.shape[dimension] in CHANNELS:
                last = images if dimension == 3 else images.transpose(0, 2, 3, 1)
                return last[..., 0] if last.shape[3] == 1 else last
    raise RequestError(
        f"{where}: the images have the shape {images.shape}. They need (n, height, width), "
        "(n, height, width, channels) or (n, channels, height, width), with 1 or 3 channels."
    )


class PixelRange:
    """What the values of one data set mean; decided from all of its images, or from some.

    - integers up to 255 are bytes; booleans are black and white;
    - floating-point values within 0..1 are scaled by 255; whole ones up to 255 are bytes;
    - other integers are deep: what is black and white is decided for all images, see `depth`.

    Attributes:
        is_deep: whether they are integers beyond bytes.
        factor: by which other values are multiplied before they are rounded.
        note: a sentence for the user where the range was not plain; else None.
    """

    def __init__(self, arrays: Iterable[NDArray[Any]], *, where: str) -> None:
        """Decide by some arrays. Raises RequestError for values that are not pixels."""
        self.note: str | None = None
        survey = _survey(arrays, where)
        low, high = survey.low, survey.high
        is_fraction = survey.has_floats and low >= -_TOLERANCE and high <= 1 + _TOLERANCE
        self.factor = 255 if is_fraction or survey.is_boolean else 1
        self.is_deep = not is_fraction and not (low >= 0 and high <= 0xFF)
        if not math.isfinite(low + high):
            raise RequestError(f"{where}: the images have values that are not finite.")
        if survey.has_floats and not is_fraction:
            if low < 0 or high > 0xFFFF or not survey.is_whole:
                raise RequestError(
                    f"{where}: the images have values from {low:.4g} to {high:.4g}. Pass bytes (0 "
                    "to 255) or fractions (0 to 1), before any normalization: convscope "
                    "normalizes images itself, and records how."
                )
            if high < 128:
                self.note = f"{where}: values up to {high:g} are taken as bytes, 0 to 255."

    def to_bytes(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        """Bytes of values in this range. Raises ValueError for values outside it."""
        if pixels.dtype == np.uint8:
            return pixels
        out = np.empty(pixels.shape, np.uint8)
        for start in range(0, len(pixels), _CHUNK):
            values = pixels[start : start + _CHUNK].astype(np.float64) * self.factor
            if values.size and not (values.min() > -0.5 and values.max() < 255.5):
                raise ValueError("has values outside the range of the other images")
            out[start : start + _CHUNK] = np.rint(values)
        return out


@dataclass(frozen=True)
class _Survey:
    has_floats: bool
    is_boolean: bool
    low: float
    high: float
    is_whole: bool


def _survey(arrays: Iterable[NDArray[Any]], where: str) -> _Survey:
    """The types of arrays, their smallest and largest value, and whether all are whole."""
    kinds: set[str] = set()
    low, high, is_whole = np.inf, -np.inf, True
    for array in arrays:
        kinds.add(array.dtype.kind)
        if array.dtype == np.uint8:
            low, high = np.minimum(low, 0), np.maximum(high, 255)
            continue
        if array.dtype.kind not in "biuf":
            raise RequestError(f"{where}: the images have the type {array.dtype}, not numbers.")
        for start in range(0, len(array), _CHUNK):
            chunk = array[start : start + _CHUNK]
            if chunk.size:  # unlike `min`, `np.minimum` keeps NaN
                low, high = np.minimum(low, chunk.min()), np.maximum(high, chunk.max())
                is_whole = is_whole and bool((chunk == np.round(chunk)).all())
    low, high = (float(low), float(high)) if kinds else (0.0, 255.0)
    return _Survey("f" in kinds, kinds == {"b"}, low, high, is_whole)


def without_alpha(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bytes (..., h, w) or (..., h, w, 3) of bytes that may have alpha, composited on white."""
    if pixels.shape[-1] not in (2, 4):
        return pixels
    color, alpha = pixels[..., :-1].astype(np.uint32), pixels[..., -1:].astype(np.uint32)
    blended = ((color * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return blended[..., 0] if blended.shape[-1] == 1 else blended
