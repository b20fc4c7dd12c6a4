"""Receptive fields through one operation: each unit's box is what its gradient touches."""

import math
from functools import cache

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.receptive import receptive_fields
from convscope.recording import get_kind, run_once
from tests.explanation.cases.case import image_of, randomized
from tests.explanation.cases.quantized import NORMALIZED, QUANTIZED, ROUNDED
from tests.explanation.test_operations import CASES
from tests.receptive.test_branches import boxes_by_gradient, units_of, written
from tests.repetition import sample_fast

SHAPE = (1, 2, 6, 7)
NO_GRADIENT = (*QUANTIZED, *NORMALIZED, *ROUNDED)
IMAGES = [
    case
    for case in CASES
    if len(case.image) == 3 and case.kind != "cuda" and case not in NO_GRADIENT
]


class Apply(nn.Module):
    """A function of what two convolutions make of the image: 4 channels each, of other fields."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.stem = nn.Conv2d(2, 4, 3, stride=(1, 2), padding=1)
        self.other = nn.Conv2d(2, 4, (1, 3), stride=(1, 2), padding=(0, 1))
        self.weight = nn.Parameter(torch.ones(4, 3))
        self.bias = nn.Parameter(torch.ones(4, 6, 3))
        self.vector = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return self.function(self, self.stem(x))


def of(function):
    return lambda net, x: function(x)


@cache
def built(kind, **options):
    """A layer; each is a part of the network that is recorded, so that its weights are known."""
    LAYERS.append(kind(4, 3, dtype=torch.float64, **options))
    return LAYERS[-1]


LAYERS = []


def rows_through(kind, x, **options):
    """A recurrent layer along the columns of one row; the others are a batch of one each."""
    layer = built(kind, batch_first=True, **options)
    return layer(x[0].permute(1, 2, 0))


def cell_of(kind, x, states):
    return built(kind)(x[:, :, 0, 0], states)


def attended(x, **masks):
    tokens = x[0]  # each channel by itself
    return F.scaled_dot_product_attention(tokens, tokens, tokens, **masks)


def added_to_rows(x, rows):
    x[:, :, 3:5].add_(rows)
    return x


DIAGONAL = torch.ones(6, 6).tril(1).triu(-1).bool()
GRID = torch.linspace(-1.3, 1.2, 40, dtype=torch.float64).sin().reshape(1, 5, 4, 2) * 1.2

KEYS = {
    "tanhshrink": of(F.tanhshrink),
    "hardshrink": of(F.hardshrink),
    "softshrink": of(F.softshrink),
    "log1p": of(torch.log1p),
    "normalize": of(lambda x: F.normalize(x, dim=1)),
    "normalize, columns": of(lambda x: F.normalize(x, p=1, dim=3)),
    "narrow": of(lambda x: x.narrow(2, 1, 3)),
    "narrow, from the end": of(lambda x: x.narrow(3, -2, 2)),
    "narrow, channels": of(lambda x: torch.narrow(x, 1, 2, 2)),
    "select": of(lambda x: x.select(2, 3)),
    "select, from the end": of(lambda x: x.select(-1, -1)),
    "std": of(lambda x: x.std((2, 3))),
    "std, all": of(lambda x: x.std(False)),  # noqa: FBT003 -- torch takes it so
    "std, by axis": of(lambda x: torch.std(x, axis=1)),
    "var": of(lambda x: x.var(3, keepdim=True)),
    "mean, by axis": of(lambda x: x.mean(axis=2)),
    "logsumexp": of(lambda x: x.logsumexp(1)),
    "logsumexp, rows": of(lambda x: torch.logsumexp(x, dim=(2,), keepdim=True)),
    "prod": of(lambda x: x.prod(3)),
    "var_mean": of(lambda x: torch.var_mean(x, (1, 3))[0]),
    "var_mean, the mean": of(lambda x: torch.var_mean(x, 2, keepdim=True)[1]),
    "cumsum": of(lambda x: x.cumsum(2)),
    "cumprod": of(lambda x: x.cumprod(-1)),
    "logcumsumexp": of(lambda x: x.logcumsumexp(3)),
    "cumsum of channels": of(lambda x: x.cumsum(1)),
    "glu": of(lambda x: F.glu(x, 1)),
    "glu along the image": of(lambda x: F.glu(x, 2)),
    "rms_norm": of(lambda x: F.rms_norm(x, x.shape[-1:])),
    "fft": of(lambda x: torch.fft.fft(x).abs()),
    "fft of channels": of(lambda x: torch.fft.fft(x, dim=1).abs()),
    "rfft2": of(lambda x: torch.fft.rfft2(x).abs()),
    "rfftn of rows and channels": of(lambda x: torch.fft.rfftn(x, dim=(1, 2)).abs()),
    "fft to a shorter length": of(lambda x: torch.fft.fft(x, 2, dim=2).abs()),
    "irfft2 to a smaller size": of(lambda x: torch.fft.irfft2(x + 0j, (5, 3))),
    "fftn": of(lambda x: torch.fft.fftn(x).abs()),
    "view_as_real": of(lambda x: torch.view_as_real(torch.complex(x, 2 * x))),
    "view_as_complex": of(lambda x: torch.view_as_complex(torch.stack([x, 2 * x], -1)).abs()),
    "cosine_similarity": of(lambda x: F.cosine_similarity(x, x.flip(2))),
    "cosine_similarity with weights": lambda net, x: F.cosine_similarity(
        net.vector[:, None, None], x
    ),
    "pairwise_distance": of(lambda x: F.pairwise_distance(x, 2 * x.flip(2), keepdim=True)),
    "lerp": lambda net, x: x.lerp(x.roll(1, 2), 0.25),
    "norm": of(lambda x: x.norm(dim=(2, 3))),
    "norm, all": of(torch.norm),
    "vector_norm": of(lambda x: torch.linalg.vector_norm(x, 2, 1)),
    "lp_pool2d": of(lambda x: F.lp_pool2d(x, 2, 2)),
    "lp_pool2d, stride": of(nn.LPPool2d(2, (3, 2), stride=(2, 1))),
    "lp_pool1d": of(lambda x: F.lp_pool1d(x.flatten(1, 2), 2, 2)),
    "roll": of(lambda x: x.roll(2, 2)),
    "roll, both axes": of(lambda x: torch.roll(x, (1, -1), (2, 3))),
    "roll, channels": of(lambda x: x.roll(1, 1)),
    "flip": of(lambda x: x.flip(2)),
    "flip, both axes": of(lambda x: torch.flip(x, (2, 3))),
    "flip, then slide": of(lambda x: F.avg_pool2d(x.flip(3), 2, 1)),
    "fliplr": of(torch.fliplr),
    "flipud": of(lambda x: torch.flipud(x[0].transpose(0, 1))),
    "rot90": of(lambda x: x.rot90(1, (2, 3))),
    "rot90, thrice": of(lambda x: torch.rot90(x, -1, (2, 3))),
    "rot90, twice": of(lambda x: torch.rot90(x, 2, (2, 3))),
    "repeat": of(lambda x: x.repeat(1, 1, 2, 1)),
    "repeat, more dimensions": of(lambda x: x.repeat(2, 1, 1, 1, 2)),
    "tile": of(lambda x: x.tile(2, 1)),
    "repeat_interleave": of(lambda x: x.repeat_interleave(2, 3)),
    "pixel_shuffle": of(nn.PixelShuffle(2)),
    "pixel_unshuffle": of(lambda x: F.pixel_unshuffle(x, 2)),
    "unfold, patches": of(lambda x: F.unfold(x, (2, 3), padding=(1, 0), stride=(2, 1))),
    "unfold, dilated": of(nn.Unfold(2, dilation=2)),
    "unfold, of the tensor": of(lambda x: x.unfold(2, 3, 2)),
    "unfold, twice": of(lambda x: x.unfold(2, 2, 1).unfold(3, 2, 1)),
    "hstack": lambda net, x: torch.hstack([x, x + 1]),
    "vstack": lambda net, x: torch.vstack([x, x + 1]),
    "cat along rows": lambda net, x: torch.cat([x, x.new_zeros(1, 4, 2, 4), x[:, :, :3]], 2),
    "cat of rows of other widths": lambda net, x: torch.cat([x.roll(1, 2), x.flip(2)], 2),
    "a row written": lambda net, x: written(x, (slice(None), slice(None), 2), 0.0),
    "rows written": lambda net, x: written(x, (slice(None), slice(None), slice(1, 3)), x[:, :, 4:]),
    "movedim": of(lambda x: x.movedim(1, -1)),
    "moveaxis": of(lambda x: torch.moveaxis(x, (0, 1), (1, 3))),
    "T": of(lambda x: x[0, 0].T),
    "mT": of(lambda x: x.mT),
    "t": of(lambda x: x[0, 1].t()),
    "ravel": of(lambda x: F.avg_pool2d(x, 3).ravel()),
    "view_as": lambda net, x: F.avg_pool2d(x, (6, 1)).view_as(x[:, :, 0]),
    "reshape_as": lambda net, x: F.avg_pool2d(x, (6, 1)).reshape_as(
        net.other(x.new_ones(SHAPE))[:, :, 0]
    ),
    "expand": of(lambda x: x[:, :, :1].expand(-1, -1, 3, -1)),
    "broadcast_to": of(lambda x: torch.broadcast_to(x[:, :1], (1, 5, 6, 4))),
    "expand_as": lambda net, x: x[:, :1].expand_as(x),
    "type_as": lambda net, x: x.type_as(x[:, 0]),
    "copy": lambda net, x: torch.zeros_like(x).copy_(x[:, :1]),
    "list along the image": of(lambda x: x[:, :, [4, 0, 3]]),
    "pad, reflect": of(lambda x: F.pad(x, (2, 1, 0, 3), mode="reflect")),
    "pad, replicate": of(nn.ReplicationPad2d((1, 2, 3, 0))),
    "pad, circular": of(lambda x: F.pad(x, (1, 1, 1, 1), mode="circular")),
    "interpolate, bilinear": of(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear")),
    "interpolate, corners": of(
        lambda x: F.interpolate(x, (9, 5), mode="bilinear", align_corners=True)
    ),
    "interpolate, smaller": of(lambda x: F.interpolate(x, (4, 3), mode="bilinear")),
    "interpolate, bicubic": of(lambda x: F.interpolate(x, (12, 7), mode="bicubic")),
    "interpolate, nearest": of(lambda x: F.interpolate(x, (5, 6))),
    "interpolate, nearest-exact": of(lambda x: F.interpolate(x, (5, 6), mode="nearest-exact")),
    "interpolate, area": of(lambda x: F.interpolate(x, (4, 3), mode="area")),
    "interpolate, linear": of(lambda x: F.interpolate(x[:, :, 2], 9, mode="linear")),
    **{
        f"interpolate, {mode} by {factor}": of(
            lambda x, mode=mode, factor=factor: F.interpolate(x, scale_factor=factor, mode=mode)
        )
        for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area")
        for factor in (3.1, 1.34, 0.7, (1.5, 2.2))
    },
    **{
        f"interpolate, {mode} by {factor}, {name}": of(
            lambda x, mode=mode, factor=factor, name=name: F.interpolate(
                x, scale_factor=factor, mode=mode, **{name: True}
            )
        )
        for mode in ("bilinear", "bicubic")
        for factor in (1.34, 0.5)
        for name in ("align_corners", "antialias", "recompute_scale_factor")
    },
    "interpolate, nearest in one axis": of(lambda x: F.interpolate(x[:, :, 2], scale_factor=3.1)),
    "interpolate, trilinear": of(
        lambda x: F.interpolate(
            x[:, :, None].expand(-1, -1, 3, -1, -1), (4, 9, 3), mode="trilinear"
        )
    ),
    "tensor_split, from the end": of(lambda x: x.tensor_split((2, -1), 2)[2]),
    "tensor_split, the last": of(lambda x: torch.tensor_split(x, (-2,), dim=3)[1]),
    "tensor_split, beyond the end": of(lambda x: x.tensor_split((4, 20), 2)[1]),
    "tensor_split, before the start": of(lambda x: x.tensor_split((-20, 4), 2)[1]),
    "fill_": of(lambda x: torch.zeros_like(x[0]).fill_(x[0, 1, 2, 3])),
    "fill, of what was there before": of(lambda x: torch.fill(x, x[0, 0, 2, 1])),
    "zero_": of(lambda x: x.clone().zero_() + x[:, :1]),
    "view that cuts an axis": of(lambda x: x.view(1, 4, 3, 2, 2, 2)),
    "reshape in general position": of(lambda x: x.reshape(1, 8, 3, 4)),
    "tokens beside a class token": lambda net, x: torch.cat(
        [net.vector[:1, None].expand(1, 1, 4), x.flatten(2).transpose(1, 2)], 1
    ),
    "windows": of(
        lambda x: (
            x.permute(0, 2, 3, 1)
            .roll((-1, -1), (1, 2))
            .view(1, 2, 3, 2, 2, 4)
            .permute(0, 1, 3, 2, 4, 5)
            .reshape(4, 6, 4)
        )
    ),
    "heads of queries, keys and values": of(
        lambda x: x.flatten(2).transpose(1, 2).view(1, 24, 2, 2).permute(2, 0, 1, 3)[1]
    ),
    "roll without dims": of(lambda x: x.roll(5)),
    "repeat_interleave, each its own": of(
        lambda x: x.repeat_interleave(torch.tensor([1, 0, 2, 1, 1, 3]), 2)
    ),
    "index of tensors": of(lambda x: x[:, :, torch.tensor([1, 3]), torch.tensor([[2], [0]])]),
    "mask": of(lambda x: x[:, :, torch.ones(6, 4).triu(1).bool()]),
    "index_select": of(lambda x: x.index_select(2, torch.tensor([5, 0, 0]))),
    "gather": of(lambda x: x.gather(2, (torch.arange(96) * 5 % 6).view(1, 4, 6, 4))),
    "take_along_dim": of(lambda x: x.take_along_dim(torch.tensor([[[[3], [1]]]]), 2)),
    "diagonal": of(lambda x: x.diagonal(1, 2, 3)),
    "triu": of(lambda x: x.triu()),
    "masked_fill": of(lambda x: x.masked_fill(torch.ones(6, 4).triu().bool(), -5.0)),
    "where, under a constant": of(lambda x: torch.where(torch.arange(4) > 1, x, x.flip(3))),
    "where, a number": of(lambda x: torch.where(torch.arange(4) > 1, x, 2.0)),
    "steps written": lambda net, x: written(
        x, (slice(None), slice(None), slice(0, 6, 2), slice(1, 4, 2)), x[:, :, 3:, :2] * 2
    ),
    "written through a view": lambda net, x: added_to_rows(x.clone(), x[:, :, :2]),
    "fold": of(lambda x: F.fold(F.unfold(x, 3, padding=1, stride=2), (6, 4), 3, 1, 1, 2)),
    "fold, dilated": of(
        lambda x: F.fold(F.unfold(x, 2, dilation=2), (6, 4), kernel_size=2, dilation=2)
    ),
    **{
        f"grid_sample, {mode}, {outside}": of(
            lambda x, mode=mode, outside=outside: F.grid_sample(
                x, GRID, mode=mode, padding_mode=outside, align_corners=False
            )
        )
        for mode in ("bilinear", "nearest", "bicubic")
        for outside in ("zeros", "border", "reflection")
    },
    "einsum": of(lambda x: torch.einsum("bchw,bdhw->bcd", x, x * 2)),
    "einsum with an ellipsis": lambda net, x: torch.einsum("...w,cw->c...", x[0], net.weight.T),
    "a sequence of tokens convolved": lambda net, x: F.conv1d(
        x.flatten(2), net.weight.T[:, :, None].expand(3, 4, 3), padding=1
    ),
    "attention, causal": of(
        lambda x: attended(x, is_causal=True)[:, 1:]
    ),  # the first sees itself alone
    "attention, causal by position": of(
        lambda x: F.scaled_dot_product_attention(x[0], x[0], x[0], None, 0.0, True)[:, 1:]  # noqa: FBT003
    ),
    "attention under a mask": of(lambda x: attended(x, attn_mask=DIAGONAL)),
    "attention under a mask of -inf": of(lambda x: attended(x, attn_mask=DIAGONAL.double().log())),
    "attention under a mask of -100": of(
        lambda x: attended(x, attn_mask=DIAGONAL.double() * 100 - 100)
    ),
    "attention under a mask of the image": of(
        lambda x: attended(x[..., :3], attn_mask=x[0, :, :, 3:] + torch.zeros(6))
    ),
    "mv": lambda net, x: x[0, 0] @ net.vector,
    "vector by matrix": lambda net, x: x[0, 0, 1] @ net.weight,
    "matrix by vector of the image": lambda net, x: net.weight.T @ x[0, 0, 1],
    "addmm": lambda net, x: torch.addmm(net.bias[0], x[0, 0], net.weight),
    "addmm, bias of the image": lambda net, x: torch.addmm(x[0, 0, :, :3], x[0, 1], net.weight),
    "baddbmm": lambda net, x: torch.baddbmm(net.bias, x[0], net.weight.expand(4, 4, 3)),
    "attention": lambda net, x: F.scaled_dot_product_attention(x[0, :, :, :3], net.bias, x[0]),
    "lstm": of(lambda x: rows_through(nn.LSTM, x)[0] * 1),
    "lstm, steps first": of(lambda x: built(nn.LSTM, num_layers=2)(x[0].permute(1, 2, 0))[0] * 1),
    "lstm, both ways": of(lambda x: rows_through(nn.LSTM, x, bidirectional=True)[0] * 1),
    "lstm, last hidden state": of(lambda x: rows_through(nn.LSTM, x)[1][0] * 1),
    "lstm, last cell states": of(
        lambda x: rows_through(nn.LSTM, x, num_layers=2, bidirectional=True)[1][1] * 1
    ),
    "gru": of(lambda x: rows_through(nn.GRU, x)[0] * 1),
    "gru, layers both ways": of(
        lambda x: rows_through(nn.GRU, x, num_layers=2, bidirectional=True)[0] * 1
    ),
    "rnn": of(lambda x: rows_through(nn.RNN, x)[0] * 1),
    "lstm cell": of(lambda x: cell_of(nn.LSTMCell, x, (x[:, :3, 2, 1], x[:, 1:, 3, 2]))[0] * 1),
    "lstm cell, its state": of(
        lambda x: cell_of(nn.LSTMCell, x, (x[:, :3, 2, 1], x[:, 1:, 3, 2]))[1] * 1
    ),
    "gru cell": of(lambda x: cell_of(nn.GRUCell, x, x[:, :3, 2, 1]) * 1),
    "attention, values": lambda net, x: F.scaled_dot_product_attention(
        net.weight, net.weight, x[0, :, 0]
    ),
}


def prepared(function):
    torch.manual_seed(0)
    net = Apply(function).double().eval()
    for weight in net.parameters():
        nn.init.uniform_(weight, 0.1, 0.5)
    return net, torch.rand(SHAPE, dtype=torch.float64) + 1


def followed(net, image):
    """The last operation and its receptive fields, where everything was kept."""
    net(image)
    net.built = nn.ModuleList(LAYERS)
    done = run_once(net, image, should_keep=lambda module, kind: True)
    (last,) = (one for one in done.operations if one.name == done.output)
    dependent = [one for one in done.operations if one.operands]
    values = {**done.state, **done.results}
    return last, receptive_fields(dependent, tuple(image.shape), values)[last.name]


@pytest.mark.parametrize("name", sample_fast(2, KEYS))
def test_every_unit_sees_what_its_gradient_touches(name):
    net, image = prepared(KEYS[name])
    last, fields = followed(net, image)
    assert last.shape == tuple(net(image).shape)
    assert fields.exact
    units = units_of(last.shape) if last.shape else [()]
    boxes = boxes_by_gradient(net if last.shape else lambda x: net(x)[None], image)
    for at, touched in zip(units, boxes, strict=True):
        box = fields.box(at)
        assert (None if None in box else box) == touched, at


def both_parts(y):
    return y.real + math.pi * y.imag if y.is_complex() else y


@pytest.mark.filterwarnings("ignore:Using padding='same'", "ignore:.*chain_matmul")
@pytest.mark.parametrize("case", sample_fast(3, IMAGES), ids=str)
def test_no_unit_depends_on_pixels_outside_its_field(case):
    net = randomized(case.build()).double()
    image = image_of(case.image, dtype=torch.float64)
    last, fields = followed(net, image)
    if net(image).requires_grad and net(image).shape == last.shape and last.shape:
        boxes = boxes_by_gradient(lambda x: both_parts(net(x)), image)
        for at, touched in zip(units_of(last.shape), boxes, strict=True):
            if touched is not None:
                for (first, end), (one, two) in zip(fields.box(at), touched, strict=True):
                    assert first <= one < two <= end, at
    assert fields.exact == (get_kind(last.kind).field not in ("full_field", "fractional_pool"))
