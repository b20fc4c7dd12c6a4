"""What the page of a course does not compute: images, tables of networks, trained filters."""

import tempfile
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from convscope.lessons import filters, ilsvrc, images, lenet5, redundancy, towers, vgg
from convscope.lessons.trained import BackgroundTraining, Trained, trained_in
from convscope.lessons.training import IMAGES, curvature, picture
from convscope.summaries.table import Summary

_REGION = (256, 376)  # height and width: six crops, 24 pixels apart
SIDES = range(28, 65)
"""The sides of LeNet-5's image that the lesson allows."""
_CLASSES = 10
_DIGITS = range(10)
MOST_REMOVED = 4
"""Filters of the larger layer that can be removed at once; of the smaller one all."""


def region() -> bytes:
    """The part of the photograph that the crops of `images.volume` come from: RGB, row by row."""
    height, width = _REGION
    left, top = images.CORNER
    part = images.whole_photograph().crop((left, top, left + width, top + height))
    return np.asarray(part.convert("RGB")).tobytes()


def tables() -> dict[str, Any]:
    """What the lessons that are translated read: by lesson."""
    return {
        "gray": {name: images.gray(name).tolist() for name in ("digit", "photograph")},
        "photograph": {"width": _REGION[1]},
        "squares": {name: images.square(name) for name in redundancy.PICTURES},
        "redundancy": {
            name: {
                "shuffled": redundancy.shuffled_square(name),
                "curves": {
                    order: {
                        direction: redundancy.shift_curve(name, order, direction)
                        for direction in redundancy.DIRECTIONS
                    }
                    for order in ("plain", "shuffled")
                },
                "effects": redundancy.shuffle_effects(name),
            }
            for name in redundancy.PICTURES
        },
        "towers": towers.describe_towers(),
        "winners": ilsvrc.describe_winners(),
        "lenet5": {
            "tables": {
                network: {side: _table(lenet5.summarize(network, _CLASSES, side)) for side in SIDES}
                for network in lenet5.NETWORKS
            },
            "connections": lenet5.connections(),
        },
        "vgg": {
            "networks": {name: vgg.describe_network(name) for name in vgg.NETWORKS},
            "first": vgg.describe_first(),
        },
        "training": {
            "pictures": {name: picture(name).tolist() for name in IMAGES},
            "eigenvalues": {name: np.linalg.eigvalsh(curvature(name)).tolist() for name in IMAGES},
        },
    }


def _table(summary: Summary) -> dict[str, Any]:
    names = ("layer", "type", "filters", "kernel", "stride", "padding", "map", "activation")
    counts = ("parameters", "multiply_adds")
    return {
        "input": summary.input,
        "rows": [{name: getattr(row, name) for name in (*names, *counts)} for row in summary.rows],
    }


def train_network() -> Trained:
    """The LeNet-5 of the lesson on filters, trained on the digits."""
    with tempfile.TemporaryDirectory(prefix="convscope-") as folder:
        return trained_in(Path(folder) / "run", BackgroundTraining())


def filters_of(trained: Trained) -> dict[str, Any]:
    """What the lesson on filters shows, for every filter, digit and group of removed filters."""
    return {"most": MOST_REMOVED, **{name: _layer(trained, name) for name in filters.LAYERS}}


def _layer(trained: Trained, name: str) -> dict[str, Any]:
    def answer(chosen: int = 0, digit: int = 0, removed: tuple[int, ...] = ()) -> dict[str, Any]:
        return filters.describe(trained, name, chosen=chosen, digit=digit, removed=removed)

    first = answer()
    by_digit = [answer(digit=digit) for digit in _DIGITS]
    by_filter = [answer(chosen=chosen) for chosen in range(len(first["filters"]))]
    layer = filters.layer_of(trained, name)
    changing = {"digit", "removed", "left", "chosen", "patches", "pair"}
    return {
        "answer": {key: value for key, value in first.items() if key not in changing}
        | {
            "filters": [
                {key: value for key, value in one.items() if key != "map"}
                for one in first["filters"]
            ]
        },
        "digits": [one["digit"] for one in by_digit],
        "maps": [[each["map"] for each in one["filters"]] for one in by_digit],
        "patches": [one["patches"] for one in by_filter],
        "pairs": [one["pair"] for one in by_filter],
        "left": {
            ",".join(map(str, group)): layer.num_correct_without(group)
            for group in _groups(len(layer))
        },
    }


def _groups(count: int) -> Iterator[tuple[int, ...]]:
    """The groups of filters that can be removed; of six filters every one."""
    most = count if count <= 2 * MOST_REMOVED else MOST_REMOVED
    for size in range(most + 1):
        yield from combinations(range(count), size)
