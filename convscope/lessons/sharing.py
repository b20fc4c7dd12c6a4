"""Lesson: a convolutional, a locally connected and a dense layer on the same volume."""

import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from statistics import median
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.arithmetic import Axis, Cost, Volume, convolution, dense, locally_connected
from convscope.arithmetic import derive_convolution as worked
from convscope.arithmetic import derive_dense as worked_dense
from convscope.layers import LocallyConnected2d
from convscope.lessons.images import volume
from convscope.lessons.params import integer

MOST = 50_000_000
"""A layer with more weights than this is counted but not run."""

AT_ONCE = 600_000
"""Up to this many weights in total, the layers run without an explicit request."""

_RUNS = 5
_MAX_WEIGHT = 3  # magnitude of a weight
_run_lock = threading.Lock()


class Setting(NamedTuple):
    """The input's side and channels, the number of filters and their size."""

    side: int
    channels: int
    filters: int
    kernel: int


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Compare three layers with equal output volumes: their cost, and their shift equivariance.

    `state` has `side` (8 to 64), `channels` and `filters` (1 to 16), `kernel` (1 to 7) and `run`: 1
    to run and time the layers whatever their size. The answer has the `output` volume, the `layers`
    with their counts, the input's first channel, and `ran`: None, or what `run_layers` returns. The
    counts come from `convscope.arithmetic`.

    Raises RequestError for an invalid state.
    """
    setting = Setting(
        integer(state, "side", 8, 64),
        integer(state, "channels", 1, 16),
        integer(state, "filters", 1, 16),
        integer(state, "kernel", 1, 7),
    )
    requested = integer(state, "run", 0, 1) == 1
    counts = _counted(setting)
    weights = sum(layer["weights"] for layer in counts["layers"] if layer["runs"])
    if not requested and weights > AT_ONCE:
        return counts | {"ran": None}
    with _run_lock:  # one set of weights in memory at a time, and undisturbed timings
        return counts | {"ran": run_layers(setting, timed=requested)}


@lru_cache(maxsize=64)
def _counted(setting: Setting) -> dict[str, Any]:
    side, channels, filters, kernel = setting
    inputs = Volume(channels, side, side)
    shared = convolution(inputs, filters, kernel)
    local = locally_connected(inputs, filters, kernel)
    fully_connected = dense(inputs, shared.output.units)
    axes = (Axis(side, kernel), Axis(side, kernel))
    rows = (
        ("convolutional", shared, worked(inputs, axes, shared).rows),
        ("locally connected", local, worked(inputs, axes, local, local=True).rows),
        ("dense", fully_connected, worked_dense(inputs, fully_connected).rows),
    )
    return {
        "most": MOST,
        "output": [filters, shared.output.height, shared.output.width],
        "layers": [
            _layer(name, cost, shared, next(line for line in lines if line[0] == "parameters"))
            for name, cost, lines in rows
        ],
        "picture": volume(channels, side)[0].ravel().tolist(),
    }


def _layer(name: str, cost: Cost, shared: Cost, row: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "weights": cost.weights,
        "biases": cost.biases,
        "parameters": cost.parameters,
        "formula": row[2].split(":")[0],
        "connections": cost.connections,
        "multiply_adds": cost.multiply_adds,
        "bytes": cost.parameter_bytes,
        "times": cost.parameters / shared.parameters,
        "runs": cost.weights <= MOST,
    }


@lru_cache(maxsize=32)
def run_layers(setting: Setting, *, timed: bool) -> dict[str, Any]:
    """Run each layer on the volume, and on the volume shifted one pixel to the right.

    A layer is shift equivariant if its output for the shifted volume is its output, shifted. The
    first column cannot be compared: its inputs come from outside the image. Weights are integers,
    like the bytes of the volume, so that all sums are exact. `seconds` is the median of five runs
    of a batch of one in float32.
    """
    pixels = volume(setting.channels, setting.side).astype(np.float32)
    inputs = torch.from_numpy(pixels)[None]
    moved = _right(inputs)
    results: list[dict[str, Any] | None] = []
    with torch.inference_mode():
        for make in (_shared, _local, _dense):
            layer = make(setting)
            if layer is None:
                results.append(None)
                continue
            result = _compared(_right(layer(inputs)), layer(moved))
            seconds = _seconds(layer, inputs) if timed else None
            results.append(result | {"seconds": seconds})
    return {"layers": results, "threads": torch.get_num_threads() if timed else None}


def _compared(expected: Tensor, actual: Tensor) -> dict[str, Any]:
    """Compare outputs (1, k, h, w): the first map of each, and the number of units that differ."""
    difference = actual - expected
    inside = difference[..., 1:]
    return {
        "expected": _first_map(expected),
        "found": _first_map(actual),
        "difference": _first_map(difference),
        "units": inside.numel(),
        "differ": int(torch.count_nonzero(inside)),
        "largest": float(inside.abs().max()),
        "size": float(actual.abs().max()),
        "edge": int(torch.count_nonzero(difference[..., 0])),
    }


def _first_map(maps: Tensor) -> list[int]:
    return cast("list[int]", maps[0, 0].flatten().int().tolist())


def _right(maps: Tensor) -> Tensor:
    """Shift the maps one pixel to the right; zeros come in."""
    return F.pad(maps, (1, 0))[..., :-1]


def _shared(setting: Setting) -> nn.Module:
    _, channels, filters, kernel = setting
    with torch.device("meta"):
        layer = nn.Conv2d(channels, filters, kernel)
    return _drawn(layer)


def _local(setting: Setting) -> nn.Module:
    side, channels, filters, kernel = setting
    with torch.device("meta"):
        layer = LocallyConnected2d(channels, filters, (side, side), kernel)
    return _drawn(layer)


def _dense(setting: Setting) -> nn.Module | None:
    """Build the dense layer; None if it has too many weights to be run."""
    side, channels, filters, kernel = setting
    out = Axis(side, kernel).output
    inputs, units = channels * side * side, filters * out * out
    if inputs * units > MOST:
        return None
    with torch.device("meta"):
        layer = nn.Linear(inputs, units)
    return nn.Sequential(
        nn.Flatten(), _drawn(layer), nn.Unflatten(1, torch.Size([filters, out, out]))
    )


def _drawn(layer: nn.Module) -> nn.Module:
    """Initialize the parameters of a layer on the meta device with integers from -3 to 3."""
    generator = torch.Generator().manual_seed(0)
    for name, empty in list(layer.named_parameters()):
        drawn = torch.randint(
            -_MAX_WEIGHT, _MAX_WEIGHT + 1, empty.shape, generator=generator, dtype=torch.float32
        )
        layer.register_parameter(name, nn.Parameter(drawn, requires_grad=False))
    return layer


def _seconds(layer: nn.Module, inputs: Tensor) -> float:
    return median(_once(layer, inputs) for _ in range(_RUNS))


def _once(layer: nn.Module, inputs: Tensor) -> float:
    start = time.perf_counter()
    layer(inputs)
    return time.perf_counter() - start
