"""How far a map can be trusted: which neighbors at the layer are neighbors in the map."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROWS = 256  # whose distances to all are held at a time

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Trust:
    """How a map keeps the neighbors of its layer, each 0..1.

    Attributes:
        neighbors: k, how many of each image are looked at.
        trustworthiness: of Venna & Kaski (2001): 1 where no image is a neighbor in the map that is
            none at the layer; about 0.5 for a random map.
        kept: the mean share of an image's k neighbors at the layer that are so in the map.
        same_class: the share of the k neighbors at the layer that have the image's class.
        same_class_in_map: the same in the map.
    """

    neighbors: int
    trustworthiness: float
    kept: float
    same_class: float
    same_class_in_map: float

    def __str__(self) -> str:
        return (
            f"Of each image's {self.neighbors} nearest images at the layer, the map keeps "
            f"{self.kept:.0%} (trustworthiness {self.trustworthiness:.3f}; a random map has 0.5). "
            f"Of these neighbors, {self.same_class:.0%} have the image's class at the layer, "
            f"{self.same_class_in_map:.0%} in the map."
        )


def measure_trust(
    vectors: NDArray[np.float32], points: Matrix, labels: NDArray[np.int64], neighbors: int = 10
) -> Trust:
    """Compare the neighbors of n vectors (n, c) with those of their points (n, 2).

    Trustworthiness is 1 - 2 / (n k (2n - 3k - 1)) Σ (r(i, j) - k) over the images j that are among
    the k nearest of i in the map and not at the layer, where r is the rank at the layer. Distances
    are Euclidean; the distances of a few rows at a time are held.
    """
    count = len(vectors)
    k = max(1, min(neighbors, (count - 1) // 2))
    penalty, kept, same, same_in_map = 0.0, 0, 0, 0
    for start in range(0, count, _ROWS):
        rows = np.arange(start, min(start + _ROWS, count))
        ranks = _ranks(_distances(vectors, rows), rows)
        close = _nearest(_distances(points, rows), rows, k)
        near = np.argsort(ranks, 1)[:, 1 : k + 1]
        in_map = np.take_along_axis(ranks, close, 1)
        penalty += float(np.maximum(in_map - k, 0).sum())
        kept += int((in_map <= k).sum())
        same += int((labels[near] == labels[rows][:, None]).sum())
        same_in_map += int((labels[close] == labels[rows][:, None]).sum())
    scale = count * k * (2 * count - 3 * k - 1)
    total = count * k
    return Trust(k, 1 - 2 * penalty / scale, kept / total, same / total, same_in_map / total)


def nearest_images(
    vectors: NDArray[np.float32], query: NDArray[np.float32], count: int
) -> tuple[NDArray[np.int64], Matrix]:
    """The images with the smallest Euclidean distance to a vector (c,), and the distances."""
    distances = np.sqrt(np.square(vectors.astype(np.float64) - query).sum(1))
    order = distances.argsort(kind="stable")[:count]
    return order, distances[order]


def _distances(values: NDArray[np.floating], rows: NDArray[np.int64]) -> Matrix:
    """Squared distances of some rows to all, (rows, n)."""
    all_ = np.asarray(values, np.float64)
    some, squares = all_[rows], np.square(all_).sum(1)
    return squares[rows][:, None] + squares - 2 * some @ all_.T


def _ranks(distances: Matrix, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rank of each image by its distance, (rows, n): 0 for the image itself."""
    order = _order(distances, rows)
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(distances.shape[1])[None], 1)
    return ranks


def _nearest(distances: Matrix, rows: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    return _order(distances, rows)[:, 1 : k + 1]


def _order(distances: Matrix, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    distances = distances.copy()
    distances[np.arange(len(rows)), rows] = -np.inf  # itself, whatever copies there are
    return distances.argsort(1, kind="stable")
