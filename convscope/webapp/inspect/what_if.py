"""What if: other weights, pixels, strides, padding or windows, and all that follows from them."""

import base64
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.errors import RequestError
from convscope.explanation.loading import preprocess
from convscope.explanation.recording import Recording
from convscope.inference import inference_mode
from convscope.interventions.changed_pass import apply_edit
from convscope.interventions.edits import Edit, check_index
from convscope.recording import Operation, run_once
from convscope.terms import json_number
from convscope.webapp.inspect.graph import GraphRow, chw_shape
from convscope.webapp.inspect.maps import Floats, volume_of
from convscope.webapp.inspect.probabilities import class_probabilities, with_probabilities
from convscope.webapp.inspect.store import LoadedModel, RecordedImage

SettingName = Literal["kernel", "stride", "padding", "dilation"]

_ATTRIBUTES: Mapping[SettingName, str] = {
    "kernel": "kernel_size",
    "stride": "stride",
    "padding": "padding",
    "dilation": "dilation",
}
_SETTINGS: Mapping[type[nn.Module], tuple[SettingName, ...]] = {
    nn.Conv2d: ("stride", "padding", "dilation"),
    nn.MaxPool2d: ("kernel", "stride", "padding", "dilation"),
    nn.AvgPool2d: ("kernel", "stride", "padding"),
}
_SHOWN = 16  # layers whose maps are drawn
_SIDE = 56  # points of a map that is drawn
_VECTOR = 512  # units of a vector that is drawn
_ONE_AT_A_TIME = threading.Lock()  # a pass keeps the volumes of the network


@dataclass(frozen=True)
class PixelBlock:
    """A block of pixels that have other bytes, one for each channel."""

    y: int
    x: int
    height: int
    width: int
    bytes: tuple[int, ...]


@dataclass(frozen=True)
class Setting:
    """Another stride, padding, dilation or window of a row's layer."""

    row: str
    name: SettingName
    value: int


@dataclass(frozen=True)
class Supposition:
    """What is other than in the network and its image.

    Attributes:
        weights: edits of parameters.
    """

    weights: Sequence[Edit] = ()
    pixels: Sequence[PixelBlock] = ()
    settings: Sequence[Setting] = ()


def settings_of(model: LoadedModel, row: GraphRow) -> dict[SettingName, int]:
    """What can be set of a row's layer, as it is along the rows; a filter keeps its size, for which
    it was learned.
    """
    layer = dict(model.net.named_modules()).get(row.name)
    if isinstance(layer, nn.Conv2d) and layer.padding_mode != "zeros":
        return {}
    found: dict[SettingName, int] = {}
    for name in next((_SETTINGS[kind] for kind in _SETTINGS if isinstance(layer, kind)), ()):
        value: int | str | tuple[int, int] = getattr(layer, _ATTRIBUTES[name])
        if not isinstance(value, str):  # padding="same"
            found[name] = value[0] if isinstance(value, tuple) else value
    return found


def what_if(
    model: LoadedModel, image: RecordedImage, asked: Supposition, spot: tuple[str, int] | None
) -> dict[str, Any]:
    """Run the network with what is asked, and compare every layer with what it was.

    The network itself stays as it is. Where a layer does not take what comes, all before it is
    compared, and `failure` says why. `spot` is the row and map that is drawn of that row; of other
    rows it is the map that changes most.

    Raises RequestError for what does not exist or cannot be set.
    """
    pixels = _painted(image.pixels, asked.pixels)
    with _ONE_AT_A_TIME:
        net = model.net
        if asked.weights or asked.settings:
            net = model.copy_opened().net
            _change(net, model, asked)
        values, output, failure = _run(net, pixels, model, image)
        recording = image.recording
        found = [
            (row, _compared(recording, row, values.pop(row.out), spot))
            for row in model.rows
            if row.op != "image" and row.out in values and row.out in recording
        ]
    changed = [{"row": row.name, **told} for row, told in found if told is not None]
    before = class_probabilities(image.output, model.card)
    after = None if output is None else class_probabilities(output, model.card)
    return {
        "failure": failure,
        "num_rows": len(changed),
        "rows": _spread(changed),
        "classes": None
        if before is None or after is None
        else [
            {"index": k, "before": json_number(was), "after": json_number(now)}
            for k, (was, now) in enumerate(zip(_numbers(before), _numbers(after), strict=True))
        ],
    }


def _numbers(values: Tensor) -> list[float]:
    return [float(value) for value in values]


def _painted(pixels: NDArray[np.uint8], blocks: Sequence[PixelBlock]) -> NDArray[np.uint8]:
    height, width, channels = pixels.shape
    painted = pixels.copy()
    for block in blocks:
        if not (0 <= block.y < height and 0 <= block.x < width):
            raise RequestError(f"The image has {height} rows and {width} columns of pixels.")
        if len(block.bytes) != channels:
            raise RequestError(f"A pixel of this image has {channels} bytes.")
        bottom, right = block.y + block.height, block.x + block.width
        painted[block.y : bottom, block.x : right] = np.array(block.bytes, np.uint8)
    return painted


