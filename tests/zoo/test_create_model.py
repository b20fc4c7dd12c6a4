"""Networks by name: exact counts, sizes that are refused, and the user's own."""

import sys
from contextlib import suppress

import pytest
import torch
from torch import nn

import convscope
from convscope.errors import RequestError
from convscope.zoo import ENTRIES, ZOO, create_model, default_lr, list_models, resolve_model
from convscope.zoo.check import check_network, reads_channels_last
from tests.reference.families import each_network
from tests.repetition import sample_fast

NAMES = each_network(ZOO)


def count(net):
    return sum(weight.numel() for weight in net.parameters())


LENET = [  # the lecture's table: layer, output volume, parameters
    ("conv1", (6, 28, 28), 156),
    ("pool1", (6, 14, 14), 0),
    ("conv2", (16, 10, 10), 2_416),
    ("pool2", (16, 5, 5), 0),
    ("conv3", (120, 1, 1), 48_120),
    ("fc1", (84,), 10_164),
    ("fc2", (10,), 850),
]


def test_every_layer_of_lenet5_has_the_lectures_volume_and_parameters():
    net, seen = create_model("lenet5"), {}
    for name, layer in net.named_children():
        layer.register_forward_hook(lambda _m, _x, y, name=name: seen.update({name: y.shape[1:]}))
    net(torch.zeros(1, 1, 32, 32))
    for name, volume, parameters in LENET:
        assert tuple(seen[name]) == volume
        assert count(net.get_submodule(name)) == parameters


@pytest.mark.parametrize("name", NAMES)
def test_any_size_that_the_layers_allow_is_built(name):
    """Colors are the first layer's business: the other number of them is seen at one size."""
    native, least, own = ZOO[name].input_size, ZOO[name].min_size, ZOO[name].in_channels
    for channels, size in (
        (own, native),
        (own, (least, native[1] + 1)),
        (own, (native[0] + 13, native[1] + 6)),
        (4 - own, (least, least)),  # 3 for 1, 1 for 3
    ):
        with torch.device("meta"):
            net = create_model(name, num_classes=7, in_channels=channels, input_size=size).eval()
            assert net(torch.zeros(2, channels, *size)).shape == (2, 7)


@pytest.mark.parametrize("name", NAMES)
def test_the_smallest_size_works_and_one_less_does_not(name):
    least = ZOO[name].min_size
    with torch.device("meta"):
        net = create_model(name, input_size=(least, least)).eval()
        images = torch.zeros(1, ZOO[name].in_channels, least, least)
        assert net(images).shape == (1, ZOO[name].num_classes)
    with pytest.raises(RequestError, match=f"{least}x{least} or more"):
        create_model(name, input_size=(least - 1, least))


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
@pytest.mark.parametrize("name", sample_fast(3, NAMES))
def test_one_less_than_the_smallest_would_leave_nothing_in_some_layer(name):
    entry = ZOO[name]
    less = (entry.min_size - 1, entry.input_size[1])
    left = []
    with torch.device("meta"), suppress(RequestError, RuntimeError, ValueError):
        net = entry.builder(num_classes=10, in_channels=entry.in_channels, input_size=less).eval()
        for layer in net.modules():
            layer.register_forward_hook(lambda _m, _x, y: left.append(y.numel()))
        net(torch.zeros(1, entry.in_channels, *less))
        assert min(left) == 0


def test_rates_are_those_of_the_papers_for_batches_of_64():
    assert default_lr("alexnet_towers") == pytest.approx(0.01 * 64 / 128)
    assert default_lr("squeezenet1_0") == pytest.approx(0.04 * 64 / 512)
    assert default_lr("resnet20_cifar") == default_lr("mine:Net") == pytest.approx(0.1 * 64 / 128)


def test_a_misspelt_name_is_answered_with_the_nearest():
    with pytest.raises(RequestError, match="Did you mean 'lenet5'"):
        create_model("lenet6")


def test_models_are_listed_by_a_pattern_in_natural_order():
    assert list_models("resnet[0-9]*")[:3] == ["resnet18", "resnet20_cifar", "resnet32_cifar"]
    assert list_models("RESNET*") == list_models("no such network") == []
    assert set(list_models()) == set(ENTRIES)


def test_filters_of_tinyvgg_begin_with_he_variance():
    torch.manual_seed(0)
    weights = torch.cat(
        [create_model("tinyvgg").get_parameter("conv2_1.weight") for _ in range(20)]
    )
    assert weights.var().item() == pytest.approx(2 / 90, rel=0.05)
    assert weights.mean().item() == pytest.approx(0, abs=0.005)


