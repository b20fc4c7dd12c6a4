"""What is wrong with the boxes of an image."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from convscope.data.boxes.box import Box
from convscope.errors import RequestError

FaultKind = Literal["swapped", "unknown", "empty", "outside", "cut", "repeated"]
"""Why a box cannot be taken as it is written:

- `swapped`: its right edge is left of its left one, or its bottom above its top;
- `unknown`: of a class that the file does not name;
- `empty`: its width or height is 0;
- `outside`: it lies outside of its image;
- `cut`: it reaches beyond its image by more than half a pixel, where it then ends;
- `repeated`: the image has the same box with the same class already.
"""

REFUSED: tuple[FaultKind, ...] = ("swapped", "unknown")
"""Faults for which a training or an evaluation does not begin. Other boxes are left out, or cut."""

_SAID: dict[FaultKind, str] = {
    "cut": "boxes that reach beyond their image end at its edge",
    "outside": "boxes that lie outside of their image are left out",
    "empty": "boxes without a width or height are left out",
    "repeated": "boxes that are there twice, with the same class, are taken once",
}
_SLIGHT = 0.5  # pixels beyond the edge that are no fault: coordinates are rounded


@dataclass(frozen=True)
class BoxFault:
    """What is wrong with a box, and of which image, by its key."""

    image: str
    kind: FaultKind
    box: Box

    def describe(self) -> str:
        """As in "cat from 3,4 to 17,30"."""
        left, top, right, bottom = self.box.edges
        return f"{self.box.label} from {left:g},{top:g} to {right:g},{bottom:g}"


def sort_out(
    boxes: Iterable[Box], size: tuple[int, int], key: str
) -> tuple[list[Box], list[BoxFault]]:
    """The boxes of an image of this (width, height), within it, and what was wrong with others."""
    width, height = size
    kept: list[Box] = []
    faults: list[BoxFault] = []
    for box in boxes:
        inside = Box(
            box.label,
            max(box.left, 0.0),
            max(box.top, 0.0),
            min(box.right, width),
            min(box.bottom, height),
            box.state,
        )
        kind = _kind(box, inside, kept)
        if kind is not None:
            faults.append(BoxFault(key, kind, box))
        if kind in (None, "cut"):
            kept.append(inside)
    return kept, faults


def _kind(box: Box, inside: Box, kept: Sequence[Box]) -> FaultKind | None:
    if box.right < box.left or box.bottom < box.top:
        return "swapped"
    if box.right == box.left or box.bottom == box.top:
        return "empty"
    if inside.right <= inside.left or inside.bottom <= inside.top:
        return "outside"
    if any((inside.label, inside.edges) == (one.label, one.edges) for one in kept):
        return "repeated"
    beyond = max(abs(a - b) for a, b in zip(box.edges, inside.edges, strict=True))
    return "cut" if beyond > _SLIGHT else None


def describe_faults(faults: Sequence[BoxFault], where: str) -> list[str]:
    """A sentence for each kind of fault that a training puts up with."""
    sentences: list[str] = []
    for kind, said in _SAID.items():
        if found := [fault for fault in faults if fault.kind == kind]:
            sentences.append(f"{where}: {said}: {len(found):,}, first in {found[0].image}.")
    return sentences


def refuse_faults(faults: Sequence[BoxFault], where: str) -> None:
    """Raise RequestError for boxes with swapped edges, or of a class that nothing names."""
    for fault in faults:
        left, top, right, bottom = fault.box.edges
        if fault.kind == "swapped":
            raise RequestError(
                f"{where}: a box of {fault.box.label!r} in {fault.image} has its right edge at "
                f"{right:g} and its left one at {left:g}, its bottom at {bottom:g} and its top at "
                f"{top:g}. Swap them there."
            )
        if fault.kind == "unknown":
            raise RequestError(
                f"{where}: a box in {fault.image} is of class {fault.box.label}, which has no "
                "name. Name it in data.yaml, or correct the number."
            )
