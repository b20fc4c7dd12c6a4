"""Lesson: AlexNet's two towers: which layers read both, and what groups save."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from convscope.arithmetic import Volume, convolution
from convscope.lessons.params import integer
from convscope.summaries.api import summary
from convscope.summaries.rows import Row

_PAPER = {"parameters": 60_000_000, "neurons": 650_000}
"""Krizhevsky, Sutskever & Hinton, 2012, abstract: "60 million parameters and 650,000 neurons"."""


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Compare AlexNet in two towers with AlexNet in one, and one layer in several groups.

    `state` has a layer of one's own: the `side` (1 to 256) and `channels` (1 to 1,024) of its
    input, its `filters` (1 to 1,024), their size `kernel` (1, 3, ... 11, padded to keep the side)
    and the number of `groups` (1 to 64). The answer has the `network`, see `describe_towers`, and
    the `layer`: the maps that a filter `sees`, weights and edges, alone (one group) and in groups.

    Raises RequestError for an invalid state, and for groups that do not divide the channels and
    the filters.
    """
    side = integer(state, "side", 1, 256)
    channels = integer(state, "channels", 1, 1024)
    filters = integer(state, "filters", 1, 1024)
    kernel = integer(state, "kernel", 1, 11)
    groups = integer(state, "groups", 1, 64)
    volume = Volume(channels, side, side)
    whole = convolution(volume, filters, kernel, padding="same")
    apart = convolution(volume, filters, kernel, padding="same", groups=groups)
    sees = channels // groups
    return {
        "network": describe_towers(),
        "layer": {
            "sees": sees,
            "each": filters // groups,
            "whole": {"weights": whole.weights, "edges": whole.multiply_adds},
            "apart": {"weights": apart.weights, "edges": apart.multiply_adds},
            "weights_formula": f"{kernel}·{kernel}·{sees:,}·{filters:,}",
            "edges_formula": f"{side}·{side} · {apart.weights:,}",
        },
    }


@cache
def describe_towers() -> dict[str, Any]:
    """Return the layers with weights of AlexNet, in one tower and in two, and their totals.

    A row has the `map` of both towers together, the maps or units `below` and how many of them a
    filter `sees`, whether that is `both` towers, the filters of `each`, and the parameters and
    edges (links to inputs) of two towers and of one. `neurons` are the units of these layers;
    `paper` is what it states.
    """
    towers, alone = summary("alexnet_towers"), summary("alexnet")
    pairs = zip(_weighted(towers.rows), _weighted(alone.rows), strict=True)
    rows = [_row(two, one) for two, one in pairs]
    edges = sum(row["edges"] for row in rows)
    alone_edges = sum(row["alone_edges"] for row in rows)
    return {
        "rows": rows,
        "parameters": towers.parameters,
        "alone_parameters": alone.parameters,
        "saved": alone.parameters - towers.parameters,
        "edges": edges,
        "alone_edges": alone_edges,
        "edges_left": edges / alone_edges,
        "neurons": sum(row["units"] for row in rows),
        "paper": _PAPER,
    }


def _weighted(rows: tuple[Row, ...]) -> list[Row]:
    return [row for row in rows if row.filters and row.parameters]


def _row(two: Row, one: Row) -> dict[str, Any]:
    filters = two.filters or 0
    height, width = two.kernel or (1, 1)
    sees = (two.parameters - filters) // (filters * height * width)
    below = (one.parameters - filters) // (filters * height * width)
    units = 1
    for length in two.map:
        units *= length
    return {
        "layer": two.layer,
        "type": "dense" if two.kernel is None else "convolution",
        "map": list(two.map),
        "filters": filters,
        "each": filters // 2,
        "kernel": list(two.kernel or ()),
        "units": units,
        "below": below,
        "sees": sees,
        "both": sees == below,
        "parameters": two.parameters,
        "alone_parameters": one.parameters,
        "edges": two.multiply_adds,
        "alone_edges": one.multiply_adds,
    }
