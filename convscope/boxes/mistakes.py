"""What is wrong with boxes: the error analysis of YOLO's section 4.2, after Hoiem et al. (2012)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.boxes.detections import Detections
from convscope.boxes.geometry import iou
from convscope.boxes.truth import COUNTS, Objects
from convscope.errors import RequestError, nearest

Mistake = Literal["correct", "localization", "similar", "other", "background"]
"""What a box is, by its IoU with the objects of its image:

- `correct`: its class is right and IoU > 0.5;
- `localization`: its class is right and 0.1 < IoU < 0.5;
- `similar`: its class is similar to that of an object, IoU > 0.1;
- `other`: its class is wrong, IoU > 0.1;
- `background`: IoU < 0.1 with every object.

The first that applies. A second box of an object that was found already is `localization`, as in
Hoiem's analysis.
"""

MISTAKES: tuple[Mistake, ...] = ("correct", "localization", "similar", "other", "background")
_FAR, _NEAR = 0.1, 0.5
_SHOWN = 12  # names of classes in a message

_VOC = (
    {"aeroplane", "bicycle", "boat", "bus", "car", "motorbike", "train"},
    {"bird", "cat", "cow", "dog", "horse", "person", "sheep"},
    {"chair", "diningtable", "sofa"},
    {"aeroplane", "bird"},
)
"""Groups of Pascal VOC's classes that are similar: Hoiem et al., 2012, "Diagnosing error in object
detectors", section 3.1: vehicles, animals with persons, furniture, and what flies."""

_OTHERS_OF_VOC = {"bottle", "pottedplant", "tvmonitor"}


def similar_groups(classes: Sequence[str]) -> list[list[int]]:
    """Which classes are similar, by their numbers: Hoiem's groups of those of Pascal VOC.

    There are none where a class is not VOC's.

    >>> similar_groups(["cat", "bird", "car", "aeroplane"])
    [[2, 3], [0, 1], [1, 3]]
    >>> similar_groups(["cat", "glaucoma"])
    []
    """
    if not {*classes} <= set().union(*_VOC, _OTHERS_OF_VOC):
        return []
    groups = [[classes.index(name) for name in classes if name in group] for group in _VOC]
    return [group for group in groups if len(group) > 1]


def named_groups(
    similar: Sequence[str] | Sequence[Sequence[str]], classes: Sequence[str]
) -> list[list[int]]:
    """Groups of similar classes by their numbers, each given by its names, or as "cat,dog".

    >>> named_groups(["cat,dog", "car, bus"], ["bus", "car", "cat", "dog"])
    [[2, 3], [1, 0]]

    Raises RequestError for an unknown class, and for a group of one.
    """
    groups: list[list[int]] = []
    for group in [similar] if isinstance(similar, str) else similar:
        names = group.split(",") if isinstance(group, str) else group
        numbers: list[int] = []
        for name in dict.fromkeys(map(str.strip, names)):
            if name not in classes:
                shown = ", ".join(classes[:_SHOWN]) + ", ..." * (len(classes) > _SHOWN)
                raise RequestError(
                    f"`similar` names {name!r}, which is no class.{nearest(name, classes)} There "
                    f"are: {shown}."
                )
            numbers.append(classes.index(name))
        if len(numbers) < 2:
            raise RequestError(
                "`similar` are groups of two classes or more, each with commas: cat,dog car,bus."
            )
        groups.append(numbers)
    return groups


def mistakes(
    found: Sequence[Detections],
    truth: Objects,
    num_classes: int,
    *,
    similar: Sequence[Sequence[int]] = (),
) -> NDArray[np.int64]:
    """(classes, 5) how many of each class's best boxes are what, in the order of MISTAKES.

    Of each class, as many boxes are looked at as there are objects of it that count, those with the
    highest scores. `similar` are groups of classes that are alike, for example [[0, 1, 2]].
    """
    alike = np.zeros((num_classes, num_classes), bool)
    for group in similar:
        for one in group:
            alike[one, list(group)] = True
    counts = np.zeros((num_classes, len(MISTAKES)), np.int64)
    numbers = [len(one) for one in found]
    images = np.repeat(np.arange(len(found)), numbers)
    places = np.concatenate([np.zeros(0, np.int64), *(np.arange(number) for number in numbers)])
    scores = np.concatenate([np.zeros(0), *(one.scores for one in found)])
    labels = np.concatenate([np.zeros(0, np.int64), *(one.labels for one in found)])
    for label in range(num_classes):
        here = np.flatnonzero(labels == label)
        here = here[np.argsort(-scores[here], kind="stable")]
        is_counted = (truth.labels == label) & (truth.states == COUNTS)
        taken = np.zeros(len(truth.labels), bool)
        best = here[: int(is_counted.sum())]
        for image, index in zip(images[best].tolist(), places[best].tolist(), strict=True):
            kind = _kind(
                found[image].boxes[index], label, truth, truth.of_image(image), taken, alike
            )
            counts[label, MISTAKES.index(kind)] += 1
    return counts


def _kind(
    box: NDArray[np.float64],
    label: int,
    truth: Objects,
    of: slice,
    taken: NDArray[np.bool_],
    alike: NDArray[np.bool_],
) -> Mistake:
    overlaps = iou(torch.from_numpy(box), torch.from_numpy(truth.boxes[of])).numpy()
    labels = truth.labels[of]
    same = np.where(labels == label, overlaps, 0)
    if len(same) and same.max() > _NEAR and not taken[of.start + int(same.argmax())]:
        taken[of.start + int(same.argmax())] = True
        return "correct"
    if (same > _FAR).any():
        return "localization"
    if (alike[label, labels] & (overlaps > _FAR)).any():
        return "similar"
    return "other" if (overlaps > _FAR).any() else "background"
