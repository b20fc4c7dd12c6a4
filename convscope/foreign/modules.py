"""Layers of Keras and ConvNetJS that torch.nn does not have."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Permute(nn.Module):
    """Reorder the axes behind that of images: axis i of the result is axis `order[i]`, from 0."""

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.order = tuple(order)

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, *(axis + 1 for axis in self.order))

    def extra_repr(self) -> str:
        return f"order={self.order}"


class Reshape(nn.Module):
    """(n, ...) -> (n, *shape), the units in the same order."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self.shape)

    def extra_repr(self) -> str:
        return f"shape={self.shape}"


class Reorder(nn.Module):
    """Unit i of the result is unit `index[i]`: (n, d) -> (n, d)."""

    index: Tensor

    def __init__(self, units: int) -> None:
        super().__init__()
        self.register_buffer("index", torch.zeros(units, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(1, self.index)

    def extra_repr(self) -> str:
        return f"{len(self.index)} units"


class Crop2d(nn.Module):
    """Cut rows and columns off: (n, c, h, w) -> (n, c, h - top - bottom, w - left - right)."""

    def __init__(self, left: int, right: int, top: int, bottom: int) -> None:
        super().__init__()
        self.edges = (left, right, top, bottom)

    def forward(self, x: Tensor) -> Tensor:
        left, right, top, bottom = self.edges
        return x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]

    def extra_repr(self) -> str:
        return "left={}, right={}, top={}, bottom={}".format(*self.edges)


class Rescale(nn.Module):
    """y = scale x + offset, with constants for each map, or units of other axes.

    `shape` is that of the constants, which broadcast over (n, ...).
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(*shape))
        self.register_buffer("offset", torch.zeros(*shape))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.offset

    def extra_repr(self) -> str:
        return f"{tuple(self.scale.shape)}"


class Scale(nn.Module):
    """y = γ x with a weight for each map; `shape` broadcasts over (n, ...)."""

    weight: nn.Parameter

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(*shape))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight

    def extra_repr(self) -> str:
        return f"{tuple(self.weight.shape)}"


class AveragePoolInside(nn.Module):
    """The average under each window, of the units inside the image: padding is left out of it.

    `padding` is (left, right, top, bottom), which may differ. (n, c, h, w) -> (n, c, h', w').
    """

    def __init__(
        self,
        kernel_size: tuple[int, int],
        *,
        stride: tuple[int, int],
        padding: tuple[int, int, int, int],
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        total = F.avg_pool2d(
            F.pad(x, self.padding), self.kernel_size, self.stride, divisor_override=1
        )
        inside = F.pad(torch.ones_like(x[:1, :1]), self.padding)
        return total / F.avg_pool2d(inside, self.kernel_size, self.stride, divisor_override=1)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class ParametricReLU(nn.Module):
    """y = x where x is above 0, else α x, with an α for each unit; its shape broadcasts."""

    weight: nn.Parameter

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(*shape))

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, x * self.weight)


class BoundedReLU(nn.Module):
    """Keras's ReLU: min(x, largest) from the threshold on, else slope (x - threshold)."""

    def __init__(self, *, largest: float | None, slope: float, threshold: float) -> None:
        super().__init__()
        self.largest, self.slope, self.threshold = largest, slope, threshold

    def forward(self, x: Tensor) -> Tensor:
        above = x if self.largest is None else x.clamp(max=self.largest)
        return torch.where(x >= self.threshold, above, self.slope * (x - self.threshold))

    def extra_repr(self) -> str:
        return f"largest={self.largest}, slope={self.slope:g}, threshold={self.threshold:g}"


class Function(nn.Module):
    """A function of each unit that torch.nn has no layer for, by its name in `torch`."""

    def __init__(self, name: Literal["exp", "neg", "square", "sqrt", "abs"]) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = getattr(torch, self.name)(x)
        return result

    def extra_repr(self) -> str:
        return self.name


class HardSigmoid2(nn.Module):
    """The hard sigmoid of Keras 1 and 2: 0.2 x + 0.5, at least 0 and at most 1."""

    def forward(self, x: Tensor) -> Tensor:
        return (0.2 * x + 0.5).clamp(0, 1)


class Maxout(nn.Module):
    """The largest of each `group` consecutive maps: (n, c, ...) -> (n, c / group, ...).

    Reference: Goodfellow et al., 2013.
    """

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], -1, self.group, *x.shape[2:]).amax(2)

    def extra_repr(self) -> str:
        return f"group={self.group}"


class ScaledDropout(nn.Module):
    """The dropout of ConvNetJS: units are kept with probability 1 - p, and not scaled; what
    predicts gets p x.

    It is the mean of what the next layer sees in training only where p is 0.5.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return x * (torch.rand_like(x) >= self.p)
        return x * self.p

    def extra_repr(self) -> str:
        return f"p={self.p:g}"


class TwoClasses(nn.Module):
    """The two classes of a network with one output, that of the second: (n, 1) -> (n, 2).

    Of logits z they are 0 and z, whose softmax is the sigmoid of z; of probabilities 1 - p and p.
    """

    def __init__(self, *, probabilities: bool) -> None:
        super().__init__()
        self.probabilities = probabilities

    def forward(self, x: Tensor) -> Tensor:
        first = 1 - x if self.probabilities else torch.zeros_like(x)
        return torch.cat([first, x], 1)

    def extra_repr(self) -> str:
        return f"probabilities={self.probabilities}"


class Resize(nn.Module):
    """Scale maps to a size, without a filter against aliasing, as TensorFlow does."""

    def __init__(self, size: tuple[int, int], mode: Literal["bilinear", "nearest-exact"]) -> None:
        super().__init__()
        self.size, self.mode = size, mode

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, self.size, mode=self.mode)

    def extra_repr(self) -> str:
        return f"size={self.size}, mode={self.mode}"
