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
from convscope.lab.inspect.graph import GraphRow
from convscope.recording import Operation, Source


@dataclass(frozen=True)
class MapVariant:
    """One map as it would be, before what follows it in the row.

    Attributes:
        map: (h, w), float32.
        description: what was changed, and how large the map then is.
    """

    map: NDArray[np.float32]
    description: str


def what_if(
    recording: Recording,
    row: GraphRow,
    place: int,
    *,
    stride: int | None = None,
    padding: int | None = None,
    dilation: int | None = None,
    kernel: int | None = None,
) -> MapVariant:
    """Compute map `place` of a row again with other settings; the network stays as it is.

    The filter of a convolution has its size; the window of a pooling may have any. Raises
    RequestError for an operation that has no such settings, and for a window that does not fit.
    """
    operation = next(o for o in recording.operations if o.name == row.name)
    if not 0 <= place < row.shape[0]:
        raise RequestError(f"{row.name} has the maps 0 to {row.shape[0] - 1}.")
    wish = {"stride": stride, "padding": padding, "dilation": dilation}
    changed = {name: value for name, value in wish.items() if value is not None}
    if any(value < (name != "padding") for name, value in changed.items()):
        raise RequestError("A stride and a dilation are 1 or more, a padding 0 or more.")
    try:
        with torch.no_grad():
            if operation.kind == "conv2d":
                found = _convolved(recording, operation, place, changed, kernel)
            elif operation.kind in ("max_pool2d", "avg_pool2d"):
                found = _pooled(recording, operation, place, changed, kernel)
            else:
                raise RequestError(f"{row.name} slides no filter that could be set otherwise.")
    except RuntimeError as error:
        raise RequestError("The window does not fit: it would be larger than the map.") from error
    height, width = found.shape[-2:]
    said = [f"{name} {value}" for name, value in changed.items()]
    said += [f"a window of {kernel}x{kernel}"] if kernel else []
    own = f"{row.shape[1]}x{row.shape[2]}"
    description = f"The map of {own}, before what follows it."
    if said:
        wish = " and ".join(said)
        description = f"With {wish} the map would be {height}x{width}; the network's own is {own}."
    return MapVariant(np.ascontiguousarray(found[0, 0].float().cpu().numpy()), description)


def _convolved(
    recording: Recording,
    operation: Operation,
    place: int,
    changed: dict[str, int],
    kernel: int | None,
) -> Tensor:
    if kernel is not None:
        raise RequestError("A filter has its size; its weights were learned for it.")
    given = operation.arguments
    groups = given.get("groups", 1)
    weight = recording.tensor(given["weight"])
    depth = weight.shape[1]
    first = place // (len(weight) // groups) * depth
    image = recording.tensor(given["input"])[:, first : first + depth]
    bias = given.get("bias")
    own = recording.tensor(bias)[place : place + 1] if isinstance(bias, Source) else None
    settings = {name: given.get(name, usual) for name, usual in _USUAL.items()}
    return F.conv2d(image, weight[place : place + 1], own, **{**settings, **changed})


_USUAL: dict[str, Any] = {"stride": 1, "padding": 0, "dilation": 1}


def _pooled(
    recording: Recording,
    operation: Operation,
    place: int,
    changed: dict[str, int],
    kernel: int | None,
) -> Tensor:
    given = operation.arguments
    image = recording.tensor(given["input"])[:, place : place + 1]
    size = kernel or given["kernel_size"]
    stride = changed.get("stride") or given.get("stride") or given["kernel_size"]
    padding: Any = changed.get("padding", given.get("padding", 0))
    ceil = bool(given.get("ceil_mode", False))
    if operation.kind == "avg_pool2d":
        if "dilation" in changed:
            raise RequestError("Average pooling has no dilation.")
        return F.avg_pool2d(image, size, stride, padding, ceil_mode=ceil)
    dilation: Any = changed.get("dilation", given.get("dilation", 1))
    return F.max_pool2d(image, size, stride, padding, dilation, ceil_mode=ceil)
