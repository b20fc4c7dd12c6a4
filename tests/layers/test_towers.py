"""Two towers compute what the grouped network computes: outputs, gradients, parameters, states."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from convscope.errors import RequestError
from convscope.layers import LocalResponseNorm, Towers


def alexnet(*, part=1, classes=1000, side=6, dropout=0.5):
    """The network of Figure 2, or a part-th as wide; `side` is that of its last maps."""
    a, b, c, units = 96 // part, 256 // part, 384 // part, 4096 // part
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, a, 11, stride=4),
            relu1=nn.ReLU(),
            norm1=LocalResponseNorm(groups=2),
            pool1=nn.MaxPool2d(3, stride=2),
            conv2=nn.Conv2d(a, b, 5, padding=2, groups=2),
            relu2=nn.ReLU(),
            norm2=LocalResponseNorm(groups=2),
            pool2=nn.MaxPool2d(3, stride=2),
            conv3=nn.Conv2d(b, c, 3, padding=1),
            relu3=nn.ReLU(),
            conv4=nn.Conv2d(c, c, 3, padding=1, groups=2),
            relu4=nn.ReLU(),
            conv5=nn.Conv2d(c, b, 3, padding=1, groups=2),
            relu5=nn.ReLU(),
            pool5=nn.MaxPool2d(3, stride=2),
            flatten=nn.Flatten(),
            fc6=nn.Linear(b * side * side, units),
            fc6_relu=nn.ReLU(),
            fc6_dropout=nn.Dropout(dropout),
            fc7=nn.Linear(units, units),
            fc7_relu=nn.ReLU(),
            fc8=nn.Linear(units, classes),
        )
    )


def small(**options):
    """An eighth of the network, an odd number of classes, images of 99x99 (last maps 2x2)."""
    torch.manual_seed(0)
    return alexnet(part=8, classes=7, side=2, **options).double()


def images():
    return 50 * torch.randn(3, 3, 99, 99, dtype=torch.float64)


def together(towers, name):
    shares = [dict(tower.named_parameters())[name] for tower in towers.towers]
    return torch.cat([share.grad for share in shares])


def test_outputs_and_gradients_are_those_of_the_grouped_network():
    net = small(dropout=0)
    towers = Towers(net)
    ours = images().requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    y, expected = towers(ours), net(theirs)
    torch.testing.assert_close(y, expected)
    pull = torch.randn_like(y)
    y.backward(pull)
    expected.backward(pull)
    torch.testing.assert_close(ours.grad, theirs.grad)
    for name, whole in net.named_parameters():
        torch.testing.assert_close(together(towers, name), whole.grad)


def test_parameters_are_the_papers_and_each_tower_has_half():
    with torch.device("meta"):
        net = alexnet()
    towers = Towers(net, ("meta", "meta"))
    assert sum(weight.numel() for weight in net.parameters()) == 60_965_224
    assert sum(weight.numel() for weight in towers.parameters()) == 60_965_224
    halves = [sum(weight.numel() for weight in tower.parameters()) for tower in towers.towers]
    assert halves[0] == halves[1]
    assert towers(torch.empty(2, 3, 227, 227, device="meta")).shape == (2, 1000)


def test_kernels_see_the_maps_that_figure_2_connects():
    with torch.device("meta"):
        tower = Towers(alexnet(), ("meta", "meta")).towers[0]
    shapes = {name: tuple(weight.shape) for name, weight in tower.named_parameters()}
    assert shapes["conv1.weight"] == (48, 3, 11, 11)
    assert shapes["conv2.weight"] == (128, 48, 5, 5)
    assert shapes["conv3.weight"] == (192, 256, 3, 3)
    assert shapes["conv4.weight"] == (192, 192, 3, 3)
    assert shapes["conv5.weight"] == (128, 192, 3, 3)
    assert shapes["fc6.weight"] == (2048, 9216)
    assert repr(tower["conv2"]).startswith("Conv2d(48, 128, ")
    assert repr(tower["fc6"]).startswith("Linear(in_features=9216, out_features=2048")


def test_maps_cross_only_before_conv3_and_the_dense_layers(monkeypatch):
    towers, crossed = Towers(small()), []

    def whole(shares, device):
        crossed.append(shares[0].shape[1])
        return torch.cat(shares, 1).to(device)

    monkeypatch.setattr("convscope.layers.towers._merge", whole)
    towers(images())
    # half the image's channels, then conv2's maps, fc6's inputs, fc6's and fc7's units, the logits
    assert crossed == [2, 16, 64, 256, 256, 4]


def test_states_convert_both_ways():
    net, other = small().eval(), small().eval()
    nn.init.normal_(other.get_parameter("conv2.weight"))
    nn.init.normal_(other.get_parameter("fc8.bias"))
    towers = Towers(net)
    state = towers.plain_state()
    assert list(state) == list(net.state_dict())
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())
    towers.load_plain_state(other.state_dict())
    x = images()
    torch.testing.assert_close(towers(x), other(x))
    net.load_state_dict(towers.plain_state())
    assert torch.equal(net(x), other(x))


def test_training_in_towers_is_training_the_network():
    net = small(dropout=0)
    towers, x = Towers(net), images()
    for trained in (net, towers):
        optimizer = torch.optim.SGD(trained.parameters(), lr=1e-3, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            trained(x).square().mean().backward()
            optimizer.step()
    for name, value in towers.plain_state().items():
        torch.testing.assert_close(value, net.state_dict()[name])


def test_the_network_is_left_as_it_was():
    net = small().eval()
    net.get_parameter("conv1.weight").requires_grad_(False)  # noqa: FBT003 -- torch's signature
    before = {name: value.clone() for name, value in net.state_dict().items()}
    towers = Towers(net)
    assert not towers.training
    assert not towers.get_parameter("towers.1.conv1.weight").requires_grad
    with torch.no_grad():
        for weight in towers.parameters():
            weight.zero_()
    assert net.get_submodule("conv2").groups == 2
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_any_number_of_towers_is_possible():
    torch.manual_seed(0)
    net = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 6, 3), conv2=nn.Conv2d(6, 9, 3, groups=3), conv3=nn.Conv2d(9, 5, 3)
        )
    )
    x = torch.randn(2, 1, 9, 9)
    torch.testing.assert_close(Towers(net, ["cpu"] * 3)(x), net(x))


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (nn.Conv2d(4, 4, 3, groups=4), "Conv2d in 1 or 2"),
        (LocalResponseNorm(), "LocalResponseNorm in 2 groups"),
        (nn.BatchNorm2d(4), "BatchNorm2d"),
    ],
)
def test_a_layer_that_cannot_be_shared_out_is_refused_by_name(layer, told):
    with pytest.raises(RequestError, match=f"Layer odd, .*{told}"):
        Towers(nn.Sequential(OrderedDict(odd=layer)))


def test_no_devices_are_no_towers():
    with pytest.raises(RequestError, match="devices is empty"):
        Towers(small(), ())


def test_the_towers_print_their_devices():
    assert "devices=('cpu', 'cpu')" in repr(Towers(small()))
