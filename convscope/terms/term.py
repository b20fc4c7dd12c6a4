"""The operands of a number: values, weights, products, and where they lie."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from convscope.terms.exact import Floats

Integers = NDArray[np.int64]


class Location(NamedTuple):
    """One number of a result, a parameter or the image: `conv1[0,3,2]`.

    Attributes:
        source: the name of the operation or parameter, or "image".
        at: the index, without the batch axis.
    """

    source: str
    at: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.source}[{','.join(map(str, self.at))}]" if self.at else self.source


class Term(NamedTuple):
    """One operand of a number, what it was multiplied by, and what that gives.

    Attributes:
        weight: of the value; 1 where it is taken as it is.
        product: what it contributes: weight times value, but for what Distance says.
        location: where the value lies; None for the padding, which lies nowhere.
        weight_location: where the weight lies; None where it is no parameter and no result.
    """

    weight: float
    value: float
    product: float
    location: Location | None
    weight_location: Location | None = None


@dataclass(frozen=True, eq=False)
class TermGroup:
    """Terms whose values lie in one result, as columns.

    Attributes:
        source: the result's name.
        values, weights: (n,), float64.
        at: (n, dimensions), where the values lie.
        inside: (n,), False for padding; None where all are inside.
        weight_source, weight_at: the same of the weights; None where they lie nowhere.
        shape: of the patch that the values are, (channels, height, width) for most; () for none.
        axes: what the dimensions of `shape` are called.
    """

    source: str
    values: Floats
    weights: Floats
    at: Integers
    inside: NDArray[np.bool_] | None = None
    weight_source: str | None = None
    weight_indices: Integers | None = None
    shape: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def location(self, n: int) -> Location | None:
        if self.inside is not None and not self.inside[n]:
            return None
        return Location(self.source, tuple(self.at[n].tolist()))

    def weight_location(self, n: int) -> Location | None:
        if self.weight_source is None or self.weight_indices is None:
            return None
        return Location(self.weight_source, tuple(self.weight_indices[n].tolist()))


class Terms(Sequence[Term]):
    """All terms of a number, in order; made one by one only when asked for."""

    def __init__(
        self, *groups: TermGroup, product: Callable[[Floats, Floats], Floats] = np.multiply
    ):
        self.groups = groups
        self.values = np.concatenate([group.values for group in groups]) if groups else np.empty(0)
        self.weights = (
            np.concatenate([group.weights for group in groups]) if groups else np.empty(0)
        )
        with np.errstate(all="ignore"):  # 0 · ∞ is NaN here as in the network
            self.products = product(self.weights, self.values)
        self.inside = np.concatenate(
            [np.ones(len(p), bool) if p.inside is None else p.inside for p in groups]
            or [np.ones(0, bool)]
        )
        self._starts = np.cumsum([0, *map(len, groups)])

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, n: int) -> Term: ...
    @overload
    def __getitem__(self, n: slice) -> list[Term]: ...
    def __getitem__(self, n: int | slice) -> Term | list[Term]:
        if isinstance(n, slice):
            return [self[place] for place in range(len(self))[n]]
        n = range(len(self))[n]
        which = int(np.searchsorted(self._starts, n, side="right")) - 1
        group, inner = self.groups[which], n - int(self._starts[which])
        return Term(
            float(self.weights[n]),
            float(self.values[n]),
            float(self.products[n]),
            group.location(inner),
            group.weight_location(inner),
        )

    def __iter__(self) -> Iterator[Term]:
        return (self[n] for n in range(len(self)))

    def largest(self, count: int) -> list[int]:
        """The places of the terms that contribute most, by magnitude, padding left out."""
        sizes = np.abs(self.products)
        order = np.argsort(-np.where(np.isnan(sizes), np.inf, sizes), kind="stable")
        return [int(n) for n in order if self.inside[n]][:count]
