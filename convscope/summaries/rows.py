"""From operations to the rows of the lecture's table."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from convscope.receptive import FieldMap
from convscope.receptive.windows import per_axis
from convscope.recording import Operation
from convscope.summaries.counts import multiply_adds


@dataclass(frozen=True, kw_only=True)
class Row:
    """One layer of a network, in the lecture's columns.

    Attributes:
        layer: its path in the network.
        kind: what it does, in words.
        filters: filters of a convolution, units of a dense layer.
        size, stride, padding: of a window, (vertical, horizontal).
        map: shape of the result without the batch: (channels, height, width), or (units,).
        activation: of the activation function that follows and of which nothing else sees the
            operand.
        parameters: of which no row above has counted any.
        multiply_adds: for one image.
        units: numbers that one image makes.
        field: height and width of a unit's receptive field, with what lies over the border.
        exact: False where the receptive field is no more than an upper bound.
        inputs: the layers whose results it takes.
    """

    layer: str
    kind: str
    map: tuple[int, ...]
    filters: int | None = None
    size: tuple[int, ...] | None = None
    stride: tuple[int, ...] | None = None
    padding: tuple[int, ...] | str | None = None
    activation: str | None = None
    parameters: int = 0
    multiply_adds: int = 0
    units: int = 0
    field: tuple[int, ...] = ()
    exact: bool = True
    inputs: tuple[str, ...] = ()


def rows_of(
    done: Sequence[Operation], seen: Mapping[str, FieldMap], parameters: Mapping[str, int]
) -> list[Row]:
    """The rows of one forward pass; `parameters` holds how many numbers each parameter has.

    What neither computes nor pools makes no row: dropout, flatten, reshapes. An activation function
    stands in the row of what it acts on. Parameters that no operation took come last, one row for
    each of the network's children that holds any, so that the column adds up to the whole.
    """
    left = dict(parameters)
    readers = Counter(operand for operation in done for operand in operation.operands)
    rows: dict[str, Row] = {}
    alias: dict[str, str] = {}  # from an operation to the row that stands for its result
    for operation in done:
        inputs = tuple(dict.fromkeys(alias.get(o, o) for o in operation.operands))
        first = operation.operands[0]
        if operation.kind in _UNSEEN and len(inputs) == 1:
            alias[operation.name] = inputs[0]
            continue
        activation = _ACTIVATIONS.get(operation.kind)
        above = rows.get(inputs[0])
        taken = sum(left.pop(name, 0) for name in operation.parameters)
        if activation and above and above.activation is None and readers[first] == 1:
            rows[above.layer] = replace(
                above, activation=activation, parameters=above.parameters + taken
            )
            alias[operation.name] = above.layer
            continue
        field = seen[operation.name]
        row = Row(
            layer=operation.name,
            kind=activation or _KINDS.get(operation.kind, operation.kind),
            map=operation.shape[1:],
            parameters=taken,
            multiply_adds=multiply_adds(operation),
            units=math.prod(operation.shape[1:]),
            field=field.size,
            exact=field.exact,
            inputs=inputs,
        )
        rows[row.layer] = _with_window(row, operation)
    return [*rows.values(), *_not_run(left)]


def _not_run(left: Mapping[str, int]) -> list[Row]:
    counts = Counter[str]()
    for name, count in left.items():
        counts[name.partition(".")[0]] += count
    return [
        Row(layer=child, kind="not run", map=(), parameters=count)
        for child, count in counts.items()
        if count
    ]


def folded(rows: Iterable[Row], depth: int) -> list[Row]:
    """One row for all layers whose paths agree in their first `depth` parts."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(".".join(row.layer.split(".")[:depth]), []).append(row)
    whose = {row.layer: name for name, members in groups.items() for row in members}
    return [_fold(name, members, whose) for name, members in groups.items()]


def _fold(name: str, members: Sequence[Row], whose: Mapping[str, str]) -> Row:
    run = [row for row in members if row.kind != "not run"] or members
    last, inputs = run[-1], [whose.get(i, i) for row in members for i in row.inputs]
    if len(members) == 1:
        return replace(last, layer=name, inputs=tuple(inputs))
    return Row(
        layer=name,
        kind=f"{len(members)} layers",
        map=last.map,
        activation=last.activation,
        parameters=sum(row.parameters for row in members),
        multiply_adds=sum(row.multiply_adds for row in members),
        units=sum(row.units for row in members),
        field=last.field,
        exact=last.exact,
        inputs=tuple(dict.fromkeys(i for i in inputs if i != name)),
    )


def _with_window(row: Row, operation: Operation) -> Row:
    """The columns that tell what slides."""
    given: Mapping[str, Any] = operation.arguments
    if operation.layer is not None:
        given = vars(operation.layer)
    if operation.kind in ("linear", "RadialBasis"):
        return replace(row, filters=operation.shape[-1])
    weight: tuple[int, ...] = given.get("weight", ()) if operation.layer is None else ()
    kernel = tuple(weight[2:]) if "conv" in operation.kind else given.get("kernel_size")
    if kernel is None:
        return row
    axes = len(operation.shape) - 2
    pooled = "pool" in operation.kind or operation.kind == "Subsampling2d"
    stride = given.get("stride") or (kernel if pooled else 1)
    padding = given.get("padding", 0)
    return replace(
        row,
        filters=None if pooled else operation.shape[1],
        size=per_axis(kernel, axes),
        stride=per_axis(stride, axes),
        padding=padding if isinstance(padding, str) else per_axis(padding, axes),
    )


_UNSEEN = frozenset(
    (
        *(
            "flatten",
            "view",
            "reshape",
            "unflatten",
            "squeeze",
            "unsqueeze",
            "permute",
            "transpose",
        ),
        *("contiguous", "clone", "to", "float", "detach", "dropout", "alpha_dropout"),
        *("feature_dropout", "dropout1d", "dropout2d", "dropout3d", "chunk", "split", "getitem"),
        *("pad", "DropPath"),
    )
)

_ACTIVATIONS = {
    **{
        kind: kind.replace("_", " ")
        for kind in (
            *("relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu", "gelu"),
            *("silu", "mish", "hardtanh", "hardswish", "hardsigmoid", "tanh", "sigmoid"),
            *("logsigmoid", "softplus", "softsign", "threshold", "softmax", "log_softmax"),
        )
    },
    "ScaledTanh": "scaled tanh",
}

_KINDS = {
    **{f"conv{n}d": "conv" for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": "transposed" for n in (1, 2, 3)},
    **{f"max_pool{n}d": "max pool" for n in (1, 2, 3)},
    **{f"avg_pool{n}d": "avg pool" for n in (1, 2, 3)},
    **{f"adaptive_max_pool{n}d": "max pool" for n in (1, 2, 3)},
    **{f"adaptive_avg_pool{n}d": "avg pool" for n in (1, 2, 3)},
    "linear": "dense",
    "batch_norm": "batch norm",
    "layer_norm": "layer norm",
    "group_norm": "group norm",
    "instance_norm": "instance norm",
    "local_response_norm": "lrn",
    "add": "sum",
    "mul": "product",
    "cat": "concat",
    "scaled_dot_product_attention": "attention",
    "multi_head_attention_forward": "attention",
    "LocallyConnected2d": "local",
    "TableConv2d": "conv, table",
    "MinPool2d": "min pool",
    "Subsampling2d": "subsample",
    "RadialBasis": "rbf",
    "LocalResponseNorm": "lrn",
    "FractalJoin": "join",
}
