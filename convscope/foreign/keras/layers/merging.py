"""Keras's layers of several values, and its operators."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from convscope.foreign.builder import GraphBuilder, Value
from convscope.foreign.combining import Concatenate, Merge, Merged, WithNumber
from convscope.foreign.keras.layers.activations import behind_images
from convscope.foreign.layer import Layer

MERGES: Mapping[str, Merge] = {
    "Add": "add",
    "Subtract": "subtract",
    "Multiply": "multiply",
    "Divide": "divide",
    "TrueDivide": "divide",
    "Average": "average",
    "Maximum": "maximum",
    "Minimum": "minimum",
}


def merged(layer: Layer, values: Sequence[Value], graph: GraphBuilder) -> Value:
    """Add, Subtract, Multiply, Average, Maximum, Minimum; of fewer axes, 1 is put before them."""
    rank = max(value.rank for value in values)
    aligned = [_aligned(layer, value, rank, graph) for value in values]
    aligned = _alike(layer, aligned, graph)
    index = aligned[0].index
    return graph.apply(layer.name, Merged(MERGES[layer.kind]), *aligned, index=index)


def operated(
    layer: Layer, first: "Value | float", second: "Value | float", graph: GraphBuilder
) -> Value:
    """x + y and its like, of values or a value and a number."""
    kind = MERGES[layer.kind]
    if isinstance(first, Value) and isinstance(second, Value):
        if first.rank != second.rank:
            raise layer.refused(
                f"combines values of {first.rank} and {second.rank} axes. Use a layer of Keras."
            )
        return merged(layer, [first, second], graph)
    if isinstance(first, Value) and not isinstance(second, Value):
        return graph.apply(layer.name, WithNumber(kind, second), first, index=first.index)
    if isinstance(second, Value) and not isinstance(first, Value):
        module = WithNumber(kind, first, is_first=True)
        return graph.apply(layer.name, module, second, index=second.index)
    raise layer.refused("combines two numbers.")


def concatenated(layer: Layer, values: Sequence[Value], graph: GraphBuilder) -> Value:
    """Concatenate, along an axis."""
    given: Any = layer.settings.get("axis", -1)
    if isinstance(given, bool) or not isinstance(given, int):
        raise layer.wrong("axis", given, "an integer")
    if len({value.rank for value in values}) > 1:
        raise layer.refused("concatenates values of different numbers of axes.")
    axis = behind_images(layer, given, values[0])
    if all(value.index is None for value in values):
        same = [graph.ordered(value, values[0].order, layer.name) for value in values]
        return graph.apply(layer.name, Concatenate(same[0].dim(axis)), *same)
    parts: list[torch.Tensor] = []
    before = 0
    for value in values:  # vectors
        own = torch.arange(value.shape[0]) if value.index is None else value.index
        parts.append(own + before)
        before += value.shape[0]
    return graph.apply(layer.name, Concatenate(1), *values, index=torch.cat(parts))


def _aligned(layer: Layer, value: Value, rank: int, graph: GraphBuilder) -> Value:
    """The value with as many axes as the others have."""
    if value.rank == rank:
        return value
    shape = (*(1,) * (rank - value.rank), *value.shape)
    return graph.reshaped(value, shape, f"{layer.name}_reshape")


def _alike(layer: Layer, values: Sequence[Value], graph: GraphBuilder) -> list[Value]:
    """The values in the order of the largest, and vectors with the same index."""
    indexes = [value.index for value in values]
    first = indexes[0]
    if any(index is not None for index in indexes) and not all(
        index is not None and first is not None and torch.equal(index, first) for index in indexes
    ):
        return [graph.plain(value, layer.name) for value in values]
    largest = max(values, key=lambda value: value.meta.numel())
    return [graph.ordered(value, largest.order, layer.name) for value in values]
