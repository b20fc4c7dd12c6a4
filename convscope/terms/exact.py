"""Sums, products and quotients without the rounding of a calculation on the way."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def exact_sum(numbers: Sequence[float]) -> float:
    """The sum, rounded once; of infinities and NaN what float arithmetic says.

    >>> exact_sum([1e16, 1.0, -1e16])
    1.0
    """
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):  # too large on the way, or ∞ - ∞
        pass
    if not all(map(math.isfinite, numbers)):
        with np.errstate(all="ignore"):
            return float(np.sum(numbers))
    total = sum(map(Fraction, numbers))
    try:
        return float(total)
    except OverflowError:
        return math.inf if total > 0 else -math.inf


def quotient(above: float, below: float) -> float:
    """above / below, as float arithmetic has it also where below is zero.

    >>> quotient(1.0, -0.0), quotient(6.0, 4.0)
    (-inf, 1.5)
    """
    with np.errstate(all="ignore"):
        return float(np.float64(above) / np.float64(below))


def product_errors(one: Floats, two: Floats) -> Floats:
    """What the float64 products of float64 numbers lack to be exact.

    Reference: Dekker, 1971, "A floating-point technique for extending the available precision".
    """
    with np.errstate(all="ignore"):
        # Numbers near the end of the range are halved often enough, and what is lacking doubled.
        small, other = (np.where(np.abs(x) > 2.0**900, 2.0**-100, 1.0) for x in (one, two))
        (high, low), (other_high, other_low) = _halves(one * small), _halves(two * other)
        product = (one * small) * (two * other)
        lacking = low * other_low - (
            product - high * other_high - low * other_high - high * other_low
        )
        lacking = lacking / small / other
        known = np.isfinite(lacking) & np.isfinite(one * two)
    return np.where(known, lacking, 0.0)


def _halves(numbers: Floats) -> tuple[Floats, Floats]:
    scaled = numbers * 134217729.0  # 2^27 + 1: halves of 26 bits, whose products are exact
    high = scaled - (scaled - numbers)
    return high, numbers - high
