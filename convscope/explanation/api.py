"""`explain`: the arithmetic of one unit of a run's network, or of any other, on an image."""

import re
from dataclasses import dataclass
from typing import Literal, overload

import torch
from torch import Tensor

from convscope.card import Card
from convscope.data.images import ImageLike
from convscope.errors import RequestError, nearest
from convscope.explanation.explanation import Explanation
from convscope.explanation.recording import Recording, record
from convscope.explanation.trace import Trace
from convscope.inference import inference_mode
from convscope.models import ModelLike, open_model
from convscope.synonyms import takes_synonyms


@dataclass(frozen=True)
class RecordedImage:
    """A network's recorded pass on an image.

    Attributes:
        card: how the image was preprocessed, and the names of the classes.
        warning: a caveat for the reader; empty if there is none.
        note: what was assumed of the image; empty if nothing was.
    """

    recording: Recording
    card: Card
    warning: str
    note: str = ""


@overload
def explain(
    model: ModelLike,
    image: ImageLike,
    *,
    at: str | None = None,
    contrast: str | None = None,
    trace_back: Literal[False] = False,
    weights: str | None = None,
    card: Card | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: int | tuple[int, int] | None = None,
) -> Explanation: ...


@overload
def explain(
    model: ModelLike,
    image: ImageLike,
    *,
    at: str | None = None,
    trace_back: Literal[True],
    depth: int | None = None,
    top: int = 1,
    weights: str | None = None,
    card: Card | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: int | tuple[int, int] | None = None,
) -> Trace: ...


@takes_synonyms
def explain(
    model: ModelLike,
    image: ImageLike,
    *,
    at: str | None = None,
    contrast: str | None = None,
    trace_back: bool = False,
    depth: int | None = None,
    top: int = 1,
    weights: str | None = None,
    card: Card | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: int | tuple[int, int] | None = None,
) -> Explanation | Trace:
    """The arithmetic of one unit of a network on an image.

    `model` is a run, a name of the zoo, a layer table, `module:attr`, `timm:NAME`,
    `torchvision:NAME` or a `torch.nn.Module`; `weights` are for one that is named, and so are
    `num_classes`, `in_channels` and `input_size`, with which it is built.

    `at` names the unit: `conv3_2[12,5,7]` by channel, row and column, `fc3[7]` by index,
    `fc3[cataract]` by class; by default the top-1 class. With `contrast`, another class or unit of
    the same result, the difference of the two is explained. With `trace_back`, the unit's `top`
    largest contributions are followed back, and theirs, `depth` operations or to the pixels.

    `image` is a path, a PIL image or an array (h, w[, c]), which is prepared as the network's card
    says, or as `card` does; or a tensor (c, h, w), which is what the network is fed.

    Raises RequestError for an unknown network, image, layer, class or unit; NetworkError where the
    network fails.
    """
    recorded = record_image(
        model,
        image,
        weights=weights,
        card=card,
        num_classes=num_classes,
        in_channels=in_channels,
        input_size=input_size,
    )
    if not trace_back:
        return explain_recorded(recorded, at, contrast=contrast)
    if contrast is not None:
        raise RequestError("`trace_back` follows one unit; leave out `contrast`.")
    name, unit = parse_unit(recorded, at)
    return recorded.recording.trace_back(name, unit, depth=depth, top=top)


def explain_recorded(
    recorded: RecordedImage, at: str | None, *, contrast: str | None = None
) -> Explanation:
    """The same for a pass that is already recorded."""
    name, unit = parse_unit(recorded, at)
    if contrast is None:
        return recorded.recording.explain(name, unit)
    other_name, other = parse_unit(recorded, contrast if "[" in contrast else f"{name}[{contrast}]")
    if other_name != name:
        raise RequestError(
            f"{at or name} and {contrast} are units of different results; contrast two units of "
            f"{name}."
        )
    return recorded.recording.difference(name, unit, other)


def record_image(
    model: ModelLike,
    image: ImageLike,
    *,
    weights: str | None = None,
    card: Card | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: int | tuple[int, int] | None = None,
) -> RecordedImage:
    """Record a network's pass on an image, in eval mode; see `explain`."""
    opened = open_model(
        model,
        weights=weights,
        card=card,
        num_classes=num_classes,
        in_channels=in_channels,
        input_size=input_size,
    )
    is_assumed = opened.note and input_size is None  # then an image may keep its own size
    known, classes = None if is_assumed else opened.card, len(opened.card.classes)
    with inference_mode(opened.net):
        recording = record(opened.net, image, card=known, num_classes=classes)
    note = " ".join(filter(None, (opened.origin, recording.note)))
    return RecordedImage(recording, opened.card, opened.warning, note)


def parse_unit(recorded: RecordedImage, text: str | None) -> tuple[str, tuple[int, ...]]:
    """The result and the index that a text names: `conv3[1,2,3]`, `fc3[cataract]`, `fc3`.

    The default name is the network's output, the default unit the one with the largest value.
    Raises RequestError.
    """
    recording = recorded.recording
    match = re.fullmatch(r"([^\[\]]*)(?:\[(.*)\])?", (text or recording.output).strip())
    if match is None:
        raise RequestError(f"{text!r} names no unit. Write LAYER[channel,row,column] or LAYER[k].")
    name, index = match[1] or recording.output, match[2]
    values = recording[name].value
    if index is None:
        return name, _argmax(values)
    classes = recorded.card.classes
    if index in classes and values.shape == (len(classes),):
        return name, (classes.index(index),)
    if re.fullmatch(r"\s*\d+(\s*,\s*\d+)*\s*", index):
        return name, tuple(int(number) for number in index.split(","))
    raise RequestError(
        f"{name} has no unit {index!r}.{nearest(index, classes)} Give an index: {name} has the "
        f"shape {'x'.join(map(str, values.shape))}."
    )


def _argmax(values: Tensor) -> tuple[int, ...]:
    largest = int(values.flatten().argmax()) if values.numel() else 0
    return tuple(int(n) for n in torch.unravel_index(torch.tensor(largest), values.shape))
