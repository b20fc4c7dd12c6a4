"""Find images that are copies of one another: saved anew, scaled, turned, mirrored, cropped.

First the signatures of all pairs are multiplied, in all eight turns, whole and with a twelfth cut
off around; of each image, the few most similar ones are kept. Of these pairs, the signatures of
windows of one image, at several places, are multiplied with that of the whole other one; pairs that
are alike by that must agree in their details, too. So memory grows with the number of images, and
time with its square.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.checks.details import details_agree
from convscope.checks.neighbors import Neighbors
from convscope.checks.signatures import (
    LENGTH,
    Signatures,
    Whitening,
    coefficients,
    of_length_one,
    turned,
    window_cosines,
)
from convscope.checks.threads import map_in_order
from convscope.checks.turned_products import (
    COLUMNS,
    ROWS,
    by_parity,
    by_swap_and_parity,
    largest_products,
)

SIMILAR = 0.9
"""The product of signatures from which two images are copies."""

_MARGIN = 0.03  # more is asked of windows, of which there are many

_SIDES = (0.965, 0.93, 0.9)  # of windows, as fractions of the image's
_STEPS = (0.0, 1 / 3, 2 / 3, 1.0)  # where a window begins, as fractions of what is cut off
_CENTER = 0.925  # the side of the window of the first search
_LEAST_SPREAD = 2.0  # levels of a thumbnail's values, below which it shows nothing
_FIRST = 0.3  # the least product of the first search
_KEPT = 4  # of each image, pairs that are looked at closely
_BATCH = 4096  # thumbnails that are numbers at a time
_PAIRS = 1024  # looked at closely at a time
_TURNS = 2  # of a pair, the likeliest, that are looked at closely


@dataclass(frozen=True)
class SimilarPair:
    """Two images of which one is a copy of the other.

    Attributes:
        first, second: indices, the smaller first.
        turn: what was done to the first to make the second, as an index of TURNS.
        is_cropped: whether one of them shows a part of the other.
        similarity: the product of their signatures, SIMILAR to 1.
    """

    first: int
    second: int
    turn: int
    is_cropped: bool
    similarity: float


def find_similar(
    thumbnails: NDArray[np.uint8],
    chosen: NDArray[np.int64],
    *,
    on_progress: Callable[[int, int], None],
) -> list[SimilarPair]:
    """The pairs of copies among the images `chosen` of thumbnails (n, SIDE, SIDE, 3)."""
    has_structure = [
        _gray(thumbnails[batch]).std(axis=(1, 2)) >= _LEAST_SPREAD for batch in _batches(chosen)
    ]
    chosen = chosen[np.concatenate([np.zeros(0, bool), *has_structure])]
    if len(chosen) < 2:
        return []
    search = Search.of(thumbnails, chosen)
    pairs = search.likely_pairs(on_progress)
    return [
        SimilarPair(int(chosen[i]), int(chosen[j]), turn, is_cropped, similarity)
        for i, j, turn, is_cropped, similarity in search.confirm(pairs)
    ]


def _batches(indices: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Few at a time, since thumbnails as numbers take four times the memory of bytes."""
    for start in range(0, len(indices), _BATCH):
        yield indices[start : start + _BATCH]


