"""What if: one map of a convolution or pooling with another stride, padding, dilation or window."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.explanation.recording import Recording
from convscope.recording import Operation, Source
from convscope.webapp.inspect.graph import GraphRow

_DEFAULTS: dict[str, Any] = {"stride": 1, "padding": 0, "dilation": 1}


@dataclass(frozen=True)
class MapVariant:
    """One map with other settings, before batch norm and activation.

    Attributes:
        map: (h, w), float32.
        description: what was changed, and the map's size.
    """

    map: NDArray[np.float32]
    description: str


def what_if(
    recording: Recording,
    row: GraphRow,
    index: int,
    *,
    stride: int | None = None,
    padding: int | None = None,
    dilation: int | None = None,
    kernel: int | None = None,
) -> MapVariant:
    """Compute map `index` of a row again with other settings; the network stays as it is.

    `kernel` is the window of a pooling; a convolution's filter keeps its size. Raises RequestError
    for an operation that has no such settings, and for a window that does not fit.
    """
    operation = next((o for o in recording.operations if o.name == row.name), None)
    if not 0 <= index < row.shape[0]:
        raise RequestError(f"{row.name} has the maps 0 to {row.shape[0] - 1}.")
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    changed = {name: value for name, value in settings.items() if value is not None}
    if any(value < (name != "padding") for name, value in changed.items()):
        raise RequestError("Stride and dilation must be 1 or more, padding 0 or more.")
    try:
        with torch.no_grad():
            if operation is not None and operation.kind == "conv2d":
                result = _convolve(recording, operation, index, changed, kernel)
            elif operation is not None and operation.kind in ("max_pool2d", "avg_pool2d"):
                result = _pool(recording, operation, index, changed, kernel)
            else:
                raise RequestError(
                    f"{row.name} is not a convolution or pooling layer of two dimensions."
                )
    except RuntimeError as error:
        raise RequestError("The window does not fit: it would be larger than the map.") from error
    description = _describe(row, changed, kernel, result)
    return MapVariant(np.ascontiguousarray(result[0, 0].float().cpu().numpy()), description)


def _describe(row: GraphRow, changed: dict[str, int], kernel: int | None, result: Tensor) -> str:
    height, width = result.shape[-2:]
    changes = [f"{name} {value}" for name, value in changed.items()]
    changes += [f"a window of {kernel}x{kernel}"] if kernel else []
    original = f"{row.shape[1]}x{row.shape[2]}"
    if not changes:
        return f"The map of {original}, before batch norm and activation."
    settings = " and ".join(changes)
    return f"With {settings} the map would be {height}x{width}; in the network it is {original}."


def _convolve(
    recording: Recording,
    operation: Operation,
    index: int,
    changed: dict[str, int],
    kernel: int | None,
) -> Tensor:
    if kernel is not None:
        raise RequestError("The filter size cannot change: the weights were learned for it.")
    arguments = operation.arguments
    groups = arguments.get("groups", 1)
    weight = recording.tensor(arguments["weight"])
    depth = weight.shape[1]
    first = index // (len(weight) // groups) * depth
    image = recording.tensor(arguments["input"])[:, first : first + depth]
    source = arguments.get("bias")
    bias = recording.tensor(source)[index : index + 1] if isinstance(source, Source) else None
    settings = {name: arguments.get(name, default) for name, default in _DEFAULTS.items()}
    return F.conv2d(image, weight[index : index + 1], bias, **{**settings, **changed})


def _pool(
    recording: Recording,
    operation: Operation,
    index: int,
    changed: dict[str, int],
    kernel: int | None,
) -> Tensor:
    arguments = operation.arguments
    image = recording.tensor(arguments["input"])[:, index : index + 1]
    size = kernel or arguments["kernel_size"]
    stride = changed.get("stride") or arguments.get("stride") or arguments["kernel_size"]
    padding: Any = changed.get("padding", arguments.get("padding", 0))
    ceil = bool(arguments.get("ceil_mode", False))
    if operation.kind == "avg_pool2d":
        if "dilation" in changed:
            raise RequestError("Average pooling has no dilation.")
        return F.avg_pool2d(image, size, stride, padding, ceil_mode=ceil)
    dilation: Any = changed.get("dilation", arguments.get("dilation", 1))
    return F.max_pool2d(image, size, stride, padding, dilation, ceil_mode=ceil)
