"""What a unit sees, per channel: the support of its gradient; and what of it lies in the image."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.torchvision_operators import TORCHVISION
from convscope.explanation.recording import record
from convscope.gradients import contiguous_gradients
from convscope.zoo import create_model
from tests.receptive.test_zoo import positive
from tests.repetition import first_fast, sample_fast


class Whole(nn.Module):
    """A network with its dense layers, which `positive` leaves out of a plain nn.Sequential."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)


def grown(net, image):
    """What modules give, by their path, each with the graph of its gradient."""
    outputs, handles = {}, []
    for path, module in net.named_modules():
        keep = lambda _m, _x, y, path=path: outputs.setdefault(path, y)  # noqa: E731
        handles.append(module.register_forward_hook(keep))
    net(image)
    for handle in handles:
        handle.remove()
    return {path: one for path, one in outputs.items() if isinstance(one, Tensor)}


def touched(answer, at, image):
    """Height and width of the pixels that a unit has a gradient by; None where there is none."""
    unit = contiguous_gradients(answer[(0, *at)])
    (gradient,) = torch.autograd.grad(unit, image, retain_graph=True)
    pixels = gradient[0].abs().amax(0) > 0
    places = [pixels.any(1 - axis).nonzero().flatten().tolist() for axis in (0, 1)]
    return tuple((found[0], found[-1] + 1) for found in places) if places[0] else None


def shown(field):
    """The part of the image that an explanation says a unit sees; None where there is none."""
    return None if field is None or None in field.clipped else field.clipped


def claimed(field):
    return field is None or field.exact


def names_of(recording, outputs):
    """The operation that gave what a module gave: the last one that is the same to the bit."""
    found = {}
    for path, answer in outputs.items():
        same = [
            name
            for name in reversed(recording.names)
            if recording[name].shape == tuple(answer.shape[1:])
            and torch.equal(recording[name].tensor, answer)
        ]
        if same:
            found[path if path in same else same[0]] = answer
    return found


def prepared(net, size, channels=3):
    """A recording, an image that takes gradients, and the results of modules by operation."""
    torch.manual_seed(0)
    net = positive(net)
    image = torch.rand(1, channels, *size, dtype=torch.float64, requires_grad=True)
    recording = record(net, image.detach())
    return recording, image, names_of(recording, grown(net, image))


