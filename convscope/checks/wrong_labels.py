"""Labels that are likely wrong: a simple model, trained on the other images, is sure of another.

The model is a softmax regression on features of 32 x 32 thumbnails, in five folds; see
`patch_features` and `confident_learning`. It is weaker than a network, and what it is unsure of it
does not tell. How often it is right is part of what is said.
"""

from collections.abc import Callable

import numpy as np

from convscope.checks.confident_learning import likely_labels, margins
from convscope.checks.cross_validation import FOLDS, cross_validated, units_of
from convscope.checks.inspection import Inspection
from convscope.checks.outcome import Finding, Outcome
from convscope.checks.patch_features import patch_features
from convscope.data.duplicates import count_images

NAME, TITLE = "wrong-labels", "Likely wrong labels"

_FEWEST = 8  # units of a class, fewer of which no model is made of
_BETTER = 0.3  # of the errors of always answering the largest class that a model must save
_TRUSTED = 0.85  # accuracy from which findings are warnings, and all are told
_SURE = -0.5  # the margin from which a model that is right less often is listened to


def find_wrong_labels(
    inspection: Inspection, on_progress: Callable[[int, int], None]
) -> Outcome | str | None:
    """The outcome, or the reason why nothing can be said; None where no label is doubted."""
    dataset = inspection.dataset
    known = np.flatnonzero(inspection.readable)
    pairs = [(pair.first, pair.second) for pair in inspection.similar]
    units = units_of(inspection.leaders, pairs, dataset.groups)[known]
    labels = dataset.labels[known]
    present = np.unique(labels)
    for label in present.tolist():
        if len(np.unique(units[labels == label])) < _FEWEST:
            return f"class {dataset.classes[label]!r} has too few images"
    if len(present) < 2:
        return "there is only one class"
    codes = np.searchsorted(present, labels)
    features = patch_features(inspection.thumbnails, inspection.readable)[known]
    probabilities = cross_validated(features, codes, units, len(present), on_progress)
    accuracy = float((probabilities.argmax(axis=1) == codes).mean())
    largest = float(np.bincount(codes).max()) / len(codes)
    if accuracy < largest + _BETTER * (1 - largest):
        return (
            f"the simple model is right for {accuracy:.0%} of the images only (always answering "
            f"the largest class: {largest:.0%})"
        )
    likely, margin = likely_labels(codes, probabilities), margins(codes, probabilities)
    is_trusted = accuracy >= _TRUSTED
    wrong = np.flatnonzero((likely >= 0) & (likely != codes) & (is_trusted | (margin < _SURE)))
    if not len(wrong):
        return None
    wrong = wrong[np.argsort(margin[wrong], kind="stable")]
    return Outcome(
        NAME,
        TITLE,
        "warning" if is_trusted else "note",
        f"{count_images(wrong)} whose label a simple model doubts, the most doubtful first. "
        f"In {FOLDS} folds it is right for {accuracy:.0%} of all images.",
        "Look at them in this order, and stop where the given labels are mostly right.",
        tuple(
            Finding(
                (int(known[i]),),
                f"{probabilities[i, codes[i]]:.0%} for its label, {probabilities[i, likely[i]]:.0%}"
                f" for {dataset.classes[present[likely[i]]]}",
                float(margin[i]),
                dataset.classes[present[likely[i]]],
            )
            for i in wrong.tolist()
        ),
    )
