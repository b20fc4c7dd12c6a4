"""Networks with a dense head as fully convolutional ones, which slide over larger images."""

from bisect import bisect_left
from collections import OrderedDict
from copy import deepcopy
from typing import cast

import torch
from torch import nn
from torch.func import functional_call

from convscope.errors import RequestError
from convscope.inference import inference_mode
from convscope.layers import GlobalContrastNorm, LocallyConnected2d, ScaledTanh, ZCAWhitening
from convscope.zoo.googlenet import GoogLeNet

_ELEMENTWISE = (
    nn.Dropout,
    nn.GELU,
    nn.Hardswish,
    nn.Identity,
    nn.LeakyReLU,
    nn.ReLU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Tanh,
    ScaledTanh,
)
_MAX_SIDE = 8192  # pixels; larger than the input of any dense head


def fully_convolutional(
    net: nn.Module,
    *,
    input_size: tuple[int, int] | None = None,
) -> nn.Sequential:
    """Convert the dense layers of a network to convolutions; returns a new network.

    The dense layer that reads the flattened maps becomes a convolution with a window of their size
    at the native image size `input_size` (height, width), each further dense layer a 1x1
    convolution, and global average pooling becomes average pooling with that window and stride 1.
    Layers keep their names; `flatten` and GoogLeNet's auxiliary classifiers are dropped. If
    `input_size` is None, it is the smallest square that a dense head accepts; a head that pools
    maps of any size needs it.

    Images (n, in_channels, height, width) from the native size up give logits (n, num_classes, h',
    w'). At the native size there is one position, with the logits of `net` up to float32 rounding;
    on larger images there is one for each window of that size, at a distance of the product of all
    strides. Where layers pad, a window reads its neighborhood instead of padding. The mean over
    positions is the dense evaluation of the references.

    Raises RequestError, naming the layer, for a network that is not an `nn.Sequential`, or one with
    a layer that cannot slide.

        >>> from convscope.zoo import create_model
        >>> fully_convolutional(create_model("lenet5"))(torch.zeros(1, 1, 40, 48)).shape
        torch.Size([1, 10, 3, 5])

    References: Sermanet et al., 2014, "OverFeat", https://arxiv.org/abs/1312.6229, section 3.5;
    Simonyan & Zisserman, 2015, https://arxiv.org/abs/1409.1556, section 3.2.
    """
    layers = _sequence(net)
    for name, layer in dict[str, nn.Module](net.named_modules()).items():
        if isinstance(layer, LocallyConnected2d):
            raise RequestError(
                f"{name} has different filters at every position, for maps of one size: it cannot "
                "slide over a larger image."
            )
    with inference_mode(net):
        shapes = _shapes(layers, _native_size(layers) if input_size is None else input_size)
    slides = nn.Sequential(_converted(layers, shapes))
    slides.training = net.training
    return slides


def _sequence(net: nn.Module) -> dict[str, nn.Module]:
    """Return the layers that compute the logits, in order, by name."""
    if isinstance(net, GoogLeNet) or type(net).forward is nn.Sequential.forward:
        modules = dict[str, nn.Module](net.named_modules(remove_duplicate=False))
        aside = "aux_" if isinstance(net, GoogLeNet) else "."
        return {
            name: layer
            for name, layer in modules.items()
            if name and "." not in name and not name.startswith(aside)
        }
    raise RequestError(
        f"A {type(net).__name__} cannot be made fully convolutional: only an nn.Sequential is "
        "known to run its layers in order."
    )


