"""Assign groups, and images of several labels, so that every class is near its share in a part."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def label_counts(targets: NDArray[np.uint8], groups: NDArray[np.intp]) -> NDArray[np.float64]:
    """(groups, labels + 1) images with each label in each group, and in the last column all.

    Args:
        targets: (n, labels) of 0 and 1.
        groups: (n,) group indices, 0..g - 1.
    """
    columns = np.c_[targets, np.ones(len(targets))]
    counts = np.zeros((int(groups.max(initial=-1)) + 1, columns.shape[1]))
    np.add.at(counts, groups, columns)
    return counts


def assign_labeled(
    counts: NDArray[np.float64], order: NDArray[np.uint64], shares: Sequence[float]
) -> NDArray[np.int64]:
    """The part of each group, or image, where images may have several labels: indices of `shares`.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011, "On the stratification of
    multi-label data"): of the label that is rarest among what is left, each group goes to the part
    that lacks most images of this label, then to the one that lacks most images at all. Then groups
    move to parts that lack a label, as in `assign_groups`.

    Args:
        counts: (g, labels + 1), see `label_counts`.
        order: (g,) in which groups of a label are assigned.
        shares: of each part, 1 in all.
    """
    need = np.array(shares)[:, None] * counts.sum(axis=0)  # (part, label), in images
    assigned = np.full(len(order), -1, dtype=np.int64)
    left, has = counts.sum(axis=0), counts > 0
    while (assigned < 0).any():
        label = int(np.where(left > 0, left, np.inf).argmin())  # the last column is never rarer
        members = np.flatnonzero(has[:, label] & (assigned < 0))
        for group in members[np.lexsort((order[members], -counts[members, label]))]:
            part = int(np.lexsort((-need[:, -1], -need[:, label]))[0])
            assigned[group] = part
            need[part] -= counts[group]
            left -= counts[group]
    _fill_gaps(has, assigned, order, len(shares))
    return assigned


def assign_groups(
    labels: NDArray[np.int64],
    groups: NDArray[np.intp],
    order: NDArray[np.uint64],
    shares: Sequence[float],
    *,
    by_magnitude: bool = False,
) -> NDArray[np.int64]:
    """The part of each group: (g,) indices of `shares`.

    Greedy, from the largest group to the smallest, ties by `order`: a group goes to the part where
    it brings the class shares nearest to their targets (least squares). Then groups move to parts
    that lack one of their classes, if their old part keeps every class.

    Args:
        labels: (n,) of the images.
        groups: (n,) group indices, 0..g - 1.
        order: (g,) breaks ties.
        shares: of each part, 1 in all.
        by_magnitude: whether groups up to twice as large as others may count as ties, so that
            another `order` assigns otherwise even where no two groups have one size.
    """
    sizes = np.zeros((len(order), int(labels.max(initial=0)) + 1))  # (group, class)
    np.add.at(sizes, (groups, labels), 1)
    totals = np.maximum(sizes.sum(axis=0), 1)
    targets = np.array(shares, dtype=np.float64)
    sizes /= totals  # every class counts the same, however rare
    need = np.repeat(targets[:, None], sizes.shape[1], axis=1)  # (part, class)
    assigned = np.zeros(len(order), dtype=np.int64)
    largest = sizes.sum(axis=1)
    if by_magnitude:
        largest = np.floor(np.log2(largest))
    for group in np.lexsort((order, -largest)):
        gain = ((2 * need - sizes[group]) * sizes[group]).sum(axis=1)
        assigned[group] = int(np.argmax(gain))
        need[assigned[group]] -= sizes[group]
    _fill_gaps(sizes > 0, assigned, order, len(targets))
    return assigned


def _fill_gaps(
    has: NDArray[np.bool_], assigned: NDArray[np.int64], order: NDArray[np.uint64], parts: int
) -> None:
    """Move groups to parts that lack a class, unless their old part would then lack one."""
    numbers = np.stack([has[assigned == part].sum(axis=0) for part in range(parts)])
    for label in range(has.shape[1]):
        for part in range(parts):
            if numbers[part, label] or not has[:, label].any():
                continue
            for group in sorted(
                np.flatnonzero(has[:, label]), key=lambda g: (has[g].sum(), order[g])
            ):
                if (numbers[assigned[group]] - has[group] > 0)[has[group]].all():
                    numbers[assigned[group]] -= has[group]
                    numbers[part] += has[group]
                    assigned[group] = part
                    break
