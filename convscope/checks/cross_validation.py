"""Probabilities of the classes of each image, by a linear model that was not trained on it.

Ridge regression on one number per class, 1 for its images and 0 for others, which has a closed
form: so five folds and several penalties cost little more than one. A softmax of the answers, whose
temperature and penalty have the least cross-entropy over all folds, gives probabilities.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
_PENALTIES = 10.0 ** np.arange(-4, 3)  # times the mean of the eigenvalues
_COLUMNS = 32  # of features whose deviations are computed at a time
_TEMPERATURES = 2.0 ** np.arange(0, 7, 0.5)  # times the answers


def cross_validated(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    units: NDArray[np.int64],
    num_classes: int,
    on_progress: Callable[[int, int], None],
) -> NDArray[np.float64]:
    """(n, classes) probabilities by a model of the other folds.

    Args:
        features: (n, d).
        labels: (n,).
        units: (n,) numbers of what is kept in one fold: images of a patient, copies of one image.
        num_classes: how many there are.
        on_progress: called with the number of folds that are done, and of all.
    """
    targets = np.eye(num_classes, dtype=np.float32)[labels]
    answers = _cross_validated(features, targets, assign_folds(labels, units), on_progress)
    return _calibrated(answers, labels)


def cross_validated_labels(
    features: NDArray[np.float32],
    targets: NDArray[np.uint8],
    combinations: NDArray[np.int64],
    units: NDArray[np.int64],
    on_progress: Callable[[int, int], None],
) -> NDArray[np.float64]:
    """(n, labels) probabilities that an image has each label, each label by itself.

    Args:
        features: (n, d).
        targets: (n, labels) of 0 and 1.
        combinations: (n,) a number for each combination of labels, which folds have evenly.
        units, on_progress: as of `cross_validated`.
    """
    folds = assign_folds(combinations, units)
    answers = _cross_validated(features, targets.astype(np.float32), folds, on_progress)
    return np.stack(
        [
            _calibrated(np.stack([1 - answer, answer], axis=-1), column.astype(np.int64))[:, 1]
            for answer, column in zip(np.moveaxis(answers, -1, 0), targets.T, strict=True)
        ],
        axis=1,
    )


def _cross_validated(
    features: NDArray[np.float32],
    targets: NDArray[np.float32],
    folds: NDArray[np.int64],
    on_progress: Callable[[int, int], None],
) -> NDArray[np.float32]:
    """(penalties, n, targets) the answers for each image by models of the other folds."""
    scale = 1 / (_spread(features) + 1e-4)
    answers = np.zeros((len(_PENALTIES), *targets.shape), np.float32)
    on_progress(0, FOLDS)
    for fold in range(FOLDS):
        inside = folds == fold
        if inside.any():
            training, others = features[~inside], features[inside]
            training *= scale  # in place: these are large
            others *= scale
            fitted = _answers(training, targets[~inside], others)
            for penalty, answer in enumerate(fitted):
                answers[penalty, inside] = answer
        on_progress(fold + 1, FOLDS)
    return answers


def _calibrated(answers: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, classes) the probabilities of answers (penalties, n, classes) that fit best."""
    rows = np.arange(len(labels))
    best, least = np.zeros((0, 0)), np.inf
    for answer in answers:
        for temperature in _TEMPERATURES:
            probabilities = _softmax(answer * temperature)
            loss = -float(np.log(probabilities[rows, labels] + 1e-12).mean())
            if loss < least:
                best, least = probabilities, loss
    return best


def _spread(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(d,) the standard deviations, a few columns at a time."""
    starts = range(0, features.shape[1], _COLUMNS)
    return np.concatenate([features[:, start : start + _COLUMNS].std(axis=0) for start in starts])


def _answers(
    inputs: NDArray[np.float32], targets: NDArray[np.float32], others: NDArray[np.float32]
) -> Iterator[NDArray[np.float32]]:
    """The answers for `others` of models of (inputs, targets), one for each penalty. It centers
    `inputs` in place.
    """
    mean, center = targets.mean(axis=0), inputs.mean(axis=0)
    inputs -= center
    values, axes = _principal_axes(inputs)
    weights = axes.T @ (inputs.T @ (targets - mean) / len(inputs))
    projected = (others - center) @ axes
    for penalty in _PENALTIES:
        shrunk = values.clip(0) + penalty * float(values.clip(0).sum()) / inputs.shape[1]
        yield projected @ (weights / shrunk[:, None]).astype(np.float32) + mean


def _principal_axes(
    centered: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The variances (k,) of vectors (n, d), and their axes (d, k), by the smaller product."""
    count, length = centered.shape
    if count >= length:
        return np.linalg.eigh((centered.T @ centered) / count)
    values, axes = np.linalg.eigh((centered @ centered.T) / count)
    kept = values > 1e-6 * values[-1]
    scale = np.sqrt(count * values[kept])
    return values[kept], centered.T @ (axes[:, kept] / scale)


def _softmax(answers: NDArray[np.float32]) -> NDArray[np.float64]:
    powers = np.exp(answers.astype(np.float64) - answers.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def assign_folds(labels: NDArray[np.int64], units: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) the fold of each image: every unit in one, every class in all as evenly as can be."""
    random = np.random.default_rng(0)
    _, first, unit = np.unique(units, return_index=True, return_inverse=True)
    order = np.lexsort((random.permutation(len(first)), labels[first]))
    folds = np.empty(len(first), np.int64)
    folds[order] = np.arange(len(first)) % FOLDS
    return folds[unit]


def units_of(
    leaders: NDArray[np.int64], pairs: Sequence[tuple[int, int]], groups: Sequence[str] | None
) -> NDArray[np.int64]:
    """(n,) the number of the unit of each image: what copies and groups tie together is one.

    Args:
        leaders: (n,) the first image with equal pixels.
        pairs: of similar images.
        groups: of each image, "" for none; None if there are none.
    """
    roots = np.arange(len(leaders))

    def root(index: int) -> int:
        while roots[index] != index:
            roots[index] = roots[roots[index]]
            index = int(roots[index])
        return index

    def join(one: int, other: int) -> None:
        low, high = sorted((root(one), root(other)))
        roots[high] = low

    for index in np.flatnonzero(leaders != roots).tolist():
        join(index, int(leaders[index]))
    for one, other in pairs:
        join(one, other)
    firsts: dict[str, int] = {}
    for index, group in enumerate(groups or ()):
        if group:
            join(index, firsts.setdefault(group, index))
    return np.array([root(index) for index in range(len(roots))], np.int64)
