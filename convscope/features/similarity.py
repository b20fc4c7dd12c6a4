"""How similar feature maps or filters are: correlation, cosine, and groups of correlated maps."""

import numpy as np
from numpy.typing import NDArray

CORRELATED = 0.9
"""Correlation from which two maps count as detecting the same pattern."""

Matrix = NDArray[np.float64]
Maps = NDArray[np.float32]


def correlation(maps: Maps) -> Matrix:
    """Pearson correlation of every two maps, over all their units.

    Args:
        maps: (k, ...), one map per row; any further axes are flattened.

    Returns:
        (k, k). A map that is constant has correlation 0 with every map, itself included.
    """
    rows = _rows(maps)
    return _cosines(rows - rows.mean(1, keepdims=True))


def cosine_similarity(filters: Maps) -> Matrix:
    """Cosine of the angle between every two filters; (k, k), 0 for a filter of zeros.

    >>> cosine_similarity(np.float32([[1, 0], [2, 0], [0, 1], [0, 0]])).tolist()
    [[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    return _cosines(_rows(filters))


def correlated_groups(maps: Maps, *, threshold: float = CORRELATED) -> list[list[int]]:
    """Groups of two or more maps that correlate by `threshold` or more, the largest first.

    Each group holds the first map that is in no earlier group, and those that correlate with it.

    >>> correlated_groups(np.float32([[1, 2, 4], [4, 2, 1], [2, 4, 8], [0, 0, 0]]))
    [[0, 2]]
    """
    return similar_groups(correlation(maps), threshold=threshold)


def similar_groups(similarity: Matrix, *, threshold: float = CORRELATED) -> list[list[int]]:
    """The same for maps (k, k) of which the similarity of every two is known."""
    is_close = similarity >= threshold
    groups: list[list[int]] = []
    ungrouped = set(range(len(similarity)))
    for index in range(len(similarity)):
        if index in ungrouped:
            group = sorted(other for other in ungrouped if is_close[index, other])
            ungrouped -= set(group)
            if len(group) > 1:
                groups.append(group)
    return sorted(groups, key=len, reverse=True)


def _rows(values: Maps) -> Matrix:
    return values.reshape(len(values), -1).astype(np.float64)


def _cosines(rows: Matrix) -> Matrix:
    lengths = np.sqrt((rows**2).sum(1, keepdims=True))
    directions = rows / np.where(lengths > 0, lengths, 1)
    return np.clip(directions @ directions.T, -1, 1)
