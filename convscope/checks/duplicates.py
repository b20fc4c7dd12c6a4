"""Images with equal pixels, whatever files they are in: of two classes, and of one."""

from convscope.checks.inspection import Inspection
from convscope.checks.outcome import Finding, Outcome
from convscope.data.duplicates import count_images

CONFLICTS, CONFLICTS_TITLE = "conflicting-labels", "Equal images of two classes"
REPEATED, REPEATED_TITLE = "duplicates", "Equal images"


def find_conflicts(inspection: Inspection) -> Outcome | None:
    """Copies of an image that have other labels than it."""
    found = tuple(
        Finding((copy, indices[0]), f"is {inspection.label(copy)}, and {inspection.label(first)}")
        for indices in inspection.copies
        for first in indices[:1]
        for copy in indices[1:]
        if inspection.dataset.labels[copy] != inspection.dataset.labels[first]
    )
    if not found:
        return None
    return Outcome(
        CONFLICTS,
        CONFLICTS_TITLE,
        "error",
        f"{count_images(found)} also under another label, with equal pixels.",
        "Decide on one label; at most one of them is right.",
        found,
    )


def find_repeated(inspection: Inspection) -> Outcome | None:
    """Copies of an image with its label, in whatever split."""
    labels = inspection.dataset.labels
    found: list[Finding] = []
    for indices in inspection.copies:
        firsts: dict[int, int] = {}
        for index in indices:
            first = firsts.setdefault(int(labels[index]), index)
            if first != index:
                found.append(Finding((index, first), "has equal pixels"))
    if not found:
        return None
    return Outcome(
        REPEATED,
        REPEATED_TITLE,
        "warning",
        f"{count_images(found)} repeated, with equal pixels and the same label.",
        "Keep one of each, unless they shall count more.",
        tuple(found),
    )
