"""SqueezeNet against Table 1 of its paper and against torchvision's."""

import sys
from functools import partial

import pytest
import torch
from torch import nn

from convscope.zoo.parameter_names import rename_parameter
from convscope.zoo.squeezenet import TABLE, Fire, squeezenet, torchvision_names
from tests.reference.network import multiply_adds, on_meta, volumes

PAPER = {  # Table 1: output (it prints 13x12 at maxpool8), parameters before pruning
    "conv1": ((96, 111, 111), 14_208),
    "maxpool1": ((96, 55, 55), 0),
    "fire2": ((128, 55, 55), 11_920),
    "fire3": ((128, 55, 55), 12_432),
    "fire4": ((256, 55, 55), 45_344),
    "maxpool4": ((256, 27, 27), 0),
    "fire5": ((256, 27, 27), 49_440),
    "fire6": ((384, 27, 27), 104_880),
    "fire7": ((384, 27, 27), 111_024),
    "fire8": ((512, 27, 27), 188_992),
    "maxpool8": ((512, 13, 13), 0),
    "fire9": ((512, 13, 13), 197_184),
    "conv10": ((1000, 13, 13), 513_000),
    "avgpool10": ((1000, 1, 1), 0),
}


def count(layer):
    return sum(weight.numel() for weight in layer.parameters())


def test_every_layer_has_the_papers_volume_and_parameters():
    net, image = on_meta(squeezenet, (227, 227))
    seen = volumes(net, image)
    assert {name: (seen[name], count(net.get_submodule(name))) for name in PAPER} == PAPER


@pytest.mark.parametrize(("config", "work"), [("1.0", 0.819), ("1.1", 0.349)])
def test_billions_of_multiply_adds_are_torchvisions(config, work):
    net, image = on_meta(partial(squeezenet, config), (224, 224))
    assert round(multiply_adds(net, image) / 1e9, 3) == work


def test_version_1_1_pools_earlier():
    seen = volumes(*on_meta(partial(squeezenet, "1.1"), (227, 227)))
    assert seen["conv1"] == (64, 113, 113)
    assert seen["maxpool1"] == (64, 56, 56)
    assert seen["maxpool3"] == (128, 28, 28)
    assert seen["maxpool5"] == (256, 14, 14)
    assert seen["conv10"] == (1000, 14, 14)


@pytest.mark.parametrize("config", ["1.0", "1.1"])
def test_simple_bypass_adds_the_input_of_every_second_fire_and_no_parameter(config):
    plain, _ = on_meta(partial(squeezenet, config), (64, 64))
    bypassed, _ = on_meta(partial(squeezenet, config, bypass="simple"), (64, 64))
    fires = {name: layer for name, layer in bypassed.named_children() if isinstance(layer, Fire)}
    assert [name for name, fire in fires.items() if fire.bypass] == [
        "fire3",
        "fire5",
        "fire7",
        "fire9",
    ]
    assert not any(layer.bypass for layer in plain if isinstance(layer, Fire))
    assert count(bypassed) == count(plain)


def test_a_bypass_adds_the_input():
    torch.manual_seed(0)
    plain = Fire(8, squeeze=2, expand1x1=3, expand3x3=5)
    bypassed = Fire(8, squeeze=2, expand1x1=3, expand3x3=5, bypass=True)
    bypassed.load_state_dict(plain.state_dict())
    maps = torch.randn(2, 8, 6, 7)
    torch.testing.assert_close(bypassed(maps), maps + plain(maps))


@pytest.mark.parametrize("version", ["1_0", "1_1"])
def test_logits_are_those_of_torchvision(version):
    models = pytest.importorskip("torchvision").models
    config = version.replace("_", ".")
    torch.manual_seed(0)
    theirs = getattr(models, f"squeezenet{version}")(num_classes=10)
    for parameter in theirs.parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter, std=0.1)
    net = squeezenet(config, num_classes=10)
    net.load_state_dict(
        {
            rename_parameter(key, torchvision_names(config)): v
            for key, v in theirs.state_dict().items()
        }
    )
    images = torch.randn(2, 3, 67, 90)
    for mode in (False, True):  # in training, dropout stands where theirs stands
        torch.manual_seed(1)
        answer = net.train(mode)(images)
        torch.manual_seed(1)
        assert torch.equal(answer, theirs.train(mode)(images))


@pytest.mark.parametrize("config", ["1.0", "1.1"])
def test_weights_begin_as_the_authors_and_the_last_layers_as_gaussians(config):
    torch.manual_seed(0)
    for name, layer in squeezenet(config).named_modules():
        if not isinstance(layer, nn.Conv2d):
            continue
        variance = 0.01**2 if name == "conv10" else 1 / layer.weight[0].numel()
        few = layer.weight.numel() < 10_000
        assert layer.weight.var().item() == pytest.approx(variance, rel=0.1 if few else 0.03)
        if name != "conv10":
            bound = (3 * variance) ** 0.5
            assert layer.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
        assert not layer.bias.any()


def test_every_row_of_the_table_has_a_cell_for_every_column():
    header, *rows = (line.split() for line in TABLE.strip().splitlines())
    assert {len(row) for row in rows} == {len(header)}


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ("96@7x7/2 ", "96@7x7:2 ", "'96@7x7:2'"),
        ("48-192-192 ", "48-192-19b ", "'19b'"),
        ("fire4 ", "fir4  ", "'fir4'"),
    ],
)
def test_a_cell_the_builder_does_not_know_is_refused(good, bad, told, monkeypatch):
    monkeypatch.setattr(sys.modules[squeezenet.__module__], "TABLE", TABLE.replace(good, bad))
    with pytest.raises(ValueError, match=told):
        on_meta(squeezenet, (64, 64))
