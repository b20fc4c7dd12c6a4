"""Receptive fields where channels differ: each unit's box is what its own gradient touches."""

import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian
from torch.nn import functional as F

from convscope.explanation.field import ReceptiveFields
from convscope.gradients import contiguous_gradients
from convscope.layers import LocalResponseNorm, MinPool2d, SparseConnectionConv2d
from convscope.receptive import receptive_fields
from convscope.recording import operations, run_once

SHAPE = (1, 2, 6, 7)


class Cat(nn.Module):
    """Branches whose results are concatenated along channels."""

    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


class Behind(nn.Module):
    """Eight channels of three kinds, bounded at 2 and 6, and a function of them."""

    def __init__(self, then, **layers):
        super().__init__()
        self.stem = Cat(
            nn.Conv2d(2, 2, 1),
            nn.Conv2d(2, 4, 3, padding=1),
            nn.Conv2d(2, 2, (1, 5), padding=(0, 2)),
        )
        self.other = Cat(nn.Conv2d(2, 5, (3, 1), padding=(1, 0)), nn.Conv2d(2, 3, 1))
        self.then = then
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.then(self, x)


def behind(layer):
    return Behind(lambda net, x: net.layer(net.stem(x)), layer=layer)


def conv_behind(then, channels, **options):
    """A convolution of what `then` makes of the eight channels."""
    conv = nn.Conv2d(channels, channels, 3, padding=1, **options)
    return Behind(lambda net, x: net.conv(then(net.stem(x))), conv=conv)


def shuffled(x):
    return x.view(1, 4, 2, *x.shape[2:]).transpose(1, 2).reshape(x.shape)


def written(x, place, value):
    x = x.clone()
    x[place] = value
    return x


