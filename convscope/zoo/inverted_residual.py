"""The inverted residual block of MobileNetV2, MobileNetV3 and EfficientNet (MBConv).

It expands the channels with 1x1 filters, convolves each channel by itself (depthwise), and projects
to few channels with 1x1 filters, behind which there is no activation (the linear bottleneck). Its
input is added where it has the shape of the output. MobileNetV3 and EfficientNet weight the
expanded maps by squeeze and excitation.

References: Sandler et al., 2018, https://arxiv.org/abs/1801.04381, figure 4; Howard et al., 2019,
https://arxiv.org/abs/1905.02244, figure 4.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from convscope.layers import DropPath
from convscope.zoo.residual import Residual
from convscope.zoo.squeeze_excitation import SqueezeExcitation

Activation = Callable[[], nn.Module]
Norm = Callable[[int], nn.Module]


@dataclass(frozen=True, kw_only=True)
class InvertedResidual:
    """One block of a table.

    Attributes:
        channels, filters: number of maps of the input and of the output.
        expanded: number of maps between; without an expansion if it is `channels`.
        size, stride: of the depthwise convolution.
        squeezed: width of squeeze and excitation; 0 for none.
    """

    channels: int
    filters: int
    expanded: int
    size: int = 3
    stride: int = 1
    squeezed: int = 0

    @property
    def is_residual(self) -> bool:
        """Whether the input is added to the output."""
        return self.stride == 1 and self.channels == self.filters

    @property
    def parts(self) -> list[str]:
        """The names of its parts with weights, in order."""
        expand = ["expand"] * (self.expanded != self.channels)
        return [*expand, "depthwise", *(["se"] * (self.squeezed > 0)), "project"]

    def build(
        self,
        *,
        norm: Norm,
        activation: Activation,
        excitation: tuple[Activation, Activation] = (nn.ReLU, nn.Sigmoid),
        drop: float = 0,
    ) -> nn.Module:
        """Build the block; `drop` is the probability of dropping its branch in training.

        `activation` follows the expansion and the depthwise convolution; `excitation` are the
        activation and the gate of squeeze and excitation.
        """
        layers: dict[str, nn.Module] = {}
        for part in self.parts:
            match part:
                case "expand":
                    conv = nn.Conv2d(self.channels, self.expanded, 1, bias=False)
                    layers |= normed(part, conv, norm, activation)
                case "depthwise":
                    layers |= normed(part, self._depthwise(), norm, activation)
                case "se":
                    within, gate = excitation
                    layers[part] = SqueezeExcitation(
                        self.expanded, self.squeezed, activation=within, gate=gate
                    )
                case _:
                    conv = nn.Conv2d(self.expanded, self.filters, 1, bias=False)
                    layers |= normed(part, conv, norm)
        if not self.is_residual:
            return nn.Sequential(OrderedDict(layers))
        if drop:
            layers["drop_path"] = DropPath(drop, per="sample", scale_by_keep=True)
        return Residual(layers)

    def _depthwise(self) -> nn.Conv2d:
        width = self.expanded
        return nn.Conv2d(
            width,
            width,
            self.size,
            self.stride,
            padding=self.size // 2,
            groups=width,
            bias=False,
        )


def normed(
    name: str, conv: nn.Conv2d, norm: Norm, activation: Activation | None = None
) -> dict[str, nn.Module]:
    """Name a convolution, its batch norm and its activation: conv1, conv1_bn, conv1_act."""
    layers = {name: conv, f"{name}_bn": norm(conv.out_channels)}
    return layers | ({f"{name}_act": activation()} if activation else {})


def stem(
    in_channels: int, filters: int, *, norm: Norm, activation: Activation
) -> dict[str, nn.Module]:
    """Build conv1: 3x3 filters with a stride of 2."""
    conv = nn.Conv2d(in_channels, filters, 3, 2, padding=1, bias=False)
    return normed("conv1", conv, norm, activation)


def block_names(theirs: str, name: str, block: InvertedResidual) -> dict[str, str]:
    """Our names of torchvision's modules of a block, which it calls `theirs`."""
    names: dict[str, str] = {}
    for index, part in enumerate(block.parts):
        inside = ("fc1", "fc2") if part == "se" else ("0", "1")
        ours = ("se.fc1", "se.fc2") if part == "se" else (part, f"{part}_bn")
        names |= {
            f"{theirs}.{index}.{one}": f"{name}.{other}"
            for one, other in zip(inside, ours, strict=True)
        }
    return names


def round_channels(channels: float, divisor: int = 8) -> int:
    """Round to a multiple of `divisor`, and not down by more than a tenth.

    >>> round_channels(18), round_channels(20), round_channels(35.2)
    (24, 24, 32)

    The papers' released code: github.com/tensorflow/models, research/slim/nets/mobilenet.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
