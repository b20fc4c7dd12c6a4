"""Which boxes that were found are right, by the rules of COCO, Pascal VOC and ILSVRC."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.boxes.detections import Detections
from convscope.boxes.geometry import area, intersection, iou
from convscope.boxes.truth import COUNTS, CROWD, DIFFICULT, Objects

Rule = Literal["coco", "voc", "ilsvrc"]
"""Which object of its class a box, from the one with the highest score on, is matched with.

- `coco`: of the objects that are not matched yet, the one with the largest IoU, if that is at least
  the threshold (of equal ones the last). Objects that do not count are taken only if no other fits;
  a crowd can be matched any number of times, and counts as overlapped by the share of the box that
  lies in it.
- `voc`: the one with the largest IoU of all (of equal ones the first), if that is at least the
  threshold. If it is matched already, the box is wrong, a duplicate. (The development kit of VOC.)
- `ilsvrc`: of those not matched yet, the one with the largest IoU of those with more than their own
  threshold min(0.5, w·h / ((w + 10)·(h + 10))), with width and height in pixels, which allows for 5
  pixels on each side (Russakovsky et al., 2015, section 4.3). The threshold that is passed replaces
  the 0.5.
"""

COCO_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""0.5, 0.55, ..., 0.95."""


@dataclass(frozen=True, eq=False)
class Matches:
    """The boxes of one class, in all images, and which are right.

    Attributes:
        images: (m,) the number of the image of each box.
        scores: (m,).
        is_right: (thresholds, m) whether the box is matched with an object.
        is_ignored: (thresholds, m) whether it counts neither as right nor as wrong.
        num_objects: (n,) objects in each image that count.
    """

    images: NDArray[np.int64]
    scores: NDArray[np.float64]
    is_right: NDArray[np.bool_]
    is_ignored: NDArray[np.bool_]
    num_objects: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Within:
    """Areas in pixels of the image, to which a matching is limited.

    Objects outside of them do not count, nor do boxes outside of them that are not matched.

    Attributes:
        low, high: the bounds, both included.
        found: of the boxes found in each image (m,).
    """

    low: float
    high: float
    found: Sequence[NDArray[np.float64]]

    def leaves_out(self, areas: NDArray[np.float64]) -> NDArray[np.bool_]:
        return (areas < self.low) | (areas > self.high)


def match(
    found: Sequence[Detections],
    truth: Objects,
    num_classes: int,
    *,
    thresholds: Sequence[float] = COCO_THRESHOLDS,
    rule: Rule = "coco",
    within: Within | None = None,
) -> list[Matches]:
    """For each class, which of the boxes that were found in the images are right."""
    results: list[Matches] = []
    for label in range(num_classes):
        rights: list[NDArray[np.bool_]] = [np.zeros((len(thresholds), 0), bool)]
        ignored: list[NDArray[np.bool_]] = [np.zeros((len(thresholds), 0), bool)]
        images: list[int] = []
        scores: list[NDArray[np.float64]] = [np.zeros(0)]
        counts = np.zeros(len(found), np.int64)
        for number, one in enumerate(found):
            here = np.flatnonzero(one.labels == label)
            here = here[np.argsort(-one.scores[here], kind="stable")]
            of = truth.of_image(number)
            chosen = np.flatnonzero(truth.labels[of] == label) + of.start
            states = truth.states[chosen]
            if within is not None:
                is_out = within.leaves_out(truth.sizes[chosen].prod(1))
                states = np.where(is_out & (states == COUNTS), DIFFICULT, states)
            counts[number] = int((states == COUNTS).sum())
            if not len(here):
                continue
            right = neither = np.zeros((len(thresholds), len(here)), bool)
            if len(chosen):
                overlaps = _overlaps(one.boxes[here], truth.boxes[chosen], states, rule)
                least = _least(thresholds, truth.sizes[chosen], rule)
                right, neither = _MATCHERS[rule](overlaps, states, least)
            if within is not None:
                neither = neither | (~right & within.leaves_out(within.found[number][here]))
            rights.append(right)
            ignored.append(neither)
            images += [number] * len(here)
            scores.append(one.scores[here])
        results.append(
            Matches(
                np.array(images, np.int64),
                np.concatenate(scores),
                np.concatenate(rights, 1),
                np.concatenate(ignored, 1),
                counts,
            )
        )
    return results


