"""How channels pass through each kind of operation: a table of rules."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm  # pyright: ignore[reportPrivateUsage]

from convscope.pruning.channels import ChannelNumbers, Maps, Numbers, joined, repeated
from convscope.recording import Operation, Source, get_kind
from convscope.recording.operation import sources_in

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_PADS = (nn.ZeroPad2d, nn.ZeroPad3d, nn.ConstantPad3d)


class Follower:
    """Follows channels operation by operation, in the order in which they ran.

    `modules` are the network's, by path. Where a rule does not know what happens to channels, they
    are pinned, and nothing is known of the result's.
    """

    def __init__(self, modules: Mapping[str, nn.Module], image: Sequence[int]) -> None:
        self.modules = modules
        self.numbers = ChannelNumbers()
        channels = self.numbers.new(image[1])
        self.numbers.pin(channels, "they are the image's")
        self._maps: dict[str, Maps | None] = {"image": Maps(1, channels)}
        self._names = {id(module): path for path, module in modules.items()}

    def follow(self, operation: Operation) -> None:
        """Work out the channels of an operation's result."""
        rule = _RULES.get(operation.kind) or _BY_FIELD.get(get_kind(operation.kind).field)
        maps = None
        if rule is not None and operation.output_index == 0:
            maps = rule(self, operation)
        if maps is None:
            self.pin_inputs(operation, f"{operation.name} ({operation.kind}) needs them all")
        self._maps[operation.name] = maps

    def maps(self, source: object) -> Maps | None:
        """The channels of an argument; None where nothing is known of them."""
        if not isinstance(source, Source) or source.role != "result":
            return None
        return self._maps.get(source.name)

    def of(self, name: str) -> Maps | None:
        """The channels of a result."""
        return self._maps.get(name)

    def pin_inputs(self, operation: Operation, reason: str) -> None:
        """Keep all channels that an operation reads."""
        for source in sources_in((operation.call.args, dict(operation.call.kwargs))):
            if (maps := self.maps(source)) is not None:
                self.numbers.pin(maps.channels, reason)

    def owner(self, weight: object, kinds: tuple[type[nn.Module], ...]) -> tuple[str, Any] | None:
        """The layer of one of these classes whose parameter an argument is, with its path."""
        if not isinstance(weight, Source) or weight.role != "state":
            return None
        path = weight.name.rpartition(".")[0]
        module = self.modules.get(path)
        return (path, module) if isinstance(module, kinds) else None


Rule = Callable[[Follower, Operation], Maps | None]


