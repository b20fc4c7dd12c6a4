"""Maps as colors over a photograph, and the color bar that says what they mean.

Colors end at the map's largest absolute value; the least value is never moved. What speaks for the
target is red, what speaks against it blue; a map without a sign goes from violet to yellow. The
larger a value, the more of the photograph, in gray, it covers.
"""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

_SEQUENTIAL = np.array(
    [(60, 9, 101), (130, 30, 110), (190, 55, 84), (240, 120, 30), (252, 230, 120)], np.float64
)
_FOR, _AGAINST = np.array([196.0, 20, 40]), np.array([20.0, 90, 200])
_UNSEEN = 0.35  # of the brightness of what the network does not see
_COVERED = 0.88  # of the photograph, by the largest value


def overlay(photo: Pixels, values: Floats, maximum: float, *, is_signed: bool) -> Pixels:
    """A photograph (h, w, 3) under a map (h, w), NaN where there is no value."""
    gray = photo @ np.array([0.299, 0.587, 0.114])
    base = cast("Floats", np.repeat(gray[..., None], 3, 2) * 0.75 + 40)
    is_seen = np.isfinite(values)
    share = np.clip(np.where(is_seen, values, 0) / maximum, -1, 1) if maximum else values * 0
    mixed = _mix(base, np.nan_to_num(share), is_signed=is_signed)
    mixed[~is_seen] = base[~is_seen] * _UNSEEN
    return mixed.round().clip(0, 255).astype(np.uint8)


def dimmed(photo: Pixels, is_seen: NDArray[np.bool_]) -> Pixels:
    """A photograph, darker where the network does not see it."""
    shown = photo.astype(np.float64)
    shown[~is_seen] *= _UNSEEN
    return shown.astype(np.uint8)


def color_bar(width: int, height: int, *, is_signed: bool) -> Pixels:
    """The colors over middle gray, from the least value at the left to the largest at the right."""
    low = -1.0 if is_signed else 0.0
    share = np.linspace(low, 1, width)[None].repeat(height, 0)
    bar = _mix(np.full((height, width, 3), 135.0), share, is_signed=is_signed)
    return bar.round().astype(np.uint8)


def _mix(base: Floats, share: Floats, *, is_signed: bool) -> Floats:
    """Colors for values from -1 to 1 over an image."""
    strength = np.abs(share)
    if is_signed:
        color = np.where((share >= 0)[..., None], _FOR, _AGAINST)
    else:
        at = np.linspace(0, 1, len(_SEQUENTIAL))
        interpolate: Any = np.interp
        color = np.stack([interpolate(strength, at, channel) for channel in _SEQUENTIAL.T], -1)
    cover = (_COVERED * strength**0.8)[..., None]
    return base * (1 - cover) + color * cover
