"""The layers of a network whose units have weights, and where their units are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from convscope.card import Card
from convscope.errors import RequestError, nearest
from convscope.features.after_activation import after_activation
from convscope.forward import like_parameters
from convscope.inference import inference_mode
from convscope.recording import ForwardPass, Operation, get_kind, run_once

LayerType = Literal["convolution", "dense", "other"]

_CONVOLUTIONS = frozenset(
    {
        "convolution",
        "transposed_convolution",
        "locally_connected",
        "connection_table",
        "quantized_convolution",
    }
)
_DENSE = frozenset({"dense", "radial_basis", "quantized_dense"})


Numbered = Mapping[str, tuple[int, Operation]]
"""Operations and their numbers in the pass, by name."""


@dataclass(frozen=True)
class UnitLayer:
    """A layer, and the operation whose result holds its units.

    Attributes:
        name: of the operation that is the layer, as in a recording: `layer1.0.conv1`; or the name
            by which it was asked for.
        type: whether it is a convolution (also a locally connected or transposed one), a dense
            layer, or anything else that was asked for by name.
        source: the operation whose result holds its units: after the activation, or `name`.
        shape: of the units of one image, (c, h, w) or (c,). Tokens (t, c) count as (c, t, 1).
        number: of the operation `source` in the pass, from 0.
        is_last: whether the channels are the last axis of the result, as behind nn.Linear.
        is_tokens: whether the result has one axis of positions, which counts as rows.
        also: other layers with the same `source`, as where a projection is added.
    """

    name: str
    type: LayerType
    source: str
    shape: tuple[int, ...]
    number: int
    is_last: bool
    is_tokens: bool = False
    also: tuple[str, ...] = ()

    def units(self, result: Tensor) -> Tensor:
        """The result of `source` for n images as units: (n, c, h, w) or (n, c)."""
        if self.is_last and result.ndim > 2:
            result = result.movedim(-1, 1)
        return result[..., None] if result.ndim == 3 else result

    def index(self, channel: int, position: int) -> tuple[int, ...]:
        """Where a unit is in the result, without the batch: of a map's units, row by row."""
        if len(self.shape) == 1:
            return (channel,)
        row, column = divmod(position, self.shape[2])
        place = (row,) if self.is_tokens else (row, column)
        return (*place, channel) if self.is_last else (channel, *place)


def record_blank(net: nn.Module, card: Card) -> ForwardPass:
    """The pass of a network on a blank image of the card's size; no results are kept."""
    image = torch.zeros(1, card.in_channels, *card.input_size)
    with inference_mode(net), torch.inference_mode(mode=False):
        fed = like_parameters(net, image)
        return run_once(net, fed, should_keep=lambda module, kind: False)


def find_layers(
    operations: Sequence[Operation],
    names: Sequence[str] | None = None,
    *,
    before_activation: bool = False,
) -> list[UnitLayer]:
    """The layers of a recorded pass on one image, in the order of execution.

    Args:
        operations: all of the pass.
        names: of operations, as in the recording (`conv1`, `layer1.0.add`), or of modules, whose
            last operation is meant (`layer1`); None for every convolution and dense layer whose
            results have one row for each image.
        before_activation: read the units of a layer from its own result. By default they are read
            as `after_activation` says. Without `names`, each result is listed once, under the first
            layer that it belongs to.

    Raises RequestError for an unknown name, with the nearest ones, and for a result that has no
    units: one without a row for each image, or with more than three axes for one.
    """
    by_name = {operation.name: (number, operation) for number, operation in enumerate(operations)}
    dependent = [operation for operation in operations if operation.operands]
    if names is None:
        return _all(dependent, by_name, before_activation=before_activation)
    found: list[UnitLayer] = []
    for name in dict.fromkeys(names):
        own = _resolve(name, dependent)
        layer = _layer(own, dependent, by_name, before_activation=before_activation)
        if layer is None:
            raise RequestError(
                f"{own} returns the shape {by_name[own][1].shape} for one image, which is not "
                "(1, channels), (1, channels, height, width) or (1, tokens, channels). Name "
                "another layer."
            )
        found.append(replace(layer, name=name))
    return found


def _all(
    dependent: Sequence[Operation], by_name: Numbered, *, before_activation: bool
) -> list[UnitLayer]:
    found: dict[str, UnitLayer] = {}
    for operation in dependent:
        if _type(operation) == "other":
            continue
        layer = _layer(operation.name, dependent, by_name, before_activation=before_activation)
        if layer is not None and layer.source in found:
            first = found[layer.source]
            found[layer.source] = replace(first, also=(*first.also, layer.name))
        elif layer is not None:
            found[layer.source] = layer
    return list(found.values())


def choose_names(
    net: nn.Module, card: Card, layers: Sequence[str] | None, numbers: Sequence[int] | None
) -> list[str] | None:
    """The names of layers that are named, or of convolutions that are counted from 1; None for all.

    Convolutions that the network does not have are left out. Raises RequestError where it has none
    of them, and for both ways at once.
    """
    if numbers is None:
        return None if layers is None else list(layers)
    if layers is not None:
        raise RequestError("`layers` and `convolutions` exclude each other; leave out one of them.")
    found = convolutions(find_layers(record_blank(net, card).operations))
    chosen = [found[number - 1].name for number in numbers if 1 <= number <= len(found)]
    if not chosen:
        raise RequestError(
            f"The network has {len(found)} convolutions, and none of those numbers. They are "
            "counted from 1 in the order in which they are computed."
        )
    return chosen


def convolutions(layers: Sequence[UnitLayer]) -> list[UnitLayer]:
    """The convolutions among layers; the lecture counts them from 1."""
    return [layer for layer in layers if layer.type == "convolution"]


def _type(operation: Operation) -> LayerType:
    rule = get_kind(operation.kind).rule
    if rule in _CONVOLUTIONS:
        return "convolution"
    return "dense" if rule in _DENSE else "other"


def _resolve(name: str, operations: Sequence[Operation]) -> str:
    """The operation of a name: itself, or the last one of a module."""
    for operation in operations:
        if operation.name == name:
            return name
    inside = [op for op in operations if op.module == name or op.module.startswith(f"{name}.")]
    if inside and name:
        return inside[-1].name
    known = [operation.name for operation in operations]
    raise RequestError(
        f"The network has no layer {name!r}.{nearest(name, known)} The first of its {len(known)} "
        f"operations are {', '.join(known[:3])}."
    )


def _layer(
    name: str, dependent: Sequence[Operation], by_name: Numbered, *, before_activation: bool
) -> UnitLayer | None:
    """None for a result that has no units of one image."""
    kind = _type(by_name[name][1])
    is_followed = not before_activation and kind != "other"
    source = after_activation(name, dependent) if is_followed else name
    number, operation = by_name[source]
    shape = operation.shape
    if shape[:1] != (1,) or not 2 <= len(shape) <= 4 or 0 in shape:
        return None
    is_last = (kind == "dense" and len(shape) > 2) or (kind == "other" and len(shape) == 3)
    units = list(shape[1:])
    units = [*units[-1:], *units[:-1]] if is_last else units
    is_tokens = len(units) == 2
    units += [1] * is_tokens
    return UnitLayer(name, kind, source, tuple(units), number, is_last, is_tokens)