def _converted(
    original: dict[str, nn.Module], shapes: dict[str, torch.Size]
) -> OrderedDict[str, nn.Module]:
    """Convert the dense layers; all other layers are copied together."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    window: tuple[int, int] | None = None  # of the next dense layer, once the maps are flat
    for name, layer in original.items():
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
            case GlobalContrastNorm() | ZCAWhitening():
                raise RequestError(
                    f"{name} ({type(layer).__name__}) cannot slide: it is about the whole image."
                )
            case _ if window and not isinstance(layer, _ELEMENTWISE):
                raise RequestError(
                    f"{name} ({type(layer).__name__}) cannot slide: after flatten only dense "
                    "layers, batch norm, dropout and activations can."
                )
            case _:
                layers[name] = layer
    if window not in (None, (1, 1)):
        raise RequestError(
            "No dense layer reads the flattened maps, so there is nothing to convert."
        )
    kept = {name: layer for name, layer in original.items() if layers.get(name) is layer}
    return OrderedDict(layers | deepcopy(kept))  # together, as layers may share a sampler


def _native_size(layers: dict[str, nn.Module]) -> tuple[int, int]:
    """Find the smallest square image that leaves the input units of the first dense layer."""
    body: dict[str, nn.Module] = {}
    for name, layer in layers.items():
        match layer:
            case nn.AdaptiveAvgPool2d():
                raise RequestError(
                    f"{name} takes maps of any size, so the native image size is unknown. Give "
                    "input_size=(height, width)."
                )
            case nn.Linear():
                units = layer.in_features
                side = bisect_left(range(_MAX_SIDE), units, key=lambda side: _units(body, side))
                if _units(body, side) != units:
                    raise RequestError(
                        f"No square image leaves the {units} units that {name} reads. Give the "
                        "native image size, input_size=(height, width)."
                    )
                return side, side
            case _:
                body[name] = layer
    raise RequestError(
        "The network has no dense layer, so the native image size is unknown. Give "
        "input_size=(height, width)."
    )


def _units(body: dict[str, nn.Module], side: int) -> int:
    """Count the units that a square image leaves; 0 if it is too small."""
    try:
        return _shapes(body, (side, side))[""].numel()
    except RequestError:
        return 0


def _shapes(layers: dict[str, nn.Module], size: tuple[int, int]) -> dict[str, torch.Size]:
    """Return the input shape of each layer, and the output's under ""; runs on the meta device."""
    inside = (part for layer in layers.values() for part in layer.modules())
    channels = next((part.in_channels for part in inside if isinstance(part, nn.Conv2d)), 1)
    volume = torch.empty(1, channels, *size, device="meta")
    shapes: dict[str, torch.Size] = {}
    for name, layer in layers.items():
        shapes[name] = volume.shape
        state = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
        empty = {key: torch.empty_like(value, device="meta") for key, value in state.items()}
        try:
            volume = functional_call(layer, empty, (volume,))
        except (RuntimeError, ValueError) as error:
            shape = "x".join(map(str, shapes[name][1:]))
            raise RequestError(
                f"Images of {size[0]}x{size[1]} give {name} an input of {shape}, which it cannot "
                "take. Give the native image size, input_size=(height, width)."
            ) from error
    return {**shapes, "": volume.shape}


def _pooling(name: str, layer: nn.AdaptiveAvgPool2d, shape: torch.Size) -> nn.AvgPool2d:
    """Pool with the windows that adaptive pooling has at the native size."""
    sides = cast("tuple[int, int]", tuple(shape[2:]))
    size = layer.output_size
    outputs = size if isinstance(size, tuple) else (size, size)
    windows: list[int] = []
    for side, count in zip(sides, outputs, strict=True):
        if side % (count or side):
            raise RequestError(
                f"{name} pools {side} units to {count}, with windows of different sizes, which "
                "cannot slide."
            )
        windows.append(side // (count or side))
    strides = [1 if count == 1 else window for window, count in zip(windows, outputs, strict=True)]
    return nn.AvgPool2d((windows[0], windows[1]), (strides[0], strides[1]))


def _convolution(layer: nn.Linear, window: tuple[int, int]) -> nn.Conv2d:
    """Build the convolution that equals a dense layer on maps of the window's size."""
    channels = layer.in_features // (window[0] * window[1])
    bias = "bias" in dict(layer.named_parameters())
    return nn.Conv2d(channels, layer.out_features, window, bias=bias, device="meta")


def _norm(layer: nn.BatchNorm1d) -> nn.BatchNorm2d:
    """Build the same batch norm for maps."""
    return nn.BatchNorm2d(
        layer.num_features,
        layer.eps,
        layer.momentum,
        layer.affine,
        layer.track_running_stats,
        device="meta",
    )


def _copied(layer: nn.Module, to: nn.Module) -> nn.Module:
    """Copy a layer's parameters, buffers and mode to one whose parameters have other shapes."""
    for name, meta in dict[str, nn.Parameter](to.named_parameters()).items():
        value = layer.get_parameter(name)
        shaped = value.detach().clone().view(meta.shape)
        setattr(to, name, nn.Parameter(shaped, requires_grad=value.requires_grad))
    for name, value in layer.named_buffers():
        setattr(to, name, value.clone())
    return to.train(layer.training)
