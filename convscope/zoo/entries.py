"""The table of networks, one line for each name, and what is known of each."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from convscope.zoo.alexnet import TORCHVISION as ALEXNET
from convscope.zoo.alexnet import alexnet
from convscope.zoo.convnext import TIMM as CONVNEXT_TIMM
from convscope.zoo.convnext import TORCHVISION as CONVNEXT
from convscope.zoo.convnext import Config as ConvNeXt
from convscope.zoo.convnext import convnext
from convscope.zoo.deepface import deepface
from convscope.zoo.densenet import TORCHVISION as DENSENET
from convscope.zoo.densenet import densenet, densenet_cifar
from convscope.zoo.efficientnet import TORCHVISION as EFFICIENTNET
from convscope.zoo.efficientnet import Config as EfficientNet
from convscope.zoo.efficientnet import efficientnet
from convscope.zoo.fractalnet import fractalnet
from convscope.zoo.googlenet import TORCHVISION as GOOGLENET
from convscope.zoo.googlenet import googlenet, googlenet_bn
from convscope.zoo.lenet5 import lenet5
from convscope.zoo.lenet5_1998 import lenet5_1998
from convscope.zoo.mobilenet_v2 import TIMM as MOBILENET_V2_TIMM
from convscope.zoo.mobilenet_v2 import TORCHVISION as MOBILENET_V2
from convscope.zoo.mobilenet_v2 import mobilenet_v2
from convscope.zoo.mobilenet_v3 import mobilenet_v3
from convscope.zoo.mobilenet_v3 import torchvision_names as mobilenet_v3_names
from convscope.zoo.nin import nin
from convscope.zoo.parameter_names import NameMap
from convscope.zoo.regnet import TIMM as REGNET_TIMM
from convscope.zoo.regnet import TORCHVISION as REGNET
from convscope.zoo.regnet import Config as RegNet
from convscope.zoo.regnet import regnet
from convscope.zoo.residual import torchvision_names as names_of
from convscope.zoo.resnet import TABLE as RESNET
from convscope.zoo.resnet import resnet, resnet_cifar
from convscope.zoo.resnext import TABLE as RESNEXT
from convscope.zoo.resnext import resnext
from convscope.zoo.squeezenet import squeezenet
from convscope.zoo.squeezenet import torchvision_names as squeezenet_names
from convscope.zoo.stochastic_depth import stochastic_depth
from convscope.zoo.tinyvgg import tinyvgg
from convscope.zoo.vgg import torchvision_names as vgg_names
from convscope.zoo.vgg import vgg
from convscope.zoo.wide_resnet import TABLE as WIDE_RESNET
from convscope.zoo.wide_resnet import wide_resnet, wide_resnet_cifar
from convscope.zoo.yolo import yolo, yolo_small


@dataclass(frozen=True)
class Entry:
    """A network of the zoo.

    Attributes:
        builder: called with num_classes, in_channels and input_size (height, width).
        num_classes: number of classes in the paper.
        in_channels: channels of the images that it was designed for.
        input_size: (height, width) of these images.
        min_size: the smallest height and width that its layers allow.
        torchvision_names: maps torchvision's parameter names to ours; None where torchvision does
            not have the network.
        timm_names: the same for timm, where its names are not torchvision's and stand for the same
            arithmetic in all its weights.
    """

    builder: Callable[..., nn.Module]
    num_classes: int
    in_channels: int
    input_size: tuple[int, int]
    min_size: int
    torchvision_names: NameMap | None = None
    timm_names: NameMap | None = None


def _efficientnet(config: EfficientNet, side: int) -> Entry:
    builder = partial(efficientnet, config)
    return Entry(builder, 1000, 3, (side, side), 1, EFFICIENTNET)


def _convnext(config: ConvNeXt) -> Entry:
    builder = partial(convnext, config)
    return Entry(builder, 1000, 3, (224, 224), 32, CONVNEXT, CONVNEXT_TIMM)


def _regnet(config: RegNet) -> Entry:
    builder = partial(regnet, config)
    return Entry(builder, 1000, 3, (224, 224), 1, REGNET, REGNET_TIMM)


ZOO: dict[str, Entry] = {
    "lenet5": Entry(lenet5, 10, 1, (32, 32), 32),
    "lenet5_1998": Entry(lenet5_1998, 10, 1, (32, 32), 32),
    "tinyvgg": Entry(tinyvgg, 10, 3, (32, 32), 8),
    "alexnet": Entry(alexnet, 1000, 3, (227, 227), 67),
    "alexnet_towers": Entry(partial(alexnet, "towers"), 1000, 3, (227, 227), 67),
    "alexnet_2014": Entry(partial(alexnet, "2014"), 1000, 3, (224, 224), 63, ALEXNET),
    "vgg11": Entry(partial(vgg, "A"), 1000, 3, (224, 224), 32, vgg_names("A")),
    "vgg11_bn": Entry(
        partial(vgg, "A", batch_norm=True), 1000, 3, (224, 224), 32, vgg_names("A", batch_norm=True)
    ),
    "vgg11_lrn": Entry(partial(vgg, "A-LRN"), 1000, 3, (224, 224), 32),
    "vgg11_lrn_bn": Entry(partial(vgg, "A-LRN", batch_norm=True), 1000, 3, (224, 224), 32),
    "vgg13": Entry(partial(vgg, "B"), 1000, 3, (224, 224), 32, vgg_names("B")),
    "vgg13_bn": Entry(
        partial(vgg, "B", batch_norm=True), 1000, 3, (224, 224), 32, vgg_names("B", batch_norm=True)
    ),
    "vgg16_c": Entry(partial(vgg, "C"), 1000, 3, (224, 224), 32),
    "vgg16_c_bn": Entry(partial(vgg, "C", batch_norm=True), 1000, 3, (224, 224), 32),
    "vgg16": Entry(partial(vgg, "D"), 1000, 3, (224, 224), 32, vgg_names("D")),
    "vgg16_bn": Entry(
        partial(vgg, "D", batch_norm=True), 1000, 3, (224, 224), 32, vgg_names("D", batch_norm=True)
    ),
    "vgg19": Entry(partial(vgg, "E"), 1000, 3, (224, 224), 32, vgg_names("E")),
    "vgg19_bn": Entry(
        partial(vgg, "E", batch_norm=True), 1000, 3, (224, 224), 32, vgg_names("E", batch_norm=True)
    ),
    "nin_cifar": Entry(partial(nin, "cifar"), 10, 3, (32, 32), 4),
    "nin_cifar_zca": Entry(partial(nin, "cifar", whiten=True), 10, 3, (32, 32), 4),
    "nin_imagenet": Entry(partial(nin, "imagenet"), 1000, 3, (224, 224), 39),
    "googlenet": Entry(googlenet, 1000, 3, (224, 224), 79),
    "googlenet_bn": Entry(googlenet_bn, 1000, 3, (224, 224), 15, GOOGLENET),
    "resnet18": Entry(partial(resnet, 18), 1000, 3, (224, 224), 1, names_of(RESNET, "18-layer")),
    "resnet34": Entry(partial(resnet, 34), 1000, 3, (224, 224), 1, names_of(RESNET, "34-layer")),
    "resnet50": Entry(partial(resnet, 50), 1000, 3, (224, 224), 1, names_of(RESNET, "50-layer")),
    "resnet101": Entry(partial(resnet, 101), 1000, 3, (224, 224), 1, names_of(RESNET, "101-layer")),
    "resnet152": Entry(partial(resnet, 152), 1000, 3, (224, 224), 1, names_of(RESNET, "152-layer")),
    "resnet20_cifar": Entry(partial(resnet_cifar, 20), 10, 3, (32, 32), 1),
    "resnet32_cifar": Entry(partial(resnet_cifar, 32), 10, 3, (32, 32), 1),
    "resnet44_cifar": Entry(partial(resnet_cifar, 44), 10, 3, (32, 32), 1),
    "resnet56_cifar": Entry(partial(resnet_cifar, 56), 10, 3, (32, 32), 1),
    "resnet110_cifar": Entry(partial(resnet_cifar, 110), 10, 3, (32, 32), 1),
    "resnet1202_cifar": Entry(partial(resnet_cifar, 1202), 10, 3, (32, 32), 1),
    "resnet110_stochastic_depth": Entry(partial(stochastic_depth, 110), 10, 3, (32, 32), 1),
    "wrn16_8": Entry(partial(wide_resnet_cifar, 16, 8), 10, 3, (32, 32), 1),
    "wrn28_10": Entry(partial(wide_resnet_cifar, 28, 10), 10, 3, (32, 32), 1),
    "wrn40_4": Entry(partial(wide_resnet_cifar, 40, 4), 10, 3, (32, 32), 1),
    "wide_resnet50_2": Entry(
        partial(wide_resnet, "50-2"), 1000, 3, (224, 224), 1, names_of(WIDE_RESNET, "50-2")
    ),
    "wide_resnet101_2": Entry(
        partial(wide_resnet, "101-2"), 1000, 3, (224, 224), 1, names_of(WIDE_RESNET, "101-2")
    ),
    "resnext50_32x4d": Entry(
        partial(resnext, "50 (32x4d)"), 1000, 3, (224, 224), 1, names_of(RESNEXT, "50 (32x4d)")
    ),
    "resnext101_32x8d": Entry(
        partial(resnext, "101 (32x8d)"), 1000, 3, (224, 224), 1, names_of(RESNEXT, "101 (32x8d)")
    ),
    "resnext101_64x4d": Entry(
        partial(resnext, "101 (64x4d)"), 1000, 3, (224, 224), 1, names_of(RESNEXT, "101 (64x4d)")
    ),
    "resnext29_8x64d": Entry(partial(resnext, "29 (8x64d)"), 10, 3, (32, 32), 1),
    "resnext29_16x64d": Entry(partial(resnext, "29 (16x64d)"), 10, 3, (32, 32), 1),
    "densenet121": Entry(partial(densenet, "121 (k=32)"), 1000, 3, (224, 224), 29, DENSENET),
    "densenet161": Entry(partial(densenet, "161 (k=48)"), 1000, 3, (224, 224), 29, DENSENET),
    "densenet169": Entry(partial(densenet, "169 (k=32)"), 1000, 3, (224, 224), 29, DENSENET),
    "densenet201": Entry(partial(densenet, "201 (k=32)"), 1000, 3, (224, 224), 29, DENSENET),
    "densenet40_12": Entry(partial(densenet_cifar, 40, 12), 10, 3, (32, 32), 4),
    "densenet100_12": Entry(partial(densenet_cifar, 100, 12), 10, 3, (32, 32), 4),
    "densenet100_12_bc": Entry(
        partial(densenet_cifar, 100, 12, bottleneck=True), 10, 3, (32, 32), 4
    ),
    "densenet190_40_bc": Entry(
        partial(densenet_cifar, 190, 40, bottleneck=True), 10, 3, (32, 32), 4
    ),
    "fractalnet20": Entry(partial(fractalnet, "wide", columns=3), 10, 3, (32, 32), 32),
    "fractalnet40": Entry(partial(fractalnet, "narrow", columns=4), 100, 3, (32, 32), 32),
    "squeezenet1_0": Entry(
        partial(squeezenet, "1.0"), 1000, 3, (227, 227), 21, squeezenet_names("1.0")
    ),
    "squeezenet1_1": Entry(
        partial(squeezenet, "1.1"), 1000, 3, (227, 227), 17, squeezenet_names("1.1")
    ),
    "mobilenet_v2": Entry(mobilenet_v2, 1000, 3, (224, 224), 1, MOBILENET_V2, MOBILENET_V2_TIMM),
    "mobilenet_v3_small": Entry(
        partial(mobilenet_v3, "small"), 1000, 3, (224, 224), 1, mobilenet_v3_names("small")
    ),
    "mobilenet_v3_large": Entry(
        partial(mobilenet_v3, "large"), 1000, 3, (224, 224), 1, mobilenet_v3_names("large")
    ),
    "efficientnet_b0": _efficientnet("b0", 224),
    "efficientnet_b1": _efficientnet("b1", 240),
    "efficientnet_b2": _efficientnet("b2", 260),
    "efficientnet_b3": _efficientnet("b3", 300),
    "efficientnet_b4": _efficientnet("b4", 380),
    "efficientnet_b5": _efficientnet("b5", 456),
    "efficientnet_b6": _efficientnet("b6", 528),
    "efficientnet_b7": _efficientnet("b7", 600),
    "convnext_tiny": _convnext("T"),
    "convnext_small": _convnext("S"),
    "convnext_base": _convnext("B"),
    "convnext_large": _convnext("L"),
    "regnet_x_400mf": _regnet("X-400MF"),
    "regnet_x_800mf": _regnet("X-800MF"),
    "regnet_x_1_6gf": _regnet("X-1.6GF"),
    "regnet_x_3_2gf": _regnet("X-3.2GF"),
    "regnet_x_8gf": _regnet("X-8GF"),
    "regnet_y_400mf": _regnet("Y-400MF"),
    "regnet_y_800mf": _regnet("Y-800MF"),
    "regnet_y_1_6gf": _regnet("Y-1.6GF"),
    "regnet_y_3_2gf": _regnet("Y-3.2GF"),
    "regnet_y_8gf": _regnet("Y-8GF"),
    "deepface": Entry(deepface, 4030, 3, (152, 152), 72),
    "yolo_classifier": Entry(partial(yolo, "classifier"), 1000, 3, (224, 224), 31),
}

DETECTORS: dict[str, Entry] = {
    "yolo": Entry(partial(yolo, "yolo"), 20, 3, (448, 448), 31),
    "yolo_fast": Entry(partial(yolo, "fast"), 20, 3, (448, 448), 64),
    "yolo_released": Entry(partial(yolo, "released"), 20, 3, (448, 448), 31),
    "yolo_small": Entry(yolo_small, 10, 1, (64, 64), 8),
}
"""Networks that find boxes: what they return is said by their `box_coding`."""

ENTRIES = ZOO | DETECTORS
"""All networks by name."""


def _builder_function(entry: Entry) -> Callable[..., nn.Module]:
    """The function behind an entry's builder."""
    return entry.builder.func if isinstance(entry.builder, partial) else entry.builder


