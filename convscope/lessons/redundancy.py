"""Lesson: neighboring pixels of a photograph are alike; what is left of that in shuffled ones."""

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import numpy as np

from convscope.data.samples import Photograph
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.images import Levels, square
from convscope.lessons.params import choice, integer
from convscope.lessons.window import convolve, make_filter

PICTURES: tuple[Photograph, ...] = ("palace", "flower")
DIRECTIONS: Mapping[str, tuple[int, int]] = {"right": (0, 1), "down": (1, 0)}
"""Where the neighbor is, as (rows, columns)."""

FARTHEST = 32
"""The largest distance of two pixels that are compared."""

_APART = 6  # pixels from one pair that is drawn to the next
_MAX_WEIGHT = 3


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Compare a photograph with itself, some pixels further, and so the same pixels, shuffled.

    `state` has the `picture` (of PICTURES), the `shift` in pixels (1 to 32) and its `direction`.
    The answer has two `orders`, "plain" and "shuffled": the `levels` of its 128·128 pixels, the
    `correlations` of a pixel with the one 0, 1, ... 32 pixels further, and for the chosen distance
    the `correlation` r, the share 1 − r² of the variance that a straight line through the `pairs`
    leaves, the mean absolute `difference` in gray levels, and every sixth pair. `effects` are what
    the shuffle does to a dense unit and to a filter.

    Raises RequestError for an invalid state.
    """
    name = choice(state, "picture", PICTURES)
    direction = choice(state, "direction", tuple(DIRECTIONS))
    shift = integer(state, "shift", 1, FARTHEST)
    orders = {"plain": square(cast("Photograph", name)), "shuffled": shuffled_square(name)}
    return {
        "side": len(orders["plain"]),
        "orders": [
            _order(order, levels, shift_curve(name, order, direction), shift, direction)
            for order, levels in orders.items()
        ],
        "effects": shuffle_effects(name),
    }


def _order(
    order: str, levels: Levels, curve: list[list[float]], shift: int, direction: str
) -> dict[str, Any]:
    correlation, difference = curve[shift]
    down, right = DIRECTIONS[direction]
    side = len(levels)
    return {
        "order": order,
        "levels": [level for row in levels for level in row],
        "correlations": [one[0] for one in curve],
        "correlation": correlation,
        "left": 1 - correlation * correlation,
        "difference": difference,
        "pairs": [
            [levels[y][x], levels[y + down * shift][x + right * shift]]
            for y in range(0, side - down * shift, _APART)
            for x in range(0, side - right * shift, _APART)
        ],
    }


@cache
def shuffled_square(name: str) -> Levels:
    """Return the pixels of `square` in an order that was drawn once, the same for all pictures."""
    levels = square(cast("Photograph", name))
    flat = [level for row in levels for level in row]
    mixed = [flat[place] for place in _permutation(len(flat))]
    return [mixed[start : start + len(levels)] for start in range(0, len(flat), len(levels))]


@cache
def _permutation(count: int) -> list[int]:
    return SeededRandom("redundancy").shuffled(range(count))


@cache
def shift_curve(name: str, order: str, direction: str) -> list[list[float]]:
    """Return, for 0 to 32 pixels of distance, Pearson's correlation of the two pixels over the
    picture, and the mean of their absolute difference."""
    levels = square(cast("Photograph", name)) if order == "plain" else shuffled_square(name)
    down, right = DIRECTIONS[direction]
    values = np.array(levels, dtype=np.float64)
    curve: list[list[float]] = []
    for shift in range(FARTHEST + 1):
        first = values[: len(values) - down * shift, : len(values) - right * shift]
        second = values[down * shift :, right * shift :]
        correlation = np.corrcoef(first.ravel(), second.ravel())[0, 1]
        curve.append([float(correlation), float(np.abs(first - second).mean())])
    return curve


@cache
def shuffle_effects(name: str) -> dict[str, Any]:
    """Return the sum of a dense unit and the mean magnitude of a map of vertical edges.

    The unit has a random weight from -3 to 3 for each pixel. Its sum is that of the photograph
    (`plain`), of the shuffled pixels with the same weights (`shuffled`), and with the weights
    shuffled alike (`moved`). `edges` are those of the photograph and of the shuffled pixels.
    """
    plain = np.array(square(cast("Photograph", name)))
    mixed = np.array(shuffled_square(name))
    rng = SeededRandom("redundancy/weights")
    weights = np.array([rng.between(-_MAX_WEIGHT, _MAX_WEIGHT) for _ in range(plain.size)])
    moved = weights[_permutation(plain.size)]
    edges = [
        float(np.abs(convolve(one[None] * 1.0, make_filter("edges", 3))).mean())
        for one in (plain, mixed)
    ]
    return {
        "plain": int(weights @ plain.ravel()),
        "shuffled": int(weights @ mixed.ravel()),
        "moved": int(moved @ mixed.ravel()),
        "edges": edges,
        "times": edges[1] / edges[0],
    }