def _change(net: nn.Module, model: LoadedModel, asked: Supposition) -> None:
    """Change weights and settings of a copy in place."""
    state: dict[str, Tensor] = dict(net.state_dict(keep_vars=True))
    for edit in asked.weights:
        if edit.name not in state or edit.action not in ("set", "scale", "add"):
            raise RequestError(f"{edit}: {model.title} has no weights {edit.name!r} to set.")
        check_index(edit, state[edit.name].shape)
        apply_edit(state[edit.name], edit, None, is_batch=False)
    layers = dict(net.named_modules())
    for setting in asked.settings:
        if setting.name not in settings_of(model, model.row(setting.row)):
            raise RequestError(
                f"The {setting.name} of {setting.row} cannot be set here: only those of Conv2d, "
                "MaxPool2d and AvgPool2d modules can, and a filter keeps its size."
            )
        if setting.value < (setting.name != "padding"):
            raise RequestError("Stride, dilation and window must be 1 or more, padding 0 or more.")
        side = setting.value
        layer = layers[setting.row]
        value = (side, side) if isinstance(layer, nn.Conv2d) else side
        setattr(layer, _ATTRIBUTES[setting.name], value)


def _run(
    net: nn.Module, pixels: NDArray[np.uint8], model: LoadedModel, image: RecordedImage
) -> tuple[dict[str, Tensor], Tensor | None, str]:
    """The volumes by operation, without the batch; the output; why it ended before, or ""."""
    operations, card = image.recording.operations, model.card
    volumes = {row.out for row in model.rows}
    results: dict[int, Tensor] = {}
    last: dict[int, Tensor] = {}

    def keep(number: int, result: Tensor) -> None:
        last.clear()
        last[number] = result
        if number < len(operations) and operations[number].name in volumes:
            results[number] = result.detach().clone()

    try:
        with inference_mode(net), torch.inference_mode(mode=False):
            done = run_once(
                net,
                preprocess(pixels, card).clone(),
                should_keep=lambda _module, _kind: False,
                num_classes=len(card.classes),
                on_result=keep,
            )
    except (RuntimeError, ValueError) as error:
        values = {operations[number].name: value[0] for number, value in results.items()}
        return values, None, _failure(error, operations, max(last, default=-1) + 1, image)
    known = {done.operations[number].name: value for number, value in results.items()}
    known[done.output] = last[max(last)] if done.returned is None else done.returned
    after = with_probabilities(Recording(replace(done, results={**done.results, **known})), card)
    added = {operation.name for operation in after.operations[len(done.operations) :]}
    names = [name for name in after.names if name in volumes & {*known, *added}]
    return {name: after[name].value for name in names}, after[after.output].value, ""


def _failure(
    error: Exception, operations: Sequence[Operation], done: int, image: RecordedImage
) -> str:
    """Which layer does not take what comes, and why."""
    row = image.units.row_of(operations[done].name) if done < len(operations) else None
    name = row or "The network"
    text = str(error).strip().splitlines()[0].rstrip(".")
    if match := re.search(r"\(1x(\d+) and (\d+)x\d+\)", text):
        return f"{name} was learned for {int(match[2]):,} inputs and gets {int(match[1]):,}."
    if "Kernel size" in text or "too small" in text:
        return f"{name} gets a volume that is smaller than its window."
    return f"{name} does not take this: {text}."


def _compared(
    recording: Recording, row: GraphRow, value: Tensor, spot: tuple[str, int] | None
) -> dict[str, Any] | None:
    """A row before and after; None where it is as it was."""
    before, shape = volume_of(recording, row), chw_shape(tuple(value.shape))
    after = value.reshape(shape).detach().float().cpu().numpy()
    told: dict[str, Any] = {
        "shape": list(shape), "was": list(row.shape), "changed": None, "largest": None
    }  # fmt: skip
    index = spot[1] if spot and spot[0] == row.name else None
    if shape == row.shape:
        differs = (after != before) & ~(np.isnan(after) & np.isnan(before))
        if not differs.any():
            return None
        sizes = np.nan_to_num(np.abs(after.astype(np.float64) - before))
        told["changed"], told["largest"] = int(differs.sum()), json_number(float(sizes.max()))
        index = int(sizes.sum((1, 2)).argmax()) if index is None else index
    index = min(index or 0, len(after) - 1, len(before) - 1)
    if row.shape[1] * row.shape[2] == 1:
        pair, index = (before[:_VECTOR, :, 0].T, after[:_VECTOR, :, 0].T), 0
        told["is_vector"] = True
    else:
        pair = (before[index], after[index])
        told["is_vector"] = False
    peak = max((float(np.abs(one[np.isfinite(one)]).max(initial=0)) for one in pair), default=0.0)
    return {
        **told,
        "map": index,
        "before": _drawn(pair[0], peak),
        "after": _drawn(pair[1], peak),
    }


def _drawn(values: Floats, peak: float) -> dict[str, Any]:
    """A map as int8 of -127 to 127, in base64; one scale before and after."""
    step = 1 if len(values) == 1 else -(-max(values.shape) // _SIDE)
    shown = values[::step, ::step]
    levels = np.nan_to_num(shown * (127 / peak if peak else 0.0), nan=0, posinf=127, neginf=-127)
    data = np.clip(np.round(levels), -127, 127).astype(np.int8).tobytes()
    return {
        "height": shown.shape[0],
        "width": shown.shape[1],
        "data": base64.b64encode(data).decode(),
    }


def _spread(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most `_SHOWN` of the rows, evenly, with the first and the last."""
    if len(rows) <= _SHOWN:
        return rows
    chosen = np.linspace(0, len(rows) - 1, _SHOWN).round().astype(int)
    return [rows[place] for place in chosen.tolist()]
