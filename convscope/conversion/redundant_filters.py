"""Filters that make no difference: constant ones, and exact copies, taken out of an ONNX graph.

A filter is constant if its weights are all 0, or if none is above 0, its bias neither, and it sees
nothing below 0 before its results are cut at 0 by ReLU. What it gives to the layers behind it goes
into their biases. Of filters with the same weights and bias one is kept, which gets the sum of
their weights in these layers. The function stays the same but for rounding.

Filters are followed through activations, pooling, batch norm and flattening. Where their maps are
added to others, concatenated, or come from grouped convolutions, they stay.
"""

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from convscope.conversion.filter_paths import Consumer, Path, paths_of
from convscope.conversion.graph_view import GraphView

if TYPE_CHECKING:
    import onnx

Array = NDArray[np.float64]


def fold_filters(model: "onnx.ModelProto") -> tuple[dict[str, int], frozenset[str]]:
    """Take redundant filters out of a graph, in place.

    Returns how many, by layer, and the names of the values that have fewer channels now.
    """
    counts: Counter[str] = Counter()
    changed: set[str] = set()
    view = GraphView(model)
    while True:
        before = counts.total()
        for layer in view.layers():
            path = paths_of(view, layer)
            if path is None:
                continue
            kept, merged, constant = _plan(path)
            if len(kept) == path.count:
                continue
            _apply(view, path, kept, merged, constant)
            counts[layer.name] += path.count - len(kept)
            changed.update(path.values)
        if counts.total() == before:
            view.finish()
            return dict(counts), frozenset(changed)


def _plan(path: Path) -> tuple[list[int], dict[int, int], dict[int, int]]:
    """The filters that are kept, to which of them others are added, and constant ones."""
    kept: list[int] = []
    merged: dict[int, int] = {}
    constant: dict[int, int] = {}
    first: dict[bytes, int] = {}
    for number in range(path.count):
        key = b"".join(part[number].tobytes() for part in path.parts)
        if path.is_constant(number):
            constant[number] = number
        elif key in first:
            merged[number] = first[key]
        else:
            first[key] = number
            kept.append(number)
    if not kept:  # a layer has one filter at least
        kept.append(constant.popitem()[0])
    return sorted(kept), merged, constant


def _apply(
    view: GraphView, path: Path, kept: list[int], merged: dict[int, int], constant: dict[int, int]
) -> None:
    for consumer in path.consumers:
        _give(view, consumer, path.count, kept, merged, constant)
    for node, names in path.sliced:
        for name in names:
            view.replace(node, name, view.array(name)[kept])
    for reshape, positions in path.reshapes:
        view.flatten(reshape, len(kept) * positions)


def _give(
    view: GraphView,
    consumer: Consumer,
    count: int,
    kept: list[int],
    merged: dict[int, int],
    constant: dict[int, int],
) -> None:
    """Let the weights of a consumer be for the filters that are kept."""
    node = consumer.node
    name = node.input[1]
    weights = view.array(name).astype(np.float64)
    parts = weights.reshape(len(weights), count, -1)  # (out, filters, positions)
    bias = np.zeros(len(weights))
    if len(node.input) > 2 and node.input[2]:
        bias = bias + view.array(node.input[2])
    for number in constant:
        bias = bias + consumer.constants[number] * parts[:, number].sum(1)
    parts = parts.copy()
    for number, target in merged.items():
        parts[:, target] += parts[:, number]
    shape = (len(weights), -1, *weights.shape[2:])
    view.replace(node, name, parts[:, kept].reshape(shape).astype(np.float32))
    if constant:
        view.set_bias(node, bias.astype(np.float32))