NETWORKS = {
    "alone": Behind(lambda net, x: net.stem(x)),
    "depthwise": behind(nn.Conv2d(8, 8, 3, padding=1, groups=8)),
    "depthwise, two of each": behind(nn.Conv2d(8, 16, 3, stride=2, groups=8)),
    "two groups": behind(nn.Conv2d(8, 6, 3, padding=1, groups=2)),
    "four groups": behind(nn.Conv2d(8, 4, 3, padding=1, groups=4)),
    "full": behind(nn.Conv2d(8, 3, 3, padding=1)),
    "transposed, depthwise": behind(nn.ConvTranspose2d(8, 8, 3, stride=2, groups=8)),
    "transposed, grouped": behind(nn.ConvTranspose2d(8, 4, 2, stride=2, groups=4)),
    "batch norm": behind(nn.BatchNorm2d(8)),
    "chunk": conv_behind(lambda x: x.chunk(3, 1)[2], 2),
    "first chunk": conv_behind(lambda x: x.chunk(4, 1)[0], 2),
    "chunk, depthwise": conv_behind(lambda x: x.chunk(2, 1)[1], 4, groups=4),
    "split": conv_behind(lambda x: x.split([1, 5, 2], dim=1)[1], 5, groups=5),
    "split, evenly": conv_behind(lambda x: torch.split(x, 3, 1)[1], 3, groups=3),
    "tensor_split": conv_behind(lambda x: x.tensor_split(3, 1)[2], 2),
    "tensor_split, by index": conv_behind(lambda x: x.tensor_split((1, 4), dim=1)[1], 3, groups=3),
    "rows split": Behind(lambda net, x: net.stem(x).split(4, 2)[1]),
    "slice": conv_behind(lambda x: x[:, :2], 2),
    "slice, over a bound": conv_behind(lambda x: x[:, 1:4], 3),
    "every other one": conv_behind(lambda x: x[:, ::2], 4, groups=4),
    "one channel": conv_behind(lambda x: x[:, 6][:, None], 1),
    "last channel": conv_behind(lambda x: x[:, -1:], 1),
    "list": conv_behind(lambda x: x[:, [7, 0, 3]], 3, groups=3),
    "shuffle": conv_behind(shuffled, 8, groups=4),
    "shuffle, depthwise": conv_behind(shuffled, 8, groups=8),
    "channel_shuffle": conv_behind(lambda x: F.channel_shuffle(x, 2), 8, groups=4),
    "pad, pool": behind(nn.Sequential(nn.ZeroPad2d((1, 2, 0, 1)), nn.AvgPool2d(2))),
    "pool, adaptive pool": behind(nn.Sequential(nn.AvgPool2d(2, 1), nn.AdaptiveAvgPool2d(2))),
    "channels padded": conv_behind(lambda x: F.pad(x, (0, 0, 0, 0, 1, 3)), 12, groups=6),
    "channels cut by padding": conv_behind(lambda x: F.pad(x, (0, 0, 0, 0, -1, 1)), 8, groups=8),
    "interpolate": conv_behind(lambda x: F.interpolate(x, scale_factor=2), 8, groups=8),
    "global mean": Behind(lambda net, x: net.stem(x).mean((2, 3))),
    "mean of channels": Behind(lambda net, x: net.stem(x).mean(1, keepdim=True)),
    "mean of some channels": Behind(lambda net, x: net.stem(x).view(1, 4, 2, *x.shape[2:]).mean(2)),
    "mean of rows": Behind(lambda net, x: net.stem(x).sum(2)),
    "flat": behind(nn.Sequential(nn.AvgPool2d(3), nn.Flatten())),
    "flat, dense": behind(nn.Sequential(nn.AvgPool2d(3), nn.Flatten(), nn.Linear(32, 3))),
    "flat, and back": conv_behind(
        lambda x: F.avg_pool2d(x, 3).flatten(1).view(1, 8, 2, 2), 8, groups=8
    ),
    "dense along columns": behind(nn.Linear(7, 2)),
    "dense along maps": Behind(
        lambda net, x: net.dense(net.stem(x).flatten(2)), dense=nn.Linear(42, 2)
    ),
    "dense along channels": Behind(
        lambda net, x: net.dense(net.stem(x).permute(0, 2, 3, 1)), dense=nn.Linear(8, 2)
    ),
    "matmul": Behind(
        lambda net, x: net.stem(x).flatten(2) @ net.right, right=nn.Parameter(torch.ones(42, 2))
    ),
    "matmul from the left": Behind(
        lambda net, x: net.left @ net.stem(x).flatten(2), left=nn.Parameter(torch.ones(3, 8))
    ),
    "other bounds added": Behind(lambda net, x: net.stem(x) + net.other(x)),
    "other bounds, cut": Behind(lambda net, x: net.stem(x)[:, 2:6] * net.other(x)[:, 3:7]),
    "gate of each channel": Behind(
        lambda net, x: net.stem(x) * net.other(x).mean((2, 3), keepdim=True)
    ),
    "gate of each place": Behind(lambda net, x: net.stem(x) * net.other(x)[:, :1]),
    "nested": Cat(
        behind(nn.Conv2d(8, 8, 3, padding=1, groups=8)),
        nn.Conv2d(2, 3, 5, padding=2),
        Behind(lambda net, x: torch.cat([net.other(x), net.stem(x)], 1)),
    ),
    "nested, shuffled, grouped": nn.Sequential(
        Cat(behind(nn.Conv2d(8, 8, 3, padding=1, groups=4)), nn.Identity()),
        nn.ChannelShuffle(5),
        nn.Conv2d(10, 10, 3, padding=1, groups=5),
    ),
    "with a parameter": Behind(
        lambda net, x: net.conv(torch.cat([net.stem(x), net.own.expand(1, 2, *x.shape[2:])], 1)),
        own=nn.Parameter(torch.ones(1, 2, 1, 1)),
        conv=nn.Conv2d(10, 5, 3, padding=1, groups=5),
    ),
    "with zeros": Behind(lambda net, x: torch.cat([torch.zeros_like(x), net.stem(x)], 1)),
    "padded beside its mirror image": Behind(
        lambda net, x: F.pad(torch.cat([net.stem(x), net.stem(x).flip(2)], 1), (0, 0, 1, 2))
    ),
    "stack": Behind(lambda net, x: torch.stack([net.stem(x), net.other(x)], 2).flatten(1, 2)),
    "stack of kinds": Behind(lambda net, x: torch.stack(net.other(x).split((4, 4), 1), dim=-1)),
    "unbind": Behind(lambda net, x: net.stem(x).unbind(1)[2]),
    "turned": Behind(
        lambda net, x: net.conv(net.stem(x).transpose(2, 3)), conv=nn.Conv2d(8, 8, 3, groups=8)
    ),
    "channels last, and back": conv_behind(
        lambda x: x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2), 8, groups=8
    ),
    "each channel an image": Behind(
        lambda net, x: net.conv(net.stem(x).transpose(0, 1)).transpose(0, 1),
        conv=nn.Conv2d(1, 1, 3, padding=1),
    ),
    "rows for channels": Behind(
        lambda net, x: net.conv(net.stem(x)[:, 3]), conv=nn.Conv1d(6, 2, 3, padding=1)
    ),
    "group norm": Behind(
        lambda net, x: net.norm(net.stem(x)[:, :, :2, :3]), norm=nn.GroupNorm(4, 8)
    ),
    "instance norm": Behind(
        lambda net, x: net.norm(net.stem(x)[:, :, :2, :3]), norm=nn.InstanceNorm2d(8)
    ),
    "softmax": behind(nn.Softmax(1)),
    "softmax along columns": behind(nn.Softmax(3)),
    "layer norm": behind(nn.LayerNorm(7)),
    "written": Behind(
        lambda net, x: written(net.stem(x), (slice(None), slice(1, 3)), net.other(x)[:, 4:6])
    ),
    "one channel written": Behind(
        lambda net, x: written(net.stem(x), (slice(None), 6), net.other(x)[:, 0])
    ),
    "a number written": Behind(lambda net, x: written(net.stem(x), (slice(None), slice(3)), 0.0)),
    "written into zeros": Behind(
        lambda net, x: written(torch.zeros(SHAPE).double(), (slice(None), 1), net.stem(x)[:, 3])
    ),
}


