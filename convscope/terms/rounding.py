"""How far rounding may move a value: the arithmetic of a network's numbers."""

import math
from typing import NamedTuple


class Precision(NamedTuple):
    """How the operation that computed a value rounds.

    Attributes:
        unit: the unit roundoff u of the type of the result, the largest relative error of rounding
            to it: 2^-24 for float32, 2^-11 for float16, 2^-8 for bfloat16. 0 for integers.
        sums: the unit roundoff of sums and of everything else before the result is rounded; that of
            float32 also for types with fewer bits.
        factors: the relative error of a product whose factors are rounded first, as with TF32.
        spacing: the distance between the smallest numbers of the type of the result.
        normal: numbers below this one may be rounded to zero: the smallest normal number.
        largest: the largest number of the type of the result.
        largest_sum: the largest number that a sum can reach.
    """

    unit: float
    sums: float
    factors: float = 0.0
    spacing: float = 0.0
    normal: float = 0.0
    largest: float = math.inf
    largest_sum: float = math.inf

    def bound(
        self, value: float, error: float, *, rounded: float = 0.0, reached: float = 0.0
    ) -> float:
        """How far a network may be from `value`, computed without rounding.

        `error` is that before the result is rounded; rounding the result, and intermediate results
        whose magnitudes add up to `rounded`, to its type adds at most u · (|value| + rounded +
        error), and half the spacing for each of up to four of them. Infinite where a sum may have
        `reached` a number beyond the largest, or a result may be larger than its type allows.
        """
        if not self.unit:
            return 0.0
        overflow = self.largest * (1 + self.unit / 2)  # smaller numbers are rounded to the largest
        if max(abs(value) + error, rounded) > overflow or reached + error > self.largest_sum:
            return math.inf
        halves = 4 if rounded else 1  # subnormal numbers are rounded by half the spacing
        return error + self.unit * (abs(value) + rounded + error) + halves * self.spacing / 2
