"""Classes of very different sizes, on which accuracy misleads."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.evaluation.metrics import Metrics
from convscope.evaluation.multi_label import AnyMetrics

IMBALANCED = 20
"""How many times the images of the smallest class the largest has, from which it is said."""


def imbalance_of_training(classes: Sequence[str], counts: NDArray[np.int64]) -> str:
    """What to say before a training of classes with so many images; "" for most.

    >>> imbalance_of_training(["no", "yes"], np.array([500, 500]))
    ''
    """
    said = describe_imbalance(classes, counts, "training images")
    return said and (
        f"{said} `metric='balanced'` chooses the best weights by balanced accuracy (the mean "
        "recall of the classes), and `sampling='balanced'` shows all classes equally often."
    )


def imbalance_of_labels(labels: Sequence[str], counts: NDArray[np.int64], num_images: int) -> str:
    """What to say before a training of labels that so many of the images have; "" for most."""
    said = describe_rare_label(labels, counts, num_images, "training images")
    return said and (
        f"{said} Mean average precision counts all labels alike. `class_weights='balanced'` "
        "weights rare ones."
    )


def describe_rare_label(
    labels: Sequence[str], counts: NDArray[np.int64], num_images: int, what: str
) -> str:
    """The rarest label, and how often never predicting it is right; "" where none is rare."""
    rare = int(counts.argmin())
    if num_images < IMBALANCED * counts[rare]:
        return ""
    return (
        f"Rare labels: {labels[rare]!r} is on {counts[rare]:,} of {num_images:,} {what}, so never "
        f"predicting it is right for {1 - counts[rare] / num_images:.1%} of them."
    )


def imbalance_of_result(metrics: AnyMetrics) -> str:
    """What to say beside metrics of images of classes of very different sizes; "" for most."""
    if not isinstance(metrics, Metrics):
        return ""
    said = describe_imbalance(metrics.classes, metrics.support, "images")
    return said and (
        f"{said} The accuracy of this network is {metrics.top1:.1%}, its balanced accuracy (the "
        f"mean recall of the classes) {metrics.value('balanced'):.1%}."
    )


def describe_imbalance(classes: Sequence[str], counts: NDArray[np.int64], what: str) -> str:
    """The sizes of the largest and the smallest class, and how often the largest alone is right."""
    present = np.flatnonzero(counts)
    if len(present) < 2:
        return ""
    largest, smallest = present[counts[present].argmax()], present[counts[present].argmin()]
    if counts[largest] < IMBALANCED * counts[smallest]:
        return ""
    return (
        f"The classes are imbalanced: {classes[largest]!r} has {counts[largest]:,} {what}, "
        f"{classes[smallest]!r} has {counts[smallest]:,}. Always answering {classes[largest]!r} is "
        f"right for {counts[largest] / counts.sum():.1%} of them, so accuracy says little."
    )
