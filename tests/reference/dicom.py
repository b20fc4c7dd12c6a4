"""DICOM's grayscale transformations, one value at a time, as PS3.3 C.11.1 and C.11.2 state them."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

MAXIMUM = 255


def windowed(x: float, center: float, width: float, function: str = "LINEAR") -> float:
    """The pseudo-code of C.11.2.1.2.1, C.11.2.1.3.1 and C.11.2.1.3.2 for outputs 0 to 255."""
    if function == "SIGMOID":
        return MAXIMUM / (1 + math.exp(min(700, -4 * (x - center) / width)))
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    if x <= center - width / 2:
        return 0
    if x > center + width / 2:
        return MAXIMUM
    return ((x - center) / width + 0.5) * MAXIMUM


def looked_up(x: float, first: int, entries: list[int]) -> int:
    """The entry of a lookup table whose first entry is that of the value `first`."""
    if x < first:
        return entries[0]
    if x >= first + len(entries):
        return entries[-1]
    return entries[round(x) - first]


def each(values: NDArray[np.generic], function: Callable[[float], float]) -> NDArray[np.float64]:
    """A function of every value of an array."""
    different, places = np.unique(values, return_inverse=True)
    results = np.array([function(value) for value in different.tolist()], dtype=np.float64)
    return results[places].reshape(values.shape)
