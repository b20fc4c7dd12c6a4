"""Which channels of a network belong together: what one filter makes, and all that reads it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

Role = Literal["makes", "reads", "keeps", "fills"]
"""What a layer does with the channels along an axis of its weights.

- `makes`: one filter, or one dense unit, for each.
- `reads`: one slice of each filter for each.
- `keeps`: one number, or one filter of a depthwise convolution, for each map that passes.
- `fills`: maps of zeros, such as a shortcut pads with.
"""


@dataclass(frozen=True, eq=False)
class Slot:
    """The channels along one axis of a layer.

    Attributes:
        layer: its path.
        channels: the number of the group that each position along the axis belongs to.
    """

    layer: str
    role: Role
    channels: Numbers


@dataclass(frozen=True, eq=False)
class Maps:
    """The channels of a tensor: along which axis they lie, and the number of each."""

    axis: int
    channels: Numbers


class ChannelNumbers:
    """Numbers for channels, of which some turn out to be the same: sums tie their operands."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._pinned: dict[int, str] = {}
        self._slots: dict[tuple[str, Role], Numbers] = {}

    def new(self, count: int) -> Numbers:
        """Numbers for channels that nothing is known of."""
        first = len(self._parents)
        self._parents += range(first, first + count)
        return np.arange(first, first + count, dtype=np.int64)

    def tie(self, a: Numbers, b: Numbers) -> None:
        """Channels that can only be removed together, pair by pair."""
        for x, y in zip(a.tolist(), b.tolist(), strict=True):
            first, second = self._root(x), self._root(y)
            self._parents[max(first, second)] = min(first, second)

    def pin(self, channels: Iterable[int], reason: str) -> None:
        """Channels that cannot be removed, and why."""
        for channel in channels:
            self._pinned.setdefault(int(channel), reason)

    def put(self, layer: str, role: Role, channels: Numbers) -> None:
        """Note what lies along an axis of a layer; of a layer that runs twice, both are tied."""
        known = self._slots.setdefault((layer, role), channels)
        if known is not channels:
            self.tie(known, channels)

    def slot(self, layer: str, role: Role) -> Numbers | None:
        """What is noted of an axis of a layer."""
        return self._slots.get((layer, role))

    def _root(self, number: int) -> int:
        while self._parents[number] != number:
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number

    def roots(self, channels: Numbers) -> Numbers:
        """The smallest number of each channel's group."""
        return np.array([self._root(int(n)) for n in channels], dtype=np.int64)

    def slots(self) -> tuple[Slot, ...]:
        """Every axis that was noted, with the groups along it."""
        return tuple(
            Slot(layer, role, self.roots(channels))
            for (layer, role), channels in self._slots.items()
        )

    def pinned(self) -> dict[int, str]:
        """The groups that cannot be removed, each with a reason."""
        return {self._root(number): reason for number, reason in self._pinned.items()}


def repeated(channels: Numbers, times: int) -> Numbers:
    """Each channel several times in a row, as `flatten` has the units of a map."""
    return np.repeat(channels, times)


def joined(parts: Sequence[Numbers]) -> Numbers:
    """Channels one after the other, as a concatenation has them."""
    return np.concatenate([*parts, np.zeros(0, np.int64)])
