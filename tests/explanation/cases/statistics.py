"""Variances, norms, products, logarithms of sums, distances and running sums, against numpy."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tests.explanation.cases.arithmetic import plain
from tests.explanation.cases.case import Case, numbers


def spread(kind, of, expected, words="", decomposition="expression"):
    return plain(kind, of, expected, decomposition, words)


def shifted(x):
    return (x.astype(np.float32) / 64 + np.float32(100)).astype(float)


def lengths(x, order, axis=None):
    return (np.abs(x) ** order).sum(axis) ** (1 / order)


SPREADS = [
    spread("var", torch.var, lambda x: x.var(ddof=1)),
    spread("var", lambda x: x.var(1), lambda x: x.var(1, ddof=1), "of channels"),
    spread("var", lambda x: x.var((2, -1), False), lambda x: x.var((2, 3)), "biased"),  # noqa: FBT003
    spread("var", lambda x: x.var(False), lambda x: x.var(), "all, biased"),  # noqa: FBT003
    spread(
        "var",
        lambda x: torch.var(x, dim=(1, 2), correction=2, keepdim=True),
        lambda x: x.var((1, 2), ddof=2, keepdims=True),
        "correction",
    ),
    spread("std", lambda x: x.std((2, 3)), lambda x: x.std((2, 3), ddof=1)),
    spread("std", lambda x: x.std(unbiased=False), lambda x: x.std(), "all, biased"),
    spread(
        "std", lambda x: (x / 64 + 100).std(2), lambda x: shifted(x).std(2, ddof=1), "far from 0"
    ),
    spread("var_mean", lambda x: torch.var_mean(x, 1)[0], lambda x: x.var(1, ddof=1)),
    spread("var_mean", lambda x: torch.var_mean(x, 1)[1], lambda x: x.mean(1), "mean", "sum"),
    spread(
        "std_mean",
        lambda x: torch.std_mean(x, (1, 3), correction=0, keepdim=True)[0],
        lambda x: x.std((1, 3), keepdims=True),
    ),
    spread("std_mean", lambda x: torch.std_mean(x)[1], lambda x: x.mean(), "mean", "sum"),
]

REDUCED = [
    spread("prod", torch.prod, lambda x: x.prod()),
    spread("prod", lambda x: x.prod(2, keepdim=True), lambda x: x.prod(2, keepdims=True), "rows"),
    spread("logsumexp", lambda x: x.logsumexp((1, 2)), lambda x: np.log(np.exp(x).sum((1, 2)))),
    spread(
        "logsumexp",
        lambda x: torch.logsumexp(x * 512, -1),
        lambda x: 512 * x.max(-1) + np.log(np.exp(512 * (x - x.max(-1, keepdims=True))).sum(-1)),
        "of large numbers",
    ),
    spread("norm", lambda x: x.norm(), lambda x: lengths(x, 2)),
    spread("norm", lambda x: x.norm(1, dim=1), lambda x: lengths(x, 1, 1), "of the first order"),
    spread("norm", lambda x: torch.norm(x, dim=(2, 3)), lambda x: lengths(x, 2, (2, 3)), "maps"),
    spread("norm", lambda x: x.norm(math.inf, 1), lambda x: np.abs(x).max(1), "largest"),
    spread("norm", lambda x: x.norm(3), lambda x: lengths(x, 3), "third order"),
    spread("norm", lambda x: x.relu().norm(0, 1), lambda x: (x > 0).sum(1), "how many"),
    spread("norm", torch.linalg.norm, lambda x: lengths(x, 2), "linalg"),
    spread("norm", lambda x: torch.linalg.norm(x, 1, 2), lambda x: lengths(x, 1, 2), "linalg, 1"),
    spread(
        "vector_norm",
        lambda x: torch.linalg.vector_norm(x, 1.5, (1,), True),  # noqa: FBT003
        lambda x: lengths(x, 1.5, 1)[:, None],
    ),
    spread("matrix_norm", torch.linalg.matrix_norm, lambda x: lengths(x, 2, (2, 3))),
]

DIRECTIONS = [
    spread("normalize", F.normalize, lambda x: x / lengths(x, 2, 1)[:, None]),
    spread("normalize", lambda x: F.normalize(x, dim=-1, eps=100.0), lambda x: x / 100, "short"),
    spread(
        "normalize",
        lambda x: F.normalize(x, p=1, dim=(2, 3)),
        lambda x: x / np.abs(x).sum((2, 3), keepdims=True),
        "of maps",
    ),
    plain(
        "weight_norm",
        lambda x, v: torch._weight_norm(v, x[0, :1, :, :1], 1),
        lambda x, v: v / np.sqrt((v * v).sum((0, 2), keepdims=True)) * x[0, :1, :, :1],
        "expression",
        v=(3, 5, 2),
    ),
    plain(
        "weight_norm",
        lambda x, v: torch._weight_norm(v, x[0, 0, 0, 0], -1),
        lambda x, v: v / np.sqrt((v * v).sum()) * x[0, 0, 0, 0],
        "expression",
        "over all dimensions",
        v=(3, 5, 2),
    ),
    plain(
        "cosine_similarity",
        F.cosine_similarity,
        lambda x, z: (x * z).sum(1) / lengths(x, 2, 1) / lengths(z + 0 * x, 2, 1),
        z=(3, 5, 1),
    ),
    plain(
        "cosine_similarity",
        lambda x, z: F.cosine_similarity(z, x, dim=-1),
        lambda x, z: (x * z).sum(-1) / lengths(x, 2, -1) / lengths(z, 2, -1),
        words="of rows",
        z=(6,),
    ),
    plain(
        "pairwise_distance",
        F.pairwise_distance,
        lambda x, z: lengths(x - z + 1e-6, 2, -1),
        "expression",
        z=(5, 6),
    ),
    plain(
        "pairwise_distance",
        lambda x, z: F.pairwise_distance(x, z, 1, keepdim=True),
        lambda x, z: lengths(x - z + 1e-6, 1, -1)[..., None],
        "expression",
        words="first order",
        z=(5, 6),
    ),
    plain(
        "cdist",
        torch.cdist,
        lambda x, z: lengths(x[..., None, :] - z[:, None], 2, -1),
        "expression",
        z=(3, 4, 6),
    ),
    plain(
        "cdist",
        lambda x, z: torch.cdist(x.reshape(1, 30, 3), z + x.reshape(1, 30, 3)),
        lambda x, z: lengths(x.reshape(1, 30, 1, 3) - moved(x, z)[:, None], 2, -1),
        "expression",
        words="many rows",
        z=(3,),
    ),
]


def moved(x, z):
    return (z + x.reshape(1, 30, 3)).astype(np.float32).astype(float)


RUNNING = [
    plain("cumsum", lambda x: x.cumsum(1), lambda x: x.cumsum(1)),
    plain("cumsum", lambda x: x.cumsum(-1), lambda x: x.cumsum(3), words="columns"),
    spread("cumprod", lambda x: x.cumprod(2), lambda x: x.cumprod(2)),
    spread(
        "logcumsumexp",
        lambda x: x.logcumsumexp(3),
        lambda x: np.log(np.exp(x).cumsum(3)),
    ),
    plain("diff", lambda x: x.diff(dim=2), lambda x: np.diff(x, axis=2)),
]


def root_mean_square(x, net, _y):
    axes = tuple(range(-len(net.normalized_shape), 0))
    eps = np.finfo(np.float32).eps if net.eps is None else net.eps
    y = x / np.sqrt((x * x).mean(axes, keepdims=True) + eps)
    return y if net.weight is None else y * numbers(net.weight)


ROOT_MEAN_SQUARE = [
    Case("rms_norm", lambda: nn.RMSNorm(6), "sum", root_mean_square),
    Case("rms_norm", lambda: nn.RMSNorm((5, 6), eps=0.5), "sum", root_mean_square, words="maps"),
    Case(
        "rms_norm",
        lambda: nn.RMSNorm(6, elementwise_affine=False),
        "sum",
        root_mean_square,
        words="without weights",
    ),
]

STATISTICS = [*SPREADS, *REDUCED, *DIRECTIONS, *RUNNING, *ROOT_MEAN_SQUARE]
