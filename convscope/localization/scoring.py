"""ILSVRC's rule for localization, and what is reported beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from convscope.boxes.geometry import iou
from convscope.evaluation.figures import Figure, proportion
from convscope.localization.component import Edges

OVERLAP = 0.5
"""The intersection over union from which on a box is right."""
GUESSES = 5


@dataclass(frozen=True)
class Guess:
    """A class (its index) and the box of its object in pixels of the image, or None."""

    label: int
    box: Edges | None


@dataclass(frozen=True)
class ImageScore:
    """Whether one image was classified and localized.

    Attributes:
        class1, class5: whether the most probable class, or one of the five, is the true one.
        found1, found5: whether its box also overlaps a true one by at least 0.5 (ILSVRC's rule).
        known: whether the box for the true class, were it told, does; None where it is not known.
        overlap: the largest overlap of that box with a true one; None likewise.
    """

    class1: bool
    class5: bool
    found1: bool
    found5: bool
    known: bool | None
    overlap: float | None


def score_image(
    guesses: Sequence[Guess], truth: int, boxes: Sequence[Edges], known: Edges | None = None
) -> ImageScore:
    """Score up to five guesses, the most probable first, by the boxes of the true class.

    An image is localized where one guess has the true class and a box whose overlap with any of the
    boxes of that class is at least 0.5 (Russakovsky et al., 2015, section 4.1). `known` is the box
    for the true class, whatever was guessed.
    """
    first = guesses[:1]
    overlap = best_overlap(known, boxes) if known is not None else None
    if known is None:
        own = next((one for one in guesses if one.label == truth), None)
        overlap = None if own is None else best_overlap(own.box, boxes)
    return ImageScore(
        any(one.label == truth for one in first),
        any(one.label == truth for one in guesses[:GUESSES]),
        any(_is_found(one, truth, boxes) for one in first),
        any(_is_found(one, truth, boxes) for one in guesses[:GUESSES]),
        None if overlap is None else overlap >= OVERLAP,
        overlap,
    )


def best_overlap(box: Edges | None, boxes: Sequence[Edges]) -> float:
    """The largest intersection over union of a box with some boxes; 0 where there is none."""
    if box is None or not boxes:
        return 0.0
    one = torch.tensor(box, dtype=torch.float64)
    return float(iou(one, torch.tensor(boxes, dtype=torch.float64)).max())


def figures(scores: Sequence[ImageScore]) -> dict[str, Figure]:
    """Errors with Wilson's 95% intervals, and the share of right boxes where the class is told."""

    def wrong(name: str) -> Figure:
        return proportion(sum(not getattr(one, name) for one in scores), len(scores))

    told = [one for one in scores if one.known is not None]
    overlaps = [one.overlap for one in told if one.overlap is not None]
    return {
        "localization_error": wrong("found5"),
        "top1_localization_error": wrong("found1"),
        "classification_error": wrong("class5"),
        "top1_classification_error": wrong("class1"),
        "known_class_accuracy": proportion(
            sum(bool(one.known) for one in told), len(told), reason="no image has a box to compare"
        ),
        "mean_overlap": Figure(float(np.mean(overlaps)) if overlaps else float("nan")),
    }


def _is_found(guess: Guess, truth: int, boxes: Sequence[Edges]) -> bool:
    return guess.label == truth and best_overlap(guess.box, boxes) >= OVERLAP
