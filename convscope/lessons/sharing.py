"""Lesson: the same volume into a convolutional, a locally connected and a dense layer."""

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

from convscope.geometry import Axis, Cost, Volume, convolution, dense, locally_connected
from convscope.geometry import derive_convolution as worked
from convscope.geometry import derive_dense as worked_dense
from convscope.layers import LocallyConnected2d
from convscope.lessons.images import volume
from convscope.lessons.params import integer

MOST = 50_000_000
"""Weights of a layer that is run; of a larger one only the counts are told."""

AT_ONCE = 600_000
"""Weights, of those layers together that are run, up to which they run without being asked to."""

_RUNS = 5
_HEAVIEST = 3  # magnitude of a weight
_one_by_one = threading.Lock()


class Setting(NamedTuple):
    """The input's sides and channels, the filters and their size."""

    side: int
    channels: int
    filters: int
    kernel: int


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """What three layers with equal output volumes cost, and whether they see a shift as a shift.

    `state` has `side` (8 to 64), `channels` and `filters` (1 to 16), `kernel` (1 to 7) and `run`, 1
    where the layers are to be run and timed whatever they weigh. The answer has the `output`
    volume, the `layers` with their counts, the input's first channel, and `ran`: None, or what came
    out of each, as `_ran` tells. The counts are those of `convscope.geometry`.

    Raises RequestError for what is none of this.
    """
    setting = Setting(
        integer(state, "side", 8, 64),
        integer(state, "channels", 1, 16),
        integer(state, "filters", 1, 16),
        integer(state, "kernel", 1, 7),
    )
    asked = integer(state, "run", 0, 1) == 1
    told = _counted(setting)
    weights = sum(layer["weights"] for layer in told["layers"] if layer["runs"])
    if not asked and weights > AT_ONCE:
        return told | {"ran": None}
    with _one_by_one:  # one set of weights in memory, and no other's work in the time
        return told | {"ran": _ran(setting, timed=asked)}


@lru_cache(maxsize=64)
def _counted(setting: Setting) -> dict[str, Any]:
    side, channels, filters, kernel = setting
    given = Volume(channels, side, side)
    shared = convolution(given, filters, kernel)
    local = locally_connected(given, filters, kernel)
    whole_volume = dense(given, shared.output.units)
    axes = (Axis(side, kernel), Axis(side, kernel))
    rows = (
        ("convolutional", shared, worked(given, axes, shared)),
        ("locally connected", local, worked(given, axes, local, local=True)),
        ("dense", whole_volume, worked_dense(given, whole_volume)),
    )
    return {
        "most": MOST,
        "output": [filters, shared.output.height, shared.output.width],
        "layers": [
            _layer(name, cost, shared, next(row for row in told.rows if row[0] == "parameters"))
            for name, cost, told in rows
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
def _ran(setting: Setting, *, timed: bool) -> dict[str, Any]:
    """What each layer makes of the volume, and of the volume moved one pixel to the right.

    A layer sees a shift as a shift where its output for the moved volume is its moved output. The
    first column has nothing to be compared with: what stood before it came in from outside. The
    weights are whole numbers, as the bytes of the volume are, so that the sums of a window are
    exact. `seconds` is the median of five runs of a batch of one in float32.
    """
    pixels = volume(setting.channels, setting.side).astype(np.float32)
    given = torch.from_numpy(pixels)[None]
    moved = _right(given)
    results: list[dict[str, Any] | None] = []
    with torch.inference_mode():
        for make in (_shared, _local, _dense):
            layer = make(setting)
            if layer is None:
                results.append(None)
                continue
            told = _compared(_right(layer(given)), layer(moved))
            seconds = _seconds(layer, given) if timed else None
            results.append(told | {"seconds": seconds})
    return {"layers": results, "threads": torch.get_num_threads() if timed else None}


def _compared(expected: Tensor, found: Tensor) -> dict[str, Any]:
    """Outputs (1, k, h, w): the first map of both and of their difference, all maps counted."""
    difference = found - expected
    inside = difference[..., 1:]
    return {
        "expected": _whole(expected),
        "found": _whole(found),
        "difference": _whole(difference),
        "units": inside.numel(),
        "differ": int(torch.count_nonzero(inside)),
        "largest": float(inside.abs().max()),
        "size": float(found.abs().max()),
        "edge": int(torch.count_nonzero(difference[..., 0])),
    }


def _whole(maps: Tensor) -> list[int]:
    return cast("list[int]", maps[0, 0].flatten().int().tolist())


def _right(maps: Tensor) -> Tensor:
    """One pixel to the right; zeros come in."""
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
    """None where it has more weights than are run."""
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
    """Draw whole numbers from -3 to 3 for the parameters of a layer that has none yet."""
    generator = torch.Generator().manual_seed(0)
    for name, empty in list(layer.named_parameters()):
        drawn = torch.randint(
            -_HEAVIEST, _HEAVIEST + 1, empty.shape, generator=generator, dtype=torch.float32
        )
        layer.register_parameter(name, nn.Parameter(drawn, requires_grad=False))
    return layer


def _seconds(layer: nn.Module, given: Tensor) -> float:
    return median(_once(layer, given) for _ in range(_RUNS))


def _once(layer: nn.Module, given: Tensor) -> float:
    start = time.perf_counter()
    layer(given)
    return time.perf_counter() - start
