"""Extrema, ranks and their indices, against numpy."""

import numpy as np
import torch
from torch.nn import functional as F

from tests.explanation.cases.case import Case, Net


def order(kind, of, expected, decomposition="expression", words="", image=(3, 5, 6)):
    return Case(kind, lambda: Net(of), decomposition, lambda x, _net, _y: expected(x), image, words)


def indices(of):
    return lambda x: of(x)[1]


def ranked(x, dim, rank):
    return np.take(np.sort(x, dim), rank, dim)


def position(x, dim, rank):
    return np.take(np.argsort(x, dim), rank, dim)


ORDER = [
    order("max", lambda x: x.max(1)[0], lambda x: x.max(1), "maximum", "values"),
    order(
        "min",
        lambda x: x.min(-1, keepdim=True)[0],
        lambda x: x.min(3, keepdims=True),
        "minimum",
        "values",
    ),
    order("max", indices(lambda x: x.max(1)), lambda x: x.argmax(1), words="indices"),
    order(
        "min",
        indices(lambda x: x.min(-1, keepdim=True)),
        lambda x: x.argmin(3)[..., None],
        words="indices",
    ),
    order("max", torch.max, lambda x: x.max(), "maximum"),
    order("amax", lambda x: x.amax((1, -1)), lambda x: x.max((1, 3)), "maximum"),
    order(
        "amax", lambda x: x.int().amax(1), lambda x: np.trunc(x).max(1), "maximum", "of integers"
    ),
    order("amin", lambda x: x.amin(2, keepdim=True), lambda x: x.min(2, keepdims=True), "minimum"),
    order("argmax", torch.argmax, lambda x: x.argmax()),
    order(
        "one_hot",
        lambda x: F.one_hot(x[0].argmax(0), 4),
        lambda x: np.eye(4)[x[0].argmax(0)],
    ),
    order("argmax", lambda x: x.argmax(-2), lambda x: x.argmax(2), words="of rows"),
    order("argmin", lambda x: x.argmin(1, keepdim=True), lambda x: x.argmin(1)[:, None]),
    order("aminmax", lambda x: x.aminmax(dim=1)[0], lambda x: x.min(1), "minimum"),
    order("aminmax", lambda x: x.aminmax().max, lambda x: x.max(), "maximum", "the larger"),
    order("cummax", lambda x: x.cummax(2)[0], lambda x: np.maximum.accumulate(x, 2), "maximum"),
    order("cummin", lambda x: x.cummin(-1)[0], lambda x: np.minimum.accumulate(x, 3), "minimum"),
    order(
        "cummax",
        indices(lambda x: x.cummax(2)),
        lambda x: np.maximum.accumulate(
            np.where(x == np.maximum.accumulate(x, 2), np.arange(5)[:, None], 0), 2
        ),
        words="indices",
    ),
    order("sort", lambda x: x.sort(1)[0], lambda x: np.sort(x, 1), "identity"),
    order(
        "sort",
        lambda x: x.sort(descending=True)[0],
        lambda x: np.sort(x)[..., ::-1],
        "identity",
        "the other way",
    ),
    order(
        "sort",
        indices(lambda x: x.sort(-2, descending=True)),
        lambda x: np.argsort(-x, 2),
        words="indices",
    ),
    order("argsort", lambda x: x.argsort(1, descending=True), lambda x: np.argsort(-x, 1)),
    order("msort", lambda x: torch.msort(x[0]), lambda x: np.sort(x[0], 0), "identity"),
    order("topk", lambda x: x.topk(2, 1)[0], lambda x: np.sort(x, 1)[:, :0:-1], "identity"),
    order(
        "topk",
        lambda x: x.topk(3, largest=False)[0],
        lambda x: np.sort(x)[..., :3],
        "identity",
        "smallest",
    ),
    order(
        "topk",
        indices(lambda x: x.topk(2, 2)),
        lambda x: np.argsort(-x, 2)[:, :, :2],
        words="indices",
    ),
    order("kthvalue", lambda x: x.kthvalue(2)[0], lambda x: ranked(x, 3, 1), "identity"),
    order(
        "kthvalue",
        indices(lambda x: x.kthvalue(3, 1)),
        lambda x: position(x, 1, 2),
        words="indices",
    ),
    order("median", lambda x: x.median(), lambda x: np.sort(x.ravel())[44], "identity"),
    order(
        "median",
        lambda x: x.median(3)[0],
        lambda x: ranked(x, 3, 2),
        "identity",
        "the lower of two",
    ),
    order(
        "median",
        indices(lambda x: x.median(2, keepdim=True)),
        lambda x: position(x, 2, [2]),
        words="index",
    ),
    order("nanmedian", lambda x: x.nanmedian(2)[0], lambda x: ranked(x, 2, 2), "identity"),
    order("any", lambda x: (x > 1).any(1), lambda x: (x > 1).any(1)),
    order("any", lambda x: x.relu().any(), lambda x: (x > 0).any(), words="of numbers"),
    order("all", lambda x: (x > -1).all(2, keepdim=True), lambda x: (x > -1).all(2, keepdims=True)),
    order("count_nonzero", lambda x: x.relu().count_nonzero(3), lambda x: (x > 0).sum(3)),
]
