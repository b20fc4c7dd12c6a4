"""Guided backpropagation and deconvolution, however a ReLU is written."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.attribution.guided import ModifiedReLU
from convscope.attribution.pixel_methods import deconvolution, guided_backpropagation, saliency
from convscope.errors import RequestError
from tests.attribution.networks import Chain, Residual, image, randomize, subject_of


class Written(nn.Module):
    """Two convolutions with a ReLU between and behind, written in one of these ways."""

    def __init__(self, relu):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 6, 3)
        self.fc = nn.Linear(6, 4)
        self.relu = relu

    def forward(self, x):
        x = self.relu(self.conv2(self.relu(self.conv1(x))))
        return self.fc(x.mean((2, 3)))


def _changed(x):
    F.relu(x, inplace=True)  # whose result is not used
    return x


WAYS = {
    "module": nn.ReLU(),
    "in place": nn.ReLU(inplace=True),
    "function": F.relu,
    "torch": torch.relu,
    "method": lambda x: x.relu(),
    "written over": _changed,
    "clamp": lambda x: x.clamp(min=0),
    "clamp_min": lambda x: torch.clamp_min(x, 0),
    "aten": torch.ops.aten.relu.default,
}


def _by_hand(net, x, *, guided):
    """The same by a loop over the layers, from the last to the first."""
    convolutions = (net.conv1, net.conv2)
    before, values = [], x
    for conv in convolutions:
        before.append((values, conv(values)))
        values = before[-1][1].clamp_min(0)
    signal = net.fc.weight[1].reshape(1, -1, 1, 1) / values[0, 0].numel()
    signal = signal.expand_as(values)
    for conv, (inside, out) in zip(reversed(convolutions), reversed(before), strict=True):
        signal = signal.clamp_min(0) * ((out > 0) if guided else 1)
        signal = F.conv_transpose2d(signal, conv.weight)
        assert signal.shape == inside.shape
    return signal.abs().amax(1)[0]


@pytest.mark.parametrize("guided", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_write_a_relu_gives_what_a_loop_over_the_layers_gives(way, guided):
    net = randomize(Written(WAYS[way]))
    subject = subject_of(net, image())
    found = (guided_backpropagation if guided else deconvolution)(subject)
    expected = _by_hand(net, subject.image, guided=guided)
    torch.testing.assert_close(torch.from_numpy(found.values), expected)
    assert "2 ReLUs" in found.notes[0]
    assert abs(found.values - saliency(subject).values).max() > 1e-3


def test_an_in_place_relu_that_a_skip_shares_changes_what_the_skip_reads():
    net = randomize(Residual())
    with ModifiedReLU(guided=True) as mode:
        modified = net(image())
    torch.testing.assert_close(modified, net(image()))
    assert mode.replaced == 3


def test_a_network_without_relus_is_refused_and_says_what_it_has():
    net = randomize(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(144, 4)))
    with pytest.raises(RequestError, match=r"none ran in this network.*tanh"):
        guided_backpropagation(subject_of(net, image()))


def test_other_activations_are_said_to_keep_their_gradient():
    layers = nn.Conv2d(3, 4, 3), nn.GELU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten()
    net = randomize(nn.Sequential(*layers, nn.Linear(64, 4)))
    notes = guided_backpropagation(subject_of(net, image())).notes
    assert notes == [
        "1 ReLUs got the gradient of this method.",
        "Kept their plain gradient: 1 gelu.",
    ]


def test_relu6_lets_nothing_through_where_it_is_full():
    x = torch.tensor([-1.0, 3, 7], requires_grad=True)
    with ModifiedReLU(guided=True):
        (gradient,) = torch.autograd.grad(F.relu6(x).sum(), x)
    assert gradient.tolist() == [0, 1, 0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["GuidedBackprop", "Deconvolution"])
def test_captum_agrees_where_relus_are_modules(name):
    captum = pytest.importorskip("captum.attr", reason="captum is not installed")
    net = randomize(Chain())
    subject = subject_of(net, image())
    expected = getattr(captum, name)(net).attribute(subject.image.clone(), target=1)
    ours = {"GuidedBackprop": guided_backpropagation, "Deconvolution": deconvolution}[name]
    torch.testing.assert_close(
        torch.from_numpy(ours(subject).values), expected.detach().abs().amax(1)[0]
    )
