"""A convolution without weight sharing: every output position has its own filters."""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.arithmetic import effective_kernel, output_size, same_padding
from convscope.errors import RequestError
from convscope.layers.axes import IntPair, pair


class LocallyConnected2d(nn.Module):
    """Slide a window as a convolution does, with different filters and biases at every position.

    y[o, u, v] = b[u, v, o] + Σ_{c, i, j} w[u, v, o, c, i, j] · x[c, S·u + D·i - P, S·v + D·j - P]

    with kernel taps (i, j), stride S, dilation D, and zero padding P. `weight[u, v]` and
    `bias[u, v]` are the weight and bias of an `nn.Conv2d` at output position (u, v). Images are
    (n, in_channels, *input_size), output volumes (n, out_channels, *output_size), with sizes as
    (height, width). Parameters are initialized as in `nn.Conv2d`, uniformly in ±1/√fan_in.

    The patches are copied once, sorted by position with the images of the batch innermost; the rest
    is one batched matrix product, and two in the backward pass, which needs the patches: n ·
    positions · in_channels · kernel height · kernel width numbers.

    Raises RequestError for a window that does not fit, for groups that do not divide the channels,
    and in `forward` for images of another size.

        >>> layer = LocallyConnected2d(3, 10, (32, 32), 3)
        >>> sum(weight.numel() for weight in layer.parameters())  # 30·30·10·(3·3·3 + 1)
        252000

    Reference: Taigman, Yang, Ranzato & Wolf, 2014, "DeepFace", section 2.2, layers L4 to L6.
    """

    in_channels: int
    out_channels: int
    input_size: tuple[int, int]
    output_size: tuple[int, int]
    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        input_size: tuple[int, int],
        kernel_size: IntPair,
        *,
        stride: IntPair = 1,
        padding: IntPair = 0,
        dilation: IntPair = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if (
            min(in_channels, out_channels, groups) < 1
            or in_channels % groups + out_channels % groups
        ):
            raise RequestError(
                f"{groups} groups do not divide {in_channels} input and {out_channels} output "
                "channels. Choose a number that divides both."
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.input_size = pair("input_size", input_size)
        self.kernel_size = pair("kernel_size", kernel_size)
        self.stride = pair("stride", stride)
        self.padding = pair("padding", padding, minimum=0)
        self.dilation = pair("dilation", dilation)
        self.output_size = self._axis_output(0), self._axis_output(1)
        filters = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight = nn.Parameter(torch.empty(*self.output_size, *filters))
        self.register_parameter("bias", None)
        if bias:
            self.bias = nn.Parameter(torch.empty(*self.output_size, out_channels))
        self.reset_parameters()

    @classmethod
    def from_convolution(cls, convolution: nn.Conv2d, input_size: tuple[int, int]) -> Self:
        """Untie a convolution: the same filters at every position, and thus the same outputs.

        Weights are copied, with the convolution's dtype and device. The sum of this layer's
        gradient over positions is the convolution's gradient.

        Raises RequestError if the convolution pads with something other than zeros, or unevenly.
        """
        with torch.device("meta"):  # no initialization: the weights exist already
            layer = cls(
                convolution.in_channels,
                convolution.out_channels,
                input_size,
                _pair(convolution.kernel_size),
                stride=_pair(convolution.stride),
                padding=_even_padding(convolution),
                dilation=_pair(convolution.dilation),
                groups=convolution.groups,
                bias=convolution.bias is not None,
            )
        for name, shared in convolution.named_parameters():
            tied = shared.detach().expand(*layer.output_size, *shared.shape)
            layer.register_parameter(name, nn.Parameter(tied.contiguous()))
        return layer.train(convolution.training)

    def reset_parameters(self) -> None:
        """Draw all parameters uniformly in ±1/√fan_in."""
        bound = self.weight[0, 0, 0].numel() ** -0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1:] != (self.in_channels, *self.input_size):
            raise RequestError(
                f"The images are {tuple(x.shape)}; this layer has filters for the positions of "
                f"(n, {self.in_channels}, {self.input_size[0]}, {self.input_size[1]}) only."
            )
        patches = self._patches(x)
        filters = self.weight.reshape(len(patches), -1, patches.shape[1])
        if self.bias is None:
            units = torch.bmm(filters, patches)
        else:
            units = torch.baddbmm(self.bias.reshape(*filters.shape[:2], 1), filters, patches)
        if units.requires_grad:
            units.register_hook(_contiguous)
        units = units.view(*self.output_size, self.out_channels, x.shape[0])
        return units.permute(3, 2, 0, 1).contiguous()

    def _patches(self, x: Tensor) -> Tensor:
        """Copy the patch under each window: (positions · groups, taps of a filter, n).

        The batch is innermost, so that the copy moves runs of n numbers instead of single ones.
        """
        count, (vertical, horizontal) = x.shape[0], self.padding
        x = F.pad(x.permute(1, 2, 3, 0), (0, 0, horizontal, horizontal, vertical, vertical))
        x = x.contiguous()
        for axis in (0, 1):
            span = effective_kernel(self.kernel_size[axis], dilation=self.dilation[axis])
            x = x.unfold(axis + 1, span, self.stride[axis])[..., :: self.dilation[axis]]
        positions = self.output_size[0] * self.output_size[1]
        taps = self.weight[0, 0, 0].numel()
        return x.permute(1, 2, 0, 4, 5, 3).reshape(positions * self.groups, taps, count)

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, input_size={self.input_size}, "
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, groups={self.groups}, bias={self.bias is not None}"
        )

    def _axis_output(self, axis: int) -> int:
        return output_size(
            self.input_size[axis],
            self.kernel_size[axis],
            stride=self.stride[axis],
            padding=self.padding[axis],
            dilation=self.dilation[axis],
        )


def _contiguous(gradient: Tensor | None) -> Tensor | None:
    """Make a gradient contiguous; in other layouts bmm multiplies one position at a time."""
    return None if gradient is None else gradient.contiguous()


def _even_padding(convolution: nn.Conv2d) -> tuple[int, int]:
    """Return a convolution's padding of each axis, if it is even on both sides and zeros."""
    if convolution.padding_mode != "zeros":
        raise RequestError(
            f"The convolution pads by {convolution.padding_mode!r}; a locally connected layer pads "
            "with zeros. Pad the images before it."
        )
    if convolution.padding == "valid":
        return 0, 0
    if convolution.padding == "same":
        (top, bottom), (left, right) = (
            same_padding(kernel, dilation=step)
            for kernel, step in zip(convolution.kernel_size, convolution.dilation, strict=True)
        )
        if (top, left) != (bottom, right):
            raise RequestError(
                "The convolution keeps the size with an even kernel, so its padding is uneven. Pad "
                "the images before it, and use a convolution with padding 0."
            )
        return top, left
    return _pair(convolution.padding)


def _pair(numbers: str | tuple[int, ...]) -> tuple[int, int]:
    vertical, horizontal = numbers
    return int(vertical), int(horizontal)
