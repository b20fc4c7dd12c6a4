"""How many independent images the images of groups are worth."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def effective_size(correct: NDArray[np.float64], groups: Sequence[object]) -> float:
    """The number of independent images whose accuracy would be as uncertain as that of `correct`.

    Images of one patient tend to be right or wrong together. The variance of the accuracy p of n
    images in G groups is that of a ratio: G / (G - 1) · Σ (c_g - p n_g)² / n², where group g has
    n_g images, of which c_g are correct. The effective size is p (1 - p) over it, at most n. Where
    p is 0 or 1, each group counts as one image.

    Kish, 1965, "Survey sampling": the design effect is n over the effective size.

    Args:
        correct: (n,) whether each image is right, or the share of times that it is.
        groups: (n,) its group.

    >>> round(effective_size(np.array([1.0, 1.0, 0.0, 0.0, 1.0, 1.0]), "aabbcc"), 9)
    2.0
    """
    _, numbers = np.unique(np.array(list(map(str, groups))), return_inverse=True)
    n, sizes = len(correct), np.bincount(numbers).astype(np.float64)
    if len(sizes) == n:
        return float(n)
    p, count = float(correct.mean()), len(sizes)
    right = np.bincount(numbers, weights=correct)
    variance = count / max(count - 1, 1) * float(((right - p * sizes) ** 2).sum()) / n**2
    if variance == 0:
        return float(count)
    return min(float(n), max(1.0, p * (1 - p) / variance))
