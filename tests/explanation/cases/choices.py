"""What chooses units by indices or masks, or writes them elsewhere, against numpy."""

import numpy as np
import torch
from torch.nn import functional as F

from tests.explanation.cases.case import Case, Net, numbers, random_tensor

WHICH = torch.tensor([[[[4, 0, 2, 0, 1, 3]]]])
MASK = torch.arange(6) % 3 == 1


def choice(kind, of, expected, decomposition="identity", words="", **tensors):
    def whole(x, net, _y):
        others = [numbers(t) for t in (*net.parameters(), *net.buffers())]
        return expected(x, *others)

    return Case(kind, lambda: Net(of, **tensors), decomposition, whole, words=words)


def written(x, chosen, value):
    y = x.copy()
    y[chosen] = value
    return y


def added(x, w):
    y = x.copy()
    np.add.at(y, (slice(None), slice(None), [0, 2, 0]), np.broadcast_to(w, (1, 3, 3, 6)))
    return y


def scattered(x):
    y = np.zeros_like(x)
    for (n, c, _, j), value in np.ndenumerate(x[:, :, :1]):
        y[n, c, WHICH[0, 0, 0, j], j] = value
    return y


ROW = (slice(None), slice(None), [1, 3])
CHOICES = [
    choice(
        "embedding",
        lambda x, w: F.embedding((x > 0).long(), w),
        lambda x, w: w[(x > 0).astype(int)],
        w=random_tensor(2, 4),
    ),
    choice("take", lambda x: x.take(torch.tensor([7, 0, 7])), lambda x: x.ravel()[[7, 0, 7]]),
    choice(
        "masked_select",
        lambda x: x.masked_select(MASK),
        lambda x: x[..., [1, 4]].ravel(),
    ),
    choice(
        "scatter",
        lambda x: torch.zeros_like(x).scatter(2, WHICH.expand(1, 3, 1, 6), x),
        scattered,
    ),
    choice(
        "scatter",
        lambda x: x.scatter(2, WHICH.expand(1, 3, 1, 6) * 0, 1.0),
        lambda x: written(x, (slice(None), slice(None), 0), 1.0),
        words="a number",
    ),
    choice(
        "index_copy",
        lambda x, w: x.index_copy(2, torch.tensor([1, 3]), w),
        lambda x, w: written(x, ROW, w),
        w=random_tensor(1, 3, 2, 6),
    ),
    choice(
        "index_fill",
        lambda x: x.index_fill(2, torch.tensor([1, 3]), 0.5),
        lambda x: written(x, ROW, 0.5),
    ),
    choice(
        "index_put",
        lambda x, w: x.index_put((torch.tensor([0]), torch.tensor([2])), w),
        lambda x, w: written(x, ([0], [2]), w),
        w=random_tensor(5, 6),
    ),
    choice(
        "masked_scatter",
        lambda x, w: x.masked_scatter(MASK, w),
        lambda x, w: written(x, (..., [1, 4]), w),
        w=random_tensor(1, 3, 5, 2),
    ),
    choice(
        "slice_scatter",
        lambda x, w: torch.slice_scatter(x, w, 2, 1, 3),
        lambda x, w: written(x, (slice(None), slice(None), slice(1, 3)), w),
        w=random_tensor(1, 3, 2, 6),
    ),
    choice(
        "select_scatter",
        lambda x, w: torch.select_scatter(x, w, 1, 2),
        lambda x, w: written(x, (slice(None), 2), w),
        w=random_tensor(1, 5, 6),
    ),
    choice(
        "diagonal_scatter",
        lambda x, w: torch.diagonal_scatter(x[0, 0], w),
        lambda x, w: written(x[0, 0], (range(5), range(5)), w),
        w=random_tensor(5),
    ),
    choice("diag", lambda x: torch.diag(x[0, 0, 0]), lambda x: np.diag(x[0, 0, 0])),
    choice("diagflat", lambda x: torch.diagflat(x[0, 0, 0]), lambda x: np.diag(x[0, 0, 0])),
    choice("diag_embed", torch.diag_embed, lambda x: x[..., None] * np.eye(6)),
    choice(
        "block_diag",
        lambda x: torch.block_diag(x[0, 0], x[0, 1]),
        lambda x: np.block([[x[0, 0], np.zeros((5, 6))], [np.zeros((5, 6)), x[0, 1]]]),
    ),
    choice("dstack", lambda x: torch.dstack([x, 2 * x]), lambda x: np.dstack([x, 2 * x])),
    choice(
        "column_stack",
        lambda x: torch.column_stack([x, 2 * x]),
        lambda x: np.concatenate([x, 2 * x], 1),
    ),
    choice("hsplit", lambda x: torch.hsplit(x, 3)[2], lambda x: x[:, 2:]),
    choice("vsplit", lambda x: torch.vsplit(x[0], 3)[2], lambda x: x[0, 2:]),
    choice("dsplit", lambda x: torch.dsplit(x, [3])[1], lambda x: x[:, :, 3:]),
    choice(
        "broadcast_tensors",
        lambda x: torch.broadcast_tensors(torch.ones(2, 1, 1, 1), x)[1],
        lambda x: np.concatenate([x, x]),
    ),
    choice("atleast_1d", lambda x: torch.atleast_1d(x[0, 0, 0]), lambda x: x[0, 0, 0]),
    choice("atleast_2d", lambda x: torch.atleast_2d(x[0, 0, 0]), lambda x: x[0, 0, :1]),
    choice("atleast_3d", lambda x: torch.atleast_3d(x[0, 0]), lambda x: x[0, 0][..., None]),
    choice(
        "index_add",
        lambda x, w: x.index_add(2, torch.tensor([0, 2, 0]), w),
        added,
        "identity or sum",
        w=random_tensor(1, 3, 3, 6),
    ),
    choice(
        "scatter_add",
        lambda x: torch.zeros_like(x).scatter_add(2, WHICH.expand(1, 3, 1, 6), x[:, :, :1]),
        scattered,
        "identity or sum",
    ),
    choice("trace", lambda x: x[0, 0].trace(), lambda x: np.trace(x[0, 0]), "sum"),
]