def paper(name: str) -> str:
    """Name the paper of a network: the first sentence of its module's docstring.

    >>> paper("vgg16")
    'VGG, 11 to 19 weight layers: Simonyan & Zisserman, 2014, https://arxiv.org/abs/1409.1556'
    """
    file = sys.modules[_builder_function(ENTRIES[name]).__module__]
    first, _, _ = inspect.cleandoc(file.__doc__ or "").partition("\n\n")
    return " ".join(first.split()).partition(". ")[0].rstrip(".")


_LEARNING_RATES: dict[Callable[..., nn.Module], float] = {
    lenet5_1998: 0.003,  # its loss takes distances to 84 features, not logits
    alexnet: 0.005,  # the paper: 0.01 for batches of 128
    vgg: 0.03,  # the paper: 0.01 for 256, with deep networks initialized from shallow ones
    convnext: 0.01,
    efficientnet: 0.02,
    googlenet: 0.01,
    googlenet_bn: 0.01,
    mobilenet_v2: 0.01,  # torchvision: 0.045 for 256
    squeezenet: 0.005,  # the paper: 0.04 for 512
    deepface: 0.005,  # the paper: 0.01 for 128
    fractalnet: 0.01,  # the paper: 0.02 for 100
    yolo: 0.005,  # the paper: 0.01 for 64, after an epoch from 0.001 on
    yolo_small: 0.002,  # its loss is a sum over boxes
}


def default_lr(name: str) -> float:
    """Return the default peak learning rate of SGD with momentum, for batches of 64.

    It is 0.05, as for ResNets on CIFAR (0.1 for batches of 128), or less where the paper's is.
    """
    if name not in ENTRIES:
        return 0.05
    return _LEARNING_RATES.get(_builder_function(ENTRIES[name]), 0.05)
