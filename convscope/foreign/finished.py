"""A network that was read, with what its file says of images and outputs."""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from convscope.card import Card, NetworkOutput, TaskName
from convscope.errors import RequestError
from convscope.foreign.builder import GraphBuilder, Value
from convscope.foreign.modules import TwoClasses

Pixels = Literal["bytes", "scaled", "centered"]
"""The values of pixels that a network takes: 0..255, 0..1, or -0.5..0.5."""


@dataclass(frozen=True)
class ForeignNetwork:
    """A network and its card.

    Attributes:
        note: what was assumed of its images; empty if the file says it.
        is_assumed: whether its preprocessing was assumed.
        architecture: the network without its weights, as TOML; see `architecture`.
    """

    net: nn.Module
    card: Card
    note: str
    is_assumed: bool
    architecture: str = ""


@dataclass(frozen=True)
class Images:
    """What a file says of its images; `pixels` is None where it says nothing of their values."""

    size: tuple[int, int]
    channels: int
    pixels: Pixels | None
    usual: Pixels
    resize_mode: Literal["stretch", "crop"]


def with_two_classes(graph: GraphBuilder, output: Value, *, probabilities: bool) -> Value:
    """The output, of two classes where the network gives one number."""
    if output.rank == 1 and output.shape == (1,):
        return graph.apply("two_classes", TwoClasses(probabilities=probabilities), output)
    return output


def finished(
    net: nn.Module,
    images: Images,
    outputs: int,
    *,
    output: NetworkOutput,
    task: TaskName,
    library: str,
    where: str,
) -> ForeignNetwork:
    """A network with its card. Raises RequestError for images that are neither gray nor color."""
    channels = images.channels
    if channels not in (1, 3):
        raise RequestError(
            f"{where} takes images of {channels} channels; convscope has images of 1 or 3."
        )
    pixels = images.pixels or images.usual
    mean, std = {"bytes": (0.0, 1 / 255), "scaled": (0.0, 1.0), "centered": (0.5, 1.0)}[pixels]
    card = Card(
        classes=tuple(map(str, range(max(outputs, 2)))),
        input_size=images.size,
        in_channels=1 if channels == 1 else 3,
        resize_mode=images.resize_mode,
        mean=(mean,) * channels,
        std=(std,) * channels,
        output=output,
        task=task,
        provenance={"library": library},
    )
    vars(net)["card"] = card
    note = ""
    if images.pixels is None:
        words = {"bytes": "0..255", "scaled": "0..1", "centered": "-0.5..0.5"}[pixels]
        note = (
            f"{where} does not say which values its pixels have; assumed: {words}. Say otherwise "
            "with `mean` and `std`."
        )
    return ForeignNetwork(net, card, note, is_assumed=images.pixels is None)
