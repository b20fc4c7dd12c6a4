"""Images unlike all others: far from their nearest neighbors in color and coarse structure."""

import numpy as np
from numpy.typing import NDArray

from convscope.checks.exposure import is_blank
from convscope.checks.inspection import Inspection
from convscope.checks.outcome import Finding, Outcome
from convscope.checks.robust import robust_scores
from convscope.checks.signatures import SIDE
from convscope.data.duplicates import count_images

NAME, TITLE = "outliers", "Images unlike all others"
_FAR = 5.0  # robust standard deviations above the median
_LEAST = 0.15  # of the logarithm of distances
_NEIGHBOR = 3  # the third nearest, so that a few strangers do not excuse each other
_REFERENCES = 2000  # images that all are compared with
_FEWEST = 50  # images, among which something may be unusual
_CELLS = 4  # along each side, of whose colors the distance is taken
_BATCH = 2048


def find_outliers(inspection: Inspection) -> Outcome | None:
    known = inspection.readable & ~is_blank(inspection)
    if known.sum() < _FEWEST:
        return None
    distances = np.ones(len(known), np.float32)
    distances[known] = neighbor_distances(_colors(inspection.thumbnails)[known])
    scores = robust_scores(np.log(np.maximum(distances, 1e-3)), known, least=_LEAST)
    found = np.flatnonzero(scores > _FAR)
    if not len(found):
        return None
    return Outcome(
        NAME,
        TITLE,
        "note",
        f"{count_images(found)} unlike all others in color and coarse structure.",
        "Look whether they belong here: drawings, screenshots, images of something else.",
        tuple(
            Finding((i,), f"{scores[i]:.1f} standard deviations from others", float(scores[i]))
            for i in found[np.argsort(-scores[found], kind="stable")].tolist()
        ),
    )


def neighbor_distances(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) the distance of each vector (n, d) from its third nearest among at most 2,000."""
    random = np.random.default_rng(0)
    count = len(vectors)
    chosen = np.sort(random.permutation(count)[:_REFERENCES])
    references = vectors[chosen]
    squares = (references**2).sum(axis=1)
    found = np.empty(count, np.float32)
    for start in range(0, count, _BATCH):
        batch = vectors[start : start + _BATCH]
        distances = squares - 2 * batch @ references.T + (batch**2).sum(axis=1, keepdims=True)
        own = np.searchsorted(chosen, np.arange(start, start + len(batch)))
        is_reference = chosen[np.minimum(own, len(chosen) - 1)] == np.arange(
            start, start + len(batch)
        )
        distances[is_reference, own[is_reference]] = np.inf
        nearest = np.partition(distances, _NEIGHBOR - 1, axis=1)[:, _NEIGHBOR - 1]
        found[start : start + _BATCH] = np.sqrt(np.maximum(nearest, 0))
    return found


def _colors(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 48) mean colors of 4 x 4 cells, 0..1."""
    cell = SIDE // _CELLS
    cells = thumbnails.reshape(-1, _CELLS, cell, _CELLS, cell, 3)
    return cells.mean(axis=(2, 4), dtype=np.float32).reshape(len(thumbnails), -1) / 255
