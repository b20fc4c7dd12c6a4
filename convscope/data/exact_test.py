"""Fisher's exact test, 1922, "On the interpretation of chi-squared from contingency tables"."""

import math


def fisher_exact(inside: int, outside: int, size: int, total: int) -> float:
    """The probability that at least `inside` of the images that a rule takes are of a class, were
    the rule blind to it: the upper tail of the hypergeometric distribution.

    Args:
        inside: images of the class that the rule takes.
        outside: others that it takes.
        size: of the class.
        total: number of images.
    """
    taken = inside + outside

    def log_choose(n: int, k: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    whole = log_choose(total, taken)
    return min(
        1.0,
        math.fsum(
            math.exp(log_choose(size, k) + log_choose(total - size, taken - k) - whole)
            for k in range(max(inside, taken + size - total), min(size, taken) + 1)
        ),
    )
