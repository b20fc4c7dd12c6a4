"""How many images are evaluated at a time: a law, the networks it was made for, no trace."""

import warnings

import pytest
import torch
from torch import nn

import convscope
from convscope.card import Card
from convscope.evaluation.batch_size import LARGEST, SMALLEST, batch_size, choose_feeding

CPU = torch.device("cpu")


def card(side: int, channels: int) -> Card:
    return Card(
        classes=("a", "b"),
        input_size=(side, side),
        in_channels=channels,
        resize_mode="crop",
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
    )


def test_the_largest_activation_takes_at_most_32_mib_within_the_bounds():
    before = LARGEST
    for activation in (1, 4, 1000, 1 << 17, (1 << 17) + 1, 3_211_264, 1 << 23, 1 << 25, 1 << 40):
        size = batch_size(activation)
        assert SMALLEST <= size <= before  # larger activations, never more images
        assert size.bit_count() == 1
        assert size == SMALLEST or size * activation <= 32 << 20
        assert size == LARGEST or 2 * size * activation > 32 << 20
        before = size


@pytest.mark.parametrize(
    ("name", "side", "channels", "activation"),
    [
        ("lenet5", 32, 1, 6 * 28 * 28),
        ("resnet20_cifar", 32, 3, 16 * 32 * 32),
        ("resnet18", 224, 3, 64 * 112 * 112),
        ("resnet18", 64, 3, 64 * 32 * 32),
        ("vgg11", 224, 3, 64 * 224 * 224),
    ],
)
def test_the_papers_networks_by_the_activation_that_they_state(name, side, channels, activation):
    """Float32, counted by hand: the output of the first convolution."""
    net = convscope.create_model(name, num_classes=2)
    assert choose_feeding(net, card(side, channels), CPU) == (True, batch_size(4 * activation))


class Stranger(nn.Module):
    """Normalizes and counts its calls in evaluation too."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return self.norm(x).mean((2, 3))[:, :2]


def test_the_choice_leaves_no_trace():
    net = Stranger().train()
    net.norm.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    choose_feeding(net, card(8, 3), CPU)
    after = net.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert net.training
    assert not net.norm.training
    assert not any(module._forward_hooks for module in net.modules())


def test_one_pass_tells_both():
    """Of a large network a pass takes a second, as long as the evaluation of a few images."""
    passes = []

    class Counted(nn.Conv2d):
        def forward(self, x):
            passes.append(len(x))
            return super().forward(x)

    assert choose_feeding(Counted(3, 64, 3, padding=1), card(224, 3), CPU) == (True, SMALLEST)
    assert passes == [2]


def test_networks_that_cannot_be_tried_are_judged_by_their_images():
    class Fails(nn.Module):
        def forward(self, x):
            raise ValueError(f"no {len(x)} images")

    assert choose_feeding(Fails(), card(512, 3), CPU)[1] == batch_size(3 * 512 * 512 * 4)


def test_scripted_networks_and_other_devices():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(nn.Sequential(nn.Conv2d(3, 64, 3), nn.Flatten()))
    images_alone = batch_size(3 * 224 * 224 * 4)  # TorchScript calls no hooks
    assert choose_feeding(scripted, card(224, 3), CPU)[1] == images_alone
    assert choose_feeding(Stranger(), card(224, 3), torch.device("meta"))[1] == LARGEST
