"""Boxes that cannot be right, images without one, and classes that are spelled alike."""

from collections.abc import Callable

import numpy as np

from convscope.boxes.truth import Objects
from convscope.checks.inspection import Inspection
from convscope.checks.outcome import Finding, Outcome, Severity
from convscope.data.boxes.faults import REFUSED, BoxFault, FaultKind
from convscope.data.classes import quote_names
from convscope.data.duplicates import count_images
from convscope.data.spellings import alike

Find = Callable[[Inspection], Outcome | None]

_KINDS: dict[FaultKind, tuple[str, str, str, str]] = {
    "swapped": ("boxes-swapped", "Boxes with swapped edges",
                "have their right edge left of the left one, or the bottom above the top",
                "Swap them in the file: a training does not begin with such boxes."),
    "unknown": ("boxes-unknown-class", "Boxes of no class",
                "are of a class that the file does not name",
                "Name the class there, or correct the number: a training does not begin."),
    "empty": ("boxes-empty", "Empty boxes",
              "have no width or no height",
              "A training leaves them out."),
    "outside": ("boxes-outside", "Boxes outside of their images",
                "lie outside of their image",
                "A training leaves them out. They may be of another image, or in other units."),
    "cut": ("boxes-cut", "Boxes that reach beyond their images",
            "reach beyond their image",
            "A training cuts them off at the edge."),
    "repeated": ("boxes-repeated", "Boxes that are there twice",
                 "are in their image twice, with the same class",
                 "A training takes them once."),
}  # fmt: skip
SIZES, NONE, NAMES = "boxes-sizes", "boxes-none", "class-names"


def find_faults(inspection: Inspection, kind: FaultKind) -> Outcome | None:
    """The boxes with a fault, image by image."""
    faults = [fault for fault in inspection.dataset.box_faults if fault.kind == kind]
    if not faults:
        return None
    name, title, what, advice = _KINDS[kind]
    severity: Severity = "error" if kind in REFUSED else "warning"
    places = {inspection.key(index): index for index in range(len(inspection.dataset))}
    several = "1 box" if len(faults) == 1 else f"{len(faults):,} boxes"
    images: dict[int, list[BoxFault]] = {}
    for fault in faults:
        images.setdefault(places[fault.image], []).append(fault)
    return Outcome(
        name,
        title,
        severity,
        f"{several} in {count_images([*images])} {what if len(faults) > 1 else _one(what)}.",
        advice,
        tuple(
            Finding((index,), "; ".join(one.describe() for one in found), float(len(found)))
            for index, found in images.items()
        ),
    )


def _one(what: str) -> str:
    verb, rest = what.split(" ", 1)
    single = {"have": "has", "are": "is", "lie": "lies", "reach": "reaches"}[verb]
    return f"{single} {rest.replace('their', 'its')}"


def find_other_sizes(inspection: Inspection) -> Outcome | None:
    """Images of another size than the file of boxes says, whose boxes are then elsewhere."""
    objects = inspection.dataset.objects
    if objects is None:
        return None
    stated = objects.images
    is_other = inspection.readable & (stated != inspection.sizes).any(1) & (stated > 0).all(1)
    found = np.flatnonzero(is_other)
    if not len(found):
        return None
    return Outcome(
        SIZES,
        "Boxes for another size",
        "error",
        f"{count_images(found)} of another size than the file of their boxes says.",
        "Boxes are in pixels of the size that the file says: correct it, or the boxes. A "
        "photograph may be turned by its EXIF orientation.",
        tuple(
            Finding(
                (i,),
                "{}x{} pixels, boxes for {}x{}".format(*inspection.sizes[i], *stated[i]),
            )
            for i in found.tolist()
        ),
    )


def find_without(inspection: Inspection) -> Outcome | None:
    """Images without a box."""
    objects = inspection.dataset.objects
    if objects is None:
        return None
    found = np.flatnonzero(np.diff(objects.starts) == 0)
    if not len(found):
        return None
    return Outcome(
        NONE,
        "Images without a box",
        "note",
        f"{count_images(found)} without a box, of {_counted(objects)}.",
        "They teach a network where nothing is, if they are meant so.",
        tuple(Finding((i,), "no box") for i in found.tolist()),
    )


def _counted(objects: Objects) -> str:
    count = len(objects.labels)
    return f"{len(objects):,} with {'1 box' if count == 1 else f'{count:,} boxes'} in all"


def find_names(inspection: Inspection) -> Outcome | None:
    """Classes of boxes whose names differ in case or in what divides words alone."""
    if inspection.dataset.objects is None:
        return None
    spelled: dict[str, list[str]] = {}
    for name in inspection.dataset.classes:
        spelled.setdefault(alike(name), []).append(name)
    same = [names for names in spelled.values() if len(names) > 1]
    if not same:
        return None
    return Outcome(
        NAMES,
        "Class names that are spelled alike",
        "warning",
        "Classes differ in upper and lower case, or in what divides words, alone.",
        "Give them one name if they are one class.",
        tuple(Finding((), quote_names(names)) for names in same),
    )


def _find(kind: FaultKind) -> Find:
    def find(inspection: Inspection) -> Outcome | None:
        return find_faults(inspection, kind)

    return find


BOX_CHECKS: dict[str, Find] = {
    **{name: _find(kind) for kind, (name, *_) in _KINDS.items()},
    SIZES: find_other_sizes,
    NAMES: find_names,
    NONE: find_without,
}
"""The checks of boxes, by their names."""
