"""A convolution in which each output map is connected to chosen input maps only."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.layers.axes import IntPair, pair


class SparseConnectionConv2d(nn.Module):
    """Compute each output map from its own subset of the input maps.

    y_o = b_o + Σ_{i in table[o]} w_oi * x_i, where `table[o]` lists the input maps that output map
    o is connected to. There is one kernel per connection, in the table's order: `weight` has the
    shape (connections, kernel height, kernel width), without parameters for missing connections.
    (n, in_channels, h, w) -> (n, len(table), h', w'), with the sizes of `nn.Conv2d`. Parameters
    are initialized uniformly in ±1/√fan_in of their map, as in `nn.Conv2d`.

    Raises RequestError for a table without rows, or with a row that is empty, repeats a map, or
    names a map that the input does not have.

        >>> SparseConnectionConv2d(3, [(0, 1), (1, 2), (0, 1, 2)], 5).weight.shape
        torch.Size([7, 5, 5])

    Reference: LeCun, Bottou, Bengio & Haffner, 1998, section II.B, table I.
    """

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    table: tuple[tuple[int, ...], ...]
    links: Tensor
    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        table: Sequence[Sequence[int]],
        kernel_size: IntPair,
        *,
        stride: IntPair = 1,
        padding: IntPair = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, len(table)
        self.kernel_size = pair("kernel_size", kernel_size)
        self.stride = pair("stride", stride)
        self.padding = pair("padding", padding, minimum=0)
        self.table = tuple(tuple(row) for row in table)
        self._check_table()
        pairs = [(out, source) for out, row in enumerate(self.table) for source in row]
        self.register_buffer("links", torch.tensor(pairs).T.contiguous())
        self.weight = nn.Parameter(torch.empty(len(pairs), *self.kernel_size))
        self.register_parameter("bias", None)
        if bias:
            self.bias = nn.Parameter(torch.empty(self.out_channels))
        self.reset_parameters()

    def _check_table(self) -> None:
        if not self.table:
            raise RequestError("The table has no rows; it needs one per output map.")
        for out, row in enumerate(self.table):
            if not row or len(set(row)) < len(row):
                problem = "lists a map twice" if row else "is empty"
                raise RequestError(
                    f"Row {out} of the table {problem}; list each connected input map once."
                )
            if min(row) < 0 or max(row) >= self.in_channels:
                raise RequestError(
                    f"Row {out} of the table is {row}; input maps are 0 to {self.in_channels - 1}."
                )

    def reset_parameters(self) -> None:
        """Draw all parameters uniformly in ±1/√fan_in of the map they belong to."""
        area = self.kernel_size[0] * self.kernel_size[1]
        fan_in = self.weight.new_tensor([len(row) * area for row in self.table])
        bound = fan_in.rsqrt()
        with torch.no_grad():
            self.weight.uniform_(-1, 1).mul_(bound[self.links[0], None, None])
            if self.bias is not None:
                self.bias.uniform_(-1, 1).mul_(bound)

    def dense_weight(self) -> Tensor:
        """Return the filters of the equivalent `nn.Conv2d`: zero without a connection."""
        shape = (self.out_channels, self.in_channels, *self.kernel_size)
        return self.weight.new_zeros(shape).index_put((self.links[0], self.links[1]), self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.dense_weight(), self.bias, self.stride, self.padding)

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, links={len(self.weight)}, "
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"bias={self.bias is not None}"
        )
