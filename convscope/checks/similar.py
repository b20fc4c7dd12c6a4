"""Find images that are copies of one another: saved anew, scaled, turned, mirrored, cropped.

First the signatures of all pairs are multiplied, in all eight turns, whole and with a twelfth cut
off around; of each image, the few most similar ones are kept. Of these pairs, the signatures of
windows of one image, at several places, are multiplied with that of the whole other one. So memory
grows with the number of images, and time with its square.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.checks.neighbors import Neighbors
from convscope.checks.signatures import (
    LENGTH,
    SIDE,
    Signatures,
    Whitening,
    coefficients,
    cosine_matrix,
    of_length_one,
    turned,
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
_ROWS, _COLUMNS = 512, 2048  # of a block of products
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
    thumbnails: NDArray[np.float32],
    chosen: NDArray[np.int64],
    *,
    on_progress: Callable[[int, int], None],
) -> list[SimilarPair]:
    """The pairs of copies among the images `chosen` of gray thumbnails (n, SIDE, SIDE)."""
    has_structure = thumbnails[chosen].std(axis=(1, 2)) >= _LEAST_SPREAD
    chosen = chosen[has_structure]
    if len(chosen) < 2:
        return []
    search = Search.of(thumbnails[chosen])
    pairs = search.likely_pairs(on_progress)
    return [
        SimilarPair(int(chosen[i]), int(chosen[j]), turn, is_cropped, similarity)
        for i, j, turn, is_cropped, similarity in search.confirm(pairs)
    ]


@dataclass(frozen=True, eq=False)
class Search:
    """The signatures of the images among which copies are searched for.

    Attributes:
        thumbnails: (n, SIDE, SIDE) gray.
        whitening: of these.
        whole: (n, LENGTH) signatures.
        center: (n, LENGTH) those of the window in the middle.
    """

    thumbnails: NDArray[np.float32]
    whitening: Whitening
    whole: Signatures
    center: Signatures

    @classmethod
    def of(cls, thumbnails: NDArray[np.float32]) -> "Search":
        vectors = coefficients(thumbnails)
        whitening = Whitening.of(vectors)
        window = _window(_CENTER, 0.5)
        center = whitening.signatures(coefficients(thumbnails, window, window))
        return cls(thumbnails, whitening, whitening.signatures(vectors), center)

    def likely_pairs(self, on_progress: Callable[[int, int], None]) -> NDArray[np.int64]:
        """(m, 2) each image with its most similar ones, the smaller index first, ascending."""
        count = len(self.whole)
        neighbors = Neighbors.none(count, _KEPT, least=_FIRST)
        for start in range(0, count, _ROWS):
            for begin in range(start, count, _COLUMNS):
                neighbors.add(start, begin, self._products(start, begin))
            rows_left = count - min(start + _ROWS, count)
            all_pairs = count * (count - 1) // 2
            on_progress(all_pairs - rows_left * (rows_left - 1) // 2, all_pairs)
        return neighbors.pairs()

    def _products(self, start: int, begin: int) -> NDArray[np.float32]:
        """(rows, columns) the largest product of each pair, in any turn."""
        rows, columns = slice(start, start + _ROWS), slice(begin, begin + _COLUMNS)
        best = np.full((len(self.whole[rows]), len(self.whole[columns])), -1, np.float32)
        products = np.empty_like(best)
        for mine, theirs in self._views():
            transposed = theirs[columns].T
            for turn in range(8):
                np.matmul(turned(mine[rows], turn), transposed, out=products)
                np.maximum(best, products, out=best)
        return best

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
                yield i, j, int(turns[k]), bool(cropped[k]), min(1.0, float(best[k]))

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
        thumbnails = self.thumbnails[images]
        parts = [self.whole[images][:, None]]
        for side in _SIDES:
            windows = np.stack([_window(side, step) for step in _STEPS]).astype(np.float32)
            flat = windows.reshape(-1, SIDE)  # (step · N, SIDE)
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


def _window(side: float, step: float) -> NDArray[np.float64]:
    """(N, SIDE) the cosines of a window of a thumbnail, scaled up to SIDE linearly.

    `side` is its fraction of the thumbnail's, `step` of what is cut off lies before it.
    """
    begin = SIDE * step * (1 - side)
    places = np.clip(begin + side * (np.arange(SIDE) + 0.5) - 0.5, 0, SIDE - 1)
    low = np.floor(places).astype(int)
    high, share = np.minimum(low + 1, SIDE - 1), places - low
    sampled = np.zeros((SIDE, SIDE))
    np.add.at(sampled, (np.arange(SIDE), low), 1 - share)
    np.add.at(sampled, (np.arange(SIDE), high), share)
    return cosine_matrix() @ sampled
