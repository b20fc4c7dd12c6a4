"""The boxes of an image as JSON: what the lab draws on it, and how each comes about."""

from collections.abc import Iterator
from typing import Any

from convscope.boxes.detections import SHOWN
from convscope.explanation.api import boxes_of
from convscope.explanation.boxes.explanation import EDGES, BoxExplanation
from convscope.explanation.boxes.recorded_boxes import RecordedBoxes
from convscope.explanation.recorded_image import RecordedImage as ExplainedImage
from convscope.terms import json_number
from convscope.webapp.inspect.store import LoadedModel, RecordedImage

_LEAST, _MOST = 0.05, 40  # score and number of what is told
_CLASSES = "classes"  # the numbers of a box from which its class follows
_FIRST = 3  # boxes that are drawn where none has a score of SHOWN


def _boxes(model: LoadedModel, image: RecordedImage) -> RecordedBoxes:
    """Raises RequestError for a network that finds no boxes."""
    return boxes_of(ExplainedImage(image.recording, model.card, ""))


def boxes_to_dict(model: LoadedModel, image: RecordedImage) -> dict[str, Any]:
    """The boxes with a score of 5% or more, in pixels of the network's input. Those with SHOWN or
    more are drawn, or else the first ones.
    """
    boxes = _boxes(model, image)
    found, classes = boxes.suppression.candidates, model.card.classes
    numbers = [
        (name, number) for name, number in boxes.numbers.items() if found.scores[number] >= _LEAST
    ][:_MOST]
    shown = boxes.above(SHOWN) or boxes.kept[:_FIRST]
    return {
        "boxes": [
            {
                "name": name,
                "class": classes[int(found.labels[number])],
                "score": json_number(float(found.scores[number])),
                "is_kept": "." not in name,
                "is_shown": name in shown,
                "cell": found.cells[number].tolist(),
                **dict(zip(EDGES, boxes.edges(number), strict=True)),
            }
            for name, number in numbers
        ],
        "others": len(boxes.numbers) - len(numbers),
    }


def box_to_dict(model: LoadedModel, image: RecordedImage, name: str) -> dict[str, Any]:
    """One box: each of its numbers with its arithmetic and unit, and the comparisons of it."""
    found = _boxes(model, image).explain(name)
    both = sorted([*found.comparisons, *found.others], key=lambda one: -one.iou)
    return {
        "name": name,
        "class": found.label,
        "score": found.score,
        "cell": found.cell,
        "steps": [
            {
                "name": f"class {found.label}" if step == _CLASSES else step,
                "text": text,
                "value": json_number(value),
                "unit": unit,
            }
            for step, text, value in _steps(found)
            for unit in (_unit(image, found, step),)
        ],
        "comparisons": [one.to_dict() for one in both],
        "max_overlap": both[0].max_overlap if both else None,
    }


def _steps(found: BoxExplanation) -> Iterator[tuple[str, str, float]]:
    """Its numbers, with the one of its class before the confidence."""
    for step in found.steps:
        if step[0] == "o":
            of_class = found.explain(_CLASSES)
            yield _CLASSES, found.origin(of_class), of_class.model_value
        yield step


def _unit(image: RecordedImage, found: BoxExplanation, step: str) -> dict[str, Any] | None:
    """The unit of the network that a number is copied from; None for what is computed of others."""
    explanation = found.explain(step)
    if explanation.kind != "getitem":
        return None
    location = explanation.terms[0].location
    return None if location is None else image.units.locate(location)