def _convolution(follower: Follower, operation: Operation) -> Maps | None:
    arguments = operation.arguments
    maps = follower.maps(arguments.get("input"))
    found = follower.owner(arguments.get("weight"), _CONVOLUTIONS)
    if found is None or not _has_all_state(operation):
        return _unknown_weights(follower, operation)
    path, layer = found
    numbers = follower.numbers
    if layer.groups == 1:
        _read(follower, operation, path, maps, axis=1)
        return Maps(1, _made(follower, path, layer.out_channels))
    if maps is None or maps.axis != 1:
        return _unknown_weights(follower, operation)
    if layer.groups == layer.in_channels == len(maps.channels):
        kept = repeated(maps.channels, layer.out_channels // layer.in_channels)
        numbers.put(path, "keeps", kept)
        return Maps(1, kept)
    numbers.pin(maps.channels, f"{path} reads them in {layer.groups} groups")
    channels = numbers.new(layer.out_channels)
    numbers.pin(channels, f"{path} makes them in {layer.groups} groups")
    return Maps(1, channels)


def _linear(follower: Follower, operation: Operation) -> Maps | None:
    arguments = operation.arguments
    source = arguments.get("input")
    maps = follower.maps(source)
    found = follower.owner(arguments.get("weight"), (nn.Linear,))
    last = len(operation.shape) - 1
    if found is None or not _has_all_state(operation):
        return _unknown_weights(follower, operation, axis=last)
    path, layer = found
    _read(follower, operation, path, maps, axis=last)
    return Maps(last, _made(follower, path, layer.out_features))


def _read(
    follower: Follower, operation: Operation, path: str, maps: Maps | None, *, axis: int
) -> None:
    """A layer reads channels; where nothing is known of them, all have been kept already."""
    if maps is not None and maps.axis == axis:
        follower.numbers.put(path, "reads", maps.channels)
    else:
        follower.pin_inputs(operation, f"{operation.name} needs them all")


def _made(follower: Follower, path: str, count: int) -> Numbers:
    """The channels that a layer makes: the same ones whenever it runs."""
    known = follower.numbers.slot(path, "makes")
    if known is None:
        known = follower.numbers.new(count)
        follower.numbers.put(path, "makes", known)
    return known


def _unknown_weights(follower: Follower, operation: Operation, *, axis: int = 1) -> Maps | None:
    """Weights of no layer of torch.nn's own: no channel can be removed before and behind them."""
    follower.pin_inputs(operation, f"{operation.name} ({operation.kind}) needs them all")
    channels = follower.numbers.new(operation.shape[axis])
    follower.numbers.pin(channels, f"{operation.name} ({operation.kind}) makes them")
    return Maps(axis, channels)


def _has_all_state(operation: Operation) -> bool:
    """Whether an operation reads parameters of one layer alone, and no computed ones."""
    weight, bias = operation.arguments.get("weight"), operation.arguments.get("bias")
    if bias is None:
        return True
    if not isinstance(bias, Source) or not isinstance(weight, Source) or bias.role != "state":
        return False
    return bias.name.rpartition(".")[0] == weight.name.rpartition(".")[0]


def _batch_norm(follower: Follower, operation: Operation) -> Maps | None:
    maps = follower.maps(operation.arguments.get("input"))
    if maps is None or maps.axis != 1 or not operation.parameters:
        return None
    path = operation.parameters[0].rpartition(".")[0]
    if not isinstance(follower.modules.get(path), BatchNorm):
        return None
    follower.numbers.put(path, "keeps", maps.channels)
    return maps


def _prelu(follower: Follower, operation: Operation) -> Maps | None:
    maps = follower.maps(operation.arguments.get("input"))
    found = follower.owner(operation.arguments.get("weight"), (nn.PReLU,))
    if maps is None or found is None:
        return None
    path, layer = found
    if layer.num_parameters > 1:
        follower.numbers.put(path, "keeps", maps.channels)
    return maps


def _same(follower: Follower, operation: Operation) -> Maps | None:
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


def _first(follower: Follower, operation: Operation) -> Maps | None:
    """Each map is computed from the same map of the first operand, which has no weights."""
    sources = sources_in((operation.call.args, dict(operation.call.kwargs)))
    maps = follower.maps(sources[0]) if sources else None
    is_alone = len(sources) == 1 and not operation.parameters
    fits = maps is not None and len(operation.shape) == len(sources[0].shape)
    return maps if is_alone and fits and maps is not None and maps.axis == 1 else None


def _reduction(follower: Follower, operation: Operation) -> Maps | None:
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


def _reshape(follower: Follower, operation: Operation) -> Maps | None:
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


def _squeeze(follower: Follower, operation: Operation) -> Maps | None:
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


def _unsqueeze(follower: Follower, operation: Operation) -> Maps | None:
    maps = follower.maps(operation.arguments.get("input"))
    dim = operation.arguments.get("dim")
    if maps is None or not isinstance(dim, int):
        return None
    return Maps(maps.axis + (dim % len(operation.shape) <= maps.axis), maps.channels)


def _permute(follower: Follower, operation: Operation) -> Maps | None:
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
    elif operation.kind in ("t", "T", "mT") and ndim == 2:
        order = [1, 0]
    else:
        return None
    return Maps(order.index(maps.axis), maps.channels)


def _concatenation(follower: Follower, operation: Operation) -> Maps | None:
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


def _pad(follower: Follower, operation: Operation) -> Maps | None:
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


def _item(follower: Follower, operation: Operation) -> Maps | None:
    """Slices along other axes than that of the channels."""
    maps = follower.maps(operation.arguments.get("input"))
    index: Any = operation.arguments.get("index")
    several = cast("Sequence[Any]", index) if isinstance(index, tuple) else (index,)
    if maps is None or not all(isinstance(part, slice) for part in several):
        return None
    own = several[maps.axis] if maps.axis < len(several) else slice(None)
    return maps if own == slice(None) else None


def _along(follower: Follower, operation: Operation) -> Maps | None:
    """Normalized along another axis than that of the channels."""
    maps = follower.maps(operation.arguments.get("input"))
    dim = operation.arguments.get("dim")
    if maps is None or not isinstance(dim, int) or dim % len(operation.shape) == maps.axis:
        return None
    return maps


_RULES: dict[str, Rule] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _convolution),
    "linear": _linear,
    "batch_norm": _batch_norm,
    "prelu": _prelu,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "MinPool2d": _first,
    **dict.fromkeys(("softmax", "log_softmax"), _along),
}

_BY_FIELD: dict[str, Rule] = {
    "elementwise": _same,
    "pool": _first,
    "adaptive_pool": _first,
    "resize": _first,
    "reduction": _reduction,
    "reshape": _reshape,
    "permute": _permute,
    "concatenation": _concatenation,
    "pad": _pad,
    "index": _item,
}
