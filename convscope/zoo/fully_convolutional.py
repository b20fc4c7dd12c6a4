"""A dense head turned into convolutions: a network that answers at every place of an image."""

from bisect import bisect_left
from collections import OrderedDict
from copy import deepcopy
from typing import cast

import torch
from torch import nn
from torch.func import functional_call

from convscope.errors import RequestError
from convscope.inference import inference_mode
from convscope.layers import LocallyConnected2d, ScaledTanh
from convscope.zoo.googlenet import GoogLeNet

_UNIT_BY_UNIT = (
    nn.Dropout,
    nn.GELU,
    nn.Identity,
    nn.LeakyReLU,
    nn.ReLU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Tanh,
    ScaledTanh,
)
_LARGEST = 8192  # pixels; an image side that no head was made for


def fully_convolutional(
    net: nn.Module,
    *,
    input_size: tuple[int, int] | None = None,
) -> nn.Sequential:
    """Turn the head of a network into convolutions: a new network, its weights copied.

    The dense layer that reads the flattened maps becomes a convolution with a window of their size
    at the native image size `input_size` (height, width), each further dense layer a 1x1
    convolution, and global average pooling becomes average pooling with that window and stride 1.
    Layers keep their names; `flatten` and GoogLeNet's auxiliary classifiers are dropped. If
    `input_size` is None, it is the smallest square that a dense head accepts; a head that pools
    maps of any size needs it.

    Images (n, channels, height, width) from the native size up give logits (n, classes, h', w'):
    one answer at the native size, that of `net` up to float32 rounding, and for larger images one
    for each window of that size, as far apart as the strides of all layers multiply to. Where
    layers pad, a window sees its neighbors instead of padding. The mean over places is the dense
    evaluation of the references.

    Raises RequestError, naming the layer, for a network whose layers do not follow one another in
    an `nn.Sequential`, or that has one which cannot slide.

        >>> from convscope.zoo import create_model
        >>> fully_convolutional(create_model("lenet5"))(torch.zeros(1, 1, 40, 48)).shape
        torch.Size([1, 10, 3, 5])

    References: Sermanet et al., 2014, "OverFeat", https://arxiv.org/abs/1312.6229, section 3.5;
    Simonyan & Zisserman, 2015, https://arxiv.org/abs/1409.1556, section 3.2.
    """
    layers = _in_line(net)
    for name, layer in dict[str, nn.Module](net.named_modules()).items():
        if isinstance(layer, LocallyConnected2d):
            raise RequestError(
                f"{name} has other filters at every place of maps of one size: it cannot slide "
                "over a larger image."
            )
    with inference_mode(net):
        shapes = _shapes(layers, _native(layers) if input_size is None else input_size)
    slides = nn.Sequential(_converted(layers, shapes))
    slides.training = net.training
    return slides


def _in_line(net: nn.Module) -> dict[str, nn.Module]:
    """The layers that make the logits, one after the other, by name."""
    if isinstance(net, GoogLeNet) or type(net).forward is nn.Sequential.forward:
        modules = dict[str, nn.Module](net.named_modules(remove_duplicate=False))
        aside = "aux_" if isinstance(net, GoogLeNet) else "."
        return {
            name: layer
            for name, layer in modules.items()
            if name and "." not in name and not name.startswith(aside)
        }
    raise RequestError(
        f"A {type(net).__name__} cannot be made fully convolutional: only of the layers of an "
        "nn.Sequential is it known that they follow one another."
    )


