"""Few images of other channels or another depth than all others, and what was noted on reading."""

from collections import Counter

import numpy as np

from convscope.checks.inspection import Inspection
from convscope.checks.outcome import Finding, Outcome
from convscope.data.duplicates import count_images

NAME, TITLE = "mixtures", "Mixed kinds of images"
_FEW = 0.1  # of the images, below which a kind is the unusual one


def find_mixtures(inspection: Inspection) -> Outcome | None:
    known = np.flatnonzero(inspection.readable)
    kinds = {index: _kind(inspection, index) for index in known.tolist()}
    counts = Counter(kinds.values())
    rare = {kind for kind, count in counts.items() if count < _FEW * len(known)}
    found = [Finding((index,), kind) for index, kind in kinds.items() if kind in rare]
    found += [Finding((index,), note) for index, note in sorted(inspection.notes.items())]
    if len(counts) < 2 and not found:
        return None
    listed = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
    noted = f" Of {count_images(inspection.notes)}, something was noted on reading." * bool(
        inspection.notes
    )
    return Outcome(
        NAME,
        TITLE,
        "note",
        f"The images are of several kinds: {listed}.{noted}" if len(counts) > 1 else noted.strip(),
        "Look whether they belong here. All are brought to the same channels for a network.",
        tuple(found),
    )


def _kind(inspection: Inspection, index: int) -> str:
    deep = " of more than 8 bits" if inspection.is_deep[index] else ""
    return f"{inspection.kinds[index]}{deep}"
