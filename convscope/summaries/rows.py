"""From operations to the rows of the summary."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from convscope.receptive import FieldMap
from convscope.receptive.windows import per_axis
from convscope.recording import Operation, get_kind
from convscope.summaries.counts import multiply_adds


@dataclass(frozen=True, kw_only=True)
class Row:
    """One layer of a network, in the lecture's columns.

    Attributes:
        layer: its path in the network.
        type: what it does: the name of torch.nn's layer, or of the function.
        filters: filters of a convolution, units of a dense layer.
        kernel, stride, padding: of a window, (vertical, horizontal).
        map: shape of the result without the batch: (channels, height, width), or (units,).
        activation: the activation function that follows, where nothing else reads its operand.
        parameters: those that no row above has counted.
        multiply_adds: for one image.
        units: values computed for one image.
        receptive_field: height and width of a unit's, also where it reaches over the border.
        exact: False where the receptive field is only an upper bound.
        inputs: the layers whose results it reads.
    """

    layer: str
    type: str
    map: tuple[int, ...]
    filters: int | None = None
    kernel: tuple[int, ...] | None = None
    stride: tuple[int, ...] | None = None
    padding: tuple[int, ...] | str | None = None
    activation: str | None = None
    parameters: int = 0
    multiply_adds: int = 0
    units: int = 0
    receptive_field: tuple[int, ...] = ()
    exact: bool = True
    inputs: tuple[str, ...] = ()


def rows_of(
    operations: Sequence[Operation],
    fields: Mapping[str, FieldMap],
    parameters: Mapping[str, int],
) -> list[Row]:
    """The rows of one forward pass; `parameters` has the number of elements of each parameter.

    What neither computes nor pools has no row: dropout, flatten, reshapes. An activation function
    stands in the row of what it acts on. Parameters that no operation used come last, one row for
    each of the network's children that has any, so that the column adds up to the total.
    """
    uncounted = dict(parameters)
    readers = Counter(operand for operation in operations for operand in operation.operands)
    rows: dict[str, Row] = {}
    row_of: dict[str, str] = {}  # from an operation to the row that stands for its result
    for operation in operations:
        if operation.output_index and not readers[operation.name]:
            continue  # as attention's weights, or the indices of pooling
        kind = get_kind(operation.kind)
        inputs = tuple(dict.fromkeys(row_of.get(o, o) for o in operation.operands))
        if kind.in_summary == "hidden" and len(inputs) == 1:
            row_of[operation.name] = inputs[0]
            continue
        above = rows.get(inputs[0])
        count = sum(uncounted.pop(name, 0) for name in operation.parameters)
        is_activation = kind.in_summary == "activation" and readers[operation.operands[0]] == 1
        if is_activation and above and above.activation is None:
            rows[above.layer] = replace(
                above, activation=kind.label, parameters=above.parameters + count
            )
            row_of[operation.name] = above.layer
            continue
        rows[operation.name] = _row(operation, fields[operation.name], count, inputs)
    return [*rows.values(), *_unused(uncounted)]


def _row(operation: Operation, fields: FieldMap, parameters: int, inputs: tuple[str, ...]) -> Row:
    row = Row(
        layer=operation.name,
        type=get_kind(operation.kind).label,
        map=operation.shape[1:],
        parameters=parameters,
        multiply_adds=multiply_adds(operation),
        units=math.prod(operation.shape[1:]),
        receptive_field=fields.size,
        exact=fields.exact,
        inputs=inputs,
    )
    return _with_window(row, operation)


def _unused(uncounted: Mapping[str, int]) -> list[Row]:
    """A row for the parameters of each child that no operation used."""
    counts = Counter[str]()
    for name, count in uncounted.items():
        counts[name.partition(".")[0]] += count
    return [
        Row(layer=child, type="not run", map=(), parameters=count)
        for child, count in counts.items()
        if count
    ]


def collapse(rows: Iterable[Row], depth: int) -> list[Row]:
    """One row for all layers whose paths agree in their first `depth` parts."""
    blocks: dict[str, list[Row]] = {}
    for row in rows:
        blocks.setdefault(".".join(row.layer.split(".")[:depth]), []).append(row)
    block_of = {row.layer: name for name, members in blocks.items() for row in members}
    return [_collapsed(name, members, block_of) for name, members in blocks.items()]


def _collapsed(name: str, members: Sequence[Row], block_of: Mapping[str, str]) -> Row:
    run = [row for row in members if row.type != "not run"] or members
    last, inputs = run[-1], [block_of.get(i, i) for row in members for i in row.inputs]
    if len(members) == 1:
        return replace(last, layer=name, inputs=tuple(inputs))
    return Row(
        layer=name,
        type=f"{len(members)} layers",
        map=last.map,
        activation=last.activation,
        parameters=sum(row.parameters for row in members),
        multiply_adds=sum(row.multiply_adds for row in members),
        units=sum(row.units for row in members),
        receptive_field=last.receptive_field,
        exact=last.exact,
        inputs=tuple(dict.fromkeys(i for i in inputs if i != name)),
    )


def _with_window(row: Row, operation: Operation) -> Row:
    """With the columns of a window that slides, and the number of filters."""
    kind = get_kind(operation.kind)
    if kind.drawing == "dense":
        return replace(row, filters=operation.shape[-1])
    arguments: Mapping[str, Any] = operation.argument_shapes
    if operation.layer is not None:
        arguments = vars(operation.layer)
    has_filters = kind.drawing == "conv"
    is_function = has_filters and operation.layer is None
    kernel = arguments["weight"][2:] if is_function else arguments.get("kernel_size")
    if kernel is None:
        return row
    axes = len(operation.shape) - 2
    usual = 1 if has_filters or kind.field == "unfold" else kernel
    padding = arguments.get("padding", 0)
    return replace(
        row,
        filters=operation.shape[1] if has_filters else None,
        kernel=per_axis(tuple(kernel) if is_function else kernel, axes),
        stride=per_axis(arguments.get("stride") or usual, axes),
        padding=padding if isinstance(padding, str) else per_axis(padding, axes),
    )
