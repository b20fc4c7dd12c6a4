"""What to distrust in a result: leaks, shortcuts, imbalance, few images, overconfidence."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from convscope.data.classes import quote_names
from convscope.data.shortcuts import find_shortcuts
from convscope.evaluation.detection import DetectionMetrics
from convscope.evaluation.imbalance import imbalance_of_result
from convscope.evaluation.metrics import Metrics, wilson_interval
from convscope.evaluation.multi_label import MultiLabelMetrics
from convscope.evaluation.result import EvaluationResult

FEW = 30
"""Images of a class, below which its figures say little."""

_GAP = 0.1  # of the accuracy of training and test images, from which it is said


def doubts(
    result: EvaluationResult, metrics: Sequence[Mapping[str, Any]], *, thorough: bool
) -> list[str]:
    """Sentences, the gravest first. With `thorough`, the headers of the files are read, too."""
    found = [*_leaks(result), *_baseline(result)]
    if thorough:
        found += [*_shortcuts(result), *_slices(result)]
    found += filter(None, [imbalance_of_result(result.metrics)])
    found += [*_few(result), *_overfitting(result, metrics), *_calibration(result)]
    found += [*_undefined(result), *_groups(result)]
    return found


def doubts_about_boxes(result: EvaluationResult, metrics: DetectionMetrics) -> list[str]:
    """Sentences on the figures of boxes."""
    names, counts = metrics.classes, metrics.support.tolist()
    few = [name for name, count in zip(names, counts, strict=True) if 0 < count < FEW]
    absent = [name for name, count in zip(names, counts, strict=True) if not count]
    found = [*_leaks(result)]
    if few:
        found.append(
            f"There are fewer than {FEW} objects of {quote_names(few)}: average precision says "
            "little of them."
        )
    if absent:
        found.append(f"There are no objects of {quote_names(absent)}; nothing is said of them.")
    return found


def _leaks(result: EvaluationResult) -> Iterator[str]:
    total = result.metrics.num_images
    for count, what in ((result.in_training, "training"), (result.in_validation, "validation")):
        if count:
            yield (
                f"{count:,} of the {total:,} images were in {what}: the figures are too good. "
                "Evaluate without them."
            )


def _baseline(result: EvaluationResult) -> Iterator[str]:
    metrics = result.metrics
    if not isinstance(metrics, Metrics) or metrics.is_of_one_class:
        return
    largest = int(metrics.support.argmax())
    share = float(metrics.support[largest] / metrics.num_images)
    if metrics.interval[0] <= share:
        yield (
            f"Always answering {metrics.classes[largest]!r} is right for {share:.1%} of these "
            "images; the accuracy is not above that by more than noise."
        )


def _shortcuts(result: EvaluationResult) -> Iterator[str]:
    if result.loaded is None:
        return
    evaluated = result.loaded.dataset.subset(result.indices, "test")
    for shortcut in find_shortcuts(evaluated)[:3]:
        yield (
            f"{shortcut.describe()} The network may have learned that instead of what the images "
            "show."
        )


def _slices(result: EvaluationResult) -> Iterator[str]:
    for found in result.slices.found[:3]:
        yield (
            f"Images with {found.title} are right for {found.accuracy.value:.1%}, others of their "
            f"classes for {found.expected:.1%}."
        )


def _few(result: EvaluationResult) -> Iterator[str]:
    metrics = result.metrics
    few = [
        (name, int(count))
        for name, count in zip(metrics.classes, metrics.support, strict=True)
        if 0 < count < FEW
    ]
    if few:
        name, count = min(few, key=lambda pair: pair[1])
        low, high = wilson_interval(count, count)
        named = quote_names([name for name, _ in few], max_shown=4)
        yield (
            f"Few images of {named}: of {name!r} there are {count}, and if all were right, the "
            f"95% interval of its recall would still be {low:.0%} to {high:.0%}."
        )


def _overfitting(result: EvaluationResult, metrics: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    best = next((line for line in reversed(metrics) if line.get("best")), None)
    train = None if best is None else best.get("train_top1")
    if isinstance(train, float) and train - result.metrics.interval[1] > _GAP:
        yield (
            f"The network knows its training images better: of them {train:.1%} were right, of "
            f"these {result.top1:.1%}. More images or more augmentation would help."
        )


def _calibration(result: EvaluationResult) -> Iterator[str]:
    found = result.details.calibration.get("confidence")
    if found is None or found.error <= found.chance_error:
        return
    said = float(np.mean(result.outputs.confidence))
    how = "too sure" if said > result.top1 else "less sure than it could be"
    yield (
        f"The network is {how}: its mean probability is {said:.1%}, and {result.top1:.1%} are "
        f"right (expected calibration error {found.error:.3f}, by chance up to "
        f"{found.chance_error:.3f})."
    )


def _undefined(result: EvaluationResult) -> Iterator[str]:
    if isinstance(result.metrics, MultiLabelMetrics):
        yield from result.metrics.undefined()


def _groups(result: EvaluationResult) -> Iterator[str]:
    if result.groups is None:
        yield (
            "Each image counts as independent. If several are of one patient, object or scene, the "
            "intervals are too narrow, and images of one in training and test make all figures too "
            "good."
        )
