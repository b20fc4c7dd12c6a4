"""The lessons, in the order in which they are taught."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from convscope.errors import RequestError, nearest


@dataclass(frozen=True)
class Lesson:
    """A lesson: its name in the page's address, its title, and one sentence about it."""

    name: str
    title: str
    sentence: str

    def compute(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Compute the numbers that the lesson shows for a state of its inputs.

        Raises RequestError for an invalid state.
        """
        module = import_module(f"convscope.lessons.{self.name}")
        compute: Callable[[Mapping[str, Any]], dict[str, Any]] = module.compute
        return compute(state)


LESSONS = tuple(
    Lesson(name, title, sentence)
    for name, title, sentence in (
        (
            "bird",
            "A bird in 256×256 pixels",
            "A dense layer and a convolution on one image: edges and weights, counted.",
        ),
        (
            "redundancy",
            "Neighboring pixels are alike",
            "Photographs against their own shuffled pixels: who notices?",
        ),
        (
            "subsampling",
            "Fewer pixels, the same picture",
            "A photograph with every second, fourth or eighth pixel.",
        ),
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
            "What a stride skips, and what it never reads.",
        ),
        (
            "padding",
            "A border of zeros",
            "How padding keeps the pixels at the edge, and the size of the map.",
        ),
        (
            "size",
            "How large is the map?",
            "The formula for the output size, and how to solve it backwards.",
        ),
        (
            "maps",
            "Feature maps and activation maps",
            "What a bias and an activation function do to the sums.",
        ),
        (
            "pooling",
            "A patch becomes one number",
            "Maximum, average, minimum, and what is lost.",
        ),
        (
            "sharing",
            "One filter for all positions",
            "Convolutional, locally connected and dense layers, side by side.",
        ),
        (
            "detector",
            "An eye is found anywhere",
            "The same weights at every place: shift the face, and the map shifts along.",
        ),
        (
            "anysize",
            "Images of any size",
            "Convolutions take them all; where a network breaks, and what mends it.",
        ),
        (
            "lenet5",
            "A network that reads digits",
            "LeNet-5, volume by volume, parameter by parameter.",
        ),
        (
            "ilsvrc",
            "A challenge, year by year",
            "Five answers for an image, and winners that became deeper.",
        ),
        (
            "towers",
            "AlexNet in two towers",
            "Filters that read half of the maps: weights and edges, counted.",
        ),
        (
            "vgg",
            "Deeper and deeper",
            "AlexNet and VGG: where the weights are, and where the computation is.",
        ),
        (
            "backprop",
            "One step, number by number",
            "Forward, backward, update, and forward again, for one image.",
        ),
        (
            "training",
            "How the weights are learned",
            "One step of gradient descent, then a thousand.",
        ),
        (
            "filters",
            "What filters learn, and which are redundant",
            "Edges, blobs, dead filters, and duplicates.",
        ),
    )
)


def lesson(name: str) -> Lesson:
    """Return the lesson of that name. Raises RequestError for an unknown name."""
    for entry in LESSONS:
        if entry.name == name:
            return entry
    names = [entry.name for entry in LESSONS]
    raise RequestError(f"There is no lesson {name!r}.{nearest(name, names)}")
