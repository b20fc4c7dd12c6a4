"""How certain a network has to be to answer: for a share of images, or a share of errors."""

import numpy as np
from numpy.typing import NDArray

from convscope.errors import RequestError

_Floats = NDArray[np.float64]


def choose_certainty(
    certainty: _Floats,
    is_right: NDArray[np.bool_],
    *,
    coverage: float | None = None,
    max_error: float | None = None,
) -> float:
    """The threshold at which the network answers for a share `coverage` of images at least, the
    most certain ones; or for as many as have a share `max_error` of errors at most.

    `certainty` (n,) is of any scale. The threshold lies in the middle between two certainties that
    occur; images of one certainty are answered together.

    Raises RequestError where no share of the images has so few errors.
    """
    name, wished = ("coverage", coverage) if max_error is None else ("max_error", max_error)
    if wished is None or not 0 <= wished <= 1 or (wished == 0 and max_error is None):
        raise RequestError(f"`{name}` must be a share from 0 to 1, not {wished}.")
    order = np.argsort(-certainty, kind="stable")
    ranked = certainty[order]
    last = np.flatnonzero(np.r_[ranked[1:] < ranked[:-1], True])
    counts = last + 1
    if max_error is None:
        place = int(np.searchsorted(counts, wished * len(ranked) - 1e-9))
    else:
        errors = np.cumsum(~is_right[order])[last] / counts
        allowed = np.flatnonzero(errors <= wished + 1e-12)
        if not len(allowed):
            raise RequestError(
                f"No share of the images has {wished:.2%} errors or fewer: of the most certain "
                f"{counts[0]:,} it is {errors[0]:.2%}."
            )
        place = int(allowed[-1])
    if place == len(last) - 1:  # all of them
        return float(ranked[-1] - max(abs(ranked[-1]), 1.0) * 1e-3)
    return float((ranked[last[place]] + ranked[last[place] + 1]) / 2)
