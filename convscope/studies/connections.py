"""How many connections a network has: what its units read, biases included."""

import math
from collections.abc import Iterable
from typing import Any

from convscope.receptive.windows import per_axis
from convscope.recording import Operation, get_kind
from convscope.summaries.counts import multiply_adds


def count_connections(operations: Iterable[Operation]) -> int:
    """The links of all units to what they read: LeCun's count (1998), as in `convscope geometry`.

    A unit of a convolutional, locally connected or dense layer is linked to every unit under its
    filter and to its bias, one of pooling to every unit of its window. Activation functions add
    none. Shared weights make parameters fewer, and connections not.
    """
    return sum(map(_connections, operations))


def _connections(operation: Operation) -> int:
    products = multiply_adds(operation) or 0
    units = math.prod(operation.shape)
    if products:
        has_bias = any(name.rpartition(".")[2] == "bias" for name in operation.parameters)
        return products + units * has_bias
    rule = get_kind(operation.kind).rule
    if rule in ("adaptive_avg_pool", "adaptive_max_pool"):
        return math.prod(operation.argument_shapes["input"])
    if rule in ("max_pool", "avg_pool", "min_pool"):
        layer: Any = operation.layer
        size = operation.arguments["kernel_size"] if layer is None else layer.kernel_size
        return units * math.prod(per_axis(size, 2))
    return 0
