"""What one operation costs: multiply-adds by the one convention of `convscope.geometry`."""

import math
from typing import Any

from convscope.recording import Operation


def multiply_adds(operation: Operation) -> int:
    """Count the products that are added up, for one image; biases and additions are not counted.

    Convolutional, locally connected and dense layers, trainable subsampling, products of matrices
    and attention's two products multiply and add; whatever else a network does, counts nothing.
    """
    count = _COUNTS.get(operation.kind)
    return count(operation) if count else 0


def _convolution(operation: Operation) -> int:
    """Every unit adds up as many products as a filter has weights."""
    return math.prod(operation.shape) * math.prod(operation.arguments["weight"][1:])


def _transposed(operation: Operation) -> int:
    """Every unit of the input is multiplied with all of its filters."""
    return math.prod(operation.arguments["input"]) * math.prod(operation.arguments["weight"][1:])


def _dense(operation: Operation) -> int:
    return math.prod(operation.shape) * operation.arguments["weight"][-1]


def _matrices(operation: Operation) -> int:
    """The rows of the left matrix are as long as the sums."""
    return math.prod(operation.shape) * operation.arguments["input"][-1]


def _attention(operation: Operation) -> int:
    """Queries with keys, then the weights with values: two products of matrices."""
    query, key = operation.arguments["query"], operation.arguments["key"]
    value = operation.arguments["value"]
    pairs = math.prod(query[:-1]) * key[-2]
    return pairs * (query[-1] + value[-1])


def _local(operation: Operation) -> int:
    """Every weight is used once."""
    layer: Any = operation.layer
    return layer.weight.numel()


def _table(operation: Operation) -> int:
    """Every weight is used once for each unit of a map."""
    layer: Any = operation.layer
    return layer.weight.numel() * math.prod(operation.shape[2:])


def _subsampling(operation: Operation) -> int:
    """One coefficient for each unit."""
    return math.prod(operation.shape)


_COUNTS = {
    "conv1d": _convolution,
    "conv2d": _convolution,
    "conv3d": _convolution,
    "conv_transpose1d": _transposed,
    "conv_transpose2d": _transposed,
    "conv_transpose3d": _transposed,
    "linear": _dense,
    "matmul": _matrices,
    "bmm": _matrices,
    "scaled_dot_product_attention": _attention,
    "LocallyConnected2d": _local,
    "TableConv2d": _table,
    "Subsampling2d": _subsampling,
}
