"""Resampled evaluations: what the counts of classes would be for other images of the same kind.

Efron, 1979, "Bootstrap methods: another look at the jackknife": images are drawn anew with
replacement, as many as there are; where images come in groups, whole groups are drawn.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from convscope.evaluation.rates import ClassCounts

DRAWS = 2000
_SEED = 0
_VALUES = 1 << 22  # of one block of draws
_FEW = 8  # images for each distinct pair from which a multinomial draw is the faster


def counts_of(truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> ClassCounts:
    """The counts of single classes, from the true and the predicted class of each image (n,)."""
    cells, sizes = np.unique(truth * classes + predicted, return_counts=True)
    return _of_cells(cells, sizes[None].astype(np.float64), classes, first=True)


def resampled_counts(
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    classes: int,
    groups: NDArray[np.int64] | None = None,
    *,
    draws: int = DRAWS,
) -> ClassCounts:
    """The counts of single classes for each of so many draws, (draws, classes).

    `groups` are numbers from 0 on, one for each image. The draws depend on nothing but the
    arguments. Without groups, drawing n images anew is a multinomial draw of the distinct pairs of
    true and predicted class; where these are few, its time does not depend on n.

    With groups, a draw may have another number of images than the evaluation; its counts are scaled
    to that number, which changes no rate.
    """
    cells, places = np.unique(truth * classes + predicted, return_inverse=True)
    drawn = _drawn(places, len(cells), groups, draws)
    blocks = [_of_cells(cells, sizes, classes) for sizes in drawn]
    errors = [block.squared_error for block in blocks if block.squared_error is not None]
    return ClassCounts(
        np.concatenate([block.hits for block in blocks]),
        np.concatenate([block.support for block in blocks]),
        np.concatenate([block.predicted for block in blocks]),
        float(len(truth)),
        np.concatenate(errors),
    )


def _drawn(
    places: NDArray[np.int64], cells: int, groups: NDArray[np.int64] | None, draws: int
) -> Iterator[NDArray[np.float64]]:
    """The sizes (block, cells) of the cells that the images (n,) are in, in blocks of draws."""
    rng = np.random.default_rng(_SEED)
    n, step = len(places), max(_VALUES // cells, 1)
    shares = np.bincount(places) / n
    count = n if groups is None else int(groups.max()) + 1
    for start in range(0, draws, step):
        block = min(step, draws - start)
        if groups is None and cells * _FEW <= n:
            yield rng.multinomial(n, shares, size=block).astype(np.float64)
            continue
        sizes = np.empty((block, cells))
        for draw in range(block):
            chosen = rng.integers(0, count, count)
            if groups is None:
                sizes[draw] = np.bincount(places[chosen], minlength=cells)
            else:
                weights = np.bincount(chosen, minlength=count)[groups]
                drawn = np.bincount(places, weights, cells)
                sizes[draw] = drawn * (n / drawn.sum())
        yield sizes


def resampled_label_counts(
    truth: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    groups: NDArray[np.int64] | None = None,
    *,
    draws: int = DRAWS,
) -> ClassCounts:
    """The counts of labels (draws, labels), from whether each image (n, labels) has each."""
    rng = np.random.default_rng(_SEED)
    n, labels = truth.shape
    columns = np.concatenate([truth & predicted, truth, predicted, np.ones((n, 1), bool)], 1)
    if groups is not None:
        summed = np.zeros((int(groups.max()) + 1, columns.shape[1]), np.float32)
        np.add.at(summed, groups, columns)
        columns = summed
    columns, count = columns.astype(np.float32), len(columns)
    sums = np.empty((draws, columns.shape[1]))
    step = max(_VALUES // count, 1)
    for start in range(0, draws, step):
        block = min(step, draws - start)
        drawn = rng.integers(0, count, (block, count)) + count * np.arange(block)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=block * count).reshape(block, count)
        sums[start : start + block] = weights.astype(np.float32) @ columns
    sums *= n / sums[:, -1:]
    hits, support, said = (sums[:, k * labels : (k + 1) * labels] for k in range(3))
    return ClassCounts(hits, support, said, float(n))


def _of_cells(
    cells: NDArray[np.int64], sizes: NDArray[np.float64], classes: int, *, first: bool = False
) -> ClassCounts:
    """The counts (draws, classes) of the cells (m,) of a confusion matrix, by sizes (draws, m)."""
    rows, columns = np.divmod(cells, classes)
    diagonal = np.where(rows == columns, rows, classes)

    def summed(places: NDArray[np.int64]) -> NDArray[np.float64]:
        found = np.array([np.bincount(places, size, classes + 1)[:classes] for size in sizes])
        return (found[0] if first else found).astype(np.float64)

    error = sizes @ ((rows - columns) ** 2).astype(np.float64)
    total = float(sizes[0].sum())
    hits, support, said = summed(diagonal), summed(rows), summed(columns)
    return ClassCounts(hits, support, said, total, error[0] if first else error)
