"""`convscope geometry`."""

import sys
from io import TextIOWrapper
from typing import Literal

from convscope.arithmetic import geometry as compute
from convscope.cli.messages import in_flags
from convscope.cli.options import Flag, Json, OptionalInt
from convscope.words.json_text import to_json


def geometry(
    size: str,
    /,
    *,
    filters: OptionalInt = None,
    kernel: str | None = None,
    stride: str | None = None,
    padding: str | None = None,
    same: Flag = False,
    dilation: str | None = None,
    groups: OptionalInt = None,
    no_bias: Flag = False,
    local: Flag = False,
    pool: Literal["max", "average", "min"] | None = None,
    ceil: Flag = False,
    dense: OptionalInt = None,
    to: str | None = None,
    json: Json = False,
) -> None:
    """Compute one layer's output size, parameters and multiply-adds, each with its formula.

    --filters with --kernel is a convolution, --pool with --kernel is pooling, and --dense is a
    fully connected layer; --kernel alone gives the output size. --to solves the inverse problem:
    which kernel, stride and padding produce this output? A multiply-add counts as one operation,
    biases are not counted, and padding counts as input.

    Parameters
    ----------
    size
        Input size: height x width x channels, such as 32x32x3; 28x28 has one channel, and 28 is
        28x28.
    filters
        Number of filters of a convolution; each produces one feature map.
    kernel
        Kernel size: 5, or vertical x horizontal, such as 3x5.
    stride
        Stride: 2, or 2x1; by default 1, and for pooling the kernel size.
    padding
        Padding: 2, or 2x1; before,after such as 0,1; same; or valid. By default 0.
    same
        Same as --padding same: keeps the size at stride 1.
    dilation
        Dilation: 2, or 2x1; by default 1.
    groups
        Number of groups of channels and filters; by default 1.
    no_bias
        No bias in filters and units.
    local
        Locally connected: every unit has its own filter.
    pool
        Pooling over windows of size --kernel; the sizes are the same for all three.
    ceil
        Round the number of windows up instead of down.
    dense
        Number of units of a fully connected layer.
    to
        Output size of the inverse problem: which kernels, strides and paddings produce it?
    """
    worked = compute(
        size,
        filters=filters,
        kernel=kernel,
        stride=stride,
        padding=padding,
        same=same,
        dilation=dilation,
        groups=groups,
        bias=not no_bias,
        local=local,
        pool=pool,
        ceil=ceil,
        dense=dense,
        to=to,
    )
    if isinstance(sys.stdout, TextIOWrapper):  # the dot of a product is not ASCII
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.stdout.write((to_json(worked.to_dict()) if json else in_flags(str(worked))) + "\n")
