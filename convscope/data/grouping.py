"""Assign complete groups to splits so that every class comes near its share in each."""

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import Split


def assign_groups(
    labels: NDArray[np.int64],
    groups: NDArray[np.intp],
    order: NDArray[np.uint64],
    shares: dict[Split, float],
) -> NDArray[np.str_]:
    """The split of each group: (g,) of "train" and the keys of `shares`.

    Greedy, from the largest group to the smallest, ties by `order`: a group goes to the split where
    it brings the class shares nearest to their targets (least squares). Then groups move to splits
    that lack one of their classes, if their old split keeps every class.

    Args:
        labels: (n,) of the images.
        groups: (n,) group indices, 0..g - 1.
        order: (g,) breaks ties.
        shares: of each split except train.
    """
    names: list[Split] = [*shares, "train"]
    sizes = np.zeros((len(order), int(labels.max(initial=0)) + 1))  # (group, class)
    np.add.at(sizes, (groups, labels), 1)
    totals = np.maximum(sizes.sum(axis=0), 1)
    targets = np.array([*shares.values(), 1 - sum(shares.values())])
    sizes /= totals  # every class counts the same, however rare
    need = np.repeat(targets[:, None], sizes.shape[1], axis=1)  # (split, class)
    assigned = np.zeros(len(order), dtype=np.int64)
    for group in np.lexsort((order, -sizes.sum(axis=1))):
        gain = ((2 * need - sizes[group]) * sizes[group]).sum(axis=1)
        assigned[group] = int(np.argmax(gain))
        need[assigned[group]] -= sizes[group]
    _fill_gaps(sizes > 0, assigned, order, len(names))
    return np.array(names, dtype="<U5")[assigned]


def _fill_gaps(
    has: NDArray[np.bool_], assigned: NDArray[np.int64], order: NDArray[np.uint64], splits: int
) -> None:
    """Move groups to splits that lack a class, unless their old split would then lack one."""
    numbers = np.stack([has[assigned == split].sum(axis=0) for split in range(splits)])
    for label in range(has.shape[1]):
        for split in range(splits):
            if numbers[split, label] or not has[:, label].any():
                continue
            for group in sorted(
                np.flatnonzero(has[:, label]), key=lambda g: (has[g].sum(), order[g])
            ):
                if (numbers[assigned[group]] - has[group] > 0)[has[group]].all():
                    numbers[assigned[group]] -= has[group]
                    numbers[split] += has[group]
                    assigned[group] = split
                    break
