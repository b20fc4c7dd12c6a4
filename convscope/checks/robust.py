"""How far figures lie from what is usual in a data set, whatever a few extreme ones are."""

import numpy as np
from numpy.typing import NDArray

_CONSISTENT = 1.4826  # times the median absolute deviation is the standard deviation of a normal


def robust_scores(
    values: NDArray[np.floating], known: NDArray[np.bool_], *, least: float
) -> NDArray[np.float64]:
    """(n,) distances from the median in robust standard deviations; 0 where not `known`.

    The standard deviation is 1.4826 times the median absolute deviation (Hampel, 1974), `least` at
    least: among nearly equal figures, a small difference is not unusual.
    """
    scores = np.zeros(len(values))
    if known.any():
        inside = values[known].astype(np.float64)
        center = np.median(inside)
        deviation = _CONSISTENT * float(np.median(np.abs(inside - center)))
        scores[known] = (inside - center) / max(deviation, least)
    return scores
