"""Two coordinates for many: PCA, t-SNE, UMAP."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.errors import RequestError

Method = Literal["pca", "tsne", "umap"]
Matrix = NDArray[np.float64]

_PACKAGES = {"tsne": ("sklearn", "embed"), "umap": ("umap", "umap")}
_PERPLEXITY = 30  # scikit-learn's, and van der Maaten & Hinton's: 5 to 50


def check_method(method: str) -> Method:
    """The method. Raises RequestError for another, and where its package is not installed."""
    if method not in get_args(Method):
        allowed = ", ".join(map(repr, get_args(Method)))
        raise RequestError(f"`method` must be one of {allowed}, not {method!r}.")
    package, extra = _PACKAGES.get(method, ("", ""))
    if package and find_spec(package) is None:
        raise RequestError(
            f"`method={method!r}` needs a package that is not installed: pip install "
            f"\"convscope[{extra}]\". `method='pca'` needs none."
        )
    return method  # pyright: ignore[reportReturnType] -- checked above


def project(vectors: NDArray[Any], method: Method, *, seed: int) -> tuple[Matrix, str]:
    """Two coordinates (n, 2) of vectors (n, c), and a sentence on what they are.

    Of at least 4 images. t-SNE is started from PCA, as scikit-learn does, so that a map is the same
    for a seed.
    """
    values = np.asarray(vectors, np.float64)
    if method == "pca":
        points, shares = pca(values)
        return points, (
            f"PCA: the axes hold {shares[0]:.0%} and {shares[1]:.0%} of the variance; distances in "
            "the map are at most those at the layer."
        )
    if method == "tsne":
        manifold: Any = import_module("sklearn.manifold")  # an extra
        perplexity = min(_PERPLEXITY, (len(values) - 1) / 3)
        tsne = manifold.TSNE(perplexity=perplexity, init="pca", random_state=seed)
        said = (
            f"t-SNE (perplexity {perplexity:.3g}, seed {seed}): neighbors mean something, "
            "distances between groups and their sizes do not."
        )
        return np.asarray(tsne.fit_transform(values), np.float64), said
    umap: Any = import_module("umap")  # an extra
    neighbors = min(15, len(values) - 1)
    reducer = umap.UMAP(n_neighbors=neighbors, random_state=seed, n_jobs=1)
    said = (
        f"UMAP ({neighbors} neighbors, seed {seed}): neighbors mean something, distances between "
        "groups and their sizes do not."
    )
    return np.asarray(reducer.fit_transform(values), np.float64), said


def pca(values: Matrix) -> tuple[Matrix, tuple[float, float]]:
    """The first two principal components (n, 2), and the share of the variance that each holds.

    By singular values; of each axis, the largest coordinate by magnitude is positive.

    >>> points, shares = pca(np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]]))
    >>> np.abs(points[:, 0]).round(6).tolist(), round(shares[0], 6)
    ([2.0, 0.0, 2.0], 1.0)
    """
    centered = values - values.mean(0)
    left, lengths, _ = np.linalg.svd(centered, full_matrices=False)
    points = np.zeros((len(values), 2))
    count = min(2, len(lengths))
    points[:, :count] = left[:, :count] * lengths[:count]
    largest = points[np.abs(points).argmax(0), [0, 1]]
    total = float((lengths**2).sum()) or 1.0
    shares = [*(lengths[:2] ** 2 / total), 0.0, 0.0]
    return points * np.where(largest < 0, -1, 1), (float(shares[0]), float(shares[1]))
