"""The receptive field of every unit of every operation, through any graph of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from convscope.geometry import Field, Support
from convscope.receptive import mixing, shapes, windows
from convscope.receptive.seen import Axis, Seen, Unknown, length
from convscope.recording import IMAGE, Operation, Source

__all__ = ["Seen", "receptive_fields"]


def receptive_fields(done: Sequence[Operation], image: Sequence[int]) -> dict[str, Seen]:
    """What the units of every operation see of an image of shape `image` (1, c, h, w), by name.

    The field of a graph is the union over its branches, channel by channel. An operation that is
    not known is taken to see everything, and everything behind it says so in `exact`.
    """
    axes = tuple(Axis(Field(), Support.image(side)) for side in image[2:])
    space = [((place, side),) for place, side in enumerate(image[2:])]
    seen = {IMAGE: Seen(axes, (((None, image[0]),), ((None, image[1]),), *space))}
    for operation in done:
        operands = [seen[name] for name in operation.operands]
        try:
            result = _followed(operation, operands)
        except Exception:  # noqa: BLE001 -- a network of anyone's may call torch in any way
            result = mixing.everything(operation, operands)
        exact = result.exact and all(operand.exact for operand in operands)
        seen[operation.name] = result if result.exact == exact else replace(result, exact=exact)
    return seen


def _followed(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """By the rule of its kind; raises Unknown where that does not fit."""
    several = _SEVERAL.get(operation.kind)
    if several is not None:
        result = several(operation, operands)
    elif operation.kind in _FOLLOW and len(operands) == 1 and _is_of_first(operation):
        result = _FOLLOW[operation.kind](operation, operands)
    else:
        raise Unknown
    if tuple(map(length, result.dims)) != operation.shape:
        raise Unknown
    return result


def _is_of_first(operation: Operation) -> bool:
    """Whether it is the first argument that the image has a part in, not a weight, say."""
    given = operation.given
    first = given["input"] if "input" in given else next(iter(given.values()), None)
    return isinstance(first, Source) and first.name == operation.operands[0]


Follow = Callable[[Operation, Sequence[Seen]], Seen]

_POINTWISE = (
    *("relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu", "gelu", "silu"),
    *("mish", "hardtanh", "hardswish", "hardsigmoid", "tanh", "sigmoid", "logsigmoid", "softplus"),
    *("softsign", "threshold", "clamp", "exp", "log", "sqrt", "rsqrt", "pow", "square", "abs"),
    *("neg", "add", "sub", "mul", "div", "maximum", "minimum", "rsub", "rdiv", "rpow", "addcmul"),
    *("lerp", "where", "masked_fill", "erf", "sin", "cos", "reciprocal", "sign", "floor", "round"),
    *("eq", "ne", "gt", "ge", "lt", "le", "isnan", "nan_to_num", "type", "half", "double"),
    *("dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "dropout1d"),
    *("dropout2d", "dropout3d", "contiguous", "clone", "to", "float", "detach", "expand"),
    *("ScaledTanh", "DropPath", "FractalJoin"),
)
_POOLS = tuple(f"{kind}_pool{n}d" for kind in ("max", "avg", "lp") for n in (1, 2, 3))
_ADAPTIVE = tuple(f"adaptive_{kind}_pool{n}d" for kind in ("max", "avg") for n in (1, 2, 3))
_REDUCED = (
    *("mean", "sum", "amax", "amin", "std", "var", "argmax", "argmin", "prod", "logsumexp"),
)
_NORMED = ("softmax", "log_softmax", "batch_norm", "layer_norm", "group_norm", "instance_norm")
_UNSEEING = (
    *("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like"),
    *("new_zeros", "new_ones", "new_full", "new_empty", "fill", "zero"),
)

_SEVERAL: dict[str, Follow] = {
    **dict.fromkeys(_POINTWISE, mixing.same),
    **dict.fromkeys(_UNSEEING, mixing.unseeing),
    **dict.fromkeys(("mm", "bmm", "matmul"), mixing.product),
    **dict.fromkeys(("max", "min"), mixing.reduced),
    **dict.fromkeys(("cat", "stack"), shapes.cat),
    "expand_as": mixing.expanded,
    "setitem": shapes.written,
}
"""What may take several tensors that the image has a part in."""

_FOLLOW: dict[str, Follow] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), windows.convolution),
    **dict.fromkeys((f"conv_transpose{n}d" for n in (1, 2, 3)), windows.transposed),
    **dict.fromkeys(_POOLS, windows.pool),
    **dict.fromkeys(_ADAPTIVE, windows.adaptive),
    **dict.fromkeys(
        ("LocallyConnected2d", "MinPool2d", "Subsampling2d", "TableConv2d"), windows.layer
    ),
    **dict.fromkeys(("linear", "RadialBasis"), mixing.dense),
    **dict.fromkeys(_REDUCED, mixing.reduced),
    **dict.fromkeys(_NORMED, mixing.normalized),
    **dict.fromkeys(("local_response_norm", "LocalResponseNorm"), mixing.neighboring),
    **dict.fromkeys(
        ("flatten", "view", "reshape", "unflatten", "squeeze", "unsqueeze"), shapes.reshaped
    ),
    **dict.fromkeys(("permute", "transpose"), shapes.permuted),
    **dict.fromkeys(("chunk", "split", "tensor_split", "unbind"), shapes.pieces),
    **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), shapes.shuffled),
    "getitem": shapes.indexed,
    "pad": shapes.padded,
    "interpolate": shapes.enlarged,
}
"""What takes one, its first argument."""
