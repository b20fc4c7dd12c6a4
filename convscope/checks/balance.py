"""Classes of very different sizes, and classes of very few images."""

import numpy as np

from convscope.checks.inspection import Inspection
from convscope.checks.outcome import Outcome
from convscope.evaluation.imbalance import describe_imbalance, describe_rare_label

NAME, TITLE = "class-balance", "Sizes of the classes"
_FEW = 10  # images, below which a class is small


def find_imbalance(inspection: Inspection) -> Outcome | None:
    """Classes, or where an image may have several labels, labels."""
    dataset = inspection.dataset
    readable = np.flatnonzero(inspection.readable)
    counts = dataset.subset(readable, "").counts("")
    if dataset.is_multi_label:
        said = [describe_rare_label(dataset.classes, counts, len(readable), "images")]
        advice = "Add images, or train with `class_weights='balanced'`."
        if dataset.objects is not None:  # whose training takes no weights of classes
            advice = "Add images."
    else:
        said = [describe_imbalance(dataset.classes, counts, "images")]
        advice = "Add images, or train with `metric='balanced'` and `sampling='balanced'`."
    if few := [
        f"{dataset.classes[label]!r} ({counts[label]})" for label in np.flatnonzero(counts < _FEW)
    ]:
        more = f" and {len(few) - 5} more" if len(few) > 5 else ""
        said.append(f"Fewer than {_FEW} images: {', '.join(few[:5])}{more}.")
    said = [sentence for sentence in said if sentence]
    return Outcome(NAME, TITLE, "warning", " ".join(said), advice) if said else None
