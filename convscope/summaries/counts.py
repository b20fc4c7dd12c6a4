"""What one operation costs: multiply-adds by the one convention of `convscope.geometry`."""

import math
from collections.abc import Callable
from typing import Any

from convscope.recording import Operation, get_kind
from convscope.recording.kinds import MultiplyAdds


def multiply_adds(operation: Operation) -> int:
    """Count the products that are added up, for one image; biases and additions are not counted.

    Convolutional, locally connected and dense layers, trainable subsampling, matrix products and
    attention multiply and add; all other operations count as zero.
    """
    formula = get_kind(operation.kind).multiply_adds
    is_counted = operation.output_index > 0  # with the first of several tensors
    return FORMULAS[formula](operation) if formula and not is_counted else 0


def _convolution(operation: Operation) -> int:
    """Every unit adds up as many products as a filter has weights."""
    return math.prod(operation.shape) * math.prod(operation.argument_shapes["weight"][1:])


def _transposed(operation: Operation) -> int:
    """Every unit of the input is multiplied with all of its filters."""
    return math.prod(operation.argument_shapes["input"]) * math.prod(
        operation.argument_shapes["weight"][1:]
    )


def _linear(operation: Operation) -> int:
    return math.prod(operation.shape) * operation.argument_shapes["weight"][-1]


def _matrices(operation: Operation) -> int:
    """The rows of the left matrix are as long as the sums."""
    return math.prod(operation.shape) * operation.argument_shapes["input"][-1]


def _attention(operation: Operation) -> int:
    """Queries with keys, then the weights with values: two products of matrices."""
    query, key = operation.argument_shapes["query"], operation.argument_shapes["key"]
    value = operation.argument_shapes["value"]
    pairs = math.prod(query[:-1]) * key[-2]
    return pairs * (query[-1] + value[-1])


def _locally_connected(operation: Operation) -> int:
    """Every weight is used once."""
    layer: Any = operation.layer
    return layer.weight.numel()


def _connection_table(operation: Operation) -> int:
    """Every weight is used once for each unit of a map."""
    layer: Any = operation.layer
    return layer.weight.numel() * math.prod(operation.shape[2:])


def _subsampling(operation: Operation) -> int:
    """One coefficient for each unit."""
    return math.prod(operation.shape)


FORMULAS: dict[MultiplyAdds, Callable[[Operation], int]] = {
    "convolution": _convolution,
    "transposed_convolution": _transposed,
    "linear": _linear,
    "matrix_product": _matrices,
    "attention": _attention,
    "locally_connected": _locally_connected,
    "connection_table": _connection_table,
    "subsampling": _subsampling,
}
"""By their names in the table of operation kinds."""
