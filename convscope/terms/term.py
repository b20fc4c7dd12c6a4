"""The operands of a value: values, weights, products, and where each lies."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from convscope.terms.exact import Floats

Integers = NDArray[np.int64]


class Location(NamedTuple):
    """One element of a result, a parameter or the image: `conv1[0,3,2]`.

    Attributes:
        source: the name of the operation or parameter, or "image".
        at: the index, without the batch axis.
    """

    source: str
    at: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.source}[{','.join(map(str, self.at))}]" if self.at else self.source


class Term(NamedTuple):
    """One operand of a value, its weight, and their product.

    Attributes:
        weight: 1 where the operand is not weighted.
        product: what the term contributes: weight times value, unless the `Terms` that it comes
            from define it otherwise.
        location: of the value; None in the padding.
        weight_location: None where the weight is neither a parameter nor a result.
    """

    weight: float
    value: float
    product: float
    location: Location | None
    weight_location: Location | None = None


@dataclass(frozen=True, eq=False)
class TermGroup:
    """Terms whose values come from one tensor, as columns.

    Attributes:
        source: the name of the tensor.
        values, weights: (n,), float64.
        at: (n, dimensions), the indices of the values.
        inside: (n,), False for padding; None where all are inside.
        weight_source, weight_indices: the same for the weights; None where they have no location.
        shape: of the patch that the values form, usually (channels, height, width); () for none.
        window: how many of its last axes are positions under a sliding window; channels may come
            before. 0 where the patch is no window, as in a dense layer.
    """

    source: str
    values: Floats
    weights: Floats
    at: Integers
    inside: NDArray[np.bool_] | None = None
    weight_source: str | None = None
    weight_indices: Integers | None = None
    shape: tuple[int, ...] = ()
    window: int = 0

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
    """All terms of a value, in order. The columns are arrays; a `Term` is built when indexed."""

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
            [np.ones(len(g), bool) if g.inside is None else g.inside for g in groups]
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
            return [self[index] for index in range(len(self))[n]]
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

    @property
    def patch(self) -> Floats | None:
        """The values in the shape of the window, (channels, height, width) for a convolution, with
        zeros for the padding; one dimension where they form no window, None without terms."""
        return self._in_patch_shape(self.values)

    @property
    def filter(self) -> Floats | None:
        """The weights in the shape of the patch; None where no term is weighted."""
        if all(group.weight_source is None for group in self.groups):
            return None
        return self._in_patch_shape(self.weights)

    @property
    def planes_shape(self) -> tuple[int, int, int, int] | None:
        """The shape of the patch as (channels, planes, rows, columns); None if it is no window.

        A window along one axis is a row, one along three axes a stack of planes.
        """
        if len(self.groups) != 1 or not self.groups[0].shape or not self.groups[0].window:
            return None
        shape, axes = self.groups[0].shape, self.groups[0].window
        planes, rows, columns = (*(1,) * (3 - axes), *shape[-axes:])
        return math.prod(shape[:-axes]), planes, rows, columns

    def _in_patch_shape(self, column: Floats) -> Floats | None:
        if not self.groups:
            return None
        shape = self.groups[0].shape
        return column.reshape(shape) if len(self.groups) == 1 and shape else column

    def largest(self, count: int) -> list[int]:
        """The indices of the terms with the largest products by magnitude, without padding."""
        sizes = np.abs(self.products)
        order = np.argsort(-np.where(np.isnan(sizes), np.inf, sizes), kind="stable")
        return order[self.inside[order]][:count].tolist()
