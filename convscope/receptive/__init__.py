"""The receptive field of every unit of every operation, through any graph of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from convscope.errors import RequestError
from convscope.geometry import Field, Support
from convscope.receptive import mixing, shapes, windows
from convscope.receptive.seen import Axis, Seen, Unknown
from convscope.record import IMAGE, Operation

__all__ = ["Seen", "receptive_fields"]


def receptive_fields(
    done: Sequence[Operation], image: Sequence[int], *, known: Mapping[str, Seen] | None = None
) -> dict[str, Seen]:
    """What the units of every operation see of an image of shape `image` (1, c, h, w), by name.

    The field of a graph is the union over its branches. An operation that is not known is taken to
    see everything, and everything behind it says so in `exact`. What units of other operands see
    may be given as `known`.
    """
    axes = tuple(Axis(Field(), Support.image(side)) for side in image[2:])
    space = [((place, side),) for place, side in enumerate(image[2:])]
    seen = {IMAGE: Seen(axes, (((None, image[0]),), ((None, image[1]),), *space)), **(known or {})}
    for operation in done:
        operands = [seen[name] for name in operation.operands]
        follow = _FOLLOW.get(operation.kind)
        try:
            if follow is None:
                raise Unknown  # noqa: TRY301 -- as a rule does that meets what it cannot follow
            result = follow(operation, operands)
        except (Unknown, RequestError):
            result = mixing.everything(operation, operands)
        seen[operation.name] = replace(
            result, exact=result.exact and all(o.exact for o in operands)
        )
    return seen


Follow = Callable[[Operation, Sequence[Seen]], Seen]

_POINTWISE = (
    *("relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu", "gelu", "silu"),
    *("mish", "hardtanh", "hardswish", "hardsigmoid", "tanh", "sigmoid", "logsigmoid", "softplus"),
    *("softsign", "threshold", "clamp", "exp", "log", "sqrt", "rsqrt", "pow", "square", "abs"),
    *("neg", "add", "sub", "mul", "div", "maximum", "minimum", "batch_norm"),
    *("local_response_norm", "dropout", "alpha_dropout", "feature_dropout", "dropout1d"),
    *("dropout2d", "dropout3d", "contiguous", "clone", "to", "float", "detach"),
    *("ScaledTanh", "LocalResponseNorm", "DropPath", "FractalJoin"),
)
_POOLS = tuple(f"{kind}_pool{n}d" for kind in ("max", "avg", "lp") for n in (1, 2, 3))
_ADAPTIVE = tuple(f"adaptive_{kind}_pool{n}d" for kind in ("max", "avg") for n in (1, 2, 3))
_MIXED = ("softmax", "log_softmax", "layer_norm", "group_norm", "instance_norm")

_FOLLOW: dict[str, Follow] = {
    **dict.fromkeys(_POINTWISE, mixing.same),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), windows.convolution),
    **dict.fromkeys((f"conv_transpose{n}d" for n in (1, 2, 3)), windows.transposed),
    **dict.fromkeys(_POOLS, windows.pool),
    **dict.fromkeys(_ADAPTIVE, windows.adaptive),
    **dict.fromkeys(
        ("LocallyConnected2d", "MinPool2d", "Subsampling2d", "TableConv2d"), windows.layer
    ),
    **dict.fromkeys(("linear", "RadialBasis"), mixing.dense),
    **dict.fromkeys(("mean", "sum", "amax", "amin", "std", "var"), mixing.reduced),
    **dict.fromkeys(_MIXED, mixing.mixed),
    **dict.fromkeys(
        ("flatten", "view", "reshape", "unflatten", "squeeze", "unsqueeze"), shapes.reshaped
    ),
    **dict.fromkeys(("permute", "transpose"), shapes.permuted),
    **dict.fromkeys(("chunk", "split", "tensor_split"), shapes.pieces),
    "cat": shapes.cat,
    "getitem": shapes.indexed,
    "pad": shapes.padded,
    "interpolate": shapes.enlarged,
}
