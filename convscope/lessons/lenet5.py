"""Lesson: LeNet-5, volume by volume, as lectures have it and as of 1998."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from convscope.geometry import Volume
from convscope.geometry.cost import Cost, convolution, dense, pooling, sliding
from convscope.geometry.derivation import derive_convolution, derive_dense, derive_output
from convscope.lessons.params import choice, integer
from convscope.summaries.api import summarize_module, summary
from convscope.summaries.rows import Row
from convscope.summaries.table import Summary
from convscope.zoo import create_model
from convscope.zoo.lenet5_1998 import connections

NETWORKS = {"lecture": "lenet5", "1998": "lenet5_1998"}
"""The names of the zoo, by what the page calls the networks."""

CLASSES, SIDE = 10, 32
"""What both were made for."""

_LAST_WINDOW = ("conv3", "C5")  # what an image below 32x32 leaves nothing for
_TABLE = ("conv2", "C3")  # the layer with the table of connections
Line = tuple[str, int, str]


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """The table of LeNet-5, one row of it worked out, and the connections of its second layer.

    `state` has `network` ("lecture" or "1998"), `classes` (2 to 100), `side` of the image (28 to
    64), the chosen `row`, counted from 0, and the chosen `column` of the table of connections (0 to
    15). The answer has the `rows` of `convscope.summary`, their totals, each row's `connections`
    and `share` of the parameters, the chosen row `worked` out in (quantity, count, formula), the
    `changes` against 32x32 and ten classes, and the `table`. For an image that is too small the
    rows end where it no longer fits, and `broken` says so.

    Raises RequestError for what is none of this.
    """
    network = choice(state, "network", tuple(NETWORKS))
    classes, side = integer(state, "classes", 2, 100), integer(state, "side", 28, 64)
    table = _summary(network, classes, side)
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
def _summary(network: str, classes: int, side: int) -> Summary:
    """The summary; below 32x32 that of the layers for which the image suffices."""
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
        f"The next filter is 5×5 and finds only {left}×{left}: the image is too small for LeNet-5. "
        "The 28×28 digits of MNIST get a frame of 2 zeros on every side, which makes them 32×32."
    )


def _plain(row: Row) -> dict[str, Any]:
    names = ("layer", "type", "filters", "kernel", "stride", "padding", "map", "activation")
    return {name: getattr(row, name) for name in (*names, "parameters", "multiply_adds")}


def _volume(shape: tuple[int, ...]) -> Volume:
    height, width = shape[1:] or (1, 1)
    return Volume(shape[0], height, width)


def _cost(row: Row, below: Volume) -> Cost:
    """What `convscope.geometry` says that a row costs on the volume below it."""
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
    """Each quantity of a row, its count, and the formula with the numbers put in."""
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
    """The formula of each quantity, by the kind of the row."""
    output, kernel = cost.output, (row.kernel or (0,))[0]
    places = f"{output.height}·{output.width}"
    match row.type:
        case "Linear":
            told = {name: formula for name, _, formula in derive_dense(below, cost).rows}
            weights = told["parameters"].partition(":")[0]
            return {**told, "parameters": weights, "connections": weights}
        case "RadialBasis":
            fixed = f"nothing to learn: {row.filters} fixed codes of {below.units} numbers"
            return {"parameters": fixed, "connections": f"{row.filters}·{below.units}"}
        case "Conv":
            axes = sliding(below, kernel)
            told = {n: formula for n, _, formula in derive_convolution(below, axes, cost).rows}
            return {**told, "parameters": told["parameters"].partition(":")[0]}
        case "SparseConnectionConv":
            links = f"{_links()}·{kernel}·{kernel}"
            return {
                "parameters": f"{links} + {row.filters}",
                "connections": f"{places}·({links} + {row.filters})",
                "multiply-adds": f"{places}·{links}",
            }
        case "Subsampling":
            return {
                "parameters": f"{output.channels}·(1 + 1): a factor and a bias for each map",
                "connections": f"{places}·{output.channels}·({kernel}·{kernel} + 1)",
                "multiply-adds": f"{places}·{output.channels}",
            }
        case _:
            return {
                "parameters": "nothing to learn: a mean is a mean",
                "connections": f"{places}·{output.channels}·{kernel}·{kernel}",
            }


def _links() -> int:
    """The pairs of maps that the network of 1998 connects."""
    return sum(map(len, connections()))


def _changes(network: str, table: Summary) -> list[dict[str, Any]]:
    """The layers that differ from those at 32x32 with ten classes: parameters before and now."""
    first = _summary(network, CLASSES, SIDE)
    return [
        {
            "layer": row.layer,
            "parameters": (usual.parameters, row.parameters),
            "map": (usual.map, row.map),
        }
        for usual, row in zip(first.rows, table.rows, strict=False)
        if (usual.parameters, usual.map) != (row.parameters, row.map)
    ]


def _table(network: str, column: int) -> dict[str, Any]:
    """Which maps of the first pooling each map of the second convolution sees, and what it costs.

    `links[k]` are the maps that map k sees, `used` says how often each is seen; `parameters` are
    those of all maps and `own` those of the chosen one, `full` those of a layer without a table.
    """
    rows = {way: _summary(way, CLASSES, SIDE).rows[2] for way in NETWORKS}
    chosen = rows[network]
    below = _summary(network, CLASSES, SIDE).rows[1].map[0]
    every = [list(range(below)) for _ in range(chosen.filters or 0)]
    links = connections() if network == "1998" else every
    seen = links[column]
    return {
        "layer": _TABLE[network == "1998"],
        "links": links,
        "column": column,
        "count": sum(map(len, links)),
        "pairs": sum(map(len, every)),
        "used": [sum(place in row for row in links) for place in range(below)],
        "parameters": chosen.parameters,
        "full": rows["lecture"].parameters,
        "chosen": rows["1998"].parameters,
        "own": len(seen) * 25 + 1,
        "formula": f"{len(seen)}·5·5 + 1",
    }
