"""A figure with its 95% interval, or the reason why it has none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.evaluation.clustered import effective_size
from convscope.evaluation.metrics import Z_95, wilson_interval


@dataclass(frozen=True)
class Figure:
    """One number that an evaluation found.

    Attributes:
        value: NaN where it is not defined.
        interval: the bounds of its 95% confidence interval; None where there is none.
        reason: why there is no value or no interval; "" where there are both.
        method: how the interval was found: "Wilson", "bootstrap", "DeLong" ...
    """

    value: float
    interval: tuple[float, float] | None = None
    reason: str = ""
    method: str = ""

    @property
    def is_defined(self) -> bool:
        return not math.isnan(self.value)

    def to_dict(self) -> dict[str, Any]:
        """Values of JSON: `value` and `interval` are null where there are none."""
        return {
            "value": self.value if self.is_defined else None,
            "interval": None if self.interval is None else list(self.interval),
            **({"method": self.method} if self.method else {}),
            **({"reason": self.reason} if self.reason else {}),
        }

    def __str__(self) -> str:
        """As in "0.912 (0.874 to 0.951)"."""
        if not self.is_defined:
            return "not defined"
        if self.interval is None:
            return f"{self.value:.3f}"
        low, high = self.interval
        return f"{self.value:.3f} ({low:.3f} to {high:.3f})"


def undefined(reason: str) -> Figure:
    """A figure that has no value, and why."""
    return Figure(math.nan, None, reason)


def proportion(count: float, total: float, effective: float = 1.0, *, reason: str = "") -> Figure:
    """count / total, with Wilson's interval for effective · total independent images.

    Not defined, for `reason`, where `total` is 0.
    """
    if not total:
        return undefined(reason)
    share, size = float(count / total), float(max(effective * total, 1.0))
    return Figure(share, wilson_interval(share * size, size), method="Wilson")


def complement(share: Figure) -> Figure:
    """1 - share: the right answers, from the wrong ones."""
    interval = None if share.interval is None else (1 - share.interval[1], 1 - share.interval[0])
    return Figure(1 - share.value, interval, share.reason, share.method)


def mean(values: NDArray[np.float64], groups: NDArray[np.int64] | None = None) -> Figure:
    """The mean of a value of each image (n,), with the interval mean ± 1.96 standard errors.

    With `groups`, the number of each image's group from 0 on, the standard error is that of a mean
    over clusters: sqrt(G / (G - 1) · Σ (sum over a group of value - mean)²) / n.
    """
    count, value = len(values), float(values.mean())
    residuals = values - value
    if groups is not None:
        residuals = np.bincount(groups, weights=residuals)
    parts = len(residuals)
    if parts < 2:
        what = "image" if groups is None else "group"
        return Figure(value, None, f"there is one {what} only")
    error = math.sqrt(parts / (parts - 1) * float((residuals**2).sum())) / count
    return Figure(value, (value - Z_95 * error, value + Z_95 * error), method="standard error")


def share(values: NDArray[np.bool_], groups: NDArray[np.int64] | None = None) -> Figure:
    """The share of images (n,) of which something holds, with Wilson's interval.

    With `groups`, numbers from 0 on, of as many independent images as they are worth. Not defined
    for no images.
    """
    if not len(values):
        return undefined("there is no such image")
    independence = 1.0
    if groups is not None:
        size = effective_size(values.astype(np.float64), groups.tolist())
        independence = size / len(values)
    return proportion(values.sum(), len(values), independence)


def on_logit_scale(value: float, error: float, *, method: str) -> Figure:
    """A figure of 0..1 with a standard error above 0: ln(p / (1 - p)) ± 1.96 error / (p (1 - p)).

    The interval lies within 0..1. It has none where `value` is 0 or 1.
    """
    if not 0 < value < 1 or not error > 0:
        return Figure(value, None, f"{method} gives no interval at {value:g}")
    logit, half = math.log(value / (1 - value)), Z_95 * error / (value * (1 - value))
    low, high = (1 / (1 + math.exp(min(-x, 700.0))) for x in (logit - half, logit + half))
    return Figure(value, (low, high), method=method)


def percentile(value: float, draws: NDArray[np.float64], *, reason: str = "") -> Figure:
    """A figure with the range of the middle 95% of its draws, those that are not defined left out.

    It has no interval where all draws are the same, as those of a perfect score are, or where a
    tenth of them or more is not defined.
    """
    if math.isnan(value):
        return undefined(reason)
    known = draws[~np.isnan(draws)]
    if len(known) <= 0.9 * len(draws):
        return Figure(value, None, "it is not defined for many of the resampled sets of images")
    low, high = np.percentile(known, [2.5, 97.5])
    if low == high:
        return Figure(value, None, "it is the same for all resampled sets of images")
    return Figure(value, (float(low), float(high)), method="bootstrap")


def numbered(groups: Sequence[object] | None) -> NDArray[np.int64] | None:
    """The groups of images as numbers from 0 on; None where each image is one by itself."""
    if groups is None:
        return None
    names, numbers = np.unique(np.array(list(map(str, groups))), return_inverse=True)
    return None if len(names) == len(numbers) else numbers.astype(np.int64)
