"""Lesson: LeNet-5, volume by volume, as taught in lectures and as published in 1998."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from convscope.arithmetic import Volume
from convscope.arithmetic.cost import Cost, convolution, dense, pooling, sliding
from convscope.arithmetic.derivation import derive_convolution, derive_dense, derive_output
from convscope.lessons.params import choice, integer
from convscope.summaries.api import summarize_module, summary
from convscope.summaries.rows import Row
from convscope.summaries.table import Summary
from convscope.zoo import create_model
from convscope.zoo.lenet5_1998 import connections

NETWORKS = {"lecture": "lenet5", "1998": "lenet5_1998"}
"""The zoo's names, by the page's names of the networks."""

CLASSES, SIDE = 10, 32
"""What both networks were designed for."""

_LAST_WINDOW = ("conv3", "C5")  # does not fit images smaller than 32x32
_TABLE = ("conv2", "C3")  # the layer with the table of connections
Line = tuple[str, int, str]


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Compute the table of LeNet-5, the formulas of one row, and the connections of layer two.

    `state` has `network` ("lecture" or "1998"), `classes` (2 to 100), the image's `side` (28 to
    64), the chosen `row`, counted from 0, and the chosen `column` of the table of connections (0 to
    15). The answer has the `rows` of `convscope.summary`, their totals, each row's `connections`
    and `share` of the parameters, the formulas of the chosen row (`worked`: quantity, count,
    formula), the `changes` from 32x32 and ten classes, and the `table`. If the image is too small,
    the rows end at the first layer that does not fit, and `broken` says so.

    Raises RequestError for an invalid state.
    """
    network = choice(state, "network", tuple(NETWORKS))
    classes, side = integer(state, "classes", 2, 100), integer(state, "side", 28, 64)
    table = summarize(network, classes, side)
    volumes = [table.input, *(row.map for row in table.rows)]
    costs = [_cost(row, _volume(volumes[i])) for i, row in enumerate(table.rows)]
    at = min(integer(state, "row", 0, 6), len(table.rows) - 1)
    total = table.parameters
    return {
        "image": table.input,
        "rows": [
            {**_plain(row), "connections": cost.connections, "share": row.parameters / total}
            for row, cost in zip(table.rows, costs, strict=True)
        ],
        "parameters": total,
        "multiply_adds": table.multiply_adds,
        "bytes": 4 * total,  # as float32
        "connections": sum(cost.connections for cost in costs),
        "broken": _broken(table),
        "row": at,
        "worked": work_out(table.rows[at], _volume(volumes[at])),
        "changes": _changes(network, table),
        "table": _table(network, integer(state, "column", 0, 15)),
    }


@lru_cache(maxsize=128)
def summarize(network: str, classes: int, side: int) -> Summary:
    """Summarize the network; below 32x32, only the layers that the image is large enough for."""
    name = NETWORKS[network]
    if side >= SIDE:
        return summary(name, num_classes=classes, input_size=(side, side))
    with torch.device("meta"):
        layers = dict(create_model(name, num_classes=classes).named_children())
    kept = list(layers)[: list(layers).index(_LAST_WINDOW[network == "1998"])]
    net = nn.Sequential()
    for layer in kept:
        net.add_module(layer, layers[layer])
    return summarize_module(net, name=name, image=(1, side, side))


def _broken(table: Summary) -> str | None:
    if table.input[1] >= SIDE:
        return None
    left = table.rows[-1].map[-1]
    return (
        f"The next filter is 5×5, but its input is only {left}×{left}: the image is too small for "
        "LeNet-5. MNIST's 28×28 digits are padded with 2 zeros on every side, to 32×32."
    )


def _plain(row: Row) -> dict[str, Any]:
    names = ("layer", "type", "filters", "kernel", "stride", "padding", "map", "activation")
    return {name: getattr(row, name) for name in (*names, "parameters", "multiply_adds")}


def _volume(shape: tuple[int, ...]) -> Volume:
    height, width = shape[1:] or (1, 1)
    return Volume(shape[0], height, width)


def _cost(row: Row, below: Volume) -> Cost:
    """Return the cost of a row, by `convscope.arithmetic`, given the volume that it reads."""
    filters, (kernel, *_) = row.filters or 0, row.kernel or (0,)
    match row.type:
        case "Conv":
            return convolution(below, filters, kernel)
        case "SparseConnectionConv":
            return convolution(below, filters, kernel, links=_links())
        case "AvgPool" | "Subsampling":
            return pooling(below, kernel, trainable=row.type == "Subsampling")
        case _:
            return dense(below, filters, bias=row.type == "Linear")