def boxes_by_gradient(net, image):
    """For every unit of the output, in order, (first, end) along both axes, or None."""
    slopes = jacobian(lambda x: contiguous_gradients(net(x)), image)
    slopes = slopes.flatten(0, -5).flatten(1, -3).abs().amax(1) > 0
    found = []
    for touched in slopes:
        places = [touched.any(1 - axis).nonzero().flatten().tolist() for axis in (0, 1)]
        found.append(tuple((p[0], p[-1] + 1) for p in places) if places[0] else None)
    return found


def prepared(net):
    torch.manual_seed(0)
    net = net.double().eval()
    for weight in net.parameters():
        nn.init.uniform_(weight, 0.1, 0.5)
    return net, torch.rand(SHAPE, dtype=torch.float64)


def units_of(shape):
    return torch.cartesian_prod(*map(torch.arange, shape)).reshape(-1, len(shape)).tolist()


def followed(net, image):
    """The operation that returned the output, and its receptive fields."""
    done = run_once(net, image, should_keep=lambda module, kind: False)
    (last,) = (one for one in done.operations if one.name == done.output)
    return last, receptive_fields([one for one in done.operations if one.operands], SHAPE)[
        last.name
    ]


def sees_exactly(net):
    net, image = prepared(net)
    answer, seen = followed(net, image)
    assert answer.shape == tuple(net(image).shape)
    assert seen.exact
    for at, touched in zip(units_of(answer.shape), boxes_by_gradient(net, image), strict=True):
        box = seen.box(at)
        assert (None if None in box else box) == touched, at


@pytest.mark.parametrize("name", NETWORKS)
def test_every_unit_of_every_channel_sees_what_its_gradient_touches(name):
    sees_exactly(NETWORKS[name])


@pytest.mark.parametrize("name", NETWORKS)
def test_what_mixes_all_units_sees_the_union_of_their_fields(name):
    net, image = prepared(NETWORKS[name])
    by_gradient = [box for box in boxes_by_gradient(net, image) if box]
    _, seen = followed(net, image)
    mixed = seen.mixed(range(len(seen.shape)))
    assert mixed.shape == (1,) * len(seen.shape)
    assert mixed.box((0,)) == tuple(
        (min(first for first, _ in spans), max(end for _, end in spans))
        for spans in zip(*by_gradient, strict=True)
    )


