"""The lessons, in the order in which they are taught."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from convscope.errors import RequestError, nearest


@dataclass(frozen=True)
class Lesson:
    """A lesson: its name in addresses, what it is called, what it is about."""

    name: str
    title: str
    sentence: str

    def compute(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The numbers that the lesson shows for what a person has set.

        Raises RequestError for a state that is none of this lesson's.
        """
        room = import_module(f"convscope.lessons.{self.name}")
        work: Callable[[Mapping[str, Any]], dict[str, Any]] = room.compute
        return work(state)


LESSONS = tuple(
    Lesson(name, title, sentence)
    for name, title, sentence in (
        (
            "convolution",
            "A filter slides over an image",
            "Nine products and a sum, again and again.",
        ),
        (
            "volumes",
            "An image is a volume",
            "One slice of the filter for each channel, one map for each filter.",
        ),
        (
            "stride",
            "The filter takes larger steps",
            "What stride skips, and what it never sees.",
        ),
        (
            "padding",
            "A frame of zeros",
            "How the edge keeps its say, and the map its size.",
        ),
        (
            "size",
            "How large is the map?",
            "The formula of the output size, and back from it.",
        ),
        (
            "maps",
            "Feature map, activation map",
            "What a bias and an activation make of the sums.",
        ),
        (
            "pooling",
            "A patch becomes one number",
            "Maximum, average, minimum, and what they lose.",
        ),
        (
            "sharing",
            "One filter for all places",
            "Convolutional, locally connected, dense: side by side.",
        ),
        (
            "lenet5",
            "A network that reads digits",
            "LeNet-5, volume by volume, parameter by parameter.",
        ),
        (
            "vgg",
            "Deeper and deeper",
            "AlexNet and VGG: where the weights and the work are.",
        ),
        (
            "training",
            "How the weights come about",
            "One step of gradient descent, then a thousand.",
        ),
        (
            "filters",
            "What filters learn, and repeat",
            "Edges, blobs, dead filters, and twins.",
        ),
    )
)


def lesson(name: str) -> Lesson:
    """The lesson of that name. Raises RequestError where there is none."""
    for one in LESSONS:
        if one.name == name:
            return one
    names = [one.name for one in LESSONS]
    raise RequestError(f"There is no lesson {name!r}.{nearest(name, names)}")