OWN = """
from torch import nn
class Net(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, num_classes)
    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))
def viewer(num_classes, in_channels):
    class Viewer(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(in_channels, 4, 3), nn.Linear(4 * 36, num_classes)
        def forward(self, x):
            return self.fc(self.conv(x).view(x.size(0), -1))
    return Viewer()
ready = Net(3)
def broken(): raise RuntimeError("no weights at hand")
number = 3
def makes_a_number(): return 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "mynets.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("mynets", None)


@pytest.mark.usefixtures("own")
def test_the_users_own_is_called_with_the_words_that_it_knows():
    assert create_model("mynets:Net", num_classes=5).get_submodule("head").out_features == 5
    assert isinstance(create_model("mynets:viewer", num_classes=5, in_channels=1), nn.Module)
    assert create_model("mynets:ready").get_submodule("head").out_features == 3


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mynet:Net", "no module 'mynet'"),
        ("mynets:Nets", "Did you mean 'Net'"),
        ("mynets:number", "is of type int"),
        ("mynets:makes_a_number", "returned an object of type int"),
        ("mynets:broken", "no weights at hand"),
    ],
)
def test_what_is_wrong_with_the_users_own_is_said(name, told):
    with pytest.raises(RequestError, match=told):
        create_model(name)


def test_a_network_that_cannot_take_the_images_is_refused_by_layer():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 9), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(RequestError, match=r"images of 3x8x8: it failed at layer 1"):
        check_network(net, in_channels=3, input_size=(8, 8), num_classes=2, name="mine")


def test_a_network_with_other_outputs_is_refused():
    with pytest.raises(RequestError, match=r"\(1, 10\) for an image; with 3 classes"):
        check_network(
            create_model("lenet5"), in_channels=1, input_size=(32, 32), num_classes=3, name="lenet5"
        )


def test_checking_leaves_no_trace():
    net = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Dropout(), nn.Linear(48, 2))
    net[0].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    check_network(net, in_channels=3, input_size=(4, 4), num_classes=2, name="mine")
    assert [layer.training for layer in net] == [False, True, True, True]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(layer._forward_pre_hooks for layer in net.modules())


@pytest.mark.usefixtures("own")
def test_a_network_that_views_its_maps_gets_the_layout_that_it_can_read():
    assert not reads_channels_last(
        create_model("mynets:viewer", num_classes=2, in_channels=3),
        in_channels=3,
        input_size=(8, 8),
    )
    assert reads_channels_last(create_model("tinyvgg"), in_channels=3, input_size=(32, 32))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(num_classes=0), "`num_classes` must be at least 1, not 0"),
        (dict(in_channels=-1), "`in_channels` must be at least 1, not -1"),
        (
            dict(input_size=(64, 0)),
            "`input_size` must (be 1x1 or more, not 64x0|consist of numbers of at least 1)",
        ),
    ],
)
def test_numbers_that_make_no_network_are_refused(given, message):
    for function in (convscope.create_model, convscope.summary):
        with pytest.raises(RequestError, match=message):
            function("resnet18", **given)


def test_a_network_is_made_for_a_height_and_a_width_or_one_side_of_a_square():
    shapes = [
        {
            name: weight.shape
            for name, weight in create_model("lenet5", input_size=s).named_parameters()
        }
        for s in (48, (48, 48), (32, 32))
    ]
    assert shapes[0] == shapes[1] != shapes[2]
    with pytest.raises(RequestError, match=r"`input_size` must be \(height, width\), not \('a', 3"):
        convscope.create_model("resnet18", input_size=("a", 3))


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("ResNet-18", "resnet18"),
        ("VGG16_BN", "vgg16_bn"),
        ("LeNet-5", "lenet5"),
        ("wrn-28-10", "wrn28_10"),
        ("resnext50-32x4d", "resnext50_32x4d"),
    ],
)
def test_a_name_is_found_however_it_is_spelled(typed, name):
    assert resolve_model(typed) == name


def test_no_two_names_of_the_zoo_differ_by_spelling_alone():
    plain = {"".join(filter(str.isalnum, name)).lower() for name in ZOO}
    assert len(plain) == len(ZOO)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("resnt50", "Did you mean 'resnet50'"),
        ("vgg", "Did you mean 'vgg11', 'vgg11_bn', "),
        ("efficientnet_v2_s", "write torchvision:efficientnet_v2_s"),
        ("resnet26", "timm has: write timm:resnet26"),
        ("shufflenet", r"timm and torchvision have networks like it: timm:shufflenet"),
    ],
)
def test_an_unknown_name_is_answered_with_where_its_like_is(typed, said):
    with pytest.raises(RequestError, match=said):
        resolve_model(typed)
