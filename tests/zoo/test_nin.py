"""Network in Network against what its authors published."""

import sys
from functools import partial

import pytest
import torch
from torch import nn

from convscope.zoo.nin import TABLE, nin
from tests.reference.network import multiply_adds, on_meta, volumes

CIFAR = partial(nin, "cifar", num_classes=10)
IMAGENET = partial(nin, "imagenet", num_classes=1000)


def test_maps_of_cifar_halve_twice_and_end_in_a_mean():
    seen = volumes(*on_meta(CIFAR, (32, 32)))
    assert seen["cccp2"] == (96, 32, 32)
    assert seen["pool1"] == (96, 16, 16)
    assert seen["pool2"] == (192, 8, 8)
    assert seen["cccp6"] == (10, 8, 8)
    assert seen["flatten"] == (10,)


def test_maps_of_imagenet_are_caffes():
    seen = volumes(*on_meta(IMAGENET, (224, 224)))
    assert seen["conv1"] == (96, 54, 54)
    assert seen["pool1"] == (96, 27, 27)
    assert seen["pool2"] == (256, 13, 13)
    assert seen["pool3"] == (384, 6, 6)
    assert seen["cccp8"] == (1000, 6, 6)
    assert seen["flatten"] == (1000,)


def test_work_and_depth():
    net, image = on_meta(CIFAR, (32, 32))
    first = 32 * 32 * (75 * 192 + 192 * 160 + 160 * 96)
    second = 16 * 16 * (25 * 96 * 192 + 192 * 192 + 192 * 192)
    third = 8 * 8 * (9 * 192 * 192 + 192 * 192 + 192 * 10)
    assert multiply_adds(net, image) == first + second + third == 222_486_528
    assert sum(isinstance(layer, nn.Conv2d) for layer in net) == 9
    assert sum(isinstance(layer, nn.Conv2d) for layer in on_meta(IMAGENET, (224, 224))[0]) == 12


def test_a_hundred_classes_cost_ninety_filters_more():
    net, _ = on_meta(partial(nin, "cifar", num_classes=100), (32, 32))
    assert sum(weight.numel() for weight in net.parameters()) == 984_356


def test_layers_follow_each_other_as_published():
    small, large = (
        " ".join(name for name, _ in on_meta(build, (64, 64))[0].named_children())
        for build in (CIFAR, IMAGENET)
    )
    assert small == (
        "conv1 conv1_relu cccp1 cccp1_relu cccp2 cccp2_relu pool1 dropout1 "
        "conv2 conv2_relu cccp3 cccp3_relu cccp4 cccp4_relu pool2 dropout2 "
        "conv3 conv3_relu cccp5 cccp5_relu cccp6 cccp6_relu pool3 flatten"
    )
    assert large.endswith(
        "cccp6_relu pool3 dropout3 conv4 conv4_relu cccp7 cccp7_relu cccp8 cccp8_relu pool4 flatten"
    )
    assert large.count("dropout") == 1


@pytest.mark.parametrize("config", ["cifar", "imagenet"])
def test_logits_are_the_means_of_the_last_maps(config):
    torch.manual_seed(0)
    net = nin(config, num_classes=3).eval()
    maps = {}
    net[-3].register_forward_hook(lambda _layer, _x, y: maps.update(last=y))
    logits = net(torch.randn(2, 3, 71, 103))
    assert maps["last"].shape[-1] > maps["last"].shape[-2]
    torch.testing.assert_close(logits, maps["last"].mean((2, 3)))


def test_weights_begin_with_the_published_deviations():
    torch.manual_seed(0)
    for config in ("cifar", "imagenet"):
        for name, layer in nin(config, num_classes=1000).named_children():
            if isinstance(layer, nn.Conv2d):
                fine = config == "imagenet" and name in {"conv1", "conv3", "cccp8"}
                std = 0.01 if fine else 0.05
                assert layer.weight.std().item() == pytest.approx(std, rel=0.03)
                assert layer.weight.mean().item() == pytest.approx(0, abs=0.03 * std)
                assert not layer.bias.any()


def test_every_row_of_the_table_has_a_cell_for_every_column():
    header, *rows = (line.split() for line in TABLE.strip().splitlines())
    assert {len(row) for row in rows} == {len(header)}
    for _, *cells in rows:
        for made, std in (cells[:2], cells[2:]):
            assert ("@" in made) == (std != ".")


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ("160@1x1 ", "160@1x2 ", "'160@1x2'"),
        ("average ", "mean    ", "'mean'"),
        ("dropout1", "dropped1", "'dropped1'"),
    ],
)
def test_a_cell_the_builder_does_not_know_is_refused(good, bad, told, monkeypatch):
    monkeypatch.setattr(sys.modules[nin.__module__], "TABLE", TABLE.replace(good, bad))
    with pytest.raises(ValueError, match=told):
        on_meta(CIFAR, (32, 32))
