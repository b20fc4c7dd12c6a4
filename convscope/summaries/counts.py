"""What one operation costs: multiply-adds by the one convention of `convscope.arithmetic`."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from convscope.recording import Operation, Shape, Source, get_kind
from convscope.recording.kinds import MultiplyAdds
from convscope.recording.operation import sources_in
from convscope.summaries.einsum import contraction_cost


def multiply_adds(operation: Operation, *, is_complex: bool = False) -> int | None:
    """Count the products that are added up, for one image; biases and additions are not counted.

    Convolutional, locally connected and dense layers, trainable subsampling, products of matrices,
    recurrent layers and attention multiply and add; the other kinds of the table count as zero. A
    product of complex numbers (`is_complex`) is four of real ones. None for a kind that the table
    does not know, and where the arguments are not as expected.
    """
    formula = get_kind(operation.kind).multiply_adds
    if formula is None or operation.output_index > 0:  # counted with the first of several tensors
        return 0
    try:
        count = FORMULAS[formula](operation)
    except Exception:  # noqa: BLE001 -- third-party networks may call torch in any way
        return None
    return 4 * count if count and is_complex else count


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
    """The rows of the left factor are as long as the sums."""
    return math.prod(operation.shape) * _left(operation)[-1]


def _left(operation: Operation) -> Shape:
    """The shape of the left factor, which some functions call by a name of their own."""
    shapes = operation.argument_shapes
    names = ("mat1", "batch1", "mat", "vec1", "input")
    return next(shapes[name] for name in names if name in shapes)


def _sum_of_products(operation: Operation) -> int:
    """A sum over the first axis too, as `addbmm` has it."""
    return _matrices(operation) * _left(operation)[0]


def _contraction(operation: Operation) -> int:
    """Of two tensors over the same axes: those count twice in the shapes, and not in the result."""
    left, right = (source.shape for source in sources_in(operation.call.args)[:2])
    return math.isqrt(math.prod((*left, *right, *operation.shape)))


def _einsum(operation: Operation) -> int:
    equation = operation.call.args[0]
    return contraction_cost(equation, [s.shape for s in sources_in(operation.call.args[1:])])


def _bilinear(operation: Operation) -> int:
    """Every unit adds up one product for each pair of inputs."""
    return math.prod(operation.shape) * math.prod(operation.argument_shapes["weight"][1:])


def _recurrent(operation: Operation) -> int:
    """Every step multiplies all matrices; `call.args` ends with the weights and the settings."""
    first, *others = operation.call.args
    weights = [value for value in map(sources_in, others) if len(value) > 1][-1]
    return _steps(first, weights)


def _recurrent_cell(operation: Operation) -> int:
    first, _, *others = operation.call.args
    return _steps(first, sources_in(others))


def _steps(inputs: Source, weights: Sequence[Source]) -> int:
    """All weights of matrices are used for each input vector."""
    vectors = math.prod(inputs.shape[:-1])
    return vectors * sum(math.prod(weight.shape) for weight in weights if len(weight.shape) > 1)


def _attention(operation: Operation) -> int:
    """Queries with keys, then the weights with values: two products of matrices."""
    query, key = operation.argument_shapes["query"], operation.argument_shapes["key"]
    value = operation.argument_shapes["value"]
    pairs = math.prod(query[:-1]) * key[-2]
    return pairs * (query[-1] + value[-1])


def _packed(operation: Operation) -> int:
    """A quantized layer, whose weights are packed with its settings."""
    packed: Any = operation.call.args[1]
    return math.prod(operation.shape) * math.prod(packed.unpack()[0].shape[1:])


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


def _unknown(_operation: Operation) -> None:
    """It multiplies and adds, as a Fourier transform does, but how often is not known."""


FORMULAS: dict[MultiplyAdds, Callable[[Operation], int | None]] = {
    "convolution": _convolution,
    "transposed_convolution": _transposed,
    "linear": _linear,
    "matrix_product": _matrices,
    "sum_of_matrix_products": _sum_of_products,
    "contraction": _contraction,
    "einsum": _einsum,
    "bilinear": _bilinear,
    "recurrent": _recurrent,
    "recurrent_cell": _recurrent_cell,
    "attention": _attention,
    "packed": _packed,
    "locally_connected": _locally_connected,
    "connection_table": _connection_table,
    "subsampling": _subsampling,
    "unknown": _unknown,
}
"""By their names in the table of operation kinds."""