def units(recording, answers, count, seed=0):
    """Units of all operations, of each branch of a concatenation one at least; also at corners."""
    random = np.random.default_rng(seed)
    chosen = []
    for name in answers:
        shape = recording[name].shape
        ends = np.cumsum([recording[branch].shape[0] for branch in recording[name].operands])
        if recording[name].kind == "cat" and ends[-1] == shape[0]:
            channels = [random.integers(first, end) for first, end in zip((0, *ends), ends)]  # noqa: B905
        else:
            channels = np.linspace(0, shape[0] - 1, 4).round()
        for channel in channels:
            rest = tuple(int(random.choice((0, side // 2, side - 1))) for side in shape[1:])
            chosen.append((name, (int(channel), *rest)))
    keep = random.permutation(len(chosen))[:count]
    cats = [n for n, (name, _) in enumerate(chosen) if recording[name].kind == "cat"]
    return [chosen[n] for n in sorted({*keep.tolist(), *cats})]


def compared(net, size, channels=3, count=60):
    """The units, what the explanation says that they see, and what their gradient touches."""
    recording, image, answers = prepared(net, size, channels)
    for name, at in units(recording, answers, count):
        field = recording.explain(name, at).receptive_field
        yield name, at, field, touched(answers[name], at, image)


def seen_exactly(net, size, channels=3, count=60):
    found = list(compared(net, size, channels, count))
    assert len(found) >= 4
    assert [one for one in found if shown(one[2]) != one[3] or not claimed(one[2])] == []


# (network of the zoo, height, width): not square, so that mixed-up axes show.
ZOO_NETWORKS = [
    ("lenet5_1998", 32, 37),
    ("alexnet", 99, 83),
    ("alexnet_towers", 67, 83),
    ("nin_cifar", 32, 24),
    ("googlenet", 96, 80),
    ("googlenet_bn", 64, 80),
    ("resnet18", 64, 48),
    ("squeezenet1_0", 64, 49),
    ("densenet40_12", 32, 40),
    ("densenet121", 64, 48),
    pytest.param("fractalnet20", 32, 40, marks=pytest.mark.slow),
    ("wrn16_8", 16, 24),
    ("deepface", 72, 80),
]


@pytest.mark.parametrize(("name", "height", "width"), sample_fast(3, ZOO_NETWORKS))
def test_receptive_fields_match_gradients(name, height, width):
    channels = 1 if name.startswith("lenet5") else 3
    seen_exactly(create_model(name, input_size=(height, width)), (height, width), channels)


@pytest.mark.slow
def test_receptive_fields_of_torchvisions_googlenet_match_gradients():
    assert TORCHVISION is None or TORCHVISION.ns == "torchvision"
    models = pytest.importorskip("torchvision").models
    net = models.googlenet(weights=None, aux_logits=False, init_weights=False)
    seen_exactly(Whole(net), (64, 80), count=40)


class Branches(nn.Module):
    """Two branches side by side, of which one sees a pixel and the other 5x3 of them."""

    def __init__(self, behind=lambda _net, x: x, **layers):
        super().__init__()
        self.behind = behind
        self.one, self.other = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, (5, 3), padding=(2, 1))
        self.last = nn.Identity()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def side_by_side(self, x, dim=1):
        return torch.cat([self.one(x), self.other(x)], dim)

    def forward(self, x):
        return self.last(self.behind(self, self.side_by_side(x)))


SIZE = (13, 18)

BEHIND_BRANCHES = {
    "nothing": Branches(),
    "batch norm": Branches(norm=nn.BatchNorm2d(8), behind=lambda net, x: net.norm(x)),
    "activation": Branches(curve=nn.SiLU(), behind=lambda net, x: net.curve(x)),
    "dropout": Branches(drop=nn.Dropout2d(), behind=lambda net, x: net.drop(x)),
    "pool": Branches(pool=nn.AvgPool2d(3, 2, 1), behind=lambda net, x: net.pool(x)),
    "two pools and a norm": Branches(
        pool=nn.AvgPool2d((2, 3), 1),
        again=nn.AvgPool2d(2),
        norm=nn.BatchNorm2d(8),
        behind=lambda net, x: net.norm(net.again(net.pool(x))),
    ),
    "adaptive pool": Branches(pool=nn.AdaptiveAvgPool2d((3, 4)), behind=lambda net, x: net.pool(x)),
    "convolution": Branches(
        conv=nn.Conv2d(8, 2, 3, dilation=2, padding=1), behind=lambda net, x: net.conv(x)
    ),
    "concatenation": Branches(
        pool=nn.AvgPool2d(3, 1, 1),
        behind=lambda net, x: net.pool(torch.cat([net.pool(x), x[:, :2]], -3)),
    ),
    "concatenation by axis": Branches(
        pool=nn.AvgPool2d(3, 1, 1),
        behind=lambda net, x: torch.concatenate([net.pool(x), x], axis=1),
    ),
    "dense layer": Branches(
        dense=nn.Linear(8 * 13 * 18, 5), behind=lambda net, x: net.dense(x.flatten(1))
    ),
    "mean": Branches(behind=lambda net, x: x.mean((2, 3))),
    "transposed convolution": Branches(
        large=nn.ConvTranspose2d(8, 3, 3, 2, 1), behind=lambda net, x: net.large(x)
    ),
}


@pytest.mark.parametrize("behind", BEHIND_BRANCHES)
def test_each_channel_has_the_receptive_field_of_its_branch(behind):
    seen_exactly(BEHIND_BRANCHES[behind], SIZE)


def test_branches_of_a_split_keep_the_receptive_fields_of_their_channels():
    class Split(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 6, 3, padding=1)
            self.conv = nn.Conv2d(4, 4, 3, padding=1)
            self.pool = nn.AvgPool2d(2)

        def forward(self, x):
            one, other = self.stem(x).split((2, 4), 1)
            return self.pool(torch.cat([one, self.conv(other)], 1))

    seen_exactly(Split(), SIZE)
    recording = record(Split(), torch.rand(3, *SIZE))
    fields = [recording.explain("pool", (c, 2, 3)).receptive_field for c in range(6)]
    assert [field.box for field in fields] == [((3, 7), (5, 9))] * 2 + [((2, 8), (4, 10))] * 4


# Behind which the channels are followed no further, or are: never too little, and never a claim.
REACHED = {
    "depthwise": Branches(
        conv=nn.Conv2d(8, 8, 3, padding=1, groups=8), behind=lambda net, x: net.conv(x)
    ),
    "groups": Branches(
        conv=nn.Conv2d(8, 4, 3, padding=1, groups=2), behind=lambda net, x: net.conv(x)
    ),
    "chunk": Branches(behind=lambda net, x: x.chunk(2, 1)[0] * 1.0),
    "chunk and convolution": Branches(
        conv=nn.Conv2d(4, 2, 3, padding=1), behind=lambda net, x: net.conv(x.chunk(2, 1)[0])
    ),
    "slice": Branches(behind=lambda net, x: x[:, 2:6] * 1.0),
    "addition": Branches(behind=lambda net, x: x + x),
    "scale and shift": Branches(behind=lambda net, x: x * 2 + 1),
    "gate": Branches(behind=lambda net, x: x * x.mean((2, 3), keepdim=True)),
    "shuffled": Branches(
        conv=nn.Conv2d(8, 8, 1, groups=8),
        behind=lambda net, x: net.conv(x.view(1, 2, 4, *SIZE).transpose(1, 2).reshape(1, 8, *SIZE)),
    ),
    "channel shuffle": Branches(behind=lambda net, x: F.channel_shuffle(x, 2)),
    "padding": Branches(behind=lambda net, x: F.pad(x, (1, 0, 2, 1))),
    "padding and pool": Branches(
        pool=nn.AvgPool2d(2), behind=lambda net, x: net.pool(F.pad(x, (1, 0, 2, 1)))
    ),
    "enlarging": Branches(behind=lambda net, x: F.interpolate(x, scale_factor=2)),
    "softplus": Branches(behind=lambda net, x: F.softplus(x)),
    "rows": Branches(behind=lambda net, x: torch.cat([x, x], 2)),
    "softmax": Branches(behind=lambda net, x: torch.softmax(x, 1)),
    "instance norm": Branches(behind=lambda net, x: F.instance_norm(x)),
    "flip": Branches(behind=lambda net, x: x.flip(1)),
}


def never_too_little(net, size, count=60):
    found = list(compared(net, size, count=count))
    assert len(found) >= 4
    too_little = [one for one in found if not covers(shown(one[2]), one[3])]
    untrue = [one for one in found if claimed(one[2]) and shown(one[2]) != one[3]]
    assert (too_little, untrue) == ([], [])


def covers(box, inner):
    if box is None or inner is None:
        return inner is None
    return all(one <= a and b <= two for (one, two), (a, b) in zip(box, inner, strict=True))


@pytest.mark.parametrize("behind", REACHED)
def test_a_receptive_field_is_never_too_small_and_exact_where_it_claims_to_be(behind):
    never_too_little(REACHED[behind], SIZE)


@pytest.mark.parametrize("name", first_fast(1, ["shufflenet_v2_x0_5", "mnasnet0_5"]))
def test_receptive_fields_of_torchvision_networks_are_exact_where_they_claim_to_be(name):
    models = pytest.importorskip("torchvision").models
    never_too_little(Whole(models.get_model(name, weights=None)), (64, 80), count=120)


@pytest.mark.slow
def test_receptive_fields_of_ghost_modules_are_exact_where_they_claim_to_be():
    timm = pytest.importorskip("timm")
    net = timm.create_model("ghostnet_050", pretrained=False)
    for module in net.modules():
        if hasattr(module, "gate"):  # which saturates, and then nothing that it sees counts
            module.gate = nn.Identity()
    never_too_little(Whole(net), (64, 80), count=120)


@pytest.mark.parametrize(
    ("name", "height", "width"),
    first_fast(2, [("lenet5", 32, 41), ("alexnet", 99, 83), ("deepface", 72, 89)]),
)
def test_dense_layers_have_the_union_of_the_last_maps_receptive_fields(name, height, width):
    channels = 1 if name == "lenet5" else 3
    net = Whole(create_model(name, input_size=(height, width)))
    recording, image, answers = prepared(net, (height, width), channels)
    dense = [one for one in answers if recording[one].kind == "linear"]
    assert dense
    for one in dense:
        field = recording.explain(one, recording[one].shape[0] - 1).receptive_field
        assert field.exact
        assert field.clipped == touched(answers[one], (0,), image)
        if name == "lenet5":
            assert field.clipped == ((0, 32), (0, 40))  # 41 is odd: pooling leaves a column
            assert field.box == field.clipped
            assert field.fraction == 1


# (network, layers whose units reach no further over the border than the margin).
WITH_MARGIN = [
    ("resnet18", ("conv1", "pool1", "conv2_2", "conv3_2")),
    ("resnet20_cifar", ("conv1", "conv2_3", "conv3_2", "conv3_3")),
    ("googlenet", ("conv1", "pool2", "inception_3a", "inception_3b", "pool3")),
    ("squeezenet1_1", ("conv1", "fire2", "pool3", "fire4")),
]


@pytest.mark.parametrize(("name", "layers"), first_fast(1, WITH_MARGIN))
def test_a_box_beyond_the_image_matches_a_larger_image(name, layers):
    size, margin = (96, 80), 64
    recording, _, answers = prepared(create_model(name, input_size=size), size)
    larger = tuple(side + 2 * margin for side in size)
    wide, image, behind = prepared(create_model(name, input_size=larger), larger)
    random = np.random.default_rng(0)
    chosen = [one for one in answers if one.split(".")[0] in layers and one in behind]
    outside = 0
    for one in map(str, random.permutation(chosen)[:12]):
        maps, *sides = recording[one].shape
        jumps = [2 ** round(np.log2(side / own)) for side, own in zip(size, sides, strict=True)]
        at = int(random.integers(maps)), 0, sides[1] // 2
        moved = (at[0], *(p + margin // jump for p, jump in zip(at[1:], jumps, strict=True)))
        expected = touched(behind[one], moved, image)
        assert wide.explain(one, moved).receptive_field.box == expected
        field = recording.explain(one, at).receptive_field
        assert field.box == tuple((a - margin, b - margin) for a, b in expected), (one, at)
        outside += field.box[0][0] < 0
    assert outside > 3


def counted(field, size):
    """How many of the pixels of the box lie in the image, one by one."""
    pixels = list(itertools.product(*(range(first, end) for first, end in field.box)))
    inside = [p for p in pixels if all(0 <= own < side for own, side in zip(p, size, strict=True))]
    ends = tuple((min(axis), max(axis) + 1) for axis in zip(*inside, strict=True))
    return ends, len(inside) / len(pixels)


@pytest.mark.parametrize(
    ("name", "height", "width"), first_fast(1, [("resnet18", 64, 48), ("alexnet", 99, 83)])
)
def test_the_clipped_box_and_its_fraction_match_counting(name, height, width):
    recording, _, answers = prepared(
        create_model(name, input_size=(height, width)), (height, width)
    )
    shares = set()
    middle = tuple(side // 2 for side in recording["conv1"].shape)
    for one, at in [*units(recording, answers, 40), ("conv1", middle)]:
        field = recording.explain(one, at).receptive_field
        clipped, share = counted(field, (height, width))
        assert field.clipped == clipped, (one, at)
        assert field.fraction == pytest.approx(share, rel=1e-12), (one, at)
        shares.add(share)
    assert min(shares) < 0.5
    assert max(shares) == 1


def test_a_unit_of_padding_alone_has_no_pixels():
    recording = record(nn.Sequential(nn.Conv2d(1, 1, 1, padding=3)), torch.ones(1, 5, 7))
    corner = recording.explain("0", (0, 0, 4)).receptive_field
    assert corner.box == ((-3, -2), (1, 2))
    assert corner.clipped == (None, (1, 2))
    assert corner.fraction == 0


def test_a_pixel_is_its_own_receptive_field():
    recording = record(nn.Sequential(nn.ReLU()), torch.ones(3, 5, 7))
    for name in ("image", "0"):
        field = recording.explain(name, (2, 4, 6)).receptive_field
        assert (field.box, field.clipped) == (((4, 5), (6, 7)),) * 2
        assert (field.fraction, field.exact) == (1, True)


def test_values_independent_of_the_image_have_no_receptive_field():
    class Biased(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.ones(3))

        def forward(self, x):
            return x + (2 * self.bias)[:, None, None]

    recording = record(Biased(), torch.ones(3, 2, 2))
    assert recording.explain("mul", 1).receptive_field is None
    assert recording.explain("add", (1, 0, 1)).receptive_field.box == ((0, 1), (1, 2))


FILLED = {
    "fill_": lambda x: torch.zeros(1, 3).fill_(x[0, 0, 2, 3]),
    "fill": lambda x: torch.fill(x, x[0, 0, 2, 3]),
    "a view": lambda x: torch.zeros(1, 3)[:, 1:].fill_(x[0, 0, 2, 3]),
}


@pytest.mark.parametrize("name", FILLED)
def test_what_is_filled_with_a_unit_is_explained_by_it_and_has_its_field(name):
    class Filled(nn.Module):
        def forward(self, x):
            return FILLED[name](x)

    recording = record(Filled(), torch.rand(1, 4, 5))
    unit = recording.explain("fill", (0,) * len(recording["fill"].shape))
    assert unit.exact_value == unit.model_value == float(recording["image"].value[0, 2, 3])
    assert recording.explain(unit.terms[0].location.source, ()).exact_value == unit.exact_value
    assert unit.receptive_field.box == ((2, 3), (3, 4))


@pytest.mark.parametrize("behind", [nn.Identity(), nn.ReLU(), nn.AvgPool2d(2)])
def test_a_concatenated_constant_has_no_receptive_field(behind):
    class Placed(nn.Module):
        def __init__(self):
            super().__init__()
            self.behind = behind
            self.register_buffer("places", torch.linspace(1, 2, 40).reshape(1, 2, 4, 5))

        def forward(self, x):
            return self.behind(torch.cat([x, self.places, torch.ones(1, 1, 4, 5)], 1))

    recording = record(Placed(), torch.rand(3, 4, 5))
    fields = [recording.explain(recording.output, (c, 1, 1)).receptive_field for c in range(6)]
    assert fields[3:] == [None] * 3
    side = 2 if isinstance(behind, nn.AvgPool2d) else 1
    assert [field.box for field in fields[:3]] == [((side, 2 * side),) * 2] * 3


def test_behind_an_unsupported_operation_a_receptive_field_is_the_image_and_inexact():
    class Factored(nn.Module):
        def forward(self, x):
            return torch.linalg.qr(x)[0]

    recording = record(Factored(), torch.rand(3, 4, 5))
    field = recording.explain(recording.output, (1, 2, 3)).receptive_field
    assert not field.exact
    assert field.clipped == ((0, 4), (0, 5))


INDEX = torch.tensor([0, 2, 0, 1])
ADDING = {
    "index_put, by position": lambda x: torch.zeros(4, 4).index_put((INDEX,), x[0, 0], True),  # noqa: FBT003
    "index_put": lambda x: torch.zeros(4, 4).index_put((INDEX,), x[0, 0], accumulate=True),
    "scatter": lambda x: torch.ones(4, 4).scatter(
        0, INDEX[:, None].expand(4, 4), x[0, 0], reduce="add"
    ),
}


@pytest.mark.filterwarnings("ignore:The reduce argument of torch.scatter")
@pytest.mark.parametrize("function", ADDING.values(), ids=ADDING)
def test_what_is_added_to_the_same_unit_is_all_seen_by_it(function):
    image = torch.rand(1, 1, 4, 4)
    recording = record(Whole(function), image)
    x = image.clone().requires_grad_()
    for at in ((0, 1), (1, 2), (2, 3)):
        field = recording.explain(recording.output, at).receptive_field
        summed = torch.zeros(4, 4).index_add(0, INDEX, x[0, 0])  # the same, which has a gradient
        (gradient,) = torch.autograd.grad(summed[at], x)
        for (start, stop), lines in zip(
            field.clipped, (gradient[0, 0].any(1), gradient[0, 0].any(0)), strict=True
        ):
            touched = lines.nonzero().flatten().tolist()
            assert start <= min(touched)
            assert max(touched) < stop
