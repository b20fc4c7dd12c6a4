"""Lesson: a dense layer and a convolution on the picture of a bird: edges and weights, counted."""

from collections.abc import Mapping
from typing import Any

from convscope.arithmetic import Volume, convolution, dense
from convscope.errors import RequestError
from convscope.lessons.params import choice, integer

PLACES: Mapping[str, tuple[float, float]] = {
    "the beak": (0.86, 0.33),
    "the eye": (0.715, 0.285),
    "the tail": (0.13, 0.61),
    "the sky": (0.25, 0.15),
}
"""Where a window is laid: its middle, as shares of the picture's width and height."""

DRAWING = (
    ("branch", "M0 0.87L1 0.8L1 0.84L0 0.92Z"),
    ("legs", "M0.47 0.7L0.49 0.86M0.56 0.7L0.58 0.85"),
    ("tail", "M0.3 0.52L0.03 0.57L0.06 0.67L0.34 0.64Z"),
    ("body", ("M0.24 0.57C0.3 0.34 0.52 0.38 0.58 0.3C0.62 0.18 0.74 0.15 0.79 0.25C0.85 0.36 0.8 "
              "0.44 0.76 0.53C0.7 0.68 0.58 0.74 0.46 0.72C0.36 0.7 0.27 0.66 0.24 0.57Z")),
    ("wing", "M0.33 0.52C0.46 0.44 0.57 0.49 0.63 0.47C0.61 0.6 0.49 0.66 0.28 0.6Z"),
    ("beak", "M0.795 0.275L0.93 0.335L0.8 0.375Z"),
    ("eye", "M0.692 0.285A0.023 0.023 0 1 1 0.738 0.285A0.023 0.023 0 1 1 0.692 0.285Z"),
)  # fmt: skip
"""The bird: parts and their outlines as paths of SVG, in a square of side 1."""

_FLOAT = 4  # bytes of a float32


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Count the edges and weights of a dense layer and of a convolution on one image.

    `state` has the image's `side` (8 to 1,024) and `channels` (1 to 16), the `hidden` units of the
    dense layer (1 to 10,000), the `filters` of the convolution (1 to 512), their size `kernel` (1
    to 64, at most the side) and the part of the picture under the window (`look`, of PLACES).

    An edge links a unit to an input; the links to biases are counted apart. The answer has the
    image's `inputs`, the convolution's `output` volume, both `layers`, how many times as many
    weights the dense one has, the `window` as (top, left) in pixels, the share of pixels in it, and
    the `drawing` of the bird.

    Raises RequestError for an invalid state, and for a filter larger than the image.
    """
    side = integer(state, "side", 8, 1024)
    channels = integer(state, "channels", 1, 16)
    hidden = integer(state, "hidden", 1, 10_000)
    filters = integer(state, "filters", 1, 512)
    kernel = integer(state, "kernel", 1, 64)
    right, down = PLACES[choice(state, "look", tuple(PLACES))]
    if kernel > side:
        raise RequestError(f"A filter of {kernel}×{kernel} does not fit an image of {side}×{side}.")
    image = Volume(channels, side, side)
    full, small = dense(image, hidden), convolution(image, filters, kernel)
    out = small.output.height
    window = f"{kernel}·{kernel}·{channels}"
    return {
        "inputs": image.units,
        "output": [filters, out, out],
        "layers": [
            {
                "name": "dense",
                "units": hidden,
                "reads": image.units,
                "edges": full.multiply_adds,
                "weights": full.weights,
                "biases": full.biases,
                "parameters": full.parameters,
                "bytes": _FLOAT * full.parameters,
                "edges_formula": f"{side}·{side}·{channels}·{hidden:,}",
                "weights_formula": f"{side}·{side}·{channels}·{hidden:,}",
            },
            {
                "name": "convolution",
                "units": small.output.units,
                "reads": kernel * kernel * channels,
                "edges": small.multiply_adds,
                "weights": small.weights,
                "biases": small.biases,
                "parameters": small.parameters,
                "bytes": _FLOAT * small.parameters,
                "edges_formula": f"{out}·{out}·{filters}·{window}",
                "weights_formula": f"{window}·{filters}",
            },
        ],
        "times": full.weights / small.weights,
        "each": small.multiply_adds / small.weights,
        "share": kernel * kernel / (side * side),
        "window": [_start(down, side, kernel), _start(right, side, kernel)],
        "drawing": [[part, path] for part, path in DRAWING],
    }


def _start(middle: float, side: int, kernel: int) -> int:
    """Return the first row (or column) of a window around a place, moved inside the image."""
    return min(max(int(middle * side - kernel / 2 + 0.5), 0), side - kernel)
