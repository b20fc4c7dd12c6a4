"""Operations without weights: channels that pass, are laid out anew, joined or padded."""

import math
from collections.abc import Sequence
from typing import Any, cast

from torch import nn

from convscope.pruning.channels import Maps, joined, repeated
from convscope.pruning.follower import Follower
from convscope.recording import Operation, Source
from convscope.recording.operation import sources_in

_PADS = (nn.ZeroPad2d, nn.ZeroPad3d, nn.ConstantPad3d)


def same(follower: Follower, operation: Operation) -> Maps | None:
    """Each result is computed from the same index of every operand, which are broadcast."""
    sources = sources_in((operation.call.args, dict(operation.call.kwargs)))
    if operation.layer is not None and operation.parameters:
        return None
    ndim = len(operation.shape)
    found: list[Maps] = []
    for source in sources:
        maps = follower.maps(source)
        if source.role == "result" and maps is None:
            return None
        if maps is not None:
            found.append(Maps(maps.axis + ndim - len(source.shape), maps.channels))
    wide = [maps for maps in found if len(maps.channels) > 1] or found
    if not wide or any(maps.axis != wide[0].axis for maps in wide):
        return None
    axis = wide[0].axis
    own = [(source, axis - ndim + len(source.shape)) for source in sources]
    if any(s.role != "result" and at >= 0 and s.shape[at] > 1 for s, at in own):
        return None  # numbers of its own for each channel
    return _tied(follower, operation, found, axis)


def _tied(
    follower: Follower, operation: Operation, found: Sequence[Maps], axis: int
) -> Maps | None:
    """The channels of a result that several operands have in common."""
    count = operation.shape[axis]
    for maps in found:
        if len(maps.channels) != count:  # one map for all channels
            follower.numbers.pin(maps.channels, f"{operation.name} spreads it over all maps")
    several = [maps.channels for maps in found if len(maps.channels) == count]
    for other in several[1:]:
        follower.numbers.tie(several[0], other)
    return Maps(axis, several[0]) if several else None


def first(follower: Follower, operation: Operation) -> Maps | None:
    """Each map is computed from the same map of the first operand, which has no weights."""
    sources = sources_in((operation.call.args, dict(operation.call.kwargs)))
    maps = follower.maps(sources[0]) if sources else None
    is_alone = len(sources) == 1 and not operation.parameters
    fits = maps is not None and len(operation.shape) == len(sources[0].shape)
    return maps if is_alone and fits and maps is not None and maps.axis == 1 else None


def reduction(follower: Follower, operation: Operation) -> Maps | None:
    maps = follower.maps(operation.arguments.get("input"))
    dims: Any = operation.arguments.get("dim", operation.arguments.get("axis"))
    if maps is None or dims is None or len(sources_in(dict(operation.arguments))) != 1:
        return None
    ndim = len(operation.arguments["input"].shape)
    given = cast("Sequence[int]", dims) if isinstance(dims, list | tuple) else (dims,)
    gone = sorted(dim % ndim for dim in given)
    if maps.axis in gone:
        return None
    is_kept = len(operation.shape) == ndim
    return maps if is_kept else Maps(maps.axis - sum(d < maps.axis for d in gone), maps.channels)


def along(follower: Follower, operation: Operation) -> Maps | None:
    """Normalized along another axis than that of the channels."""
    maps = follower.maps(operation.arguments.get("input"))
    dim = operation.arguments.get("dim")
    if maps is None or not isinstance(dim, int) or dim % len(operation.shape) == maps.axis:
        return None
    return maps


def reshape(follower: Follower, operation: Operation) -> Maps | None:
    """Axes behind the channels may join them, or each other."""
    source = operation.arguments.get("input") or sources_in(operation.call.args)[0]
    maps = follower.maps(source)
    if maps is None or not isinstance(source, Source):
        return None
    old, new, axis = source.shape, operation.shape, maps.axis
    if math.prod(old[:axis]) != math.prod(new[:axis]) or old[:axis] != new[:axis]:
        return None
    if operation.kind in ("view", "reshape") and _is_fixed(operation, axis):
        return None  # a number of the code's that would no longer fit
    if len(new) > axis and new[axis] == old[axis]:
        return maps
    if len(new) == axis + 1:
        return Maps(axis, repeated(maps.channels, math.prod(old[axis + 1 :])))
    return None


