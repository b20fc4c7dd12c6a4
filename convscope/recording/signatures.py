"""What the functions of torch and their arguments are called."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, cast

import torch
from torch import overrides
from torch._ops import OpOverload


@cache
def kind_of(function: Callable[..., Any]) -> str:
    """`conv2d`, `add` for `torch.Tensor.__iadd__`, `T` for the property of that name."""
    if isinstance(function, OpOverload):
        function = function.overloadpacket
    name: str | None = overrides.resolve_name(function)
    parts = (name or getattr(function, "__name__", "function")).split(".")
    word = parts[-2] if parts[-1] == "__get__" else parts[-1]
    bare = word.strip("_")
    return _SPELLINGS.get(bare, bare)


_WINDOW = ("input", "kernel_size", "stride", "padding")
_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = (*_CONVOLUTION[:5], "output_padding", "groups", "dilation")
_REDUCED = ("input", "dim", "keepdim")
_ARGUMENTS = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _CONVOLUTION),
    **dict.fromkeys((f"conv_transpose{n}d" for n in (1, 2, 3)), _TRANSPOSED),
    **dict.fromkeys((f"max_pool{n}d" for n in (1, 2, 3)), (*_WINDOW, "dilation", "ceil_mode")),
    "avg_pool1d": (*_WINDOW, "ceil_mode", "count_include_pad"),
    **dict.fromkeys(
        ("avg_pool2d", "avg_pool3d"),
        (*_WINDOW, "ceil_mode", "count_include_pad", "divisor_override"),
    ),
    **dict.fromkeys(("mean", "sum", "amax", "amin", "max", "min"), _REDUCED),
    "linear": ("input", "weight", "bias"),
    "batch_norm": (
        *("input", "running_mean", "running_var", "weight", "bias"),
        *("training", "momentum", "eps"),
    ),
    "layer_norm": ("input", "normalized_shape", "weight", "bias", "eps"),
    "group_norm": ("input", "num_groups", "weight", "bias", "eps"),
    "flatten": ("input", "start_dim", "end_dim"),
    "transpose": ("input", "dim0", "dim1"),
    "softmax": ("input", "dim"),
    "log_softmax": ("input", "dim"),
    "cat": ("tensors", "dim"),
    "stack": ("tensors", "dim"),
    "chunk": ("input", "chunks", "dim"),
    "split": ("input", "split_size", "dim"),
    "unsqueeze": ("input", "dim"),
    "squeeze": ("input", "dim"),
    "pad": ("input", "pad", "mode", "value"),
    "getitem": ("input", "index"),
    "setitem": ("input", "index", "value"),
    "view": ("input", "*shape"),
    "reshape": ("input", "*shape"),
    "permute": ("input", "*dims"),
    "add": ("input", "other"),
    "sub": ("input", "other"),
    "mul": ("input", "other"),
    "div": ("input", "other"),
    "addcmul": ("input", "tensor1", "tensor2"),
    **dict.fromkeys(("gt", "ge", "lt", "le", "eq", "ne"), ("input", "other")),
    "norm": ("input", "p", "dim", "keepdim"),
    "vector_norm": ("input", "ord", "dim", "keepdim"),
    "pow": ("input", "exponent"),
    "maximum": ("input", "other"),
    "minimum": ("input", "other"),
    "matmul": ("input", "other"),
    **dict.fromkeys(("bmm", "mm", "mv"), ("input", "other")),
    "addmm": ("bias", "input", "other"),
    "baddbmm": ("bias", "input", "other"),
    "clamp": ("input", "min", "max"),
    "leaky_relu": ("input", "negative_slope"),
    "prelu": ("input", "weight"),
    "scaled_dot_product_attention": ("query", "key", "value", "attn_mask", "dropout_p"),
    "where": ("condition", "input", "other"),
}
"""What torch calls the arguments of its functions that have no Python signature; the last may be
any number of them."""


_STATISTICS = ("input", "weight", "bias", "running_mean", "running_var", "training")
NATIVE: dict[Callable[..., Any], tuple[str, ...]] = {
    torch.batch_norm: (*_STATISTICS, "momentum", "eps"),
    torch.Tensor.where: ("input", "condition", "other"),
    torch.instance_norm: (*_STATISTICS[:5], "use_input_stats", "momentum", "eps"),
}
"""Functions that take their arguments in another order than those of the same name above."""


def by_name(function: Callable[..., Any], args: tuple[Any, ...]) -> dict[str, Any]:
    """The arguments that were given to a function by position, under their names."""
    return _named(NATIVE.get(function) or _ARGUMENTS.get(kind_of(function), ()), args)


def _named(names: tuple[str, ...], args: tuple[Any, ...]) -> dict[str, Any]:
    if names and names[-1].startswith("*") and len(args) >= len(names):
        rest = args[len(names) - 1 :]
        return {**_named(names[:-1], args[: len(names) - 1]), names[-1][1:]: _unpacked(rest)}
    return {
        names[place] if place < len(names) else str(place): value
        for place, value in enumerate(args)
    }


def _unpacked(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """`view(2, 3)` and `view((2, 3))` mean the same."""
    if len(values) == 1 and isinstance(values[0], list | tuple):
        return tuple(cast("Sequence[Any]", values[0]))
    return values


_SPELLINGS = {
    "iadd": "add",
    "radd": "add",
    "imul": "mul",
    "rmul": "mul",
    "multiply": "mul",
    "isub": "sub",
    "subtract": "sub",
    "truediv": "div",
    "itruediv": "div",
    "divide": "div",
    "rtruediv": "rdiv",
    "spmm": "mm",  # another name of torch.mm
    **{f"max_pool{n}d_with_indices": f"max_pool{n}d" for n in (1, 2, 3)},
    **{f"adaptive_max_pool{n}d_with_indices": f"adaptive_max_pool{n}d" for n in (1, 2, 3)},
    "ipow": "pow",
    "negative": "neg",
    "concat": "cat",
    "concatenate": "cat",
    "swapaxes": "transpose",
    "swapdims": "transpose",
    "clip": "clamp",
}
