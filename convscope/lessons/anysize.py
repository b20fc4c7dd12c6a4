"""Lesson: which networks take images of any size, and where others break."""

from collections.abc import Mapping
from typing import Any

from convscope.arithmetic import Cost, Volume, convolution, dense, pooling
from convscope.errors import RequestError
from convscope.lessons.params import choice, integer

LARGEST = 512
"""The largest height and width of an image."""

BUILT = ("28", "32", "64")
"""The sides of the square image that the network is built for."""

CLASSES = 10
_FEATURES = (("conv1", 8, 3), ("pool1", 0, 2), ("conv2", 16, 3), ("pool2", 0, 2))
"""The shared layers: filters (0: max pooling) and window."""


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Carry the size of an image through one network with three different ends.

    `state` has the `height` and `width` of the image (1 to 512) and `built`, the side that the
    network was built for ("28", "32" or "64"). The layers conv1 (8 of 3x3), pool1 (2x2), conv2 (16
    of 3x3) and pool2 (2x2) are followed by one of three `ends` with 10 classes:

    - "flatten": all values into a dense layer, which has a weight for each value it was built for;
    - "mean": global average pooling, one value for each map, into a dense layer;
    - "convolution": the dense layer of "flatten" as 10 filters as large as its maps were, then the
      mean of each map of scores.

    The answer has the `features`, rows of layer, volume and parameters; the `built_for` volume; and
    of each end its `rows`, its number of parameters, and the `problem`, a sentence, or None. Where
    the layers before do not fit the image, `problem` says so, and no end has rows.

    Raises RequestError for an invalid state.
    """
    image = Volume(3, integer(state, "height", 1, LARGEST), integer(state, "width", 1, LARGEST))
    built = int(choice(state, "built", BUILT))
    expected = _carry(Volume(3, built, built))[0][-1].output
    costs, problem = _carry(image)
    names = [layer[0] for layer in _FEATURES]
    rows = [_row(name, cost) for name, cost in zip(names, costs, strict=False)]
    made = None if problem else costs[-1].output
    return {
        "image": _shape(image),
        "features": rows,
        "feature_parameters": sum([cost.parameters for cost in _carry(Volume(3, built, built))[0]]),
        "problem": problem,
        "built_for": _shape(expected),
        "ends": [_flatten(made, expected), _mean(made), _convolution(made, expected)],
    }


def _carry(volume: Volume) -> tuple[list[Cost], str | None]:
    """Return the cost of the shared layers, as far as they fit, and what stops them."""
    costs: list[Cost] = []
    for name, filters, kernel in _FEATURES:
        try:
            if filters:
                cost = convolution(volume, filters, kernel)
            else:
                cost = pooling(volume, kernel, stride=kernel)
        except RequestError:
            return costs, (
                f"{name} has a window of {kernel}×{kernel}, and what reaches it is only "
                f"{volume.height}×{volume.width}. Images too small for the windows fit no network."
            )
        costs.append(cost)
        volume = cost.output
    return costs, None


def _flatten(made: Volume | None, expected: Volume) -> dict[str, Any]:
    """Return the end with a dense layer on all values."""
    cost = dense(expected, CLASSES)
    end: dict[str, Any] = {"end": "flatten", "parameters": cost.parameters, "problem": None}
    if made is None:
        return end | {"rows": []}
    rows = [
        {
            "layer": "flatten",
            "volume": [made.units],
            "formula": f"{made.channels}·{made.height}·{made.width} = {made.units:,}",
            "parameters": 0,
        }
    ]
    if made.units != expected.units:
        return end | {
            "rows": rows,
            "problem": f"The dense layer has weights for {expected.units:,} values, and "
            f"{made.units:,} arrive.",
        }
    if made != expected:
        end["problem"] = (
            f"As many values as expected, {made.units:,}, but from {made.height}×{made.width} "
            f"instead of {expected.height}×{expected.width}: it runs, and most weights meet the "
            "wrong place."
        )
    return end | {"rows": [*rows, _row("dense", cost)]}


def _mean(made: Volume | None) -> dict[str, Any]:
    """Return the end with global average pooling."""
    channels = _FEATURES[2][1]
    cost = dense(Volume(channels, 1, 1), CLASSES)
    end = {"end": "mean", "parameters": cost.parameters, "problem": None}
    if made is None:
        return end | {"rows": []}
    pooled = {
        "layer": "global average",
        "volume": [made.channels],
        "formula": f"the mean of {made.height}·{made.width} values of each map",
        "parameters": 0,
    }
    return end | {"rows": [pooled, _row("dense", cost)]}


def _convolution(made: Volume | None, expected: Volume) -> dict[str, Any]:
    """Return the end whose dense layer slides over the maps, as a filter does."""
    window = (expected.height, expected.width)
    weights = convolution(expected, CLASSES, window)
    end: dict[str, Any] = {
        "end": "convolution",
        "parameters": weights.parameters,
        "problem": None,
    }
    if made is None:
        return end | {"rows": []}
    if made.height < expected.height or made.width < expected.width:
        return end | {
            "rows": [],
            "problem": f"The filter of {expected.height}×{expected.width} does not fit maps of "
            f"{made.height}×{made.width}: larger images are fine, smaller ones are not.",
        }
    cost = convolution(made, CLASSES, window)
    scores = cost.output
    return end | {
        "rows": [
            _row("convolution", cost),
            {
                "layer": "global average",
                "volume": [CLASSES],
                "formula": f"the mean of {scores.height}·{scores.width} scores of each class",
                "parameters": 0,
            },
        ]
    }


def _row(name: str, cost: Cost) -> dict[str, Any]:
    volume = cost.output
    return {
        "layer": name,
        "volume": [volume.channels] if volume.height * volume.width == 1 else _shape(volume),
        "formula": "",
        "parameters": cost.parameters,
    }


def _shape(volume: Volume) -> list[int]:
    return [volume.channels, volume.height, volume.width]
