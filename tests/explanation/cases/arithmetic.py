"""Arithmetic of tensors, choices among them, dropout and joins, against numpy."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from convscope.layers import DropPath, DropPathSampler, FractalJoin
from tests.explanation.cases.case import Case, Net, numbers, random_tensor


def plain(kind, of, expected, decomposition="sum", words="", **shapes):
    return Case(
        kind,
        lambda: Net(
            of, **{n: random_tensor(*s, seed=k) for k, (n, s) in enumerate(shapes.items())}
        ),
        decomposition,
        lambda x, net, _y: expected(x, *map(numbers, net.parameters())),
        words=words,
    )


def dropped_or(factor):
    return lambda x, _net, y: np.where(y == 0, 0.0, x * factor)


def saturated_or(x, _net, y):
    """a·x + b or a·α + b, whichever is nearer, where the result has mean 0 and variance 1 again."""
    alpha, p = -1.0507009873554805 * 1.6732632423543772, 0.5
    a = ((1 - p) * (1 + p * alpha**2)) ** -0.5
    kept, dropped = a * x - p * a * alpha, a * alpha - p * a * alpha
    return np.where(abs(y - dropped) < 1e-5, dropped, kept)


def three_columns(only=None):
    sampler = DropPathSampler(3)
    sampler.only = only
    sampler.draw(training=False)
    return FractalJoin((1, 2, 3), sampler)


class Columns(nn.Module):
    """Three columns and their join."""

    def __init__(self, join: nn.Module) -> None:
        super().__init__()
        self.join = join

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.join([x + 0, 2 * x, x.relu()])


ARITHMETIC = [
    plain("add", lambda x, z: x + z, lambda x, z: x + z, z=(1, 3, 5, 6)),
    plain("add", lambda x, z: z + x, lambda x, z: x + z, words="one for each map", z=(3, 1, 1)),
    plain("add", lambda x, z: x + z, lambda x, z: x + z, words="a larger one", z=(2, 1, 3, 1, 6)),
    plain("add", lambda x, z: x + z, lambda x, z: x + z, words="one number", z=()),
    plain("add", lambda x: x + 0.5, lambda x: x + 0.5, words="a number"),
    plain("add", lambda x: 2 + x, lambda x: 2 + x, words="a number first"),
    plain("add", lambda x: x + x, lambda x: 2 * x, words="itself"),
    plain("add", lambda x: x.add_(1.5), lambda x: x + 1.5, words="in place"),
    plain(
        "add",
        lambda x, z: torch.add(x, z, alpha=-2.5),
        lambda x, z: x - 2.5 * z,
        words="alpha",
        z=(6,),
    ),
    plain("add", lambda x: x.add(2, alpha=3), lambda x: x + 6, words="alpha times a number"),
    plain("sub", lambda x, z: x - z, lambda x, z: x - z, z=(5, 1)),
    plain("sub", lambda x, z: z - x, lambda x, z: z - x, words="from weights", z=(5, 1)),
    plain("sub", lambda x: x - 0.25, lambda x: x - 0.25, words="a number"),
    plain(
        "sub", lambda x, z: x.sub(z, alpha=3), lambda x, z: x - 3 * z, words="alpha", z=(1, 3, 1, 1)
    ),
    plain("rsub", lambda x: 1 - x, lambda x: 1 - x),
    plain(
        "rsub",
        lambda x, z: torch.rsub(x, z, alpha=3),
        lambda x, z: z - 3 * x,
        words="alpha",
        z=(6,),
    ),
    plain("mul", lambda x, z: x * z, lambda x, z: x * z, z=(3, 1, 1)),
    plain("mul", lambda x, z: z * x, lambda x, z: x * z, words="weights first", z=(1, 3, 5, 1)),
    plain("mul", lambda x: x * 0.75, lambda x: x * 0.75, words="a number"),
    plain("mul", lambda x: 3 * x, lambda x: x * 3, words="a number first"),
    plain("mul", lambda x: x * x, lambda x: x * x, words="itself"),
    plain(
        "mul",
        lambda x: x * x.amax((2, 3), keepdim=True),
        lambda x: x * x.max((2, 3), keepdims=True),
    ),
    plain("div", lambda x: x / 3, lambda x: x / 3, words="by a number"),
    plain("div", lambda x, z: x / z, lambda x, z: x / z, "expression", z=(5, 1)),
    plain("rdiv", lambda x: 2 / x, lambda x: 2 / x, "expression"),
    plain("neg", lambda x: -x, lambda x: -x),
    plain(
        "addcmul",
        lambda x, a, b: torch.addcmul(a, x, b, value=0.5),
        lambda x, a, b: a + 0.5 * x * b,
        a=(3, 1, 1),
        b=(5, 1),
    ),
    plain(
        "addcdiv",
        lambda x, a, b: torch.addcdiv(a, x, b, value=0.5),
        lambda x, a, b: a + 0.5 * x / b,
        a=(3, 1, 1),
        b=(5, 1),
    ),
    plain("lerp", lambda x, z: x.lerp(z, 0.25), lambda x, z: 0.75 * x + 0.25 * z, z=(5, 1)),
    plain(
        "lerp",
        torch.lerp,
        lambda x, z, w: x * (1 - w) + z * w,
        words="weights",
        z=(3, 5, 6),
        w=(6,),
    ),
    plain(
        "glu",
        lambda x: F.glu(x, 3),
        lambda x: x[..., :3] / (1 + np.exp(-x[..., 3:])),
        "expression",
    ),
    plain("gt", lambda x, z: x.gt(z), lambda x, z: x > z, "expression", z=(5, 1)),
    plain(
        "ge",
        lambda x: torch.greater_equal(x * 0 + 0.7, 0.7),
        lambda x: x * 0 + 1,
        "expression",
        "a number that float32 rounds",
    ),
    plain("ge", lambda x: x >= 0.25, lambda x: x >= 0.25, "expression"),
    plain("lt", lambda x: x < 0.25, lambda x: x < 0.25, "expression"),
    plain("le", lambda x, z: x.le(z), lambda x, z: x <= z, "expression", z=(6,)),
    plain("eq", lambda x: x == x.flip(3), lambda x: x == x[..., ::-1], "expression"),
    plain("ne", lambda x: x != x.flip(2), lambda x: x != x[:, :, ::-1], "expression"),
    plain("maximum", torch.maximum, np.maximum, "maximum", other=(5, 1)),
    plain("minimum", torch.minimum, np.minimum, "minimum", other=(6,)),
    plain("max", torch.max, np.maximum, "maximum", "of two tensors", z=(5, 1)),
    plain("min", torch.min, np.minimum, "minimum", "of two tensors", z=(3, 1, 1)),
    plain(
        "where",
        lambda x, z: torch.where(x > 0, x, z),
        lambda x, z: np.where(x > 0, x, z),
        "identity",
        z=(3, 1, 1),
    ),
    plain(
        "where",
        lambda x: torch.where(x[:, :1] > 0, 0.5, x),
        lambda x: np.where(x[:, :1] > 0, 0.5, x),
        "identity",
        words="a number, and a mask of one map",
    ),
    plain(
        "where",
        lambda x: torch.where(x > 0, x, 0.1),
        lambda x: np.where(x > 0, x, float(np.float32(0.1))),
        "identity",
        words="a number that float32 rounds",
    ),
    plain(
        "where",
        lambda x, z: x.where(z > 0, z),
        lambda x, z: np.where(z > 0, x, z),
        "identity",
        words="as a method",
        z=(5, 6),
    ),
    *(
        Case(
            kind, lambda of=of: Net(lambda x: of(x, 0.5, training=False)), "identity", kept_as_it_is
        )
        for kind, of in (("dropout", F.dropout), ("dropout2d", F.dropout2d))
        for kept_as_it_is in [lambda x, _net, _y: x]
    ),
    Case("dropout", lambda: nn.Dropout(0.75), "sum", dropped_or(4.0), words="training"),
    Case("dropout", lambda: nn.Dropout(1.0), "sum", dropped_or(0.0), words="of all"),
    Case("dropout", lambda: nn.Dropout(0.0), "identity", lambda x, _net, _y: x, words="of none"),
    Case("dropout2d", lambda: nn.Dropout2d(0.25), "sum", dropped_or(4 / 3), words="training"),
    Case("dropout1d", lambda: nn.Dropout1d(0.5), "sum", dropped_or(2.0), (6, 4)),
    Case("dropout3d", lambda: nn.Dropout3d(0.5), "sum", dropped_or(2.0), (4, 2, 3, 2)),
    Case(
        "feature_dropout",
        lambda: Net(lambda x: torch.feature_dropout(x, 0.5, train=True)),
        "sum",
        dropped_or(2.0),
        (6, 2, 3),
    ),
    Case("alpha_dropout", lambda: nn.AlphaDropout(0.5), "sum", saturated_or),
    Case(
        "alpha_dropout",
        lambda: nn.AlphaDropout(0.5).eval(),
        "identity",
        lambda x, _net, _y: x,
        words="as it is",
    ),
    Case("feature_alpha_dropout", lambda: nn.FeatureAlphaDropout(0.5), "sum", saturated_or),
    Case(
        "rrelu",
        lambda: nn.RReLU(0.1, 0.4).eval(),
        "expression",
        lambda x, _net, _y: np.where(x < 0, 0.25 * x, x),
    ),
    Case("DropPath", lambda: DropPath(0.25).eval(), "sum", lambda x, _net, _y: 0.75 * x),
    Case(
        "DropPath",
        lambda: DropPath(0.25, scale_by_keep=True).eval(),
        "identity",
        lambda x, _net, _y: x,
        words="rescaled",
    ),
    *(
        Case(
            "DropPath",
            lambda per=per, rescale=rescale: DropPath(0.5, per=per, scale_by_keep=rescale),
            "sum",
            lambda x, net, y: x * (y.any() * (2.0 if net.scale_by_keep else 1.0)),
            words=f"training, per {per}, rescale={rescale}",
        )
        for per in ("batch", "sample")
        for rescale in (False, True)
    ),
    Case(
        "FractalJoin",
        lambda: Columns(three_columns().eval()),
        "sum",
        lambda x, _net, _y: (x + 2 * x + np.maximum(x, 0)) / 3,
    ),
    Case(
        "FractalJoin",
        lambda: Columns(three_columns(only=2)),
        "sum",
        lambda x, _net, _y: 2 * x,
        words="one column",
    ),
]
