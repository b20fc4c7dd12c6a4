"""Blank, faint, dark and bright images, by their gray values and those that are usual."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.checks.inspection import Inspection
from convscope.checks.outcome import Finding, Outcome, Severity
from convscope.data.duplicates import count_images

BLANK, BLANK_TITLE = "blank", "Blank images"
FAINT, FAINT_TITLE = "low-contrast", "Images of low contrast"
DARK, DARK_TITLE = "dark", "Dark images"
BRIGHT, BRIGHT_TITLE = "bright", "Bright images"

_BLANK = 3.0  # levels of standard deviation
_FAINT, _USUAL_FAINT = 12.0, 0.3  # levels; as a fraction of the median
_DARK, _USUAL_DARK = 70.0, 0.45  # the 95th percentile; as a fraction of its median
_BRIGHT, _USUAL_BRIGHT = 185.0, 0.45  # the 5th percentile; its distance from white, likewise


def find_blank(inspection: Inspection) -> Outcome | None:
    found = np.flatnonzero(is_blank(inspection))
    return _outcome(
        inspection, BLANK, BLANK_TITLE, "warning", found, inspection.contrast, "show nothing"
    )


def find_faint(inspection: Inspection) -> Outcome | None:
    contrast, known = inspection.contrast, inspection.readable
    limit = min(_FAINT, _USUAL_FAINT * _median(contrast, known))
    found = np.flatnonzero(known & ~is_blank(inspection) & (contrast < limit))
    said = "have little contrast, compared with the others"
    return _outcome(inspection, FAINT, FAINT_TITLE, "warning", found, contrast, said)


def find_dark(inspection: Inspection) -> Outcome | None:
    brightest, known = inspection.brightest, inspection.readable
    limit = min(_DARK, _USUAL_DARK * _median(brightest, known))
    found = np.flatnonzero(known & ~is_blank(inspection) & (brightest < limit))
    said = "are dark, compared with the others"
    return _outcome(inspection, DARK, DARK_TITLE, "warning", found, inspection.brightness, said)


def find_bright(inspection: Inspection) -> Outcome | None:
    left, known = 255 - inspection.darkest, inspection.readable
    limit = min(255 - _BRIGHT, _USUAL_BRIGHT * _median(left, known))
    found = np.flatnonzero(known & ~is_blank(inspection) & (left < limit))
    said = "are bright, compared with the others"
    return _outcome(
        inspection, BRIGHT, BRIGHT_TITLE, "warning", found, 255 - inspection.brightness, said
    )


def is_blank(inspection: Inspection) -> NDArray[np.bool_]:
    """(n,) whether all pixels of an image have nearly one gray value."""
    return inspection.readable & (inspection.contrast < _BLANK)


def _median(values: NDArray[np.float32], known: NDArray[np.bool_]) -> float:
    return float(np.median(values[known])) if known.any() else 0.0


def _outcome(
    inspection: Inspection,
    name: str,
    title: str,
    severity: Severity,
    found: NDArray[np.intp],
    order: NDArray[np.float32],
    said: str,
) -> Outcome | None:
    """The images `found`, those with the least figures first."""
    if not len(found):
        return None
    indices: Sequence[int] = found[np.argsort(order[found], kind="stable")].tolist()
    return Outcome(
        name,
        title,
        severity,
        f"{count_images(indices)} that {said}.",
        "Look at them, and remove those that nobody could tell the class of.",
        tuple(
            Finding(
                (i,),
                f"mean {inspection.brightness[i]:.0f}, standard deviation "
                f"{inspection.contrast[i]:.1f} of 255",
                float(inspection.contrast[i]),
            )
            for i in indices
        ),
    )
