"""AlexNet against its paper, the lecture's table of it, and torchvision's AlexNet."""

import re
import sys
from functools import partial

import pytest
import torch
from torch import nn

from convscope.layers import LocalResponseNorm
from convscope.layers.towers import Towers
from convscope.zoo.alexnet import TABLE, TORCHVISION, alexnet
from convscope.zoo.parameter_names import rename_parameter
from tests.reference.network import multiply_adds, on_meta, volumes

PARAMETERS = {  # the lecture's table, with biases, and what is left of it on two GPUs
    "conv1": (34_944, 34_944),
    "conv2": (614_656, 307_456),
    "conv3": (885_120, 885_120),
    "conv4": (1_327_488, 663_936),
    "conv5": (884_992, 442_624),
    "fc6": (37_752_832, 37_752_832),
    "fc7": (16_781_312, 16_781_312),
    "fc8": (4_097_000, 4_097_000),
}
VOLUMES = {
    "conv1": (96, 55, 55),
    "pool1": (96, 27, 27),
    "conv2": (256, 27, 27),
    "pool2": (256, 13, 13),
    "conv3": (384, 13, 13),
    "conv4": (384, 13, 13),
    "conv5": (256, 13, 13),
    "pool5": (256, 6, 6),
    "fc6": (4096,),
    "fc7": (4096,),
    "fc8": (1000,),
}


def count(layer):
    return sum(weight.numel() for weight in layer.parameters())


@pytest.mark.parametrize(("config", "place"), [("lecture", 0), ("towers", 1)])
def test_every_layer_has_the_lectures_parameters(config, place):
    net, _ = on_meta(partial(alexnet, config), (227, 227))
    counts = {name: count(layer) for name, layer in net.named_children() if count(layer)}
    assert counts == {name: both[place] for name, both in PARAMETERS.items()}


@pytest.mark.parametrize("config", ["lecture", "towers"])
def test_every_volume_is_the_papers_and_so_are_the_neurons(config):
    seen = volumes(*on_meta(partial(alexnet, config), (227, 227)))
    assert {name: seen[name] for name in VOLUMES} == VOLUMES
    neurons = sum(torch.Size(seen[name]).numel() for name in PARAMETERS)
    assert neurons == 659_272  # the paper says 650,000


@pytest.mark.parametrize(
    ("config", "size", "work"),
    [("lecture", 227, 1_135_256_096), ("towers", 227, 724_406_816), ("2014", 224, 714_188_480)],
)
def test_multiply_adds(config, size, work):
    assert multiply_adds(*on_meta(partial(alexnet, config), (size, size))) == work


def test_the_size_that_the_paper_prints_does_not_give_its_maps():
    seen = volumes(*on_meta(partial(alexnet, "towers", input_size=(224, 224)), (224, 224)))
    assert seen["conv1"] == (96, 54, 54)


def test_layers_follow_each_other_as_in_the_paper():
    net, _ = on_meta(partial(alexnet, "towers"), (227, 227))
    assert " ".join(name for name, _ in net.named_children()) == (
        "conv1 relu1 norm1 pool1 conv2 relu2 norm2 pool2 conv3 relu3 conv4 relu4 conv5 relu5 pool5 "
        "flatten fc6 fc6_relu fc6_dropout fc7 fc7_relu fc7_dropout fc8"
    )
    for name in ("norm1", "norm2"):
        norm = net.get_submodule(name)
        assert isinstance(norm, LocalResponseNorm)
        assert (norm.n, norm.k, norm.alpha, norm.beta, norm.groups) == (5, 2, 1e-4, 0.75, 2)


