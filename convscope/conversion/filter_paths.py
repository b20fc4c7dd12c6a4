"""What becomes of a layer's feature maps on the way to the layers that read them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.conversion.graph_view import GraphView
from convscope.conversion.libraries import onnx_library

Array = NDArray[np.float64]

_ACTIVATIONS = frozenset((
    "Relu", "LeakyRelu", "Elu", "Selu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Softplus",
    "Softsign", "Mish", "Gelu", "Identity",
))  # fmt: skip
"""Of each number alone, with constants as attributes."""

_NOT_NEGATIVE = frozenset(("Relu", "Sigmoid", "HardSigmoid", "Softplus"))
_POOLINGS = frozenset(("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"))


@dataclass(frozen=True)
class Consumer:
    """A layer that reads the maps, and for each the number that it always is, or NaN."""

    node: Any
    constants: Array


@dataclass
class Path:
    """From a layer to all that read its maps.

    Attributes:
        count: filters of the layer.
        parts: what must be the same of two filters for the same maps, each (filters, ...).
        sliced: nodes with the names of their constants that have one row for each filter.
        reshapes: nodes that flatten, with the numbers of each map.
        values: names of the values that have the filters as channels.
        consumers: the layers that read them.
    """

    count: int
    parts: list[NDArray[Any]] = field(default_factory=list[NDArray[Any]])
    sliced: list[tuple[Any, list[str]]] = field(default_factory=list[tuple[Any, list[str]]])
    reshapes: list[tuple[Any, int]] = field(default_factory=list[tuple[Any, int]])
    values: list[str] = field(default_factory=list[str])
    consumers: list[Consumer] = field(default_factory=list[Consumer])

    def is_constant(self, number: int) -> bool:
        """Whether a filter gives each consumer the same, whatever the image is."""
        return all(np.isfinite(consumer.constants[number]) for consumer in self.consumers)


def paths_of(view: GraphView, layer: Any) -> Path | None:
    """The path of a layer's filters; None where they must stay."""
    names = [name for name in layer.input[1:] if name]
    arrays = [view.array(name) for name in names]
    weights = arrays[0].reshape(len(arrays[0]), -1)
    bias = arrays[1] if len(arrays) > 1 else np.zeros(len(weights))
    path = Path(len(weights), parts=[*arrays], sliced=[(layer, names)])
    constants = np.where((weights == 0).all(1), bias, np.nan).astype(np.float64)
    below = np.zeros(len(weights), bool)
    if _is_not_negative(view, layer.input[0]):
        below = (weights <= 0).all(1) & (bias <= 0)
    is_followed = _follow(view, layer.output[0], constants, below, path)
    return path if is_followed and path.consumers else None


def _follow(view: GraphView, value: str, constants: Array, below: Any, path: Path) -> bool:
    """Whether all that read a value are understood; `below` says which maps are never above 0."""
    if value in view.outputs or not view.users[value]:
        return False
    path.values.append(value)
    return all(_step(view, node, value, constants, below, path) for node in view.users[value])


def _step(view: GraphView, node: Any, value: str, constants: Array, below: Any, path: Path) -> bool:
    """Whether what one node makes of a value is understood, and all that follows from it."""
    if node.input[0] != value or list(node.input).count(value) > 1:
        return False
    if node.op_type in {"Conv", "Gemm"}:
        return _consume(view, node, constants, 1, path)
    if node.op_type in {"Reshape", "Flatten"}:
        return _flatten(view, node, constants, path)
    after = _constants_behind(view, node, constants, path)
    if after is None:
        return False
    if node.op_type == "Relu":
        after = np.where(below, 0.0, after)
    below = below & (node.op_type in {"Identity", "MaxPool"})
    return _follow(view, node.output[0], after, below, path)


