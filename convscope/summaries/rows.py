"""From operations to the rows of the summary."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from convscope.receptive import FieldMap
from convscope.receptive.windows import per_axis
from convscope.recording import Operation, get_kind
from convscope.summaries.counts import multiply_adds
from convscope.summaries.usage import steps_of


@dataclass(frozen=True, kw_only=True)
class Row:
    """One layer of a network, in the lecture's columns.

    Attributes:
        layer: its path in the network.
        type: what it does: the name of torch.nn's layer, or of the function.
        filters: filters of a convolution, units of a dense layer.
        kernel, stride, padding: of a window, (vertical, horizontal).
        map: shape of the result without the batch: (channels, height, width), or (units,); all axes
            where the first is not the batch, as behind windows of tokens.
        activation: the activation function that follows, where nothing else reads its operand.
        parameters: those that no row above has counted, also where something was computed of them
            first, as in weight standardization.
        multiply_adds: of a pass on one image, those of what was computed of parameters first
            included; those that are known.
        is_counted: False where there may be more multiply-adds than those.
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
    is_counted: bool = True
    units: int = 0
    receptive_field: tuple[int, ...] = ()
    exact: bool = True
    inputs: tuple[str, ...] = ()


def rows_of(
    operations: Sequence[Operation],
    fields: Mapping[str, FieldMap],
    parameters: Mapping[str, int],
    *,
    complex_results: Collection[str] = (),
    unrecorded: Collection[str] = (),
) -> list[Row]:
    """The rows of one forward pass; `parameters` has the number of elements of each parameter.

    `operations` are all of the pass, also those that do not depend on the image: they belong to the
    row that uses what they returned, with their parameters and multiply-adds. `complex_results`
    names the operations that returned complex numbers, `unrecorded` the parameters that were read
    where operations cannot be recorded.

    What neither computes nor pools has no row: dropout, flatten, reshapes. An activation function
    stands in the row of what it acts on. Parameters of which no row made use come last, one row for
    each of the network's children that has any, so that the column adds up to the total.
    """
    steps, rest = steps_of(operations)
    uncounted = dict(parameters)
    readers = Counter(operand for step in steps for operand in step.operands)
    rows: dict[str, Row] = {}
    row_of: dict[str, str] = {}  # from an operation to the row that stands for its result
    for step in steps:
        operation, name = step.operation, step.operation.name
        if operation.output_index and not readers[name]:
            continue  # as attention's weights, or the indices of pooling
        kind = get_kind(operation.kind)
        inputs = tuple(dict.fromkeys(row_of.get(o, o) for o in step.operands))
        count = sum(uncounted.pop(parameter, 0) for parameter in step.parameters)
        cost, is_counted = _cost((operation, *step.prepared), complex_results)
        is_free = not count and not cost and is_counted
        if kind.in_summary == "hidden" and len(inputs) == 1 and is_free:
            row_of[name] = inputs[0]
            continue
        above = rows.get(inputs[0])
        is_activation = kind.in_summary == "activation" and readers[step.operands[0]] == 1
        if is_activation and above and above.activation is None:
            row = replace(above, activation=kind.label)
            row_of[name] = above.layer
        else:
            row = _row(operation, fields[name], inputs)
        rows[row.layer] = replace(
            row,
            parameters=row.parameters + count,
            multiply_adds=row.multiply_adds + cost,
            is_counted=row.is_counted and is_counted,
        )
    costs = [(done, *_cost([done], complex_results)) for done in rest]
    read = {name for done in rest for name in done.parameters}
    return [*rows.values(), *_leftovers(uncounted, read, unrecorded, costs)]


def _cost(operations: Iterable[Operation], complex_results: Collection[str]) -> tuple[int, bool]:
    """The multiply-adds that are known, and whether those are all."""
    counts = [
        multiply_adds(operation, is_complex=operation.name in complex_results)
        for operation in operations
    ]
    return sum(count or 0 for count in counts), None not in counts


def _row(operation: Operation, fields: FieldMap, inputs: tuple[str, ...]) -> Row:
    row = Row(
        layer=operation.name,
        type=get_kind(operation.kind).label,
        map=operation.shape[1:] if operation.shape[:1] == (1,) else operation.shape,
        units=math.prod(operation.shape),
        receptive_field=fields.size if fields.axes else (),
        exact=fields.exact,
        inputs=inputs,
    )
    try:
        return _with_window(row, operation)
    except Exception:  # noqa: BLE001 -- third-party networks may call torch in any way
        return row


def _leftovers(
    parameters: Mapping[str, int],
    read: Collection[str],
    unrecorded: Collection[str],
    costs: Iterable[tuple[Operation, int, bool]],
) -> list[Row]:
    """A row for each child of the network with parameters, or operations, that no row has."""
    rows: dict[str, Row] = {}
    for name, count in parameters.items():
        child = name.partition(".")[0]
        row = rows.get(child, Row(layer=child, type=NOT_RUN, map=()))
        kind = NOT_RECORDED if name in unrecorded else NOT_USED if name in read else row.type
        rows[child] = replace(
            row,
            type=kind,
            parameters=row.parameters + count,
            is_counted=row.is_counted and name not in unrecorded,
        )
    for operation, cost, is_counted in costs:
        child = operation.name.partition(".")[0]
        row = rows.get(child, Row(layer=child, type=NOT_USED, map=()))
        rows[child] = replace(
            row,
            multiply_adds=row.multiply_adds + cost,
            is_counted=row.is_counted and is_counted,
        )
    return [row for row in rows.values() if row.parameters or row.multiply_adds]


NOT_RUN, NOT_USED, NOT_RECORDED = "not run", "not used", "not recorded"
"""Types of rows that hold what is in no other row: parameters that nothing read; those, and
operations, of which the image met nothing; parameters that were read where no operation is
recorded."""


def collapse(rows: Iterable[Row], depth: int) -> list[Row]:
    """One row for all layers whose paths agree in their first `depth` parts."""
    blocks: dict[str, list[Row]] = {}
    for row in rows:
        blocks.setdefault(".".join(row.layer.split(".")[:depth]), []).append(row)
    block_of = {row.layer: name for name, members in blocks.items() for row in members}
    return [_collapsed(name, members, block_of) for name, members in blocks.items()]


def _collapsed(name: str, members: Sequence[Row], block_of: Mapping[str, str]) -> Row:
    run = [row for row in members if row.map] or members
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
        is_counted=all(row.is_counted for row in members),
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
