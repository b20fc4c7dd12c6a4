"""What is linear in a network's image in a way of its own, against slow loops."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tests.explanation.cases.case import Case, Net, numbers, random_tensor
from tests.explanation.cases.matrices import product
from tests.reference import explanations as reference


def scaled_up(build, mode, *, corners=False, words=""):
    return Case(
        "interpolate",
        build,
        "sum",
        lambda x, _net, y: reference.resized(x, y.shape, mode, corners=corners),
        (2, 4, 5),
        words or mode,
    )


GRID = torch.stack(
    [random_tensor(4, 3, seed=3).tanh() * 1.3, random_tensor(4, 3, seed=4).tanh() * 1.3], -1
)[None]
SEEN = torch.tensor([[n % (3 + m) < 2 for n in range(5)] for m in range(4)])
ADDED = random_tensor(4, 5, seed=8).masked_fill(~SEEN.flip(0), -math.inf)


def attended(words, of, **settings):
    """Two heads of four queries each, and of five keys."""
    return product(
        "scaled_dot_product_attention",
        of,
        lambda x, k, v, shape: reference.attention(x, k, v, **settings).reshape(shape),
        (2, 4, 6),
        words=words,
        k=(1, 2, 5, 6),
        v=(1, 2, 5, 3),
    )


ATTENTION = [
    attended(
        "a mask",
        lambda x, k, v: F.scaled_dot_product_attention(x, k, v, attn_mask=SEEN),
        seen=SEEN.tolist(),
    ),
    attended(
        "a mask that is added",
        lambda x, k, v: F.scaled_dot_product_attention(x, k, v, ADDED),
        added=ADDED.double().tolist(),
    ),
    attended(
        "a scale",
        lambda x, k, v: F.scaled_dot_product_attention(x, k, v, scale=1.5),
        scale=1.5,
    ),
    attended(
        "causal, more keys than queries",
        lambda x, k, v: F.scaled_dot_product_attention(x, k, v, is_causal=True),
        causal=True,
    ),
    product(
        "scaled_dot_product_attention",
        lambda x, k, v: F.scaled_dot_product_attention(x, k, v, enable_gqa=True),
        lambda x, k, v, shape: reference.attention(
            x, k.repeat(2, axis=1), v.repeat(2, axis=1)
        ).reshape(shape),
        (4, 4, 6),
        words="two heads of queries for each of keys",
        k=(1, 2, 5, 6),
        v=(1, 2, 5, 3),
    ),
]
LINEAR = [
    *ATTENTION,
    scaled_up(lambda: nn.Upsample(scale_factor=2), "nearest"),
    scaled_up(lambda: nn.Upsample(size=(7, 3)), "nearest", words="nearest, to a size"),
    scaled_up(lambda: nn.Upsample((7, 8), mode="bilinear"), "bilinear"),
    scaled_up(
        lambda: nn.Upsample((7, 3), mode="bilinear", align_corners=True),
        "bilinear",
        corners=True,
        words="corners",
    ),
    scaled_up(lambda: nn.Upsample((7, 8), mode="bicubic"), "bicubic"),
    product(
        "einsum",
        lambda x, w: torch.einsum("nchw,oc->nohw", x, w),
        lambda x, w, shape: reference.matrix_product(
            w, x.reshape(1, x.shape[1], -1), (1, len(w), x[0, 0].size)
        ).reshape(shape),
        (3, 4, 5),
        w=(2, 3),
    ),
    product(
        "einsum",
        lambda x, w: torch.einsum("oc,nchw->no", w, x),
        lambda x, w, shape: np.array(
            [[math.fsum((w[o][:, None, None] * x[0]).ravel()) for o in range(len(w))]]
        ).reshape(shape),
        (3, 4, 5),
        words="weights first",
        w=(2, 3),
    ),
    Case(
        "grid_sample",
        lambda: Net(lambda x, grid: F.grid_sample(x, grid, align_corners=False), grid=GRID),
        "sum",
        lambda x, net, _y: reference.sampled(x, numbers(net.grid)),
        (2, 4, 5),
    ),
    product(
        "scaled_dot_product_attention",
        F.scaled_dot_product_attention,
        lambda x, k, v, shape: reference.attention(x, k, v).reshape(shape),
        (2, 4, 6),
        k=(1, 2, 5, 6),
        v=(1, 2, 5, 3),
    ),
    product(
        "scaled_dot_product_attention",
        lambda x: F.scaled_dot_product_attention(x, 2 * x, x / 2, is_causal=True),
        lambda x, shape: reference.attention(x, 2 * x, x / 2, causal=True).reshape(shape),
        (2, 4, 6),
        words="causal",
    ),
    product(
        "fold",
        lambda x: F.fold(x, (4, 5), 2),
        lambda x, shape: reference.folded(x, shape, kernel=(2, 2)),
        (8, 12),
    ),
    product(
        "einsum",
        lambda x: torch.einsum("nchw,ndhw->ncd", x, x),
        lambda x, shape: np.einsum("nchw,ndhw->ncd", x, x).reshape(shape),
        (2, 4, 6),
        words="with itself",
    ),
    product(
        "einsum",
        lambda x, w: torch.einsum("nchw,ncd,ndhw->nhw", x, w, 2 * x),
        lambda x, w, shape: np.einsum("nchw,ncd,ndhw->nhw", x, w, 2 * x).reshape(shape),
        (2, 4, 6),
        words="of three",
        w=(1, 2, 2),
    ),
    product(
        "scaled_dot_product_attention",
        lambda x: F.scaled_dot_product_attention(x, x, value=x),
        lambda x, shape: reference.attention(x, x, x).reshape(shape),
        (2, 4, 6),
        words="of itself",
    ),
    product(
        "bilinear",
        lambda x, w, b: F.bilinear(x, x / 2, w, b),
        lambda x, w, b, shape: np.einsum("nchi,kij,nchj->nchk", x, w, x / 2) + b,
        w=(3, 6, 6),
        b=(3,),
    ),
    product("dot", lambda x, w: x[0, 0, 0].dot(w), lambda x, w, shape: x[0, 0, 0] @ w, w=(6,)),
    product(
        "vdot",
        lambda x: torch.vdot(x[0, 0, 0], x[0, 0, 0]),
        lambda x, shape: x[0, 0, 0] @ x[0, 0, 0],
        words="with itself",
    ),
    product("inner", torch.inner, lambda x, w, shape: x @ w.T, w=(3, 6)),
    product("kron", torch.kron, lambda x, w, shape: np.kron(x, w), w=(2, 3)),
    product(
        "cross",
        lambda x, w: torch.cross(w, x[..., :3], dim=-1),
        lambda x, w, shape: np.cross(w, x[..., :3]),
        w=(1, 2, 4, 3),
    ),
    product(
        "tensordot",
        lambda x, w: torch.tensordot(x, w, dims=([1, 3], [0, 1])),
        lambda x, w, shape: np.tensordot(x, w, ([1, 3], [0, 1])),
        w=(2, 6, 3),
    ),
    product(
        "multi_dot",
        lambda x, w: torch.linalg.multi_dot([w, x[0, 0], x[0, 1].mT]),
        lambda x, w, shape: w @ x[0, 0] @ x[0, 1].T,
        w=(3, 4),
    ),
    product(
        "chain_matmul",
        lambda x, w: torch.chain_matmul(x[0, 0], w),
        lambda x, w, shape: x[0, 0] @ w,
        w=(6, 3),
    ),
]
