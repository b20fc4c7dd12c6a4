"""What moves, repeats, overwrites or casts numbers, against numpy."""

import itertools
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tests.explanation.cases.case import Case, Net, numbers, random_tensor


def move(kind, of, expected, image=(4, 3, 6), words="", **tensors):
    return Case(
        kind,
        lambda: Net(of, **tensors),
        "identity",
        lambda x, net, _y: expected(x, *(numbers(getattr(net, name)) for name in net.words)),
        image,
        words,
    )


def written(shape, writes):
    """An array with numbers put in place."""

    def expected(x, *others):
        y = x.copy() if shape is None else np.zeros(shape)
        writes(y, x, *others)
        return y

    return expected


def put(place, value):
    def write(y, *_):
        y[place] = value

    return written(None, write)


def assigned(place, value):
    def of(x):
        x = x.clone()
        x[place] = value
        return x

    return of


def shuffled(x, groups):
    n, c, h, w = x.shape
    return x.reshape(n, groups, c // groups, h, w).swapaxes(1, 2).reshape(x.shape)


def depth_to_space(x, r):
    n, c, h, w = x.shape
    y = np.empty((n, c // r**2, h * r, w * r))
    for c_, i, j in itertools.product(*map(range, y.shape[1:])):
        y[0, c_, i, j] = x[0, c_ * r**2 + i % r * r + j % r, i // r, j // r]
    return y


def space_to_depth(x, r):
    n, c, h, w = x.shape
    y = np.empty((n, c * r**2, h // r, w // r))
    for c_, i, j in itertools.product(*map(range, x.shape[1:])):
        y[0, c_ * r**2 + i % r * r + j % r, i // r, j // r] = x[0, c_, i, j]
    return y


def patches(x, size, pad):
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(padded[0], (size, size), (1, 2))
    c, rows, cols = windows.shape[:3]
    return windows.transpose(0, 3, 4, 1, 2).reshape(1, c * size * size, rows * cols)


ORDER = torch.tensor([2, 0, 2])
CHOICE = torch.tensor([[[[0, 5, 5], [1, 2, 3], [4, 4, 0]]]]).expand(1, 4, 3, 3)
MASK = torch.arange(18).reshape(3, 6) % 4 == 0


def where_mask(value):
    return lambda x, mask: np.where(mask.astype(bool), value, x)


MOVES = [
    move("flatten", lambda x: x.flatten(1), lambda x: x.reshape(1, -1)),
    move("flatten", nn.Flatten(2, 3), lambda x: x.reshape(1, 4, -1), words="two"),
    move("view", lambda x: x.view(1, -1, 2), lambda x: x.reshape(1, -1, 2)),
    move(
        "reshape",
        lambda x: x.transpose(1, 3).reshape(3, -1),
        lambda x: x.swapaxes(1, 3).reshape(3, -1),
    ),
    move("unflatten", lambda x: x.unflatten(1, (2, 2)), lambda x: x.reshape(1, 2, 2, 3, 6)),
    move("squeeze", lambda x: x.squeeze(), lambda x: x[0]),
    move("squeeze", lambda x: x.squeeze(1), lambda x: x[:, 0], (1, 3, 4), "one of one map"),
    move("unsqueeze", lambda x: x.unsqueeze(2), lambda x: x[:, :, None]),
    move("ravel", lambda x: x.ravel(), lambda x: x.ravel()),
    move(
        "view_as", lambda x, z: x.view_as(z), lambda x, _: x.reshape(6, 12), z=random_tensor(6, 12)
    ),
    move(
        "reshape_as",
        lambda x, z: x.reshape_as(z),
        lambda x, _: x.reshape(6, 12),
        z=random_tensor(6, 12),
    ),
    move(
        "expand_as",
        lambda x, z: x[:, :1].expand_as(z),
        lambda x, _: np.tile(x[:, :1], (1, 5, 1, 1)),
        z=random_tensor(1, 5, 3, 6),
    ),
    move("permute", lambda x: x.permute(0, 2, 3, 1), lambda x: x.transpose(0, 2, 3, 1)),
    move(
        "permute",
        lambda x: torch.permute(x, (3, 0, 1, 2)),
        lambda x: x.transpose(3, 0, 1, 2),
        words="()",
    ),
    move("transpose", lambda x: x.transpose(1, 2), lambda x: x.swapaxes(1, 2)),
    move("transpose", lambda x: x.swapaxes(-1, 1), lambda x: x.swapaxes(-1, 1), words="swapaxes"),
    move("movedim", lambda x: x.movedim(1, 3), lambda x: np.moveaxis(x, 1, 3)),
    move("moveaxis", lambda x: x.moveaxis(3, 1), lambda x: np.moveaxis(x, 3, 1)),
    move("T", lambda x: x[0, 0].T, lambda x: x[0, 0].T),
    move("mT", lambda x: x.mT, lambda x: x.swapaxes(2, 3)),
    move("t", lambda x: x[0, 1].t(), lambda x: x[0, 1].T),
    move("contiguous", lambda x: x.mT.contiguous(), lambda x: x.swapaxes(2, 3)),
    move("clone", lambda x: x.clone(), lambda x: x),
    move("detach", lambda x: x.detach(), lambda x: x),
    move("data", lambda x: x.data, lambda x: x),
    move("alias", torch.ops.aten.alias, lambda x: x),
    move("requires_grad", lambda x: x.requires_grad_(), lambda x: x),
    move("positive", torch.positive, lambda x: x),
    move(
        "expand", lambda x: x[:, :, :1].expand(-1, -1, 4, 6), lambda x: np.repeat(x[:, :, :1], 4, 2)
    ),
    move(
        "broadcast_to",
        lambda x: x[0, 0].broadcast_to(2, 3, 6),
        lambda x: np.broadcast_to(x[0, 0], (2, 3, 6)),
    ),
    move("repeat", lambda x: x.repeat(1, 2, 1, 3), lambda x: np.tile(x, (1, 2, 1, 3))),
    move("tile", lambda x: x.tile(2, 2), lambda x: np.tile(x, (2, 2))),
    move("repeat_interleave", lambda x: x.repeat_interleave(2, 1), lambda x: np.repeat(x, 2, 1)),
    move(
        "repeat_interleave",
        lambda x, n: x.repeat_interleave(n, 2),
        lambda x, n: np.repeat(x, n.astype(int), 2),
        words="each its own",
        n=torch.tensor([2, 0, 3]),
    ),
    move("getitem", lambda x: x[:, 1:, ::2, -4:], lambda x: x[:, 1:, ::2, -4:], words="slices"),
    move("getitem", lambda x: x[0, -1], lambda x: x[0, -1], words="numbers"),
    move("getitem", lambda x: x[..., None, 2], lambda x: x[..., None, 2], words="None"),
    move(
        "getitem",
        lambda x, m: x[:, :, m],
        lambda x, m: x[:, :, m.astype(bool)],
        words="mask",
        m=MASK,
    ),
    move(
        "getitem",
        lambda x, n: x[:, n, 1:, n],
        lambda x, n: x[:, n.astype(int), 1:, n.astype(int)],
        words="indices",
        n=ORDER,
    ),
    move("getitem", lambda x: x[:, [3, 0]], lambda x: x[:, [3, 0]], words="a list"),
    move(
        "setitem",
        assigned((slice(None), 0), 0.1),
        put((slice(None), 0), float(np.float32(0.1))),
        words="a number",
    ),
    move("setitem", assigned((Ellipsis, 0), 0), put((Ellipsis, 0), 0.0), words="zero"),
    move("setitem", assigned((Ellipsis, 0), -1), put((Ellipsis, 0), -1.0), words="minus one"),
    move(
        "setitem",
        assigned((0, slice(1, 3)), random_tensor(3, 6)),
        put((0, slice(1, 3)), random_tensor(3, 6).double().numpy()),
        words="a tensor",
    ),
    move(
        "setitem",
        assigned(MASK.expand(1, 4, 3, 6), 5.0),
        put(MASK.expand(1, 4, 3, 6).numpy(), 5.0),
        words="under a mask",
    ),
    move("chunk", lambda x: x.chunk(2, 1)[1], lambda x: x[:, 2:], words="second"),
    move("chunk", lambda x: torch.chunk(x, 4, dim=3)[2], lambda x: x[..., 4:], words="last"),
    move("split", lambda x: x.split(3, 1)[1], lambda x: x[:, 3:], words="what is left"),
    move("split", lambda x: torch.split(x, [1, 2, 1], 1)[1], lambda x: x[:, 1:3], words="sizes"),
    move("tensor_split", lambda x: x.tensor_split(3, 1)[2], lambda x: x[:, 3:]),
    move("unbind", lambda x: x.unbind(2)[1], lambda x: x[:, :, 1]),
    move(
        "meshgrid",
        lambda x: torch.meshgrid(x[0, 0, 0], x[0, 1, :, 0], indexing="xy")[1],
        lambda x: np.meshgrid(x[0, 0, 0], x[0, 1, :, 0])[1],
    ),
    move("narrow", lambda x: x.narrow(3, 2, 3), lambda x: x[..., 2:5]),
    move("select", lambda x: x.select(2, 1), lambda x: x[:, :, 1]),
    move(
        "index_select", lambda x, n: x.index_select(1, n), lambda x, n: x[:, n.astype(int)], n=ORDER
    ),
    move(
        "gather",
        lambda x, n: x.gather(3, n),
        lambda x, n: np.take_along_axis(x, n.astype(int), 3),
        n=CHOICE,
    ),
    move(
        "take_along_dim",
        lambda x, n: x.take_along_dim(n, 3),
        lambda x, n: np.take_along_axis(x, n.astype(int), 3),
        n=CHOICE,
    ),
    *(
        move(
            "cat",
            lambda x, z, dim=dim: torch.cat([x, z, x], dim),
            lambda x, z, dim=dim: np.concatenate([x, z, x], dim),
            words=f"along {dim}",
            z=random_tensor(1, 4, 3, 6),
        )
        for dim in (0, 1, 2, -1)
    ),
    move(
        "cat",
        lambda x: torch.concat((x[:, :1], x[:, 2:]), dim=1),
        lambda x: x[:, [0, 2, 3]],
        words="concat",
    ),
    move(
        "stack",
        lambda x, z: torch.stack([z, x], 1),
        lambda x, z: np.stack([z, x], 1),
        z=random_tensor(1, 4, 3, 6),
    ),
    move(
        "hstack",
        lambda x, z: torch.hstack([z, x]),
        lambda x, z: np.hstack([z, x]),
        z=random_tensor(1, 2, 3, 6),
    ),
    move(
        "vstack",
        lambda x, z: torch.vstack([z, x]),
        lambda x, z: np.vstack([z, x]),
        z=random_tensor(2, 4, 3, 6),
    ),
    move(
        "pad",
        lambda x: F.pad(x, (1, 2, 0, 1)),
        lambda x: np.pad(x, ((0, 0), (0, 0), (0, 1), (1, 2))),
    ),
    move(
        "pad",
        lambda x: F.pad(x, (1, 2), value=0.1),
        lambda x: np.pad(
            x, ((0, 0), (0, 0), (0, 0), (1, 2)), constant_values=float(np.float32(0.1))
        ),
        words="0.1",
    ),
    move(
        "pad",
        lambda x: F.pad(x, (1, 2), "constant", -1.0),
        lambda x: np.pad(x, ((0, 0), (0, 0), (0, 0), (1, 2)), constant_values=-1),
        words="minus one",
    ),
    move(
        "pad",
        nn.ConstantPad2d((0, 1, 2, 0), math.inf),
        lambda x: np.pad(x, ((0, 0), (0, 0), (2, 0), (0, 1)), constant_values=math.inf),
        words="infinity",
    ),
    move(
        "pad",
        nn.ReflectionPad2d((1, 2, 2, 0)),
        lambda x: np.pad(x, ((0, 0), (0, 0), (2, 0), (1, 2)), "reflect"),
        words="reflect",
    ),
    move(
        "pad",
        nn.ReplicationPad2d(2),
        lambda x: np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), "edge"),
        words="replicate",
    ),
    move(
        "pad",
        lambda x: F.pad(x, (3, 1, 1, 2), mode="circular"),
        lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2), (3, 1)), "wrap"),
        words="circular",
    ),
    move(
        "pad",
        lambda x: F.pad(x, (-1, -2, 1, -1)),
        lambda x: np.pad(x[:, :, :-1, 1:-2], ((0, 0), (0, 0), (1, 0), (0, 0))),
        words="cut",
    ),
    move("roll", lambda x: x.roll((1, -2), (1, 3)), lambda x: np.roll(x, (1, -2), (1, 3))),
    move("flip", lambda x: x.flip(3), lambda x: x[..., ::-1]),
    move("flip", lambda x: torch.flip(x, (1, 2)), lambda x: x[:, ::-1, ::-1], words="two"),
    move("fliplr", lambda x: x.fliplr(), lambda x: x[:, ::-1]),
    move("flipud", lambda x: x[0].flipud(), lambda x: x[0, ::-1]),
    move("rot90", lambda x: x.rot90(1, (2, 3)), lambda x: np.rot90(x, 1, (2, 3))),
    move("pixel_shuffle", nn.PixelShuffle(2), lambda x: depth_to_space(x, 2), (8, 3, 2)),
    move("pixel_unshuffle", nn.PixelUnshuffle(2), lambda x: space_to_depth(x, 2), (2, 4, 6)),
    move("channel_shuffle", nn.ChannelShuffle(2), lambda x: shuffled(x, 2), (6, 2, 3)),
    move(
        "native_channel_shuffle",
        lambda x: torch.native_channel_shuffle(x, 3),
        lambda x: shuffled(x, 3),
        (6, 2, 3),
    ),
    move("unfold", nn.Unfold(2, padding=1), lambda x: patches(x, 2, 1), words="patches"),
    move(
        "unfold",
        lambda x: x.unfold(3, 3, 2),
        lambda x: np.lib.stride_tricks.sliding_window_view(x, 3, 3)[:, :, :, ::2],
        words="of a tensor",
    ),
    move(
        "masked_fill",
        lambda x, m: x.masked_fill(m, -math.inf),
        where_mask(-math.inf),
        words="-inf",
        m=MASK,
    ),
    move(
        "masked_fill",
        lambda x, m: x.masked_fill_(m, 0.1),
        where_mask(float(np.float32(0.1))),
        words="0.1, in place",
        m=MASK,
    ),
    move(
        "masked_fill",
        lambda x, m: x.masked_fill(mask=m, value=2),
        where_mask(2.0),
        words="by name",
        m=MASK,
    ),
    move(
        "masked_fill",
        torch.masked_fill,
        lambda x, m, z: np.where(m.astype(bool), z, x),
        words="a tensor",
        m=MASK,
        z=random_tensor(),
    ),
    move(
        "copy",
        lambda x, z: z.clone().copy_(x[:, 0]),
        lambda x, _: np.broadcast_to(x[:, 0], (2, 3, 6)),
        z=random_tensor(2, 3, 6),
    ),
    move("diagonal", lambda x: x.diagonal(1, 2, 3), lambda x: x.diagonal(1, 2, 3)),
    move("tril", lambda x: x.tril(1), lambda x: np.tril(x, 1)),
    move("triu", torch.triu, np.triu),
]


def as_bfloat16(x):
    """Rounded to the nearest of the numbers whose last 16 bits are zero, ties to even."""
    bits = x.astype(np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16).astype(np.uint32).view(np.float32)


def cast(kind, of, expected=lambda x: x, decomposition="expression", words=""):
    return Case(kind, lambda: Net(of), decomposition, lambda x, _net, _y: expected(x), words=words)


CASTS = [
    cast("to", lambda x: x.to(torch.float64)),
    cast("to", lambda x: x.to(torch.float16), lambda x: x.astype(np.float16), words="half"),
    cast("to", lambda x: x.to(dtype=torch.bfloat16), as_bfloat16, words="bfloat16"),
    cast("to", lambda x: (4 * x).to(torch.int64), lambda x: np.trunc(4 * x), words="whole numbers"),
    cast("to", lambda x: x.to("cpu"), decomposition="identity", words="where it is"),
    cast("float", lambda x: x.float(), decomposition="identity"),
    cast("float", lambda x: x.half().float(), lambda x: x.astype(np.float16), words="from half"),
    cast("double", lambda x: x.double()),
    cast("half", lambda x: x.half(), lambda x: x.astype(np.float16)),
    cast("bfloat16", lambda x: x.bfloat16(), as_bfloat16),
    cast("type", lambda x: x.type(torch.float64)),
    cast("bool", lambda x: x.relu().bool(), lambda x: x > 0),
    cast("char", lambda x: (9 * x).char(), lambda x: np.trunc(9 * x)),
    cast("byte", lambda x: (9 * x.abs()).byte(), lambda x: np.trunc(9 * np.abs(x))),
    cast("short", lambda x: (9 * x).short(), lambda x: np.trunc(9 * x)),
    cast("int", lambda x: (9 * x).int(), lambda x: np.trunc(9 * x)),
    cast("long", lambda x: (9 * x).long(), lambda x: np.trunc(9 * x)),
    cast(
        "type_as",
        lambda x: x.type_as(torch.zeros(1, dtype=torch.float16)),
        lambda x: x.astype(np.float16),
    ),
    cast("cpu", lambda x: x.cpu(), decomposition="identity"),
    cast("cuda", lambda x: x.cuda(), decomposition="identity"),
]
