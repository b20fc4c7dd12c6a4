"""Which rule explains which kind of operation."""

from collections.abc import Callable

from convscope.explanation import (
    activation,
    arithmetic,
    dense,
    linear,
    normalization,
    pooling,
    shape_ops,
    windows,
)
from convscope.explanation.operation_view import Index, OperationView
from convscope.recording import OVERWRITTEN
from convscope.terms import Decomposition

Rule = Callable[[OperationView, Index], Decomposition]

_MOVED = (
    *("flatten", "view", "reshape", "unflatten", "squeeze", "unsqueeze", "ravel", "view_as"),
    *("permute", "transpose", "movedim", "moveaxis", "T", "mT", "t", "reshape_as", "expand_as"),
    *("contiguous", "clone", "detach", "data", "alias", "requires_grad", "expand", "repeat"),
    *("getitem", "setitem", "chunk", "split", "tensor_split", "unbind", "narrow", "select"),
    *("index_select", "gather", "take_along_dim", "repeat_interleave", "tile", "broadcast_to"),
    *("cat", "stack", "hstack", "vstack", "pad", "roll", "flip", "fliplr", "flipud", "rot90"),
    *("pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "unfold", "masked_fill", "copy"),
    *("native_channel_shuffle", "diagonal", "tril", "triu", "positive"),
)
_CAST = ("to", "float", "double", "half", "bfloat16", "type", "type_as", "cpu", "cuda")
_DRAWN = (
    *("rand", "randn", "randint", "randperm", "bernoulli", "uniform", "normal", "empty", "zeros"),
    *("ones", "full", "arange", "linspace", "eye", "tensor", "zeros_like", "ones_like"),
    *("empty_like", "full_like", "rand_like", "randn_like", "new_empty", "new_zeros", "new_ones"),
    *("new_full", "new_tensor", "zero", "fill"),
)
_DROPOUT = ("dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout")

RULES: dict[str, Rule] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), windows.convolution),
    **dict.fromkeys((f"conv_transpose{n}d" for n in (1, 2, 3)), windows.transposed),
    "LocallyConnected2d": windows.locally_connected,
    "TableConv2d": windows.table,
    "linear": dense.dense,
    **dict.fromkeys(("matmul", "bmm", "mm", "mv", "addmm", "baddbmm"), dense.matrices),
    "RadialBasis": dense.radial,
    **dict.fromkeys((f"max_pool{n}d" for n in (1, 2, 3)), pooling.largest),
    **dict.fromkeys((f"avg_pool{n}d" for n in (1, 2, 3)), pooling.average),
    **dict.fromkeys((f"adaptive_avg_pool{n}d" for n in (1, 2, 3)), pooling.adaptive_average),
    **dict.fromkeys((f"adaptive_max_pool{n}d" for n in (1, 2, 3)), pooling.adaptive_largest),
    **dict.fromkeys(("mean", "sum", "amax", "amin", "max", "min"), pooling.reduced),
    "MinPool2d": pooling.smallest,
    "Subsampling2d": pooling.subsampling,
    "batch_norm": normalization.batch_norm,
    "instance_norm": normalization.instance_norm,
    "group_norm": normalization.group_norm,
    "layer_norm": normalization.layer_norm,
    "local_response_norm": normalization.response_norm,
    "LocalResponseNorm": normalization.paper_response_norm,
    **dict.fromkeys(("softmax", "log_softmax"), normalization.softmax),
    **dict.fromkeys(activation.CURVES, activation.curve),
    "ScaledTanh": activation.scaled_tanh,
    "prelu": activation.parametric,
    "pow": activation.power,
    **dict.fromkeys(("add", "sub", "rsub"), arithmetic.add),
    "mul": arithmetic.multiply,
    **dict.fromkeys(("div", "rdiv"), arithmetic.divide),
    "neg": arithmetic.negate,
    "addcmul": arithmetic.add_product,
    **dict.fromkeys(arithmetic.COMPARISONS, arithmetic.compare),
    **dict.fromkeys(_DRAWN, arithmetic.drawn),
    "norm": normalization.length,
    "normalize": normalization.unit_length,
    **dict.fromkeys(("maximum", "minimum"), arithmetic.extreme),
    "where": arithmetic.choose,
    **dict.fromkeys(_DROPOUT, arithmetic.dropout),
    "DropPath": arithmetic.drop_path,
    "FractalJoin": arithmetic.join,
    **dict.fromkeys(_MOVED, shape_ops.moved),
    **dict.fromkeys(_CAST, shape_ops.cast),
    OVERWRITTEN: shape_ops.overwritten,
    **dict.fromkeys(linear.WEIGHTED, linear.weighted),
}
"""By the kind of the operation."""