ALIKE = {
    "equal branches": Cat(nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)),
    "full convolution": NETWORKS["full"],
    "groups that each hold all": nn.Sequential(NETWORKS["shuffle"].stem, nn.Conv2d(8, 2, 1)),
    "one kind left": Behind(lambda net, x: net.stem(x)[:, 2:6]),
    "the same cat twice": Behind(lambda net, x: (net.stem(x) + net.stem(x)).mean(1)),
}


ENDS = ("first", "end", "start", "stop")


@pytest.mark.parametrize("name", ALIKE)
def test_fields_of_equal_channels_are_kept_once(name):
    _, seen = followed(*prepared(ALIKE[name]))
    channels = range(len(seen.shape) - 2)
    ends = [getattr(axis, end) for axis in seen.axes for end in ENDS]
    assert {end.shape[dim] for end in ends for dim in channels} == {1}


def test_the_size_is_that_of_the_largest_branch_not_of_their_union():
    wide = Cat(nn.Conv2d(2, 1, (1, 5), padding=(0, 2)), nn.Conv2d(2, 1, (3, 3), padding=1))
    _, seen = followed(*prepared(wide))
    assert seen.size == (3, 3)
    assert seen.mixed([1]).size == (3, 5)


NEIGHBORS = {
    "normalized": behind(nn.LocalResponseNorm(3)),
    "normalized, ours": behind(LocalResponseNorm(n=3)),
    "filtered": Behind(
        lambda net, x: net.slide(net.stem(x).mean((2, 3)).view(1, 1, 8)),
        slide=nn.Conv1d(1, 1, 3, padding=1),
    ),
}


@pytest.mark.parametrize("name", NEIGHBORS)
def test_where_neighboring_channels_mix_each_has_the_union_of_its_neighbors(name):
    sees_exactly(NEIGHBORS[name])


@pytest.mark.parametrize(
    "layer",
    [
        nn.MaxPool2d(3, 2, 1),
        nn.MaxPool2d(3, 2, 1, return_indices=True),
        MinPool2d(3, stride=2, padding=1),
    ],
)
def test_a_maximum_and_its_index_have_the_field_of_a_mean(layer):
    _, mean = followed(*prepared(behind(nn.AvgPool2d(3, 2, 1))))
    net, image = prepared(behind(layer))
    done = operations(net, image)
    seen = receptive_fields(done, SHAPE)
    pooled = [one for one in done if one.shape == (1, 8, 3, 4)]
    assert len(pooled) == 1 + getattr(layer, "return_indices", False)
    for one in pooled:
        assert seen[one.name].exact
        for at in units_of(one.shape):
            assert seen[one.name].box(at) == mean.box(at)


def test_a_batch_norm_in_training_sees_its_whole_map():
    net, image = prepared(behind(nn.BatchNorm2d(8)).train())
    net.train()
    _, seen = followed(net, image)
    assert seen.exact
    for at, touched in zip(units_of((8, 6, 7)), boxes_by_gradient(net, image), strict=True):
        assert seen.box(at) == touched


def crossed(x):
    rows = x.mean(3)
    return rows[..., None] + rows[:, :, None]


CROSSED = {
    "kinds that meet places": lambda net, x: (
        F.avg_pool2d(net.stem(x), 3).flatten(1)
        + torch.cat([net.stem(x).mean((2, 3)), net.other(x).mean((2, 3))] * 2, 1)
    ),
    "rows that meet rows as columns": lambda net, x: crossed(net.stem(x)),
    "rows that meet columns": lambda net, x: (
        net.stem(x)[..., :6] + net.stem(x)[..., :6].transpose(2, 3)
    ),
    "every third channel written": lambda net, x: written(
        net.stem(x), (slice(None), slice(None, None, 3)), net.other(x)[:, 5:]
    ),
    "a table of maps": lambda net, x: net.table(net.stem(x)),
}


