"""Classes of very different sizes, and classes of very few images."""

import numpy as np

from convscope.checks.inspection import Inspection
from convscope.checks.outcome import Outcome
from convscope.evaluation.imbalance import describe_imbalance

NAME, TITLE = "class-balance", "Sizes of the classes"
_FEW = 10  # images, below which a class is small


def find_imbalance(inspection: Inspection) -> Outcome | None:
    dataset = inspection.dataset
    readable = dataset.labels[inspection.readable]
    counts = np.bincount(readable, minlength=len(dataset.classes))
    said = [describe_imbalance(dataset.classes, counts, "images")]
    if few := [
        f"{dataset.classes[label]!r} ({counts[label]})" for label in np.flatnonzero(counts < _FEW)
    ]:
        more = f" and {len(few) - 5} more" if len(few) > 5 else ""
        said.append(f"Fewer than {_FEW} images: {', '.join(few[:5])}{more}.")
    said = [sentence for sentence in said if sentence]
    if not said:
        return None
    return Outcome(
        NAME,
        TITLE,
        "warning",
        " ".join(said),
        "Add images, or train with `metric='balanced'` and `sampling='balanced'`.",
    )
