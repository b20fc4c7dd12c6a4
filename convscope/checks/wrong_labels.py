"""Labels that are likely wrong: a simple model, trained on the other images, is sure of another.

The model is a softmax regression on features of 32 x 32 thumbnails, in five folds; see
`patch_features` and `confident_learning`. It is weaker than a network, and what it is unsure of it
does not tell. How often it is right is part of what is said.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from convscope.checks.confident_learning import likely_labels, margins
from convscope.checks.cross_validation import (
    FOLDS,
    cross_validated,
    cross_validated_labels,
    units_of,
)
from convscope.checks.inspection import Inspection
from convscope.checks.outcome import Finding, Outcome
from convscope.checks.patch_features import patch_features
from convscope.data.dataset import name_answer
from convscope.data.duplicates import count_images

NAME, TITLE = "wrong-labels", "Likely wrong labels"

_FEWEST = 8  # units of a class, fewer of which no model is made of
_BETTER = 0.3  # of the errors of always answering the largest class that a model must save
_TRUSTED = 0.85  # accuracy from which findings are warnings, and all are told
_TRUSTED_LABEL = 0.7  # the same of one label of several, of the errors of the commoner answer
_NAMED = 5  # labels whose accuracy is told
_SURE = -0.5  # the margin from which a model that is right less often is listened to


def find_wrong_labels(
    inspection: Inspection, on_progress: Callable[[int, int], None]
) -> Outcome | str | None:
    """The outcome, or the reason why nothing can be said; None where no label is doubted."""
    dataset = inspection.dataset
    known = np.flatnonzero(inspection.readable)
    pairs = [(pair.first, pair.second) for pair in inspection.similar]
    units = units_of(inspection.leaders, pairs, dataset.groups)[known]
    find = _of_several if dataset.is_multi_label else _of_one
    return find(inspection, known, units, on_progress)


def _of_one(
    inspection: Inspection,
    known: NDArray[np.intp],
    units: NDArray[np.int64],
    on_progress: Callable[[int, int], None],
) -> Outcome | str | None:
    """Of images with one label each."""
    dataset = inspection.dataset
    labels = dataset.labels[known]
    present = np.unique(labels)
    for label in present.tolist():
        if _is_rare(units, labels == label):
            return f"class {dataset.classes[label]!r} has too few images"
    if len(present) < 2:
        return "there is only one class"
    codes = np.searchsorted(present, labels)
    features = patch_features(inspection.thumbnails, known)
    probabilities = cross_validated(features, codes, units, len(present), on_progress)
    accuracy, largest = _accuracies(codes, probabilities)
    if accuracy < largest + _BETTER * (1 - largest):
        return (
            f"the simple model is right for {accuracy:.0%} of the images only (always answering "
            f"the largest class: {largest:.0%})"
        )
    is_trusted = accuracy >= _TRUSTED
    findings = [
        Finding(
            (int(known[i]),),
            f"{probabilities[i, codes[i]]:.0%} for its label, {probabilities[i, likely]:.0%}"
            f" for {dataset.classes[present[likely]]}",
            margin,
            dataset.classes[present[likely]],
        )
        for i, likely, margin in _doubted(codes, probabilities, is_trusted=is_trusted)
    ]
    told = f"In {FOLDS} folds it is right for {accuracy:.0%} of all images."
    return _outcome(findings, told, is_trusted=is_trusted)


def _of_several(
    inspection: Inspection,
    known: NDArray[np.intp],
    units: NDArray[np.int64],
    on_progress: Callable[[int, int], None],
) -> Outcome | str | None:
    """Of images with any number of labels: each label by itself, had or lacked."""
    dataset = inspection.dataset
    targets = dataset.targets
    assert targets is not None
    targets = targets[known]
    enough = [not (_is_rare(units, column == 1) or _is_rare(units, column == 0))
              for column in targets.T]  # fmt: skip
    if not any(enough):
        return "every label is on too few images, or lacking on too few"
    features = patch_features(inspection.thumbnails, known)
    probabilities = cross_validated_labels(
        features, targets, dataset.labels[known], units, on_progress
    )
    findings: list[Finding] = []
    told: list[str] = []
    is_trusted = True
    for label, name in enumerate(dataset.classes):
        has = targets[:, label].astype(np.int64)
        if not enough[label]:
            continue
        both = np.stack([1 - probabilities[:, label], probabilities[:, label]], axis=1)
        accuracy, largest = _accuracies(has, both)
        if accuracy < largest + _BETTER * (1 - largest):
            continue
        is_sure = accuracy >= largest + _TRUSTED_LABEL * (1 - largest)
        is_trusted &= is_sure
        told.append(f"{name!r} {accuracy:.0%}")
        for i, likely, margin in _doubted(has, both, is_trusted=is_sure):
            other = targets[i].copy()
            other[label] = likely
            findings.append(
                Finding(
                    (int(known[i]),),
                    f"{both[i, 1]:.0%} for {name}, which it {'lacks' if likely else 'has'}",
                    margin,
                    name_answer(other, dataset.classes),
                )
            )
    if not told:
        return "the simple model tells none of the labels"
    more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    findings.sort(key=lambda finding: finding.value or 0)
    return _outcome(
        findings,
        f"In {FOLDS} folds it is right about {', '.join(told[:_NAMED])}{more}; other labels it "
        "cannot tell.",
        is_trusted=is_trusted,
    )


def _is_rare(units: NDArray[np.int64], chosen: NDArray[np.bool_]) -> bool:
    return len(np.unique(units[chosen])) < _FEWEST


def _accuracies(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> tuple[float, float]:
    """Of the model, and of always answering the largest class."""
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    return accuracy, float(np.bincount(labels).max()) / len(labels)


def _doubted(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], *, is_trusted: bool
) -> Iterator[tuple[int, int, float]]:
    """The images whose label is doubted, the likelier label, and the margin, the least first."""
    likely, margin = likely_labels(labels, probabilities), margins(labels, probabilities)
    wrong = np.flatnonzero((likely >= 0) & (likely != labels) & (is_trusted | (margin < _SURE)))
    for i in wrong[np.argsort(margin[wrong], kind="stable")].tolist():
        yield i, int(likely[i]), float(margin[i])


def _outcome(findings: list[Finding], told: str, *, is_trusted: bool) -> Outcome | None:
    if not findings:
        return None
    count = count_images({finding.images[0] for finding in findings})
    return Outcome(
        NAME,
        TITLE,
        "warning" if is_trusted else "note",
        f"{count} whose label a simple model doubts, the most doubtful first. {told}",
        "Look at them in this order, and stop where the given labels are mostly right.",
        tuple(findings),
    )
