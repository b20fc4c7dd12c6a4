"""Metrics of several sets of images together."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convscope.evaluation.metrics import Metrics
from convscope.evaluation.multi_label import AnyMetrics, MultiLabelMetrics
from convscope.evaluation.ranking import average_precision, roc_auc


def pool_classes(parts: Sequence[Metrics]) -> Metrics:
    """Of classes or grades: their counts added, and the mean loss of all images."""
    top5 = [part.num_correct_top5 for part in parts]
    return replace(
        parts[0],
        confusion=np.sum([part.confusion for part in parts], axis=0),
        loss=_mean_loss(parts),
        num_correct_top5=None if None in top5 else sum(count or 0 for count in top5),
    )


def pool_labels(
    parts: Sequence[MultiLabelMetrics],
    probabilities: NDArray[np.float64],
    truth: NDArray[np.bool_],
) -> MultiLabelMetrics:
    """Of several labels: counts added; average precision and AUC rank the images of all parts.

    Args:
        probabilities: (n, labels), of all images.
        truth: (n, labels), in the same order.
    """
    columns = list(zip(truth.T, probabilities.T, strict=True))
    return replace(
        parts[0],
        confusion=np.sum([part.confusion for part in parts], axis=0),
        loss=_mean_loss(parts),
        num_correct=sum(part.num_correct for part in parts),
        average_precision=np.array([average_precision(*column) for column in columns]),
        auc=np.array([roc_auc(*column) for column in columns]),
    )


def _mean_loss(parts: Sequence[AnyMetrics]) -> float:
    images = sum(part.num_images for part in parts)
    return sum(part.loss * part.num_images for part in parts) / images
