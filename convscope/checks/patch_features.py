"""Features of thumbnails without any training: how much they have of random patches, and where.

Coates and Ng, 2011, "The importance of encoding versus training with sparse coding and vector
quantization": patches of 6 x 6 pixels are normalized and whitened, multiplied with a dictionary of
patches drawn from the images themselves, softly thresholded, and summed over the quarters of the
image. Labels have no part in it, so the same features serve all folds.
"""

import numpy as np
from numpy.typing import NDArray

_SIDE = 6  # of a patch, in pixels
_STRIDE = 2
_ATOMS = 128  # patches of the dictionary
_SOFT = 0.25  # the threshold, as in the paper
_SAMPLED = 20_000  # patches for the whitening
_LEAST_VARIANCE = 10.0  # of the pixels of a patch, added before dividing
_NOISE = 0.1  # added to the variances of the whitening
_BATCH = 64


def patch_features(thumbnails: NDArray[np.uint8], known: NDArray[np.intp]) -> NDArray[np.float32]:
    """(n, 4 · 2 · 128) features of the images `known`, by their indices, of thumbnails
    (all, h, w, 3).
    """
    random = np.random.default_rng(0)
    patches = _sample(thumbnails[random.choice(known, min(len(known), 2000), replace=False)])
    patches = patches[random.permutation(len(patches))[:_SAMPLED]]
    mean = patches.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(patches.T))
    whitening = (axes / np.sqrt(variances.clip(0) + _NOISE)) @ axes.T
    atoms = (patches[random.permutation(len(patches))[:_ATOMS]] - mean) @ whitening
    atoms /= np.maximum(np.linalg.norm(atoms, axis=1, keepdims=True), 1e-6)
    filters = (whitening @ atoms.T).astype(np.float32)
    features = np.empty((len(known), 8 * len(atoms)), np.float32)
    for start in range(0, len(known), _BATCH):
        batch = slice(start, start + _BATCH)
        features[batch] = _encode(_patches(thumbnails[known[batch]]) - mean, filters)
    return features


def _encode(patches: NDArray[np.float32], filters: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, features) for patches (n, rows, columns, values)."""
    products = patches.astype(np.float32) @ filters
    middle = products.shape[1] // 2
    quarters = [
        products[:, rows, columns]
        for rows in (slice(None, middle), slice(middle, None))
        for columns in (slice(None, middle), slice(middle, None))
    ]
    sums = [
        np.maximum(sign * quarter - _SOFT, 0).mean(axis=(1, 2))
        for quarter in quarters
        for sign in (1, -1)
    ]
    return np.concatenate(sums, axis=1)


def _patches(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, rows, columns, 108) the pixels of all patches, each with mean 0 and variance 1."""
    windows = np.lib.stride_tricks.sliding_window_view(thumbnails, (_SIDE, _SIDE), axis=(1, 2))
    windows = windows[:, ::_STRIDE, ::_STRIDE]
    patches = windows.reshape(*windows.shape[:3], -1).astype(np.float32)
    patches -= patches.mean(axis=-1, keepdims=True)
    variances = (patches**2).mean(axis=-1, keepdims=True)
    return patches / np.sqrt(variances + _LEAST_VARIANCE)


def _sample(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    patches = _patches(thumbnails)
    return patches.reshape(-1, patches.shape[-1])
