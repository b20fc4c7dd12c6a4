"""`explain`: the arithmetic of one unit of a run's network, or of any other, on an image."""

import operator
import re
from collections.abc import Sequence
from typing import Literal, SupportsIndex, cast, overload

import numpy as np
from torch import Tensor

from convscope.card import Card
from convscope.data.images import ImageLike
from convscope.errors import RequestError, nearest
from convscope.explanation.boxes.recorded_boxes import RecordedBoxes, first_score, with_named_boxes
from convscope.explanation.explanation import Explanation
from convscope.explanation.loading import size_in_pixels
from convscope.explanation.network_request import NetworkRequest
from convscope.explanation.recorded_image import RecordedImage
from convscope.explanation.recording import Recording, record
from convscope.explanation.saved_recordings import as_recorded, check_nothing_else
from convscope.explanation.trace import Trace
from convscope.inference import inference_mode
from convscope.models import ModelLike
from convscope.network_card import card_of
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms

_NOTHING_SAID = NetworkRequest()

UnitLike = str | int | tuple[str, int | Sequence[int]]
"""A unit: as text, a class by its index, or the name of a layer and an index."""


@overload
def explain(
    model: ModelLike | Recording,
    image: ImageLike | None = None,
    *,
    at: UnitLike | None = None,
    contrast: UnitLike | None = None,
    trace_back: Literal[False] = False,
    weights: str | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: int | tuple[int, int] | None = None,
    trust: bool = False,
) -> Explanation: ...


@overload
def explain(
    model: ModelLike | Recording,
    image: ImageLike | None = None,
    *,
    at: UnitLike | None = None,
    trace_back: Literal[True],
    depth: int | None = None,
    top: int = 1,
    weights: str | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: int | tuple[int, int] | None = None,
    trust: bool = False,
) -> Trace: ...


@takes_synonyms
def explain(
    model: ModelLike | Recording,
    image: ImageLike | None = None,
    *,
    at: UnitLike | None = None,
    contrast: UnitLike | None = None,
    trace_back: bool = False,
    depth: int | None = None,
    top: int = 1,
    weights: str | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: int | tuple[int, int] | None = None,
    trust: bool = False,
) -> Explanation | Trace:
    """The arithmetic of one unit of a network on an image.

    `model` is a run, a name of the zoo, a layer table, `module:attr`, `timm:NAME`,
    `torchvision:NAME` or a `torch.nn.Module`; `weights` are for one that is named, and so are
    `pretrained`, its published ones, and `num_classes`, `in_channels` and `input_size`, with which
    it is built. `trust` allows the code
    of its own that a run recorded, see `convscope.load`.

    `at` names the unit: `conv3_2[12,5,7]` by channel, row and column, `fc3[7]` by index,
    `fc3[cataract]` by class, also `("conv3_2", (12, 5, 7))`; by default the top-1 class. Of a
    network that finds objects, `box1.left` is a number of a box, see `explain_boxes`. With
    `contrast`, another class or unit of the same result, the difference of the two is explained.
    With `trace_back`, the unit's `top` largest contributions are followed back, and theirs, `depth`
    operations or to the pixels.

    `image` is a path, a PIL image or an array (h, w[, c]), which is prepared as the network's card
    says, or as `card` does; or a tensor (c, h, w), which is what the network is fed. It is left out
    where `model` is a recording, or the path of one that was saved.

    Raises RequestError for an unknown network, image, layer, class or unit; NetworkError where the
    network fails.
    """
    request = NetworkRequest(
        weights=weights,
        pretrained=pretrained,
        card=card,
        num_classes=num_classes,
        in_channels=in_channels,
        input_size=input_size,
        consent=Consent(trust=trust),
    )
    recorded = record_or_load(model, image, request)
    at = first_score(recorded) if at is None else at
    recorded = with_named_boxes(recorded, at, contrast)
    if not trace_back:
        return explain_recorded(recorded, at, contrast=contrast)
    if contrast is not None:
        raise RequestError("`trace_back` follows one unit; leave out `contrast`.")
    name, unit = parse_unit(recorded, at)
    return recorded.recording.trace_back(name, unit, depth=depth, top=top)


def explain_boxes(
    model: ModelLike | Recording,
    image: ImageLike | None = None,
    *,
    weights: str | None = None,
    card: Card | None = None,
    trust: bool = False,
) -> RecordedBoxes:
    """The boxes that a network finds in an image, each with its arithmetic.

    The arguments are those of `explain`. `found[0]`, or `found["box1"]`, is the box with the
    highest score; `found["box1.1"]` the first one that it suppressed, and `found.compare("box1",
    "box2")` what suppression made of two. `explain(model, image, at="box1.left")` is the arithmetic
    of one number of a box.

    Raises RequestError as `explain`, and for a network that finds no boxes.
    """
    request = NetworkRequest(weights=weights, card=card, consent=Consent(trust=trust))
    return boxes_of(record_or_load(model, image, request))


def boxes_of(recorded: RecordedImage) -> RecordedBoxes:
    """The boxes of a recorded image. Raises RequestError for a network that finds none."""
    if (found := RecordedBoxes.of(recorded)) is None:
        raise RequestError(
            "The network classifies whole images; boxes are those of a network that finds objects, "
            "as `convscope train scenes --task detect` trains one."
        )
    return found


