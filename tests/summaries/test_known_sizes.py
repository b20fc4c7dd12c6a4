"""A summary knows the size that a network was made for, wherever it was made."""

import copy

import pytest
from torch import nn

import convscope
from convscope.errors import RequestError


@pytest.mark.parametrize(
    ("arguments", "image"),
    [
        (dict(name="lenet5"), (1, 32, 32)),
        (dict(name="tinyvgg", input_size=(16, 24)), (3, 16, 24)),
        (dict(name="tinyvgg", in_channels=1), (1, 32, 32)),
    ],
)
def test_a_network_of_the_zoo_has_its_own_size(arguments, image):
    net = convscope.create_model(**arguments)
    assert convscope.summary(net).input == image
    assert convscope.summary(copy.deepcopy(net)).input == image


def test_a_network_of_a_run_has_the_size_of_its_card(digits_run):
    net, card = convscope.load(digits_run)
    assert convscope.summary(net).input == (card.in_channels, *card.input_size)


def test_a_network_of_timm_has_the_size_that_timm_states():
    timm = pytest.importorskip("timm")
    net = timm.create_model("test_resnet")
    assert convscope.summary(net).input == net.pretrained_cfg["input_size"]
    assert convscope.summary("timm:test_resnet", num_classes=3).input == (3, 160, 160)


def test_a_network_for_small_images_is_shown_at_the_size_that_it_takes():
    net = nn.Sequential(nn.Conv2d(3, 2, 5), nn.Flatten(), nn.Linear(2 * 28 * 28, 4))
    assert convscope.summary(net).input == (3, 32, 32)


def test_a_network_that_fails_is_told_with_the_layer():
    net = nn.Sequential(nn.Conv2d(3, 2, 5), nn.Flatten(), nn.Linear(7, 4))
    with pytest.raises(RequestError, match=r"an image of 224x224x3: it failed at layer 2 \("):
        convscope.summary(net)
