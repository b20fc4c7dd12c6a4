"""The verb `explain`: the arithmetic of one unit of a run's network, or of another, on an image."""

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from convscope.card import Card
from convscope.errors import RequestError, nearest
from convscope.explanation.explanation import Explanation
from convscope.explanation.loading import open_network, pixels_of, prepared
from convscope.explanation.recording import Recording, record
from convscope.inference import inference_mode


@dataclass(frozen=True)
class Seen:
    """A network's pass over an image, and what is known of both.

    Attributes:
        card: how the image was prepared, and what the classes are called.
        caution: what whoever reads it should know; empty where there is nothing.
    """

    recording: Recording
    card: Card
    caution: str


def explain(
    subject: str | Path | nn.Module,
    image: str | Path | Tensor,
    *,
    at: str | None = None,
    contrast: str | None = None,
    weights: str | None = None,
) -> Explanation:
    """The arithmetic of one unit: of a run folder, a name of the zoo, `module:attr` or a module.

    `at` names the unit: `conv3_2[12,5,7]` by channel, row and column, `fc3[7]` by number,
    `fc3[cataract]` by class; left out, it is the answer's strongest class. With `contrast`,
    another class or unit of the same result, it is the difference of the two.

    `image` is a file, prepared as the network's card says, or a tensor (c, h, w), taken as it is.

    Raises RequestError for an unknown network, image, layer, class or unit.
    """
    return explain_seen(look(subject, image, weights=weights), at, contrast=contrast)


def explain_seen(seen: Seen, at: str | None, *, contrast: str | None = None) -> Explanation:
    """The same of a pass that was recorded already."""
    name, place = find_unit(seen, at)
    if contrast is None:
        return seen.recording.explain(name, place)
    other, there = find_unit(seen, contrast if "[" in contrast else f"{name}[{contrast}]")
    if other != name:
        raise RequestError(
            f"{at} and {contrast} are units of different results; compare two of {name}."
        )
    return seen.recording.difference(name, place, there)


def look(
    subject: str | Path | nn.Module, image: str | Path | Tensor, *, weights: str | None = None
) -> Seen:
    """Record a network's pass over an image, in eval mode; see `explain`."""
    net, card, caution = open_network(subject, weights=weights)
    shown = image if isinstance(image, Tensor) else prepared(pixels_of(Path(image), card), card)
    with inference_mode(net):
        recording = record(net, shown)
    return Seen(recording, card, caution)


def find_unit(seen: Seen, wish: str | None) -> tuple[str, tuple[int, ...]]:
    """The result and the unit that a person means: `conv3[1,2,3]`, `fc3[cataract]`, `fc3`.

    Without an index it is the strongest unit; without a name, of the answer. Raises RequestError.
    """
    recording = seen.recording
    found = re.fullmatch(r"([^\[\]]*)(?:\[(.*)\])?", (wish or recording.output).strip())
    if found is None:
        raise RequestError(f"{wish!r} names no unit. Write LAYER[channel,row,column] or LAYER[k].")
    name, inside = found[1] or recording.output, found[2]
    value = recording[name].squeezed
    if inside is None:
        return name, _strongest(value)
    classes = seen.card.classes
    if inside in classes and value.shape == (len(classes),):
        return name, (classes.index(inside),)
    if re.fullmatch(r"\s*\d+(\s*,\s*\d+)*\s*", inside):
        return name, tuple(int(word) for word in inside.split(","))
    raise RequestError(
        f"{name} has no unit {inside!r}.{nearest(inside, classes)} Give its index: {name} has the "
        f"shape {'x'.join(map(str, value.shape))}."
    )


def _strongest(value: Tensor) -> tuple[int, ...]:
    place = int(value.flatten().argmax()) if value.numel() else 0
    return tuple(int(index) for index in torch.unravel_index(torch.tensor(place), value.shape))
