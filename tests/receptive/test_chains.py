"""Random chains of operations: each unit's box holds exactly the pixels that change it.

Every operation is linear with positive weights, so that a unit depends on a pixel exactly where it
is not 0 for an image of that pixel alone.
"""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from convscope.receptive import receptive_fields
from convscope.recording import run_once
from tests.receptive.test_branches import units_of

SHAPE = (1, 2, 4, 6)
MOST = 200  # units between two operations


class Chain(nn.Module):
    def __init__(self, functions):
        super().__init__()
        self.functions = functions

    def forward(self, x):
        for function in self.functions:
            x = function(x)
        return x


def reshaped(draw, shape):
    left, sides = math.prod(shape), []
    while left > 1 and len(sides) < 4:
        sides.append(draw(st.sampled_from([n for n in range(1, left + 1) if left % n == 0])))
        left //= sides[-1]
    sides = (*sides, left)
    return lambda x: x.reshape(sides)


def permuted(draw, shape):
    order = draw(st.permutations(range(len(shape))))
    return lambda x: x.permute(order)


def rolled(draw, shape):
    shift, dim = draw(st.integers(-3, 3)), draw(st.sampled_from([None, *range(len(shape))]))
    return lambda x: x.roll(shift) if dim is None else x.roll(shift, dim)


def flipped(draw, shape):
    dims = draw(st.lists(st.sampled_from(range(len(shape))), unique=True))
    return lambda x: x.flip(dims)


def sliced(draw, shape):
    dim = draw(st.sampled_from(range(len(shape))))
    start, step = draw(st.integers(0, shape[dim] - 1)), draw(st.integers(1, 3))
    return lambda x: x[(slice(None),) * dim + (slice(start, None, step),)]


def indexed(draw, shape):
    dim = draw(st.sampled_from(range(len(shape))))
    places = st.lists(st.integers(0, shape[dim] - 1), min_size=1, max_size=5)
    chosen = torch.tensor(draw(places))
    return lambda x: x.index_select(dim, chosen)


def joined(draw, shape):
    dim, other = draw(st.sampled_from(range(len(shape)))), draw(st.sampled_from(range(len(shape))))
    with_zeros = draw(st.booleans())
    return lambda x: torch.cat([x.flip(other), torch.zeros_like(x) if with_zeros else x], dim)


def padded(draw, shape):
    around = [draw(st.integers(-1, 2)) for _ in range(2 * draw(st.integers(1, len(shape))))]
    pairs = zip(around[::2], around[1::2], reversed(shape), strict=False)
    around = [
        n if before + after + side > 0 else 0
        for before, after, side in pairs
        for n in (before, after)
    ]
    return lambda x: F.pad(x, around)


def copied(draw, shape):
    dim, times = draw(st.sampled_from(range(len(shape)))), draw(st.integers(1, 2))
    return lambda x: x.repeat_interleave(times, dim)


def split(draw, shape):
    dim = draw(st.sampled_from(range(len(shape))))
    cuts = draw(st.lists(st.integers(-shape[dim], shape[dim]), min_size=1, max_size=2))
    piece = draw(st.integers(0, len(cuts)))

    def cut(x):
        part = x.tensor_split(cuts, dim)[piece]
        return part if part.numel() else x

    return cut


def written(draw, shape):
    dim = draw(st.sampled_from(range(len(shape))))
    start, step = draw(st.integers(0, shape[dim] - 1)), draw(st.integers(1, 2))
    place = (slice(None),) * dim + (slice(start, None, step),)

    def write(x):
        new = x.clone()
        new[place] = x.flip(dim)[place]
        return new

    return write


def unfolded(draw, shape):
    dim = draw(st.sampled_from(range(len(shape))))
    size, step = draw(st.integers(1, shape[dim])), draw(st.integers(1, 2))
    return lambda x: x.unfold(dim, size, step)


def averaged(draw, shape):
    dims, keep = draw(st.lists(st.sampled_from(range(len(shape))), min_size=1, unique=True)), True
    return lambda x: x.mean(dims[: max(1, len(dims) - 1)], keepdim=keep)


def summed_up(draw, shape):
    dim = draw(st.sampled_from(range(len(shape))))
    return lambda x: x.cumsum(dim)


