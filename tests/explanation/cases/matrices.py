"""Products of matrices, against slow loops."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from convscope.layers import RadialBasis
from tests.explanation.cases.case import Case, Net, numbers, random_tensor
from tests.reference import explanations as reference
from tests.reference import layers as slow


def product(kind, of, expected, image=(2, 4, 6), words="", **shapes):
    return Case(
        kind,
        lambda: Net(
            of, **{n: random_tensor(*s, seed=k) for k, (n, s) in enumerate(shapes.items())}
        ),
        "sum",
        lambda x, net, y: expected(
            x, *(numbers(tensor) for tensor in net.parameters()), shape=y.shape
        ),
        image,
        words,
    )


def densely(x, net, _y):
    return reference.dense(x, numbers(net.weight), numbers(net.bias))


MATRICES = [
    Case("linear", lambda: nn.Linear(6, 4), "sum", densely, (6,), "one row"),
    Case("linear", lambda: nn.Linear(6, 4, bias=False), "sum", densely, (6,), "no bias"),
    Case("linear", lambda: nn.Linear(6, 4), "sum", densely, (5, 6), "tokens"),
    Case("linear", lambda: nn.Linear(6, 1), "sum", densely, (2, 5, 6), "last axis of maps"),
    product(
        "linear",
        F.linear,
        lambda x, w, *, shape: reference.dense(x, w[None], None).reshape(shape),
        words="one filter that is a vector",
        w=(6,),
    ),
    product(
        "matmul",
        lambda x, w: x @ w,
        reference.matrix_product,
        w=(6, 5),
    ),
    product(
        "matmul",
        lambda x, w: x @ w,
        reference.matrix_product,
        words="batches",
        w=(1, 2, 6, 3),
    ),
    product(
        "matmul",
        lambda x, w: x @ w,
        reference.matrix_product,
        words="one for each map",
        image=(1, 4, 6),
        w=(3, 6, 2),
    ),
    product(
        "matmul",
        lambda x, w: torch.matmul(w, x),
        lambda x, w, shape: reference.matrix_product(w, x, shape),
        words="weights first",
        w=(3, 4),
    ),
    product(
        "matmul",
        lambda x, w: x.matmul(w),
        reference.matrix_product,
        words="a vector last",
        w=(6,),
    ),
    product(
        "matmul",
        lambda x, w: torch.matmul(w, x),
        lambda x, w, shape: reference.matrix_product(w, x, shape),
        words="a vector first",
        w=(4,),
    ),
    product(
        "matmul",
        lambda x, w: x[0, 0, 0] @ w,
        lambda x, w, shape: reference.matrix_product(x[0, 0, 0], w, shape),
        words="two vectors",
        w=(6,),
    ),
    product(
        "matmul",
        lambda x: x @ x.mT,
        lambda x, shape: reference.matrix_product(x, x.swapaxes(2, 3), shape),
        words="with itself",
    ),
    product(
        "bmm",
        lambda x, w: x.bmm(w),
        reference.matrix_product,
        image=(4, 6),
        w=(1, 6, 3),
    ),
    product(
        "bmm",
        lambda x, w: torch.bmm(x[0], w),
        lambda x, w, shape: reference.matrix_product(x[0], w, shape),
        words="two",
        w=(2, 6, 3),
    ),
    product(
        "mm",
        lambda x, w: x[0, 1].mm(w),
        lambda x, w, shape: reference.matrix_product(x[0, 1], w, shape),
        w=(6, 3),
    ),
    product(
        "mm",
        torch.mm,
        reference.matrix_product,
        image=(6,),
        words="one row",
        w=(6, 3),
    ),
    product(
        "mv",
        lambda x, w: x[0, 1].mv(w),
        lambda x, w, shape: reference.matrix_product(x[0, 1], w, shape),
        w=(6,),
    ),
    product(
        "addmm",
        lambda x, b, w: torch.addmm(b, x[0, 1], w),
        lambda x, b, w, shape: reference.matrix_product(x[0, 1], w, shape, b),
        b=(3,),
        w=(6, 3),
    ),
    product(
        "addmm",
        lambda x, b, w: torch.addmm(b, x[0, 1], w),
        lambda x, b, w, shape: reference.matrix_product(x[0, 1], w, shape, b),
        words="a column",
        b=(4, 1),
        w=(6, 3),
    ),
    product(
        "baddbmm",
        lambda x, b, w: torch.baddbmm(b, x[0], w),
        lambda x, b, w, shape: reference.matrix_product(x[0], w, shape, b),
        b=(2, 1, 3),
        w=(2, 6, 3),
    ),
    product(
        "baddbmm",
        lambda x, b, w: b.baddbmm(x, w),
        lambda x, b, w, shape: reference.matrix_product(x, w, shape, b),
        image=(4, 6),
        words="one",
        b=(1, 4, 3),
        w=(1, 6, 3),
    ),
    product(
        "addmm",
        lambda x, b, w: torch.addmm(b, x[0, 1], w, beta=0.5, alpha=-2),
        lambda x, b, w, shape: -2 * reference.matrix_product(x[0, 1], w, shape) + b / 2,
        words="alpha and beta",
        b=(4, 3),
        w=(6, 3),
    ),
    product(
        "addmm",
        lambda x, w: torch.addmm(x[0, 0, :, :3], x[0, 1], w),
        lambda x, w, shape: reference.matrix_product(x[0, 1], w, shape) + x[0, 0, :, :3],
        words="added to the image",
        w=(6, 3),
    ),
    product(
        "baddbmm",
        lambda x, w: torch.baddbmm(x[0] * float("nan"), x[0], w, beta=0),
        lambda x, w, shape: reference.matrix_product(x[0], w, shape),
        words="added to nothing",
        w=(2, 6, 6),
    ),
    product(
        "addmv",
        lambda x, b, w: torch.addmv(b, x[0, 1], w, alpha=2),
        lambda x, b, w, shape: 2 * reference.matrix_product(x[0, 1], w, shape) + b,
        b=(4,),
        w=(6,),
    ),
    product(
        "addbmm",
        lambda x, b, w: torch.addbmm(b, x[0], w),
        lambda x, b, w, shape: sum(reference.matrix_product(x[0], w, (2, *shape))) + b,
        b=(4, 3),
        w=(2, 6, 3),
    ),
    product(
        "addbmm",
        lambda x, b, w: torch.addbmm(b, w, x[0], beta=0.5, alpha=2),
        lambda x, b, w, shape: 2 * sum(reference.matrix_product(w, x[0], (2, *shape))) + b / 2,
        words="weights first",
        b=(3, 6),
        w=(2, 3, 4),
    ),
    product(
        "addr",
        lambda x, b, w: torch.addr(b, x[0, 0, 0], w, beta=0.5, alpha=3),
        lambda x, b, w, shape: b / 2 + 3 * np.outer(x[0, 0, 0], w),
        b=(6, 3),
        w=(3,),
    ),
    product(
        "outer",
        lambda x, w: torch.outer(w, x[0, 0, 0]),
        lambda x, w, shape: np.outer(w, x[0, 0, 0]),
        w=(3,),
    ),
    Case(
        "RadialBasis",
        lambda: RadialBasis(random_tensor(3, 6)),
        "sum",
        lambda x, net, _y: -slow.distance(torch.from_numpy(x), net.codes.double()),
        (6,),
    ),
]
