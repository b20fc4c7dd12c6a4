"""Whether some images are wrong more often than others of their classes, or by chance."""

import math

import numpy as np
from numpy.typing import NDArray

_STEPS = 4000  # of the integral of Student's distribution


def chance_of_as_many(
    is_wrong: NDArray[np.bool_], chosen: NDArray[np.bool_], strata: NDArray[np.int64]
) -> float:
    """The probability that at least as many of the chosen images (n,) are wrong, were they drawn
    from the images of their stratum, 0 ... m - 1, blindly.

    Fisher's exact test of each stratum, for all of them together: the number of wrong images among
    those chosen is a sum of hypergeometric ones (Birch, 1964). It is 1 where each stratum is all
    chosen, or not at all.
    """
    count = int(strata.max()) + 1
    totals, wrong, taken, hits = (
        np.bincount(strata[of], minlength=count)
        for of in (np.ones(len(strata), bool), is_wrong, chosen, is_wrong & chosen)
    )
    logs = np.r_[0.0, np.cumsum(np.log(np.arange(1, len(strata) + 1)))]
    shares, least = np.ones(1), 0
    for total, bad, drawn in zip(totals.tolist(), wrong.tolist(), taken.tolist(), strict=True):
        low, high = max(0, drawn + bad - total), min(drawn, bad)
        least += low
        if low == high:
            continue
        number = np.arange(low, high + 1, dtype=np.int64)
        log_shares = _log_choose(logs, bad, number)
        log_shares += _log_choose(logs, total - bad, drawn - number)
        log_shares -= _log_choose(logs, total, np.array([drawn]))
        shares = np.convolve(shares, np.exp(log_shares))
    return min(1.0, float(shares[int(hits.sum()) - least :].sum()))


def chance_by_groups(
    is_wrong: NDArray[np.bool_],
    chosen: NDArray[np.bool_],
    strata: NDArray[np.int64],
    groups: NDArray[np.int64],
) -> float:
    """The same probability where the images of a group (n,) are not independent.

    The score Σ (chosen - share chosen) · (wrong - share wrong), with the shares of the stratum, is
    compared with the spread of its sums over groups, by Student's distribution with as many degrees
    of freedom as there are groups with chosen images, less one.
    """
    sizes = np.bincount(strata)

    def centered(values: NDArray[np.bool_]) -> NDArray[np.float64]:
        return values - (np.bincount(strata, weights=values) / np.maximum(sizes, 1))[strata]

    parts = centered(chosen) * centered(is_wrong)
    sums = np.bincount(groups, weights=parts)
    spread = math.sqrt(float((sums**2).sum()))
    with_chosen = len(np.unique(groups[chosen]))
    if with_chosen < 2 or spread == 0:
        return 1.0
    return student_tail(float(parts.sum()) / spread, with_chosen - 1)


def student_tail(t: float, degrees: int) -> float:
    """The probability of more than t in Student's distribution.

    With t = sqrt(degrees) tan(a), it is the integral of cos(x)^(degrees - 1) from a to π/2, over
    that from -π/2 to π/2.

    >>> round(student_tail(2.228, 10), 4), round(student_tail(0.0, 3), 4)
    (0.025, 0.5)
    """
    if t < 0:
        return 1 - student_tail(-t, degrees)
    start = math.atan(t / math.sqrt(degrees))
    norm = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)
    edges = np.linspace(start, math.pi / 2, _STEPS + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    area = float((np.cos(middles) ** (degrees - 1)).mean()) * (math.pi / 2 - start)
    return area * math.exp(norm) / math.sqrt(math.pi)


def holm(chances: NDArray[np.float64], level: float) -> NDArray[np.bool_]:
    """Which of several tests hold, all of them together wrong with probability `level` at most.

    Holm, 1979, "A simple sequentially rejective multiple test procedure": in ascending order, the
    k-th of m is compared with level / (m - k), k from 0, up to the first that fails.
    """
    order = np.argsort(chances, kind="stable")
    passed = chances[order] <= level / (len(chances) - np.arange(len(chances)))
    kept = np.zeros(len(chances), bool)
    kept[order[: int(np.argmin(np.r_[passed, False]))]] = True
    return kept


def _log_choose(logs: NDArray[np.float64], n: int, k: NDArray[np.int64]) -> NDArray[np.float64]:
    return logs[n] - logs[k] - logs[n - k]
