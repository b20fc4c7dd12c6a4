"""Two filters walk over a small volume, stride 2, padding 1: for the lesson on volumes.

Stanford's CS231n shows such a walk. The numbers are our own: small integers, drawn with a seed.
"""

import re
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from convscope.lessons.window import convolve, covered_cells, products, window_indices
from convscope.words.json_text import to_json

SIDE, CHANNELS, KERNEL, FILTERS = 5, 3, 3, 2
STRIDE, PADDING = 2, 1
NUMBERS = Path(__file__).parents[1] / "webapp" / "static" / "lessons" / "walk_numbers.js"
"""The module of the page that has what `compute_walk` returns."""

_SEED = 231


def compute_walk() -> dict[str, Any]:
    """The volume with its padding, the filters, their maps, and every step of the walk.

    A step has its `filter`, its `row` and `column` in the map, the `cells` of the padded volume
    that the filter covers, for each channel the `terms` and their `sum`, and with the bias the
    `total`.
    """
    rng = np.random.default_rng(_SEED)
    image = rng.integers(0, 3, (CHANNELS, SIDE, SIDE)).astype(float)
    weights = rng.integers(-1, 2, (FILTERS, CHANNELS, KERNEL, KERNEL)).astype(float)
    biases = np.array([1.0, 0.0])
    maps = convolve(image, weights, bias=biases, stride=STRIDE, padding=PADDING)
    padded = np.pad(image, ((0, 0), (PADDING, PADDING), (PADDING, PADDING)))
    wide = SIDE + 2 * PADDING
    inside = [PADDING <= at < PADDING + SIDE for at in range(wide)]
    steps: list[dict[str, Any]] = []
    for k, (row, column) in product(range(FILTERS), np.ndindex(*maps.shape[1:])):
        rows = window_indices(wide, KERNEL, start=row * STRIDE)
        columns = window_indices(wide, KERNEL, start=column * STRIDE)
        patch = padded[:, row * STRIDE :, column * STRIDE :][:, :KERNEL, :KERNEL]
        parts = [products(patch[c], weights[k, c]) for c in range(CHANNELS)]
        steps.append(
            {
                "filter": k,
                "row": row,
                "column": column,
                "cells": covered_cells(rows, columns, side=wide),
                "parts": [
                    {
                        "terms": [[term["value"], term["weight"]] for term in terms],
                        "sum": sum(term["product"] for term in terms),
                    }
                    for terms in parts
                ],
                "total": float(maps[k, row, column]),
            }
        )
    return {
        "side": wide,
        "stride": STRIDE,
        "volume": padded.reshape(CHANNELS, -1).astype(int).tolist(),
        "outside": [at for at in range(wide**2) if not (inside[at // wide] and inside[at % wide])],
        "filters": weights.reshape(FILTERS, CHANNELS, -1).astype(int).tolist(),
        "kernel": KERNEL,
        "biases": biases.astype(int).tolist(),
        "maps": maps.reshape(FILTERS, -1).astype(int).tolist(),
        "columns": int(maps.shape[2]),
        "steps": steps,
    }


def numbers_module() -> str:
    """The text of `NUMBERS`."""
    text = re.sub(r"\.0\b|(?<=[,:]) ", "", to_json(compute_walk()))
    return (
        "/** Written by convscope/lessons/walk.py; a test compares it. */\n\n"
        '/** @import { Walk } from "./types.js" */\n\n'
        f"/** @type {{Walk}} */\nexport const WALK = JSON.parse(\n  '{text}',\n);\n"
    )


if __name__ == "__main__":
    NUMBERS.write_text(numbers_module(), "utf-8")
