"""Perceptual signatures: vectors whose products tell how alike two images look.

A signature is the low frequencies of a gray thumbnail, as a perceptual hash's (Zauner, 2010,
"Implementation and benchmarking of perceptual image hash functions"), as numbers instead of their
signs: the N x N first coefficients of its discrete cosine transform without the constant, scaled to
length 1, whitened over the data set, and scaled to length 1 again. So what all images of a data set
have in common, as the disc of fundus photographs, counts nothing.

Turning and mirroring an image by right angles permutes coefficients and changes signs. The
whitening is made of all eight turns of all images, so that it commutes with that: the signature of
a turned image is the turned signature.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 32
"""Height and width of a thumbnail, in pixels."""

N = 8
"""Coefficients along each side."""

LENGTH = N * N
"""Of a signature; the first number, of the constant, is 0."""

TURNS = (
    "", "mirrored", "mirrored top to bottom", "turned by 180°", "mirrored along the diagonal",
    "turned by 90° to the right", "turned by 90° to the left", "mirrored along the other diagonal",
)  # fmt: skip
"""What was done to an image, by the index of the turn, as a predicate."""

_NOISE = 0.03  # of the mean variance of coefficients is added to each, against noise
_BATCH = 4096

Signatures = NDArray[np.float32]
"""(n, LENGTH) of length 1, or of zeros for images without structure."""


def cosine_matrix(count: int = N) -> NDArray[np.float64]:
    """(count, SIDE) the first rows of the orthonormal DCT-II."""
    places = np.arange(SIDE) + 0.5
    matrix = np.cos(np.pi * np.outer(np.arange(count), places) / SIDE) * np.sqrt(2 / SIDE)
    matrix[0] /= np.sqrt(2)
    return matrix


def window_cosines(side: float, step: float, count: int = N) -> NDArray[np.float64]:
    """(count, SIDE) the cosines of a window of a thumbnail, scaled up to SIDE linearly.

    `side` is its fraction of the thumbnail's, `step` of what is cut off lies before it.
    """
    begin = SIDE * step * (1 - side)
    places = np.clip(begin + side * (np.arange(SIDE) + 0.5) - 0.5, 0, SIDE - 1)
    low = np.floor(places).astype(int)
    high, share = np.minimum(low + 1, SIDE - 1), places - low
    sampled = np.zeros((SIDE, SIDE))
    np.add.at(sampled, (np.arange(SIDE), low), 1 - share)
    np.add.at(sampled, (np.arange(SIDE), high), share)
    return cosine_matrix(count) @ sampled


def coefficients(
    thumbnails: NDArray[np.float32],
    rows: NDArray[np.float64] | None = None,
    columns: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """(n, LENGTH) of length 1, for gray thumbnails (n, SIDE, SIDE).

    `rows` and `columns` (N, SIDE) are `cosine_matrix`, or its product with a window's.
    """
    rows = cosine_matrix() if rows is None else rows
    columns = cosine_matrix() if columns is None else columns
    found = (rows.astype(np.float32) @ thumbnails) @ columns.astype(np.float32).T
    found = found.reshape(len(thumbnails), -1)
    found[:, 0] = 0
    return of_length_one(found)


def turned(vectors: NDArray[np.float32], turn: int) -> NDArray[np.float32]:
    """Coefficients or signatures (n, LENGTH) of the images after a turn, 0..7.

    Bit 0 mirrors left and right, bit 1 top and bottom, bit 2 swaps rows and columns before that.
    """
    length = vectors.shape[1]
    side = math.isqrt(length)
    square = vectors.reshape(-1, side, side)
    if turn & 4:
        square = square.transpose(0, 2, 1)
    signs, ones = (-1.0) ** np.arange(side), np.ones(side)
    along_y, along_x = (signs if turn & bit else ones for bit in (2, 1))
    return (square * np.outer(along_y, along_x).astype(np.float32)).reshape(-1, length)


@dataclass(frozen=True)
class Whitening:
    """What makes the coefficients of a data set's images uncorrelated, with variance 1.

    Attributes:
        mean: (LENGTH,) of all turns of all images.
        matrix: (LENGTH, LENGTH) symmetric: the inverse square root of their covariance.
    """

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> "Whitening":
        """For the coefficients (n, LENGTH) of images with structure."""
        length = vectors.shape[1]
        total, square = np.zeros(length), np.zeros((length, length))
        for start in range(0, len(vectors), _BATCH):
            for turn in range(8):
                batch = turned(vectors[start : start + _BATCH], turn).astype(np.float64)
                total += batch.sum(axis=0)
                square += batch.T @ batch
        count = max(1, 8 * len(vectors))
        mean = total / count
        variances, axes = np.linalg.eigh(square / count - np.outer(mean, mean))
        variances = variances.clip(0)
        noise = max(_NOISE * float(variances.sum()) / (length - 1), 1e-12)
        matrix = axes @ np.diag(1 / np.sqrt(variances + noise)) @ axes.T
        return cls(mean.astype(np.float32), matrix.astype(np.float32))

    def signatures(self, vectors: NDArray[np.float32]) -> Signatures:
        """For coefficients (n, LENGTH); zeros stay zeros."""
        whitened = (vectors - self.mean) @ self.matrix
        whitened[~vectors.any(axis=1)] = 0
        whitened[:, 0] = 0
        return of_length_one(whitened)


def of_length_one(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Each vector scaled to length 1; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-6)).astype(np.float32)