def explain_recorded(
    recorded: RecordedImage, at: UnitLike | None, *, contrast: UnitLike | None = None
) -> Explanation:
    """The same for a pass that is already recorded."""
    recorded = with_named_boxes(recorded, at, contrast)
    name, unit = parse_unit(recorded, at)
    if contrast is None:
        return recorded.recording.explain(name, unit)
    contrast = _written(contrast, "contrast")
    if not recorded.recording[name].value.ndim:
        raise RequestError(
            f"{name} is one number. `contrast` is for two units of one result, or for two boxes, "
            "such as box1 and box1.1."
        )
    written = _UNIT.fullmatch(contrast.strip())
    is_unit = written is not None and written[2] is not None and written[1] in recorded.names
    other_name, other = parse_unit(recorded, contrast if is_unit else f"{name}[{contrast}]")
    if other_name != name:
        raise RequestError(
            f"{name if at is None else at} and {contrast} are units of different results; contrast "
            f"two units of {name}."
        )
    return recorded.recording.difference(name, unit, other)


def record_or_load(
    model: ModelLike | Recording,
    image: ImageLike | None,
    request: NetworkRequest = _NOTHING_SAID,
) -> RecordedImage:
    """A recording, or a saved one by its path, or else the network's pass on an image, recorded."""
    recorded = as_recorded(model)
    if recorded is not None:
        subject = "This" if isinstance(model, Recording) else model
        check_nothing_else(subject, request.stated, has_image=image is not None)
        return recorded
    if image is None or isinstance(model, Recording):
        raise RequestError("Give a network and an image, or a saved recording.")
    return record_image(model, image, request)


def record_image(
    model: ModelLike, image: ImageLike, request: NetworkRequest = _NOTHING_SAID
) -> RecordedImage:
    """Record a network's pass on an image, in eval mode; see `explain`."""
    opened = request.open(model)
    # Where nothing is known of images, one may keep its own size.
    is_open = opened.is_assumed and request.input_size is None and card_of(opened.net) is None
    known, classes = None if is_open else opened.card, len(opened.card.classes)
    with inference_mode(opened.net):
        recording = record(opened.net, image, card=known, num_classes=classes)
    known_note = "" if is_open else opened.note
    note = " ".join(filter(None, (opened.origin, known_note, recording.note)))
    size = size_in_pixels(image, opened.card) if opened.card.task == "detection" else None
    return RecordedImage(recording, opened.card, opened.warning, note, size)


_SHOWN = 10  # classes in a message
_UNIT = re.compile(r"([^\[\]]*)(?:\[(.*)\])?", re.DOTALL)
"""A result, and its unit in brackets."""


def _written(unit: object, argument: str) -> str:
    """A unit as text: `("conv3_2", (12, 5, 7))` is `conv3_2[12,5,7]`, `7` is `7`."""
    if isinstance(unit, str):
        return unit
    if hasattr(unit, "__index__") and not isinstance(unit, bool):
        return str(operator.index(cast("SupportsIndex", unit)))
    pair = cast("tuple[object, ...]", unit) if isinstance(unit, tuple) else ()
    if len(pair) == 2 and isinstance(pair[0], str):
        at = pair[1]
        numbers = cast("Sequence[object]", at) if isinstance(at, tuple | list) else (at,)
        return f"{pair[0]}[{','.join(map(str, numbers))}]"
    raise RequestError(
        f"`{argument}` must be text such as 'conv1[5,3,7]' or 'fc3[cat]', the index of a class, or "
        f"(layer, index), not {unit!r}."
    )


def parse_unit(recorded: RecordedImage, unit: UnitLike | None) -> tuple[str, tuple[int, ...]]:
    """The result and the index that a unit names: `conv3[1,2,3]`, `fc3[cataract]`, `fc3`.

    Numbers in brackets are an index, as explanations print it, also where a class is called by a
    number; that class stands in quotes, as in `fc3['7']`. The default name is the network's output,
    the default unit the one with the largest value; a class or a number alone is a unit of the
    output. Raises RequestError.
    """
    recording = recorded.recording
    text = recording.output if unit is None else _written(unit, "at")
    asked = (text or recording.output).strip()
    match = _UNIT.fullmatch(asked)
    if match is None or (match[1] and match[1] not in recorded.names):
        is_class = asked.isdecimal() or recorded.class_index(recording.output, asked) is not None
        match = _UNIT.fullmatch(f"{recording.output}[{asked}]") if is_class else match
    if match is None:
        raise RequestError(f"{text!r} names no unit. Write LAYER[channel,row,column] or LAYER[k].")
    name, index = match[1] or recording.output, match[2]
    values = recording[name].value
    if index is None:
        return name, _argmax(values)
    if re.fullmatch(r"\s*\d+(\s*,\s*\d+)*\s*", index) and index.count(",") < max(1, values.ndim):
        return name, tuple(int(number) for number in index.split(","))
    if (number := recorded.class_index(name, index)) is not None:
        return name, (number,)
    classes = recorded.card.classes
    hint = nearest(index, classes)
    if not hint and name == recording.output and values.shape == (len(classes),):
        others = f" and {len(classes) - _SHOWN:,} more" if len(classes) > _SHOWN else ""
        hint = f" Its units are the classes {', '.join(map(repr, classes[:_SHOWN]))}{others}."
    raise RequestError(
        f"{name} has no unit {index!r}.{hint} Give an index: {name} has the shape "
        f"{'x'.join(map(str, values.shape))}."
    )


def _argmax(values: Tensor) -> tuple[int, ...]:
    if not values.numel():
        return (0,) * values.ndim
    largest = int(values.flatten().argmax())  # torch's unravel_index imports sympy
    return tuple(int(n) for n in np.unravel_index(largest, values.shape))
