"""The temperature at which probabilities are worth the most: temperature scaling.

Guo et al., 2017, "On calibration of modern neural networks": all logits are divided by one number,
which makes probabilities more or less certain and changes no order of the classes.
"""

import numpy as np
from numpy.typing import NDArray

from convscope.card import MAX_TEMPERATURE, MIN_TEMPERATURE, TaskName
from convscope.errors import RequestError

_STEPS = 200
_PRECISION = 1e-12  # of the logarithm of the temperature
_FEW = 1 << 22  # numbers that are computed at a time

_Floats = NDArray[np.float64]


def fit_temperature(
    logits: NDArray[np.floating], truth: NDArray[np.int64], task: TaskName
) -> float:
    """The temperature T with the least mean negative log likelihood of `softmax(logits / T)`.

    Where an image may have several labels, of the sigmoid. In β = 1/T the mean is convex: its
    derivative is Σ_k p_k z_k - z_y for logits z, probabilities p and true class y, averaged, and
    rises with β. Newton's method finds where it is 0, within a bracket that is halved where a step
    would leave it, in float64, to a relative 1e-12.

    Args:
        logits: (n, classes), finite.
        truth: (n,) index of the true class; of several labels (n, classes) of 0 and 1.

    Raises RequestError where there is no minimum from MIN_TEMPERATURE to MAX_TEMPERATURE: all
    images are right, so that less is always better, or they are no better than by chance.
    """
    if not len(logits):
        raise RequestError("There are no images to fit a temperature on.")
    if not np.isfinite(logits).all():
        raise RequestError("An output of the network is not a finite number.")
    low, high = 1 / MAX_TEMPERATURE, 1 / MIN_TEMPERATURE
    if _slope(logits, truth, low, task)[0] >= 0:
        raise RequestError(_chance(len(logits)))
    if _slope(logits, truth, high, task)[0] <= 0:
        raise RequestError(_separated(task))
    beta = 1.0
    for _ in range(_STEPS):
        slope, curvature = _slope(logits, truth, beta, task)
        low, high = (beta, high) if slope < 0 else (low, beta)
        step = beta - slope / curvature if curvature > 0 else 0.0
        new = step if low < step < high else (low * high) ** 0.5
        if abs(new / beta - 1) < _PRECISION or slope == 0:
            break
        beta = new
    return float(1 / beta)


def log_losses(
    logits: NDArray[np.floating], truth: NDArray[np.int64], temperature: float, task: TaskName
) -> _Floats:
    """The negative log likelihood of each image (n,) in nats; of several labels their mean."""
    values = logits.astype(np.float64) / temperature
    if task == "multi-label":
        return (np.logaddexp(0, values) - values * truth).mean(1)
    own = np.take_along_axis(values, truth[:, None], 1)[:, 0]
    return np.logaddexp.reduce(values, axis=1) - own


def _slope(
    logits: NDArray[np.floating], truth: NDArray[np.int64], beta: float, task: TaskName
) -> tuple[float, float]:
    """The first and the second derivative of the mean negative log likelihood by β, scaled alike.

    An image whose logits are all the same adds nothing. For several labels both are sums over them.
    """
    sums = np.zeros(2)
    step = max(_FEW // logits.shape[1], 1)
    for start in range(0, len(logits), step):
        z, y = logits[start : start + step].astype(np.float64), truth[start : start + step]
        if task == "multi-label":
            p = np.exp(-np.logaddexp(0, -beta * z))
            sums += ((p - y) * z).sum(), (p * (1 - p) * z * z).sum()
            continue
        z -= np.take_along_axis(z, y[:, None], 1)  # so that the true class is 0
        p = np.exp(beta * (z - z.max(1, keepdims=True)))
        p /= p.sum(1, keepdims=True)
        mean = (p * z).sum(1)
        sums += mean.sum(), ((p * z * z).sum(1) - mean**2).sum()
    return float(sums[0]) / len(logits), float(sums[1]) / len(logits)


def _separated(task: TaskName) -> str:
    what = "label" if task == "multi-label" else "class"
    return (
        f"Every {what} is right, so the loss falls with every lower temperature: these images "
        "cannot say how sure the network may be. Fit on more images, of which it gets some wrong."
    )


def _chance(count: int) -> str:
    return (
        f"Over these {count:,} images the network is no better than chance, so the loss falls with "
        "every higher temperature. No temperature mends that; see what `convscope evaluate` says."
    )
