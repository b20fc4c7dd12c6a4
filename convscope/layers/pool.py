"""Pooling that torch.nn does not have: the minimum, and a sum with trainable gain and bias."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.layers.axes import IntPair, pair


class MinPool2d(nn.Module):
    """Keep the smallest unit under each window: y = min x = -max(-x).

    (n, c, h, w) -> (n, c, h', w'), with the sizes of `nn.MaxPool2d`. `stride` defaults to the
    kernel size. Padding counts as infinity, so it is never the minimum.

        >>> MinPool2d(2)(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).item()
        1.0
    """

    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    ceil_mode: bool

    def __init__(
        self,
        kernel_size: IntPair,
        *,
        stride: IntPair | None = None,
        padding: IntPair = 0,
        dilation: IntPair = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = pair("kernel_size", kernel_size)
        self.stride = self.kernel_size if stride is None else pair("stride", stride)
        self.padding = pair("padding", padding, minimum=0)
        self.dilation = pair("dilation", dilation)
        self.ceil_mode = ceil_mode
        if any(2 * pad > size for pad, size in zip(self.padding, self.kernel_size, strict=True)):
            raise RequestError(
                f"padding is {padding} and kernel_size {kernel_size}: a window could cover padding "
                "only. Pad by at most half the kernel size."
            )

    def forward(self, x: Tensor) -> Tensor:
        return -F.max_pool2d(
            -x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class Subsampling2d(nn.Module):
    """Add the units under each window, times a trainable coefficient, plus a trainable bias.

    y_c = a_c Σ x_c + b_c, over windows that do not overlap, with one a and one b per map: 2c
    parameters. (n, c, h, w) -> (n, c, ⌊h/k⌋, ⌊w/k⌋). The sigmoid or tanh which the paper applies to
    y is a separate layer. It is initialized as average pooling: a = 1/k², b = 0; the paper draws a
    like all its weights, uniformly in ±2.4/fan_in.

        >>> sum(weight.numel() for weight in Subsampling2d(6).parameters())  # LeNet-5's S2
        12

    Reference: LeCun, Bottou, Bengio & Haffner, 1998, section II.B, layers S2 and S4.
    """

    channels: int
    kernel_size: tuple[int, int]
    coefficient: nn.Parameter
    bias: nn.Parameter

    def __init__(self, channels: int, kernel_size: IntPair = 2) -> None:
        super().__init__()
        if channels < 1:
            raise RequestError(f"channels is {channels}; it must be 1 or more.")
        self.channels, self.kernel_size = channels, pair("kernel_size", kernel_size)
        self.coefficient = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize as average pooling."""
        nn.init.constant_(self.coefficient, 1 / (self.kernel_size[0] * self.kernel_size[1]))
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        total = F.avg_pool2d(x, self.kernel_size, divisor_override=1)
        return torch.addcmul(self.bias[:, None, None], total, self.coefficient[:, None, None])

    def extra_repr(self) -> str:
        return f"{self.channels}, kernel_size={self.kernel_size}"
