"""Lesson: the feature map of an image, and what a bias and an activation function do to it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from convscope.layers import ScaledTanh
from convscope.lessons.images import gray
from convscope.lessons.params import cells, choice, integer, number
from convscope.lessons.window import convolve, window_indices, window_values

Array = NDArray[np.float64]

PICTURES = ("digit", "photograph")
KERNEL = 3
BIAS = 4.0
"""The largest magnitude of the bias."""

SLOPE = 0.1
"""The slope of the leaky ReLU below zero."""

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "ReLU": F.relu,
    "leaky ReLU": lambda sums: F.leaky_relu(sums, SLOPE),
    "tanh": torch.tanh,
    "scaled tanh": ScaledTanh(),
    "sigmoid": torch.sigmoid,
}
"""The activation functions, by the page's names; scaled tanh is LeNet-5's."""

_BARS = 14  # bars of a histogram, on each side of zero
_POINTS = 81  # points of a curve
_DIGITS = 6  # decimals of values that are only drawn


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Convolve an image with a 3x3 filter, then apply a bias and an activation function.

    `state` has `picture`, `filter` (9 numbers), `bias` (-4 to 4), `activation` and `at`, a unit of
    the map counted row by row. Pixels are bytes / 255. The answer has the `levels` of the image in
    bytes, the maps `sums` and `after` (rounded to six decimals), their sides, their histograms,
    the fractions of units below and at zero, the curve of the activation function, and the unit
    `at`: its patch, terms, sum, and its value afterwards.

    Raises RequestError for an invalid state.
    """
    levels = gray(choice(state, "picture", PICTURES))
    weights = np.reshape(cells(state, "filter", KERNEL * KERNEL), (1, 1, KERNEL, KERNEL))
    bias = number(state, "bias", -BIAS, BIAS)
    activate = as_arrays(ACTIVATIONS[choice(state, "activation", tuple(ACTIVATIONS))])
    pixels = levels[None] / 255
    sums = convolve(pixels, weights)[0]
    before = sums + bias
    after = activate(before)
    at = min(integer(state, "at", 0, levels.size - 1), sums.size - 1)
    return {
        "side": len(levels),
        "levels": levels.ravel().tolist(),
        "map": len(sums),
        "peak": max(float(np.abs(values).max()) for values in (sums, before, after)),
        "sums": _short(sums),
        "after": _short(after),
        "below": float(np.mean(before < 0)),
        "zero": float(np.mean(after == 0)),
        "histograms": _histograms(before, after),
        "curve": _curve(activate, before),
        "unit": _unit(pixels, weights, at, sums, bias) | {"after": float(after.flat[at])},
    }


def as_arrays(activation: Callable[[Tensor], Tensor]) -> Callable[[Array], Array]:
    return lambda values: activation(torch.from_numpy(values)).numpy()


def _short(values: Array) -> list[float]:
    return np.round(values, _DIGITS).ravel().tolist()


def _unit(pixels: Array, weights: Array, at: int, sums: Array, bias: float) -> dict[str, Any]:
    side = pixels.shape[-1]
    row, column = divmod(at, sums.shape[-1])
    rows, columns = (window_indices(side, KERNEL, start=start) for start in (row, column))
    values = window_values(pixels, rows, columns)
    terms = zip(values.ravel().tolist(), weights.ravel().tolist(), strict=True)
    total = float(sums[row, column])
    return {
        "at": at,
        "row": row,
        "column": column,
        "terms": [{"value": v, "weight": w, "product": v * w} for v, w in terms],
        "sum": total,
        "bias": bias,
        "before": total + bias,
    }


def _histograms(before: Array, after: Array) -> dict[str, Any]:
    """Count the units by value before and after the activation, on the same scale."""
    peak = max(float(np.abs(before).max()), float(np.abs(after).max())) or 1.0
    return {"peak": peak, "before": _counts(before, peak), "after": _counts(after, peak)}


def _counts(values: Array, peak: float) -> dict[str, Any]:
    """Count values in bars of equal width from -peak to 0 and from 0 to peak, and at exactly 0."""
    below = np.histogram(values[values < 0], bins=_BARS, range=(-peak, 0))[0]
    above = np.histogram(values[values > 0], bins=_BARS, range=(0, peak))[0]
    return {
        "below": below.tolist(),
        "zero": int(np.sum(values == 0)),
        "above": above.tolist(),
    }


def _curve(activate: Callable[[Array], Array], before: Array) -> dict[str, list[float]]:
    """Sample the activation function over a range that is symmetric and contains all sums."""
    reach = max(2.0, float(np.abs(before).max()))
    x = np.linspace(-reach, reach, _POINTS)
    return {"x": x.tolist(), "y": activate(x).tolist()}
