"""Prediction sets with a guaranteed coverage: split conformal prediction.

Vovk et al., 2005; Angelopoulos and Bates, 2023, "Conformal prediction: a gentle introduction".
"""

import math

import numpy as np
from numpy.typing import NDArray

from convscope.decision_rules import PredictionSets, SetMethod
from convscope.errors import RequestError
from convscope.predictions.decided import set_scores


def fit_sets(
    probabilities: NDArray[np.float64],
    truth: NDArray[np.int64],
    *,
    coverage: float,
    method: SetMethod,
) -> PredictionSets:
    """Sets that have the true class of another image of the same kind with a probability of at
    least `coverage`, whatever the network.

    The quantile is the ⌈(n + 1) · coverage⌉-th smallest of the scores of the true classes of n
    images (see `convscope.predictions.decided.set_scores`).

    Args:
        probabilities: (n, classes).
        truth: (n,) index of the true class.

    Raises RequestError for a coverage that is not between 0 and 1, and for too few images.
    """
    if not 0 < coverage < 1:
        raise RequestError(f"`conformal` must be a share above 0 and below 1, not {coverage:g}.")
    count = len(truth)
    rank = math.ceil((count + 1) * coverage - 1e-9)
    if rank > count:
        least = math.ceil(coverage / (1 - coverage) - 1e-9)
        raise RequestError(
            f"A coverage of {coverage:.4g} needs at least {least:,} images to be chosen on, and "
            f"there are {count:,}."
        )
    scores = np.take_along_axis(set_scores(probabilities, method), truth[:, None], 1)[:, 0]
    quantile = float(np.sort(scores)[rank - 1])
    return PredictionSets(method, coverage, min(max(quantile, 0.0), 1.0))
