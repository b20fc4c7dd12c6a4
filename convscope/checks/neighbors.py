"""The few most similar images of each image, collected from blocks of products."""

from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numpy.typing import NDArray

_PENDING = 4096  # products at most that wait to be merged


@dataclass(eq=False)
class Neighbors:
    """Of each of n images, the `kept` others with the largest products from `least` on.

    Of equal products those of the smaller indices count first, so the order in which blocks are
    added changes nothing, and several threads may add them.

    Attributes:
        products: (n, kept) descending; `least` where there are fewer.
        indices: (n, kept) of the others; -1 where there are fewer.
    """

    products: NDArray[np.float32]
    indices: NDArray[np.int64]
    _pending: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]] = field(
        default_factory=list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]]
    )
    _num_pending: int = 0
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def none(cls, count: int, kept: int, *, least: float) -> "Neighbors":
        return cls(np.full((count, kept), least, np.float32), np.full((count, kept), -1, np.int64))

    def add(self, start: int, begin: int, products: NDArray[np.float32]) -> None:
        """Add a block of products of images from `start` on with images from `begin` on.

        A product of an image with an earlier one, or with itself, does not count: it comes in
        another block.
        """
        rows, columns = products.shape
        least_row = self.products[start : start + rows, -1:]
        least_column = self.products[begin : begin + columns, -1]
        row, column = np.nonzero((products >= least_row) | (products >= least_column))
        found = products[row, column]
        row, column = row + start, column + begin
        is_later = column > row
        row, column, found = row[is_later], column[is_later], found[is_later]
        if not len(found):
            return
        with self._lock:
            self._pending.append((row, column, found))
            self._num_pending += len(found)
            if self._num_pending >= _PENDING:
                self._merge()

    def _merge(self) -> None:
        """Bring what is pending into `products` and `indices`."""
        if not self._pending:
            return
        row, column, found = map(np.concatenate, zip(*self._pending, strict=True))
        self._pending.clear()
        self._num_pending = 0
        images, others, products = np.r_[row, column], np.r_[column, row], np.r_[found, found]
        is_better = products >= self.products[images, -1]
        images, others, products = images[is_better], others[is_better], products[is_better]
        kept = self.products.shape[1]
        changed = np.unique(images)
        images = np.r_[images, np.repeat(changed, kept)]
        others = np.r_[others, self.indices[changed].ravel()]
        products = np.r_[products, self.products[changed].ravel()]
        order = np.lexsort((others, -products, images))
        images, others, products = images[order], others[order], products[order]
        starts = np.flatnonzero(np.r_[True, images[1:] != images[:-1]])
        best = np.add.outer(starts, np.arange(kept))
        self.products[changed], self.indices[changed] = products[best], others[best]

    def pairs(self) -> NDArray[np.int64]:
        """(m, 2) the pairs of images of which one has the other, the smaller first, ascending."""
        with self._lock:
            self._merge()
        images = np.repeat(np.arange(len(self.indices)), self.indices.shape[1])
        pairs = np.sort(np.stack([images, self.indices.ravel()], axis=1), axis=1)
        return np.unique(pairs[pairs[:, 0] >= 0], axis=0)