def _is_fixed(operation: Operation, axis: int) -> bool:
    shape = operation.arguments.get("shape", ())
    sizes = cast("Sequence[Any]", shape) if isinstance(shape, list | tuple) else (shape,)
    return axis >= len(sizes) or sizes[axis] != -1


def squeeze(follower: Follower, operation: Operation) -> Maps | None:
    source = operation.arguments.get("input")
    maps = follower.maps(source)
    if maps is None or not isinstance(source, Source) or source.shape[maps.axis] == 1:
        return None
    before = [n for n in source.shape[: maps.axis] if n != 1]
    dim = operation.arguments.get("dim")
    if isinstance(dim, int):
        dim %= len(source.shape)
        is_gone = dim < maps.axis and source.shape[dim] == 1
        return Maps(maps.axis - is_gone, maps.channels)
    if dim is not None:
        return None
    return Maps(len(before), maps.channels)


def unsqueeze(follower: Follower, operation: Operation) -> Maps | None:
    maps = follower.maps(operation.arguments.get("input"))
    dim = operation.arguments.get("dim")
    if maps is None or not isinstance(dim, int):
        return None
    return Maps(maps.axis + (dim % len(operation.shape) <= maps.axis), maps.channels)


def permute(follower: Follower, operation: Operation) -> Maps | None:
    source = operation.arguments.get("input") or sources_in(operation.call.args)[0]
    maps = follower.maps(source)
    if maps is None or not isinstance(source, Source):
        return None
    ndim, arguments = len(source.shape), operation.arguments
    order = list(range(ndim))
    if operation.kind == "permute":
        order = [int(dim) % ndim for dim in arguments["dims"]]
    elif operation.kind == "transpose" and "dim0" in arguments and "dim1" in arguments:
        a, b = arguments["dim0"] % ndim, arguments["dim1"] % ndim
        order[a], order[b] = b, a
    elif len(arguments) == 1 and ndim == 2:  # t, T, mT
        order = [1, 0]
    else:
        return None
    return Maps(order.index(maps.axis), maps.channels)


def concatenation(follower: Follower, operation: Operation) -> Maps | None:
    sources = sources_in(operation.call.args)
    dim: Any = operation.arguments.get("dim", operation.arguments.get("axis", 0))
    found = [follower.maps(source) for source in sources]
    known = [maps for maps in found if maps is not None]
    if operation.kind != "cat" or len(known) != len(found) or not isinstance(dim, int):
        return None
    axis = known[0].axis
    if any(maps.axis != axis for maps in known):
        return None
    if dim % len(operation.shape) == axis:
        return Maps(axis, joined([maps.channels for maps in known]))
    for maps in known[1:]:
        follower.numbers.tie(known[0].channels, maps.channels)
    return known[0]


def pad(follower: Follower, operation: Operation) -> Maps | None:
    maps = follower.maps(operation.arguments.get("input"))
    pads: Any = operation.arguments.get("pad", ())
    ndim = len(operation.shape)
    if maps is None or len(pads) % 2:
        return None
    position = 2 * (ndim - 1 - maps.axis)
    before, after = (*pads, *(0,) * (2 * ndim))[position : position + 2]
    if not before and not after:
        return maps
    layer = follower.modules.get(operation.module)
    if not isinstance(layer, _PADS) or min(before, after) < 0 or maps.axis != 1:
        return None
    numbers = follower.numbers
    known = numbers.slot(operation.module, "fills")
    filled = numbers.new(before + after) if known is None else known
    numbers.put(operation.module, "fills", filled)
    return Maps(1, joined([filled[:before], maps.channels, filled[before:]]))


def item(follower: Follower, operation: Operation) -> Maps | None:
    """Slices along other axes than that of the channels."""
    maps = follower.maps(operation.arguments.get("input"))
    index: Any = operation.arguments.get("index")
    several = cast("Sequence[Any]", index) if isinstance(index, tuple) else (index,)
    if maps is None or not all(isinstance(part, slice) for part in several):
        return None
    own = several[maps.axis] if maps.axis < len(several) else slice(None)
    return maps if own == slice(None) else None