def crossed(draw, shape):
    dim = draw(st.sampled_from(range(len(shape))))
    return lambda x: x + 2 * x.roll(1, dim)


def gated(draw, shape):
    dim = draw(st.sampled_from(range(len(shape))))
    return lambda x: x + x.mean(dim, keepdim=True)


def multiplied(draw, shape):
    weight = torch.rand(shape[-1], draw(st.integers(1, 3)), dtype=torch.float64) + 0.1
    return lambda x: x @ weight


def convolved(draw, shape):
    side, channels = shape[-1], shape[-2] if len(shape) > 1 else 1
    size, step, apart = (draw(st.integers(1, n)) for n in (3, 2, 2))
    around = draw(st.integers(0, 2))
    if side + 2 * around < apart * (size - 1) + 1:
        size = 1
    groups = draw(st.sampled_from([n for n in (1, 2, channels) if channels % n == 0]))
    weight = torch.rand(2 * groups, channels // groups, size, dtype=torch.float64) + 0.1

    def convolve(x):
        maps = x.reshape(-1, channels, side)
        return F.conv1d(maps, weight, None, step, around, apart, groups)

    return convolve


def pooled(draw, shape):
    side = shape[-1]
    size = draw(st.integers(1, min(3, side)))
    around = draw(st.integers(0, size // 2))
    return lambda x: F.avg_pool1d(x.reshape(1, -1, side), size, 2, around, ceil_mode=True)


def resized(draw, shape):
    side, mode = shape[-1], draw(st.sampled_from(["nearest", "nearest-exact", "linear", "area"]))
    factor = draw(st.sampled_from([0.7, 1.34, 2.0, 3.1]))
    if side * factor < 1:
        factor = 2.0
    return lambda x: F.interpolate(x.reshape(1, -1, side), scale_factor=factor, mode=mode)


def enlarged(draw, shape):
    side, step = shape[-1], draw(st.integers(1, 3))
    weight = torch.rand(1, 1, draw(st.integers(1, 3)), dtype=torch.float64) + 0.1
    return lambda x: F.conv_transpose1d(x.reshape(-1, 1, side), weight, stride=step)


STEPS = (
    *(reshaped, permuted, rolled, flipped, sliced, indexed, joined, padded, copied, split, written),
    *(unfolded, averaged, summed_up, crossed, gated, multiplied, convolved, pooled, resized),
    enlarged,
)


@st.composite
def chains(draw):
    x, functions = torch.zeros(SHAPE, dtype=torch.float64), []
    torch.manual_seed(draw(st.integers(0, 9)))
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=7)):
        function = step(draw, tuple(x.shape))
        result = function(x)
        if 0 < result.numel() <= MOST and result.ndim:
            x, functions = result, [*functions, function]
    return Chain(functions)


def boxes_by_pixel(net):
    """For every unit of the output, in order, (first, end) along both axes, or None."""
    pixels = units_of(SHAPE[2:])
    answers = []
    for row, column in pixels:
        image = torch.zeros(SHAPE, dtype=torch.float64)
        image[:, :, row, column] = 1
        answers.append(net(image).flatten() != 0)
    places = torch.tensor(pixels)
    found = []
    for touched in torch.stack(answers, 1):
        seen = places[touched]
        ends = (seen.amin(0).tolist(), (seen.amax(0) + 1).tolist()) if len(seen) else None
        found.append(ends and tuple(zip(*ends, strict=True)))
    return found


@pytest.mark.filterwarnings("ignore:.*recompute_scale_factor")
@settings(max_examples=80)
@given(chains())
def test_each_unit_of_a_chain_sees_exactly_the_pixels_that_change_it(net):
    image = torch.rand(SHAPE, dtype=torch.float64)
    done = run_once(net, image, should_keep=lambda module, kind: True)
    if not done.operations:
        return
    operations = [one for one in done.operations if one.operands]
    fields = receptive_fields(operations, SHAPE, {**done.state, **done.results})[done.output]
    kinds = [one.kind for one in operations]
    assert fields.exact, kinds
    shape = tuple(net(image).shape)
    for at, touched in zip(units_of(shape), boxes_by_pixel(net), strict=True):
        box = fields.box(at)
        assert (None if None in box else box) == touched, (at, kinds)
