"""Colors of numbers: white at zero, orange below, blue above."""

import numpy as np
from numpy.typing import NDArray

_NEGATIVE, _POSITIVE = (107, 47, 4), (7, 48, 94)  # the ends of the page's scale; zero is white


def colorize(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values from -1 to 1 as colors (h, w, 3): white at zero, darker with the magnitude.

    NaN counts as 0.
    """
    magnitude = np.clip(np.abs(np.nan_to_num(values)), 0, 1)[..., None]
    ends = np.where(values[..., None] < 0, np.array(_NEGATIVE), np.array(_POSITIVE))
    return np.round(255 + (ends - 255) * magnitude).astype(np.uint8)


def color_scale(low: float, high: float, width: int = 160) -> NDArray[np.uint8]:
    """The colors from `low` to `high`, each from -1 to 1, as a strip (1, width, 3)."""
    return colorize(np.linspace(low, high, width, dtype=np.float32)[None])