def _constants_behind(view: GraphView, node: Any, constants: Array, path: Path) -> Array | None:
    """What a node makes of maps that are constant, and NaN of others; None for an unknown one."""
    match node.op_type:
        case kind if kind in _ACTIVATIONS:
            return _activated(node, constants)
        case "BatchNormalization":
            return _normalized(view, node, constants, path)
        case "AveragePool" if any(view.mark(node, "pads", [])):
            return np.where(constants == 0, 0.0, np.nan)
        case kind if kind in _POOLINGS:
            return constants
        case "Pad":
            number = _padding_of(view, node)
            return None if number is None else np.where(constants == number, constants, np.nan)
        case _:
            return None


def _normalized(view: GraphView, node: Any, constants: Array, path: Path) -> Array | None:
    names = [*node.input[1:]]
    if len(node.output) > 1 or not all(map(view.is_constant, names)):
        return None
    gamma, beta, mean, variance = (view.array(name).astype(np.float64) for name in names)
    path.parts.extend(map(view.array, names))
    path.sliced.append((node, names))
    return (constants - mean) / np.sqrt(variance + view.mark(node, "epsilon", 1e-5)) * gamma + beta


def _padding_of(view: GraphView, node: Any) -> float | None:
    """What a Pad surrounds each map with; None for one that does something else."""
    names = [name for name in node.input[1:] if name]
    if view.mark(node, "mode", b"constant") != b"constant" or len(names) > 2:
        return None
    if not all(map(view.is_constant, names)):
        return None
    pads = view.array(names[0])
    half = len(pads) // 2
    if any(pads[:2]) or any(pads[half : half + 2]):  # of images, or of channels
        return None
    return float(view.array(names[1]).reshape(())) if len(names) > 1 else 0.0


def _activated(node: Any, constants: Array) -> Array:
    """The activation of each constant."""
    library = onnx_library()
    helper = library.helper
    alone = helper.make_node(node.op_type, ["x"], ["y"])
    alone.attribute.extend(node.attribute)
    evaluator: Any = library.reference.ReferenceEvaluator(
        helper.make_model(
            helper.make_graph(
                [alone],
                "activation",
                [helper.make_tensor_value_info("x", 1, [None])],
                [helper.make_tensor_value_info("y", 1, [None])],
            ),
            opset_imports=[helper.make_opsetid("", 20)],
        )
    )
    is_known = np.isfinite(constants)
    (found,) = evaluator.run(None, {"x": np.where(is_known, constants, 0).astype(np.float32)})
    return np.where(is_known, found.astype(np.float64), np.nan)


def _flatten(view: GraphView, node: Any, constants: Array, path: Path) -> bool:
    """Through a flattening to (n, channels · positions), before a dense layer."""
    value, positions = node.output[0], view.positions(node.input[0])
    users = view.users[value]
    if positions is None or value in view.outputs or not users:
        return False
    if node.op_type == "Reshape":
        if not view.is_constant(node.input[1]) or view.array(node.input[1]).size != 2:
            return False
        path.reshapes.append((node, positions))
    elif view.mark(node, "axis", 1) != 1:
        return False
    path.values.append(value)
    return all(
        user.op_type == "Gemm"
        and user.input[0] == value
        and _consume(view, user, constants, positions, path)
        for user in users
    )


def _consume(view: GraphView, node: Any, constants: Array, positions: int, path: Path) -> bool:
    """Add a consumer, if its weights can be changed: so many for each map, if it is dense."""
    if not view.has_own_weights(node):
        return False
    if view.array(node.input[1]).shape[1] != path.count * positions:
        return False
    if node.op_type == "Conv":
        is_padded = any(view.mark(node, "pads", [])) or view.mark(
            node, "auto_pad", b"NOTSET"
        ) not in (b"NOTSET", b"VALID")
        if is_padded:  # by 0, so that no other number is the same everywhere
            constants = np.where(constants == 0, 0.0, np.nan)
    path.consumers.append(Consumer(node, constants))
    return True


def _is_not_negative(view: GraphView, value: str) -> bool:
    """Whether a value is nowhere below 0."""
    node = view.makers.get(value)
    while node is not None and node.op_type in {*_POOLINGS, "Reshape", "Flatten", "Identity"}:
        node = view.makers.get(node.input[0])
    return node is not None and node.op_type in _NOT_NEGATIVE