def _overlaps(
    boxes: NDArray[np.float64],
    objects: NDArray[np.float64],
    states: NDArray[np.int64],
    rule: Rule,
) -> NDArray[np.float64]:
    """The IoU (boxes, objects); with crowds of COCO, the share of the box that lies in them."""
    one, other = torch.from_numpy(boxes)[:, None], torch.from_numpy(objects)[None]
    found = iou(one, other).numpy()
    if rule == "coco" and (states == CROWD).any():
        within = intersection(one, other) / area(one).clamp_min(torch.finfo(torch.float64).tiny)
        found[:, states == CROWD] = within.numpy()[:, states == CROWD]
    return found


def _least(
    thresholds: Sequence[float], sizes: NDArray[np.float64], rule: Rule
) -> NDArray[np.float64]:
    """(thresholds, objects) the IoU that each object needs."""
    plain = np.tile(np.array(thresholds)[:, None], (1, len(sizes)))
    if rule != "ilsvrc":
        return plain
    width, height = sizes[:, 0], sizes[:, 1]
    return np.minimum(plain, width * height / ((width + 10) * (height + 10)))


Matched = tuple[NDArray[np.bool_], NDArray[np.bool_]]


def _by_coco(
    overlaps: NDArray[np.float64], states: NDArray[np.int64], least: NDArray[np.float64]
) -> Matched:
    thresholds, boxes = len(least), len(overlaps)
    right, ignored = np.zeros((thresholds, boxes), bool), np.zeros((thresholds, boxes), bool)
    for t in range(thresholds):
        free = np.ones(len(states), bool)
        for box in np.flatnonzero((overlaps >= least[t]).any(1)):
            fits = (free | (states == CROWD)) & (overlaps[box] >= least[t])
            for kind in (fits & (states == COUNTS), fits & (states != COUNTS)):
                if not kind.any():
                    continue
                values = np.where(kind, overlaps[box], -1)
                best = len(values) - 1 - int(values[::-1].argmax())  # of equal ones the last
                free[best] = False
                right[t, box], ignored[t, box] = states[best] == COUNTS, states[best] != COUNTS
                break
    return right, ignored


def _by_voc(
    overlaps: NDArray[np.float64], states: NDArray[np.int64], least: NDArray[np.float64]
) -> Matched:
    thresholds, boxes = len(least), len(overlaps)
    right, ignored = np.zeros((thresholds, boxes), bool), np.zeros((thresholds, boxes), bool)
    if not len(states):
        return right, ignored
    best = overlaps.argmax(1)
    for t in range(thresholds):
        free = np.ones(len(states), bool)
        for box, index in enumerate(best):
            if overlaps[box, index] < least[t, index]:
                continue
            if states[index] != COUNTS:
                ignored[t, box] = True
            elif free[index]:
                right[t, box], free[index] = True, False
    return right, ignored


def _by_ilsvrc(
    overlaps: NDArray[np.float64], states: NDArray[np.int64], least: NDArray[np.float64]
) -> Matched:
    thresholds, boxes = len(least), len(overlaps)
    right, ignored = np.zeros((thresholds, boxes), bool), np.zeros((thresholds, boxes), bool)
    for t in range(thresholds):
        free = np.ones(len(states), bool)
        for box in np.flatnonzero((overlaps > least[t]).any(1)):
            fits = free & (overlaps[box] > least[t])
            if not fits.any():
                continue
            index = int(np.where(fits, overlaps[box], -1).argmax())
            free[index] = False
            right[t, box], ignored[t, box] = states[index] == COUNTS, states[index] != COUNTS
    return right, ignored


_MATCHERS = {"coco": _by_coco, "voc": _by_voc, "ilsvrc": _by_ilsvrc}
