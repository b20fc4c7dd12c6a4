"""Sums, products and quotients without intermediate rounding."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def exact_sum(numbers: Sequence[float]) -> float:
    """The sum, rounded once; infinities and NaN propagate as in float arithmetic.

    >>> exact_sum([1e16, 1.0, -1e16])
    1.0
    """
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):  # intermediate overflow, or ∞ - ∞
        pass
    if not all(map(math.isfinite, numbers)):
        with np.errstate(all="ignore"):
            return float(np.sum(numbers))
    total = sum(map(Fraction, numbers))
    try:
        return float(total)
    except OverflowError:
        return math.inf if total > 0 else -math.inf


def quotient(numerator: float, denominator: float) -> float:
    """numerator / denominator by IEEE 754, also where the denominator is zero.

    >>> quotient(1.0, -0.0), quotient(6.0, 4.0)
    (-inf, 1.5)
    """
    with np.errstate(all="ignore"):
        return float(np.float64(numerator) / np.float64(denominator))


def product_errors(a: Floats, b: Floats) -> Floats:
    """The rounding errors of the float64 products a · b: exact product minus rounded product.

    Reference: Dekker, 1971, "A floating-point technique for extending the available precision".
    """
    with np.errstate(all="ignore"):
        # Numbers near overflow are scaled down before they are split, and the error is scaled up.
        scale_a, scale_b = (np.where(np.abs(x) > 2.0**900, 2.0**-100, 1.0) for x in (a, b))
        (a_high, a_low), (b_high, b_low) = _split(a * scale_a), _split(b * scale_b)
        product = (a * scale_a) * (b * scale_b)
        error = a_low * b_low - (product - a_high * b_high - a_low * b_high - a_high * b_low)
        error = error / scale_a / scale_b
        finite = np.isfinite(error) & np.isfinite(a * b)
    return np.where(finite, error, 0.0)


def _split(numbers: Floats) -> tuple[Floats, Floats]:
    scaled = numbers * 134217729.0  # 2^27 + 1: into halves of 26 bits, whose products are exact
    high = scaled - (scaled - numbers)
    return high, numbers - high
