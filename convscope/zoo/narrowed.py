"""A pruned network: another one, some of whose layers have fewer channels.

    model = "resnet20_cifar"      # or `input` and `layers`, as in a layer table

    [pruned]
    conv1 = {out_channels = 12}
    bn1 = {num_features = 12}
    "conv2_1.conv1" = {in_channels = 12, out_channels = 9}

Each line names a layer by its path, and the numbers of torch.nn's that differ. Nothing in it is
imported or evaluated, and a network can only become narrower.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import Tensor, nn

from convscope.errors import RequestError, nearest

_CONVOLUTION = ("in_channels", "out_channels", "groups")
_SIZES: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Conv1d: _CONVOLUTION,
    nn.Conv2d: _CONVOLUTION,
    nn.Conv3d: _CONVOLUTION,
    nn.Linear: ("in_features", "out_features"),
    nn.BatchNorm1d: ("num_features",),
    nn.BatchNorm2d: ("num_features",),
    nn.BatchNorm3d: ("num_features",),
    nn.PReLU: ("num_parameters",),
    nn.ZeroPad2d: ("padding",),
    nn.ZeroPad3d: ("padding",),
    nn.ConstantPad3d: ("padding",),
}
"""What may differ in a layer of each class of torch.nn."""

Sizes = Mapping[str, int | Sequence[int]]
Widths = Mapping[str, Sizes]
"""The sizes that differ, by the layer's path."""


def sizes_of(layer: nn.Module) -> dict[str, int | Sequence[int]]:
    """The numbers of a layer that pruning may change; empty for a layer of another class."""
    names = next((names for kind, names in _SIZES.items() if isinstance(layer, kind)), ())
    return {name: getattr(layer, name) for name in names}


def narrow(net: nn.Module, widths: Widths) -> None:
    """Give layers of a network other sizes, in place; of each parameter the first part is kept.

    Raises RequestError for an unknown layer or size, and for one that is not smaller.
    """
    layers = dict(net.named_modules())
    for path, sizes in widths.items():
        layer = layers.get(path)
        if layer is None:
            raise RequestError(
                f"[pruned] names {path!r}, which the network does not have.{nearest(path, layers)}"
            )
        resize_layer(layer, _checked(path, layer, sizes))


def resize_layer(layer: nn.Module, sizes: Sizes) -> None:
    """Set the sizes of a layer; of its parameters and buffers keep what has room."""
    for name, size in sizes.items():
        setattr(layer, name, tuple(size) if isinstance(size, Sequence) else size)
    for name, shape in _shapes(layer).items():
        tensor = getattr(layer, name)
        if isinstance(tensor, Tensor):
            kept = tensor.detach()[tuple(map(slice, shape))].clone()
            set_tensor(layer, name, kept)


def set_tensor(layer: nn.Module, name: str, value: Tensor) -> None:
    """Replace a parameter, which stays trainable or not, or a buffer by one of another shape."""
    old = getattr(layer, name)
    if isinstance(old, nn.Parameter):
        value = nn.Parameter(value, requires_grad=old.requires_grad)
    setattr(layer, name, value)


def _shapes(layer: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shapes that a layer's parameters and buffers must have for its sizes."""
    match layer:
        case nn.Conv1d() | nn.Conv2d() | nn.Conv3d():
            weight = (layer.out_channels, layer.in_channels // layer.groups, *layer.kernel_size)
            return {"weight": weight, "bias": (layer.out_channels,)}
        case nn.Linear():
            weight = (layer.out_features, layer.in_features)
            return {"weight": weight, "bias": (layer.out_features,)}
        case nn.BatchNorm1d() | nn.BatchNorm2d() | nn.BatchNorm3d():
            names = ("weight", "bias", "running_mean", "running_var")
            return dict.fromkeys(names, (layer.num_features,))
        case nn.PReLU():
            return {"weight": (layer.num_parameters,)}
        case _:
            return {}


def _checked(path: str, layer: nn.Module, sizes: Sizes) -> Sizes:
    """The sizes, if the layer has such and none is larger than now."""
    now = sizes_of(layer)
    kind = type(layer).__name__
    for name, size in sizes.items():
        if name not in now:
            allowed = f"may set {', '.join(now)}" if now else "cannot be set"
            raise RequestError(f"[pruned] sets `{name}` of {path}, a {kind}; of it one {allowed}.")
        if not _fits(size, now[name]):
            raise RequestError(
                f"[pruned] sets `{name}` of {path} to {size!r}; it must be a number from 1 to "
                f"{now[name]}, as pruning only removes."
                if isinstance(now[name], int)
                else f"[pruned] sets `{name}` of {path} to {size!r}; it must be as many numbers "
                f"from 0 as in {now[name]}, none larger."
            )
    wanted = {**now, **sizes}
    groups = wanted.get("groups", 1)
    channels = [wanted[name] for name in ("in_channels", "out_channels") if name in wanted]
    if any(cast("int", count) % cast("int", groups) for count in channels):
        raise RequestError(
            f"[pruned] gives {path} channels that its {groups} groups do not divide."
        )
    return sizes


def _fits(size: object, now: int | Sequence[int]) -> bool:
    if isinstance(now, int):
        return isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= now
    if not isinstance(size, list | tuple):
        return False
    values = cast("Sequence[Any]", size)
    return len(values) == len(now) and all(
        isinstance(a, int) and not isinstance(a, bool) and min(0, b) <= a <= max(0, b)
        for a, b in zip(values, now, strict=True)
    )
