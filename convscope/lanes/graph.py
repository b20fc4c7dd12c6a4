"""A network as the engine sees it: nodes in the order in which they are computed."""

from dataclasses import dataclass

from torch import nn

Shape = tuple[int, int, int]
"""(channels, height, width) of one image's volume."""
Both = tuple[int, int]
"""(vertical, horizontal)"""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One volume. `inputs` are places of nodes before it in the list."""

    name: str
    inputs: tuple[int, ...]
    shape: Shape

    @property
    def multiply_adds(self) -> int:
        """Products that are added up for one image."""
        return 0


@dataclass(frozen=True, kw_only=True)
class Image(Node):
    """What the network is given."""


@dataclass(frozen=True, kw_only=True)
class Window(Node):
    """Made from what lies under a window; `padding` is (before, before) of the two axes."""

    kernel: Both
    stride: Both
    padding: Both
    dilation: Both


@dataclass(frozen=True, kw_only=True)
class Convolution(Window):
    """Also a dense layer, with `dense`: its kernel is as large as its input, and moves nowhere.

    With `local` every position has filters of its own, weights (h', w', k, c, f, f) and biases
    (h', w', k): a locally connected layer.
    """

    weight: nn.Parameter
    bias: nn.Parameter | None
    groups: int = 1
    local: bool = False
    dense: bool = False

    @property
    def multiply_adds(self) -> int:
        if self.local:
            return self.weight.numel()
        return self.weight.numel() * self.shape[1] * self.shape[2]


@dataclass(frozen=True, kw_only=True)
class Pool(Window):
    """`kind` is max, min or mean; `counts_padding` and `divisor` are as avg_pool2d's."""

    kind: str
    counts_padding: bool = True
    divisor: int | None = None


@dataclass(frozen=True, kw_only=True)
class Activation(Node):
    """`kind` with its `numbers`, see `activation.py`."""

    kind: str
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BatchNorm(Node):
    """(x - mean) / √(variance + eps) · weight + bias, with the statistics of the whole batch.

    `path` is the layer's name in the network; weight and bias are None where it is not affine.
    """

    path: str
    eps: float
    weight: nn.Parameter | None
    bias: nn.Parameter | None


@dataclass(frozen=True, kw_only=True)
class ChannelPad(Node):
    """Maps of zeros before the input's own maps, `before` of them, and after them."""

    before: int


@dataclass(frozen=True, kw_only=True)
class Sum(Node):
    """Two volumes added."""


@dataclass(frozen=True, kw_only=True)
class Dropout(Node):
    """Sets this share of the units to 0, of whole maps with `maps`, and enlarges the others."""

    share: float
    maps: bool = False
