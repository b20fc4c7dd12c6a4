"""Lesson: AlexNet and VGG: weights, computation, and two 3x3 filters instead of a 5x5."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from convscope.arithmetic import Axis, Field, Support, Volume
from convscope.arithmetic.cost import convolution
from convscope.lessons.params import choice, integer
from convscope.summaries.api import summary
from convscope.summaries.rows import Row
from convscope.summaries.table import Summary

NETWORKS = {
    "alexnet": "alexnet",
    "towers": "alexnet_towers",
    "A": "vgg11",
    "B": "vgg13",
    "C": "vgg16_c",
    "D": "vgg16",
    "E": "vgg19",
}
"""The zoo's names, by the lesson's names: AlexNets, and columns of VGG's table."""

DEEPEST = 5
"""The largest number of stacked small filters."""

_FLOAT = 4  # bytes of a float32


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Compare two networks row by row, and a stack of 3x3 filters with one large filter.

    `state` has the networks `left` and `right` (of NETWORKS), `deep` (1 to 5 stacked 3x3 filters)
    and `channels` (1 to 1,024, of every volume between them). The answer has `networks`, each with
    its rows, its totals and the layers with the largest shares; `most`, the largest value of a row
    in either, which scales the bars; `first`, AlexNet's first layer; and `stack`.

    Raises RequestError for an invalid state.
    """
    pair = [choice(state, side, tuple(NETWORKS)) for side in ("left", "right")]
    networks = [describe_network(name) for name in pair]
    return {
        "networks": networks,
        "most": {
            what: max(row[what] for network in networks for row in network["rows"])
            for what in ("parameters", "multiply_adds", "bytes")
        },
        "first": describe_first(),
        "stack": _stack(integer(state, "deep", 1, DEEPEST), integer(state, "channels", 1, 1024)),
    }


@lru_cache(maxsize=len(NETWORKS))
def _summary(name: str) -> Summary:
    return summary(NETWORKS[name])


def describe_network(name: str) -> dict[str, Any]:
    """Return the rows and totals of one network, for one image."""
    table = _summary(name)
    parts = {
        "parameters": (table.parameters, [row.parameters for row in table.rows]),
        "multiply_adds": (table.multiply_adds, [row.multiply_adds for row in table.rows]),
        "bytes": (_FLOAT * table.units, [_FLOAT * row.units for row in table.rows]),
    }
    dense = [row for row in table.rows if row.type == "Linear"]
    return {
        "name": name,
        "image": table.input,
        "rows": [_row(row) for row in table.rows],
        **{what: total for what, (total, _) in parts.items()},
        "parameter_bytes": _FLOAT * table.parameters,
        "weight_layers": sum(row.parameters > 0 for row in table.rows),
        "peaks": {
            what: _peak(table.rows, total, values) for what, (total, values) in parts.items()
        },
        "dense_work": sum(row.multiply_adds for row in dense) / table.multiply_adds,
        "dense_parameters": sum(row.parameters for row in dense) / table.parameters,
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "layer": row.layer,
        "type": row.type,
        "filters": row.filters,
        "kernel": row.kernel,
        "map": row.map,
        "parameters": row.parameters,
        "multiply_adds": row.multiply_adds,
        "bytes": _FLOAT * row.units,
    }


def _peak(rows: tuple[Row, ...], total: int, values: list[int]) -> dict[str, Any]:
    """Return the layers with the largest value, all of them if tied, and the share of each."""
    most = max(values)
    layers = [row.layer for row, value in zip(rows, values, strict=True) if value == most]
    return {"layers": layers, "share": most / total}


def describe_first() -> dict[str, Any]:
    """Describe AlexNet's first layer, and what its two towers save."""
    alone, towers = _summary("alexnet"), _summary("towers")
    row = alone.rows[0]
    kernel, stride = (row.kernel or (0,))[0], (row.stride or (1,))[0]
    axis = Axis(alone.input[1], kernel, stride)
    apart = [
        one.layer
        for one, two in zip(
            (row for row in alone.rows if row.filters),
            (row for row in towers.rows if row.filters),
            strict=True,
        )
        if one.parameters != two.parameters
    ]
    return {
        "filters": row.filters,
        "kernel": kernel,
        "stride": stride,
        "formula": axis.formula.replace(" - ", " − "),
        "side": axis.output,
        "alone": alone.parameters,
        "towers": towers.parameters,
        "apart": apart,
    }


def _stack(deep: int, channels: int) -> dict[str, Any]:
    """Compare `deep` stacked 3x3 filters with the single filter of the same receptive field.

    `sides` is the side of the top unit's receptive field in each layer, the image first; `seen`
    are, for each layer above the image, the cells below that each of these units reads.
    """
    fields = [Field()]
    for _ in range(deep):
        fields.append(fields[-1].compose(3))
    side = fields[-1].size
    volume = Volume(channels, side, side)
    small = convolution(volume, channels, 3, padding=1, bias=False)
    large = convolution(volume, channels, side, bias=False)
    sides = [field.size for field in reversed(fields)]
    seen = [_read(Support.image(width).window(3)) for width in sides[:-1]]
    return {
        "deep": deep,
        "channels": channels,
        "side": side,
        "sides": sides,
        "seen": seen,
        "small": deep * small.weights,
        "large": large.weights,
        "small_factor": 9 * deep,
        "large_factor": side * side,
        "ratio": deep * small.weights / large.weights,
    }


def _read(layer: Support) -> list[tuple[int, int] | None]:
    """Return the cells (start, stop) of the layer below that each unit reads."""
    return [layer[unit] for unit in range(len(layer))]
