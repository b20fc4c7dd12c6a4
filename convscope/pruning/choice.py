"""Which groups go first: those that others stand in for, then the least important ones."""

from collections.abc import Collection

import numpy as np

from convscope.features.redundancy import DEAD
from convscope.pruning.measure import Measured
from convscope.pruning.structure import Structure

_LEAST = 2  # filters of a layer that stay, and
_SHARE = 0.1  # this share of them


class Room:
    """How many filters may still be removed from each layer."""

    def __init__(self, structure: Structure) -> None:
        self._layers: dict[int, list[tuple[str, int]]] = {}
        self._left: dict[str, int] = {}
        for slot in structure.slots:
            if slot.role == "makes":
                count = len(slot.channels)
                self._left[slot.layer] = count - max(_LEAST, int(np.ceil(_SHARE * count)))
                for group, number in zip(
                    *np.unique(slot.channels, return_counts=True), strict=True
                ):
                    self._layers.setdefault(int(group), []).append((slot.layer, int(number)))

    def take(self, group: int) -> bool:
        """Whether a group may be removed, which is then counted."""
        layers = self._layers[group]
        if any(self._left[layer] < number for layer, number in layers):
            return False
        for layer, number in layers:
            self._left[layer] -= number
        return True


def redundant_groups(structure: Structure, measured: Measured, *, similarity: float) -> list[int]:
    """Groups whose maps are dead, or those of a remaining group up to a factor, wherever read.

    Dead are maps whose root mean square is at most `DEAD` times the largest in each layer that
    reads them. Two maps count as the same from a cosine of `similarity` on, over all units of all
    images, in every layer that reads them. Of twins the less important one goes.
    """
    room, removed = Room(structure), list[int]()
    squares = {path: np.diag(reader.products) for path, reader in measured.readers.items()}
    gone: set[int] = set()
    for group in sorted(structure.groups, key=lambda group: measured.importance[group]):
        stands_in = True
        for path, reader in measured.readers.items():
            for index in np.flatnonzero(reader.channels == group):
                own = squares[path]
                if own[index] <= DEAD**2 * own.max(initial=0.0):
                    continue
                others = ~np.isin(reader.channels, [*gone, group]) & (own > 0)
                cosine = reader.products[index, others] / np.sqrt(own[index] * own[others])
                stands_in &= bool((np.abs(cosine) >= similarity).any())
        if stands_in and room.take(group):
            gone.add(group)
            removed.append(group)
    return removed


def least_important(
    structure: Structure, measured: Measured, *, multiply_adds: int, removed: Collection[int] = ()
) -> list[int]:
    """Groups to remove until the network costs at most `multiply_adds`, fewer if it cannot.

    In the order of their importance for each multiply-add that is saved.
    """
    room = Room(structure)
    savings = structure.savings(removed)
    candidates = [g for g in structure.groups if g not in removed and savings[g] > 0]
    candidates.sort(key=lambda group: measured.importance[group] / savings[group])
    chosen: list[int] = []
    left = float(structure.multiply_adds(removed))
    for group in candidates:
        if left <= multiply_adds:
            left = float(structure.multiply_adds({*removed, *chosen}))  # savings overlap
            if left <= multiply_adds:
                break
        if room.take(group):
            chosen.append(group)
            left -= savings[group]
    return chosen