def test_towers_meet_in_conv3_and_not_before():
    net = alexnet("towers", input_size=(67, 67)).double().eval()
    for name, other in [("pool2", 0), ("relu3", None)]:
        maps = torch.rand(1, 96, 7, 7, dtype=torch.float64, requires_grad=True)
        y, names = maps, [name for name, _ in net.named_children()]
        for below in names[names.index("conv2") : names.index(name) + 1]:
            y = net.get_submodule(below)(y)
        y[:, : y.shape[1] // 2].sum().backward()
        reached = maps.grad[:, 48:].count_nonzero().item()
        assert maps.grad[:, :48].count_nonzero()
        assert reached == other if other is not None else reached > 0


def test_two_devices_answer_as_one_does():
    torch.manual_seed(0)
    net = alexnet("towers", num_classes=10, input_size=(67, 67)).double().eval()
    apart = Towers(net, ("cpu", "cpu"))
    images = torch.randn(2, 3, 67, 67, dtype=torch.float64)
    torch.testing.assert_close(apart(images), net(images), rtol=1e-9, atol=1e-12)
    assert count(apart) == count(net)


def test_torchvisions_parameters_have_our_names_and_shapes():
    models = pytest.importorskip("torchvision").models
    with torch.device("meta"):
        net, theirs = alexnet("2014"), models.alexnet()
    renamed = {
        rename_parameter(key, TORCHVISION): value for key, value in theirs.state_dict().items()
    }
    assert {key: value.shape for key, value in renamed.items()} == {
        key: value.shape for key, value in net.state_dict().items()
    }


@pytest.mark.parametrize("size", [(63, 70), (130, 99)])
def test_logits_are_those_of_torchvision(size):
    models = pytest.importorskip("torchvision").models
    torch.manual_seed(0)
    net = alexnet("2014", num_classes=10, input_size=size)
    with torch.device("meta"):
        theirs = models.alexnet(num_classes=10)
    match = {rename_parameter(key, TORCHVISION): key for key in theirs.state_dict()}
    state = {match[key]: value for key, value in net.state_dict().items()}
    theirs.load_state_dict(state, assign=True)
    images = torch.randn(2, 3, *size)
    for mode in (False, True):  # in training, dropout stands where theirs stands
        torch.manual_seed(1)
        answer = net.train(mode)(images)
        torch.manual_seed(1)
        assert torch.equal(answer, theirs.train(mode)(images))


@pytest.mark.parametrize("config", ["lecture", "towers"])
def test_weights_begin_as_in_section_5(config):
    torch.manual_seed(0)
    net = alexnet(config, num_classes=10, input_size=(67, 67))
    ones = {"conv2", "conv4", "conv5", "fc6", "fc7"}
    for name in PARAMETERS:
        weight, bias = net.get_parameter(f"{name}.weight"), net.get_parameter(f"{name}.bias")
        assert weight.std().item() == pytest.approx(0.01, rel=0.03)
        assert weight.mean().item() == pytest.approx(0, abs=0.0003)
        assert bool((bias == (name in ones)).all())


def test_weights_of_2014_begin_as_torchvisions():
    torch.manual_seed(0)
    net = alexnet("2014", num_classes=10, input_size=(63, 63))
    for name in ("conv1", "conv3", "fc7"):
        weight, bias = net.get_parameter(f"{name}.weight"), net.get_parameter(f"{name}.bias")
        bound = weight[0].numel() ** -0.5
        assert weight.var().item() == pytest.approx(bound**2 / 3, rel=0.05)
        assert weight.abs().max().item() == pytest.approx(bound, rel=0.01)
        assert 0 < bias.abs().max().item() <= bound


def test_every_row_of_the_table_has_a_cell_for_every_column():
    header, *rows = (line.split() for line in TABLE.strip().splitlines())
    assert {len(row) for row in rows} == {len(header)}
    biased = {row[0] for row in rows if row[1] != "."}
    assert biased == set(PARAMETERS)


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ("96@11x11/4 ", "96@11x12/4 ", "'96@11x12/4'"),
        ("256@5x5+2", "5x5+2", "'5x5+2'"),
        ("3x3/2         3x3/2", "3x3s2         3x3/2", "'3x3s2'"),
        ("4096          4096", "4O96          4096", "'4O96'"),
        ("pool5 ", "pull5 ", "'pull5'"),
    ],
)
def test_a_cell_the_builder_does_not_know_is_refused(good, bad, told, monkeypatch):
    monkeypatch.setattr(sys.modules[alexnet.__module__], "TABLE", TABLE.replace(good, bad))
    with torch.device("meta"), pytest.raises(ValueError, match=re.escape(told)):
        alexnet()


def test_classes_channels_and_size_change_the_layers_at_the_ends_alone():
    with torch.device("meta"):
        net = alexnet("towers", num_classes=7, in_channels=1, input_size=(99, 67))
    changed = {name: count(net.get_submodule(name)) for name in ("conv1", "conv2", "fc6", "fc8")}
    assert changed == {
        "conv1": 96 * 121 + 96,
        "conv2": 307_456,
        "fc6": 256 * 2 * 1 * 4096 + 4096,
        "fc8": 7 * 4097,
    }
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in net)
