"""What is to be excited: a class, a channel or a unit, as people write it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from convscope.errors import RequestError, nearest
from convscope.synthesis.layer_outputs import OUTPUT

MOST = 64
"""Channels of a layer that is named without one: the first ones."""

_TARGET = re.compile(r"([^\[\]]*)(?:\[(.*)\])?", re.DOTALL)


@dataclass(frozen=True)
class Target:
    """A class, a channel or a unit.

    Attributes:
        layer: the path of a module, or OUTPUT.
        index: (channel,) or (channel, row, column).
        label: what to call it: "fc3[cataract]".
        kind: "class", "channel" (of which the whole map counts) or "unit".
    """

    layer: str
    index: tuple[int, ...]
    label: str
    kind: str

    def values(self, output: Tensor) -> Tensor:
        """The values (n,) for n images, of what the layer returns for them.

        Of a unit its value, of a channel the mean of the positive part of its map, which is what a
        ReLU passes: the mean of a map itself says little, as that of an edge filter is 0.
        """
        return self._values(output, 0.0)

    def ascending(self, output: Tensor) -> Tensor:
        """The same, with a slope of 0.01 below 0, by which a map without positive values rises."""
        return self._values(output, 0.01)

    def _values(self, output: Tensor, slope: float) -> Tensor:
        units = channels_first(output)[:, self.index[0]]
        if len(self.index) == 3:
            return units[:, self.index[1], self.index[2]]
        if units.ndim == 1:
            return units
        return F.leaky_relu(units, slope).flatten(1).mean(1)


def channels_first(output: Tensor) -> Tensor:
    """A layer's output as (n, c, ...): of tokens (n, t, c), the channels are the last axis."""
    return output.movedim(-1, 1) if output.ndim == 3 else output


def find_targets(
    names: Sequence[str], outputs: Mapping[str, Tensor], classes: Sequence[str]
) -> tuple[list[Target], list[str]]:
    """The targets that `names` mean, and notes on what was left out.

    `LAYER[c]` is a channel, `LAYER[c,y,x]` one unit of it, `LAYER[name]` a class; a name or a
    number without brackets is a class of the network, else a layer, of which the first 64 channels
    are meant.
    `outputs` are those of every module for one image. Raises RequestError.
    """
    found: list[Target] = []
    notes: list[str] = []
    for name in names:
        targets, note = _find(name, outputs, classes)
        found += targets
        notes += [note] if note else []
    return list(dict.fromkeys(found)), notes


def _find(
    name: str, outputs: Mapping[str, Tensor], classes: Sequence[str]
) -> tuple[list[Target], str]:
    text = name.strip()
    is_index = text.isdecimal() and int(text) < channels_first(outputs[OUTPUT]).shape[1]
    if is_index or text.strip("'\"") in classes:
        return [_target(OUTPUT, text, outputs, classes)], ""
    match = _TARGET.fullmatch(text)
    layer, index = (match[1], match[2]) if match else (text, None)
    layer = check_layer(layer, outputs, classes)
    if index is not None:
        return [_target(layer, index, outputs, classes)], ""
    count = channels_first(outputs[layer]).shape[1]
    targets = [_target(layer, str(k), outputs, classes) for k in range(min(count, MOST))]
    note = f"{layer} has {count:,} channels; the first {MOST} are shown." if count > MOST else ""
    return targets, note


def check_layer(layer: str, outputs: Mapping[str, Tensor], classes: Sequence[str]) -> str:
    """The name of a layer whose output has channels. Raises RequestError for any other."""
    layer = layer.strip()
    known = [name for name in outputs if name != OUTPUT]
    if layer not in outputs or layer == OUTPUT:
        hint = nearest(layer, [*known, *classes])
        some = f" Modules are {', '.join(known[:4])}{' and others' if len(known) > 4 else ''}."
        raise RequestError(
            f"The network has no module {layer!r} that returns a tensor.{hint or some} `convscope "
            "summary` lists the layers; what functions compute has no name here, but the module "
            "around them has."
        )
    shape = tuple(outputs[layer].shape)
    if len(shape) not in (2, 3, 4) or shape[0] != 1:
        raise RequestError(
            f"{layer} returns the shape {shape} for one image, which has no channels. Name another "
            "layer."
        )
    return layer


def _target(
    layer: str, index: str, outputs: Mapping[str, Tensor], classes: Sequence[str]
) -> Target:
    shape = tuple(channels_first(outputs[layer]).shape[1:])
    numbers = _numbers(index, shape, classes)
    what = layer or "The network"
    if numbers is None:
        hint = nearest(index, classes) if shape == (len(classes),) else ""
        raise RequestError(
            f"{what} has no unit {index!r}.{hint} Its output is {'x'.join(map(str, shape))}: give "
            f"{'a channel, or channel,row,column' if len(shape) == 3 else 'an index'}."
        )
    is_class = shape == (len(classes),)
    inside = classes[numbers[0]] if is_class else ",".join(map(str, numbers))
    label = f"{layer}[{inside}]" if layer else inside
    is_map = len(numbers) == 1 and len(shape) > 1
    return Target(layer, numbers, label, "channel" if is_map else "class" if is_class else "unit")


def _numbers(index: str, shape: tuple[int, ...], classes: Sequence[str]) -> tuple[int, ...] | None:
    """The index that a text means in an output of this shape; None if there is none."""
    text = index.strip()
    if shape == (len(classes),) and not text.isdecimal() and text.strip("'\"") in classes:
        return (list(classes).index(text.strip("'\"")),)
    if not re.fullmatch(r"\d+(\s*,\s*\d+){0,2}", text):
        return None
    numbers = tuple(int(number) for number in text.split(","))
    if len(numbers) not in (1, len(shape)) or len(numbers) == 2:
        return None
    limits = shape[: len(numbers)]
    return numbers if all(n < limit for n, limit in zip(numbers, limits, strict=True)) else None