@pytest.mark.parametrize("name", CROSSED)
def test_fields_are_exact_where_units_meet_in_any_way(name):
    table = SparseConnectionConv2d(8, [[0, 1], [2, 6]], 3)
    sees_exactly(Behind(CROSSED[name], table=table))


WEIGHED = {
    "a filter of the image's own": lambda net, x: F.conv2d(net.own, x),
    "both": lambda net, x: F.conv2d(net.stem(x), net.stem(x)),
}


@pytest.mark.parametrize("name", WEIGHED)
def test_a_filter_computed_from_the_image_counts(name):
    sees_exactly(Behind(WEIGHED[name], own=nn.Parameter(torch.ones(1, 2, 9, 9))))


def test_a_window_over_padding_alone_beside_channels_sees_nothing():
    sees_exactly(
        Behind(
            lambda net, x: net.conv(x.mean((2, 3)).view(1, 2, 1, 1)),
            conv=nn.Conv2d(2, 1, 1, padding=1),
        )
    )


def test_indices_in_a_tensor_are_not_taken_for_its_shape():
    net = Behind(lambda net, x: net.stem(x)[torch.zeros(1, dtype=torch.long)])
    _, seen = followed(*prepared(net))
    assert not seen.exact


def test_a_gate_has_one_field_for_all_positions():
    net = Behind(
        lambda net, x: net.other(x)[:, 5:] * net.other(x)[:, :3].mean((2, 3), keepdim=True)
    )
    net, image = prepared(net)
    fields = ReceptiveFields(operations(net, image), SHAPE)
    assert {fields.of("mul", at).box for at in units_of((1, 3, 6, 7))} == {((-1, 7), (0, 7))}


def test_a_row_added_to_every_row_keeps_its_field():
    net, image = prepared(Behind(lambda net, x: x + x[:, :, :1]))
    fields = ReceptiveFields(operations(net, image), SHAPE)
    assert fields.of("add", (0, 0, 3, 2)).box == ((0, 4), (2, 3))
    assert fields.of("add", (0, 0, 0, 2)).box == ((0, 1), (2, 3))


def test_adding_zeros_does_not_change_a_field():
    for then in (
        lambda net, x: torch.zeros_like(x)[:, :1] + net.other(x),
        lambda net, x: net.other(x) + torch.zeros_like(x)[:, :1],
    ):
        net, image = prepared(Behind(then))
        fields = ReceptiveFields(operations(net, image), SHAPE)
        assert fields.of("add", (0, 0, 0, 2)).box == ((-1, 2), (2, 3))


def test_zeros_beside_maps_have_no_field():
    net, image = prepared(NETWORKS["with zeros"])
    fields = ReceptiveFields(operations(net, image), SHAPE)
    assert fields.of("cat", (0, 1, 3, 3)) is None
    assert fields.of("cat", (0, 2, 3, 3)).box == ((3, 4), (3, 4))
    assert fields.of("cat", (0, 4, 0, 3)).box == ((-1, 2), (2, 5))
    assert fields.of("cat", (0, 4, 0, 3)).clipped == ((0, 2), (2, 5))


def test_a_map_of_one_unit_does_not_move_with_the_map_that_it_gates():
    def gated(net, x):
        one = F.avg_pool2d(net.other(x), (3, 7))[:, :, :1]
        return F.avg_pool2d(F.avg_pool2d(net.other(x), 3) * one, (2, 1), 1, (1, 0))

    net, image = prepared(Behind(gated))
    *_, last = operations(net, image)
    field = ReceptiveFields(operations(net, image), SHAPE).of(last.name, (0, 0, 2, 0))
    assert field.box == field.clipped == ((0, 6), (0, 7))
    sees_exactly(Behind(gated))


def test_a_gate_of_the_whole_image_may_be_pooled_and_flattened():
    conv = nn.Conv2d(2, 4, 3, stride=2, padding=1)
    sees_exactly(
        Behind(
            lambda net, x: F.adaptive_avg_pool2d(
                net.conv(x) * net.conv(x).mean((2, 3), keepdim=True), 1
            ).flatten(1),
            conv=conv,
        )
    )
