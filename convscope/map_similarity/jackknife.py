"""How sure a figure over images is: it is computed again without each group of them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from convscope.map_similarity.moments import GROUPS

_T = 2.2621571627982049
"""The 97.5% quantile of Student's t with GROUPS - 1 = 9 degrees of freedom."""

Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]


def interval(
    value: NDArray[np.float64] | float, without: Callable[[int], NDArray[np.float64] | float]
) -> Bounds:
    """The 95% interval of a figure, by the delete-a-group jackknife.

    Args:
        value: the figure over all images; any shape.
        without: the same without the images of a group.

    Reference: Kott, "The delete-a-group jackknife", Journal of Official Statistics 17 (2001).
    """
    parts = np.stack([np.asarray(without(group), dtype=np.float64) for group in range(GROUPS)])
    variance = (GROUPS - 1) / GROUPS * ((parts - parts.mean(0)) ** 2).sum(0)
    half = _T * np.sqrt(variance)
    return np.asarray(value) - half, np.asarray(value) + half


def correlation_interval(value: NDArray[np.float64], parts: NDArray[np.float64]) -> Bounds:
    """The same for correlations, (groups, ...) without each group: on the scale of Fisher's z.

    There the distribution of a correlation is nearly normal, and the bounds stay within -1..1.
    """

    def z(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.arctanh(np.clip(correlation, -_ONE, _ONE))

    low, high = interval(z(value), lambda group: z(parts[group]))
    return np.tanh(low), np.tanh(high)


_ONE = 1 - 1e-12
