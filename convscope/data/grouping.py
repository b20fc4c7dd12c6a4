"""Deal whole groups to splits so that every class comes near its share in each."""

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import Split


def deal_groups(
    labels: NDArray[np.int64],
    groups: NDArray[np.intp],
    order: NDArray[np.uint64],
    shares: dict[Split, float],
) -> NDArray[np.str_]:
    """The split of each group: (g,) of "train" and the keys of `shares`.

    Greedy, the largest group first and equal ones by `order`: a group goes where it brings the
    numbers of its classes nearest to their targets, in squares of shares. Then a class that a split
    lacks is given it, where a group can be spared.

    Args:
        labels: (n,) of the pictures.
        groups: (n,) places in 0..g - 1.
        order: (g,) decides between equals.
        shares: of each split but train.
    """
    names: list[Split] = [*shares, "train"]
    sizes = np.zeros((len(order), int(labels.max(initial=0)) + 1))  # (group, class)
    np.add.at(sizes, (groups, labels), 1)
    totals = np.maximum(sizes.sum(axis=0), 1)
    part = np.array([*shares.values(), 1 - sum(shares.values())])
    sizes /= totals  # each class weighs the same, however rare
    need = np.repeat(part[:, None], sizes.shape[1], axis=1)  # (split, class)
    place = np.zeros(len(order), dtype=np.int64)
    for group in np.lexsort((order, -sizes.sum(axis=1))):
        gain = ((2 * need - sizes[group]) * sizes[group]).sum(axis=1)
        place[group] = int(np.argmax(gain))
        need[place[group]] -= sizes[group]
    _spread(sizes > 0, place, order, len(names))
    return np.array(names, dtype="<U5")[place]


def _spread(
    has: NDArray[np.bool_], place: NDArray[np.int64], order: NDArray[np.uint64], splits: int
) -> None:
    """Move groups, in place, to splits that lack a class, as long as none is left without one."""
    numbers = np.stack([has[place == split].sum(axis=0) for split in range(splits)])
    for label in range(has.shape[1]):
        for split in range(splits):
            if numbers[split, label] or not has[:, label].any():
                continue
            for group in sorted(
                np.flatnonzero(has[:, label]), key=lambda g: (has[g].sum(), order[g])
            ):
                if (numbers[place[group]] - has[group] > 0)[has[group]].all():
                    numbers[place[group]] -= has[group]
                    numbers[split] += has[group]
                    place[group] = split
                    break
