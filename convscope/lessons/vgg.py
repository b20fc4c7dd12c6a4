"""Lesson: AlexNet and VGG, where the weights and the work are, and two 3x3 instead of a 5x5."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from convscope.geometry import Axis, Field, Support, Volume
from convscope.geometry.cost import convolution
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
"""The names of the zoo, by what the lesson calls the networks: AlexNets, columns of VGG's table."""

DEEPEST = 5
"""Small filters that the lesson puts on one another."""

_FLOAT = 4  # bytes of a number


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Two networks row by row, and a stack of 3x3 filters against the one that sees as much.

    `state` has the networks `left` and `right` (of NETWORKS), `deep` (1 to 5 filters of 3x3 on one
    another) and `channels` (1 to 1,024, of every volume between them). The answer has `networks`,
    each with its rows, its totals and where most of them is; `most`, the largest value of a row in
    either, by which bars are drawn; `first`, AlexNet's first layer; and `stack`.

    Raises RequestError for what is none of this.
    """
    pair = [choice(state, side, tuple(NETWORKS)) for side in ("left", "right")]
    told = [_network(name) for name in pair]
    return {
        "networks": told,
        "most": {
            what: max(row[what] for network in told for row in network["rows"])
            for what in ("parameters", "multiply_adds", "bytes")
        },
        "first": _first(),
        "stack": _stack(integer(state, "deep", 1, DEEPEST), integer(state, "channels", 1, 1024)),
    }


@lru_cache(maxsize=len(NETWORKS))
def _summary(name: str) -> Summary:
    return summary(NETWORKS[name])


def _network(name: str) -> dict[str, Any]:
    """Rows and totals of one network, for one image."""
    found = _summary(name)
    parts = {
        "parameters": (found.parameters, [row.parameters for row in found.rows]),
        "multiply_adds": (found.multiply_adds, [row.multiply_adds for row in found.rows]),
        "bytes": (_FLOAT * found.units, [_FLOAT * row.units for row in found.rows]),
    }
    dense = [row for row in found.rows if row.type == "Linear"]
    return {
        "name": name,
        "image": found.input,
        "rows": [_row(row) for row in found.rows],
        **{what: total for what, (total, _) in parts.items()},
        "parameter_bytes": _FLOAT * found.parameters,
        "weight_layers": sum(row.parameters > 0 for row in found.rows),
        "peaks": {
            what: _peak(found.rows, total, values) for what, (total, values) in parts.items()
        },
        "dense_work": sum(row.multiply_adds for row in dense) / found.multiply_adds,
        "dense_parameters": sum(row.parameters for row in dense) / found.parameters,
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
    """The layers that have most, as many as there are of equal size, and the share of one."""
    most = max(values)
    layers = [row.layer for row, value in zip(rows, values, strict=True) if value == most]
    return {"layers": layers, "share": most / total}


def _first() -> dict[str, Any]:
    """AlexNet's first layer, and what its two towers save."""
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
    """`deep` filters of 3x3 on one another, and the single filter that sees as much.

    `sides` are how many units of each layer, the image first, the one unit on top looks at;
    `seen` are, for each layer above the image, the cells below that each of these units reads.
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
    """The cells (first, end) of the layer below that each unit reads."""
    return [layer[unit] for unit in range(len(layer))]
