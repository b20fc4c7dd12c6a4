"""Confident learning: which labels are likely wrong, from predictions of images that a model was
not trained on. Northcutt, Jiang and Chuang, 2021, "Confident learning: estimating uncertainty in
dataset labels".
"""

import numpy as np
from numpy.typing import NDArray


def likely_labels(
    labels: NDArray[np.int64], probabilities: NDArray[np.floating]
) -> NDArray[np.int64]:
    """(n,) the class that each image is confidently counted to; -1 for none.

    The threshold t_j of class j is the mean probability of j over the images that are labeled j. An
    image is counted to the most probable of the classes whose probability is at least their
    threshold (the paper's equation 1). Where that is not its label, the label is likely wrong: the
    off-diagonal entries of the confident joint.

    Args:
        labels: (n,) as given.
        probabilities: (n, classes) of a model that was not trained on the image.
    """
    is_confident = probabilities >= thresholds(labels, probabilities)
    masked = np.where(is_confident, probabilities, -1)
    return np.where(is_confident.any(axis=1), masked.argmax(axis=1), -1)


def thresholds(
    labels: NDArray[np.int64], probabilities: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(classes,) the mean probability of each class over its images; 1 for a class without any."""
    count = probabilities.shape[1]
    sizes = np.bincount(labels, minlength=count)
    own = probabilities[np.arange(len(labels)), labels]
    means = np.bincount(labels, weights=own, minlength=count) / np.maximum(sizes, 1)
    return np.where(sizes > 0, np.maximum(means - 1e-6, 1e-6), 2.0)


def margins(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n,) the label's probability less the largest other one: the least for the likeliest wrong
    labels.
    """
    rows = np.arange(len(labels))
    others = probabilities.astype(np.float64)
    own = others[rows, labels].copy()
    others[rows, labels] = -1
    return own - others.max(axis=1)