def work_out(row: Row, below: Volume) -> list[Line]:
    """Return each quantity of a row, its count, and the formula with the numbers inserted."""
    cost = _cost(row, below)
    lines = _formulas(row, below, cost)
    counts = {"parameters": row.parameters, "connections": cost.connections}
    if row.kernel:
        axes = sliding(below, row.kernel[0], stride=(row.stride or (1,))[0])
        lines["side of the map"] = derive_output(axes).rows[0][2]
        counts = {"side of the map": cost.output.height, **counts}
    counts["multiply-adds"] = row.multiply_adds
    return [
        (name, count, lines[name].replace(" - ", " − "))
        for name, count in counts.items()
        if name in lines
    ]


def _formulas(row: Row, below: Volume, cost: Cost) -> dict[str, str]:
    """Return the formula of each quantity, by the type of the row."""
    output, kernel = cost.output, (row.kernel or (0,))[0]
    positions = f"{output.height}·{output.width}"
    match row.type:
        case "Linear":
            rows = {name: formula for name, _, formula in derive_dense(below, cost).rows}
            weights = rows["parameters"].partition(":")[0]
            return {**rows, "parameters": weights, "connections": weights}
        case "RadialBasis":
            fixed = f"nothing to learn: {row.filters} fixed codes of {below.units} numbers"
            return {"parameters": fixed, "connections": f"{row.filters}·{below.units}"}
        case "Conv":
            axes = sliding(below, kernel)
            rows = {n: formula for n, _, formula in derive_convolution(below, axes, cost).rows}
            return {**rows, "parameters": rows["parameters"].partition(":")[0]}
        case "SparseConnectionConv":
            links = f"{_links()}·{kernel}·{kernel}"
            return {
                "parameters": f"{links} + {row.filters}",
                "connections": f"{positions}·({links} + {row.filters})",
                "multiply-adds": f"{positions}·{links}",
            }
        case "Subsampling":
            return {
                "parameters": f"{output.channels}·(1 + 1): a factor and a bias for each map",
                "connections": f"{positions}·{output.channels}·({kernel}·{kernel} + 1)",
                "multiply-adds": f"{positions}·{output.channels}",
            }
        case _:
            return {
                "parameters": "nothing to learn: averaging has no weights",
                "connections": f"{positions}·{output.channels}·{kernel}·{kernel}",
            }


def _links() -> int:
    """Count the pairs of maps that the network of 1998 connects."""
    return sum(map(len, connections()))


def _changes(network: str, table: Summary) -> list[dict[str, Any]]:
    """Return the layers that differ from those at 32x32 with ten classes: (default, current)."""
    first = summarize(network, CLASSES, SIDE)
    return [
        {
            "layer": row.layer,
            "parameters": (default.parameters, row.parameters),
            "map": (default.map, row.map),
        }
        for default, row in zip(first.rows, table.rows, strict=False)
        if (default.parameters, default.map) != (row.parameters, row.map)
    ]


def _table(network: str, column: int) -> dict[str, Any]:
    """Describe which maps of the first pooling each filter of the second convolution reads.

    `links[k]` are the maps that filter k reads, `used` says how often each map is read;
    `parameters` counts those of all filters, `own` those of the chosen one, `full` those of a layer
    without a table.
    """
    rows = {way: summarize(way, CLASSES, SIDE).rows[2] for way in NETWORKS}
    chosen = rows[network]
    below = summarize(network, CLASSES, SIDE).rows[1].map[0]
    every = [list(range(below)) for _ in range(chosen.filters or 0)]
    links = connections() if network == "1998" else every
    inputs = links[column]
    return {
        "layer": _TABLE[network == "1998"],
        "links": links,
        "column": column,
        "count": sum(map(len, links)),
        "pairs": sum(map(len, every)),
        "used": [sum(index in row for row in links) for index in range(below)],
        "parameters": chosen.parameters,
        "full": rows["lecture"].parameters,
        "chosen": rows["1998"].parameters,
        "own": len(inputs) * 25 + 1,
        "formula": f"{len(inputs)}·5·5 + 1",
    }