def _converted(
    given: dict[str, nn.Module], shapes: dict[str, torch.Size]
) -> OrderedDict[str, nn.Module]:
    """The layers by name, those that can stay as they are copied together."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    window: tuple[int, int] | None = None  # of the next dense layer, once the maps are flat
    for name, layer in given.items():
        match layer:
            case nn.AdaptiveAvgPool2d():
                layers[name] = _pooling(name, layer, shapes[name])
            case nn.Flatten() if layer.start_dim == 1 and layer.end_dim == -1:
                window = cast("tuple[int, int]", tuple(shapes[name][2:]))
            case nn.Linear() if window:
                layers[name] = _copied(layer, _convolution(layer, window))
                window = (1, 1)
            case nn.BatchNorm1d() if window == (1, 1):
                layers[name] = _copied(layer, _norm(layer))
            case _ if window and not isinstance(layer, _UNIT_BY_UNIT):
                raise RequestError(
                    f"{name} ({type(layer).__name__}) has no counterpart that slides: behind "
                    "flatten, dense layers, batch norm, dropout and activations have one."
                )
            case _:
                layers[name] = layer
    if window not in (None, (1, 1)):
        raise RequestError(
            "No dense layer reads the flattened maps: their units are not answers that could slide."
        )
    kept = {name: layer for name, layer in given.items() if layers.get(name) is layer}
    return OrderedDict(layers | deepcopy(kept))  # at once, as layers may share what they draw from


def _native(layers: dict[str, nn.Module]) -> tuple[int, int]:
    """The smallest square images whose maps are as many units as the first dense layer reads."""
    body: dict[str, nn.Module] = {}
    for name, layer in layers.items():
        match layer:
            case nn.AdaptiveAvgPool2d():
                raise RequestError(
                    f"{name} takes maps of any size, so that the network does not say which images "
                    "it was made for. Give input_size=(height, width)."
                )
            case nn.Linear():
                wanted = layer.in_features
                side = bisect_left(range(_LARGEST), wanted, key=lambda side: _units(body, side))
                if _units(body, side) != wanted:
                    raise RequestError(
                        f"No square images leave the {wanted} units that {name} reads. Give the "
                        "size that it was made for, input_size=(height, width)."
                    )
                return side, side
            case _:
                body[name] = layer
    raise RequestError(
        "Without a dense layer the network does not say which images it was made for. Give "
        "input_size=(height, width)."
    )


def _units(body: dict[str, nn.Module], side: int) -> int:
    """How many units square images leave; none where they are too small."""
    try:
        return _shapes(body, (side, side))[""].numel()
    except RequestError:
        return 0


def _shapes(layers: dict[str, nn.Module], size: tuple[int, int]) -> dict[str, torch.Size]:
    """The shape of what each layer is given, and of the answer as that of "". Computes nothing."""
    inside = (part for layer in layers.values() for part in layer.modules())
    channels = next((part.in_channels for part in inside if isinstance(part, nn.Conv2d)), 1)
    volume = torch.empty(1, channels, *size, device="meta")
    shapes: dict[str, torch.Size] = {}
    for name, layer in layers.items():
        shapes[name] = volume.shape
        own = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
        empty = {key: torch.empty_like(value, device="meta") for key, value in own.items()}
        try:
            volume = functional_call(layer, empty, (volume,))
        except (RuntimeError, ValueError) as error:
            told = "x".join(map(str, shapes[name][1:]))
            raise RequestError(
                f"Images of {size[0]}x{size[1]} give {name} an input of {told}, which it cannot "
                "take. Give the size that the network was made for, input_size=(height, width)."
            ) from error
    return {**shapes, "": volume.shape}


def _pooling(name: str, layer: nn.AdaptiveAvgPool2d, shape: torch.Size) -> nn.AvgPool2d:
    """The windows that adaptive pooling has at the native size."""
    sides = cast("tuple[int, int]", tuple(shape[2:]))
    asked = layer.output_size
    wanted = asked if isinstance(asked, tuple) else (asked, asked)
    windows: list[int] = []
    for side, places in zip(sides, wanted, strict=True):
        if side % (places or side):
            raise RequestError(
                f"{name} makes {places} places of {side}, with windows of unlike size, which "
                "cannot slide."
            )
        windows.append(side // (places or side))
    strides = [1 if places == 1 else window for window, places in zip(windows, wanted, strict=True)]
    return nn.AvgPool2d((windows[0], windows[1]), (strides[0], strides[1]))


def _convolution(layer: nn.Linear, window: tuple[int, int]) -> nn.Conv2d:
    """A convolution for the weights of a dense layer over maps of the window's size."""
    maps = layer.in_features // (window[0] * window[1])
    bias = "bias" in dict(layer.named_parameters())
    return nn.Conv2d(maps, layer.out_features, window, bias=bias, device="meta")


def _norm(layer: nn.BatchNorm1d) -> nn.BatchNorm2d:
    """The same batch norm for units that stand in maps."""
    return nn.BatchNorm2d(
        layer.num_features,
        layer.eps,
        layer.momentum,
        layer.affine,
        layer.track_running_stats,
        device="meta",
    )


def _copied(layer: nn.Module, to: nn.Module) -> nn.Module:
    """Copy what a layer has learned, and its mode, to one with the same parameters, shaped anew."""
    for name, meta in dict[str, nn.Parameter](to.named_parameters()).items():
        value = layer.get_parameter(name)
        shaped = value.detach().clone().view(meta.shape)
        setattr(to, name, nn.Parameter(shaped, requires_grad=value.requires_grad))
    for name, value in layer.named_buffers():
        setattr(to, name, value.clone())
    return to.train(layer.training)