def _gray(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, SIDE, SIDE) luma, 0..255, of thumbnails (n, SIDE, SIDE, 3)."""
    return thumbnails @ np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, eq=False)
class Search:
    """The signatures of the images among which copies are searched for.

    Attributes:
        thumbnails: (all, SIDE, SIDE, 3) bytes.
        chosen: (n,) the indices of these images.
        whitening: of these.
        whole: (n, LENGTH) signatures.
        center: (n, LENGTH) those of the window in the middle.
    """

    thumbnails: NDArray[np.uint8]
    chosen: NDArray[np.int64]
    whitening: Whitening
    whole: Signatures
    center: Signatures

    @classmethod
    def of(cls, thumbnails: NDArray[np.uint8], chosen: NDArray[np.int64]) -> "Search":
        window = window_cosines(_CENTER, 0.5)
        whole, center = (
            np.concatenate(
                [coefficients(_gray(thumbnails[batch]), rows, rows) for batch in _batches(chosen)]
            )
            for rows in (None, window)
        )
        whitening = Whitening.of(whole)
        return cls(
            thumbnails, chosen, whitening, whitening.signatures(whole), whitening.signatures(center)
        )

    def likely_pairs(self, on_progress: Callable[[int, int], None]) -> NDArray[np.int64]:
        """(m, 2) each image with its most similar ones, the smaller index first, ascending."""
        count = len(self.whole)
        neighbors = Neighbors.none(count, _KEPT, least=_FIRST)
        whole, center = (
            np.ascontiguousarray(by_parity(part).transpose(0, 2, 1))
            for part in (self.whole, self.center)
        )

        def compare(start: int) -> int:
            rows = slice(start, start + ROWS)
            my_whole, my_center = map(by_swap_and_parity, (self.whole[rows], self.center[rows]))
            for begin in range(start, count, COLUMNS):
                columns = slice(begin, begin + COLUMNS)
                best = largest_products(my_whole, whole[..., columns])
                for mine, theirs in ((my_center, whole), (my_whole, center)):
                    np.maximum(best, largest_products(mine, theirs[..., columns]), out=best)
                neighbors.add(start, begin, best)
            return start

        all_pairs = count * (count - 1) // 2
        for start in map_in_order(compare, range(0, count, ROWS)):
            rows_left = count - min(start + ROWS, count)
            on_progress(all_pairs - rows_left * (rows_left - 1) // 2, all_pairs)
        return neighbors.pairs()

    def _views(self) -> tuple[tuple[Signatures, Signatures], ...]:
        """What is multiplied of a first and a second image: whole, or one cut off around."""
        return (self.whole, self.whole), (self.center, self.whole), (self.whole, self.center)

    def confirm(self, pairs: NDArray[np.int64]) -> Iterator[tuple[int, int, int, bool, float]]:
        """Of these pairs, the copies: both indices, turn, whether cropped, similarity."""
        for start in range(0, len(pairs), _PAIRS):
            batch = pairs[start : start + _PAIRS]
            images, places = np.unique(batch, return_inverse=True)
            first, second = places.reshape(-1, 2).T
            parts = self._parts(images)
            best = np.full(len(batch), -1, np.float32)
            turns, cropped = np.zeros(len(batch), int), np.zeros(len(batch), bool)
            for likely in self._likely_turns(batch):
                products = _products_in(parts, first, second, likely)
                largest, at = products.max(axis=1), products.argmax(axis=1)
                is_better = largest > best
                best[is_better], turns[is_better] = largest[is_better], likely[is_better]
                cropped[is_better] = at[is_better] % parts.shape[1] != 0
            for k in np.flatnonzero(best >= SIMILAR).tolist():
                i, j = batch[k].tolist()
                turn, is_cropped = int(turns[k]), bool(cropped[k])
                one, other = _gray(self.thumbnails[self.chosen[[i, j]]])
                if details_agree(one, other, turn):
                    yield i, j, turn, is_cropped, min(1.0, float(best[k]))

    def _likely_turns(self, pairs: NDArray[np.int64]) -> Iterator[NDArray[np.intp]]:
        """(m,) the likeliest turn of each pair, then the next."""
        first, second = pairs.T
        products = np.full((8, len(pairs)), -1, np.float32)
        for turn in range(8):
            for mine, theirs in self._views():
                now = np.einsum("pk,pk->p", turned(mine[first], turn), theirs[second])
                products[turn] = np.maximum(products[turn], now)
        yield from np.argsort(-products, axis=0)[:_TURNS]

    def _parts(self, images: NDArray[np.int64]) -> NDArray[np.float32]:
        """(m, windows, LENGTH) signatures of each image, whole first, then of windows of it."""
        thumbnails = _gray(self.thumbnails[self.chosen[images]])
        parts = [self.whole[images][:, None]]
        for side in _SIDES:
            windows = np.stack([window_cosines(side, step) for step in _STEPS]).astype(np.float32)
            flat = windows.reshape(-1, thumbnails.shape[2])  # (step · N, SIDE)
            along_y = flat @ thumbnails
            both = (along_y @ flat.T).reshape(len(images), len(_STEPS), -1, len(_STEPS), 8)
            vectors = both.transpose(0, 1, 3, 2, 4).reshape(-1, LENGTH)
            vectors[:, 0] = 0
            signatures = self.whitening.signatures(of_length_one(vectors))
            parts.append(signatures.reshape(len(images), -1, LENGTH))
        return np.concatenate(parts, axis=1)


def _products_in(
    parts: NDArray[np.float32],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    turns: NDArray[np.intp],
) -> NDArray[np.float32]:
    """(pairs, 2 · windows): windows of the first image, turned, with the second, and the reverse.

    A window of the first, turned, is as much like the second as the first is like the second
    turned back, and this takes less work.
    """
    back = _each_turned(parts[second, 0], _BACK[turns])
    of_first = np.matmul(parts[first], back[:, :, None])[..., 0]
    whole = _each_turned(parts[first, 0], turns)
    of_second = np.matmul(parts[second], whole[:, :, None])[..., 0]
    products = np.concatenate([of_first, of_second], axis=1)
    products -= np.float32(_MARGIN)
    products[:, :: parts.shape[1]] += np.float32(_MARGIN)  # whole images
    return products


_BACK = np.array([0, 1, 2, 3, 4, 6, 5, 7])
"""The turn that undoes each turn."""


def _each_turned(vectors: NDArray[np.float32], turns: NDArray[np.intp]) -> NDArray[np.float32]:
    """Signatures (m, LENGTH), each in its own turn."""
    found = np.empty_like(vectors)
    for turn in range(8):
        chosen = turns == turn
        found[chosen] = turned(vectors[chosen], turn)
    return found
