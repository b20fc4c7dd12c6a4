"""ResNeXt against its paper (Table 1, Figure 3, section 5.3) and against torchvision's."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.zoo import ZOO, create_model
from convscope.zoo.resnext import resnext
from tests.reference.network import multiply_adds, on_meta
from tests.reference.peer import both_answer, renamed, shapes


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("resnext50_32x4d", 4.230),
        ("resnext101_32x8d", 16.414),
        ("resnext101_64x4d", 15.460),
    ],
)
def test_torchvisions_names_shapes_and_work_are_ours(name, billions):
    models = pytest.importorskip("torchvision").models
    net, image = on_meta(partial(create_model, name), (224, 224))
    with torch.device("meta"):
        theirs = getattr(models, name)()
    assert shapes(renamed(theirs, ZOO[name].torchvision_names)) == shapes(net.state_dict())
    assert multiply_adds(net, image) / 1e9 == pytest.approx(billions, abs=5e-4)


@pytest.mark.parametrize(
    ("config", "work"), [("29 (8x64d)", 5_387_266_048), ("29 (16x64d)", 10_688_866_304)]
)
def test_networks_of_cifar_have_29_layers_and_the_work_counted_elsewhere(config, work):
    net, image = on_meta(partial(resnext, config, num_classes=10), (32, 32))
    layers = [
        name
        for name, layer in net.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear) and "shortcut" not in name
    ]
    assert len(layers) == 29
    assert multiply_adds(net, image) == work


def test_a_group_of_filters_sees_the_maps_of_its_own_path_alone():
    torch.manual_seed(0)
    block = resnext("29 (8x64d)", num_classes=2).get_submodule("conv2_2").eval()
    weights = {name: layer.weight for name, layer in block.named_children() if "conv" in name}
    maps = torch.randn(1, 256, 5, 5)

    def bn(place, maps, part=slice(None)):
        layer = block.get_submodule(f"bn{place}")
        stats = layer.running_mean, layer.running_var, layer.weight, layer.bias
        return F.batch_norm(maps, *(stat[part] for stat in stats))

    total = torch.zeros(1, 256, 5, 5)  # Figure 3(a): a sum over 8 paths of 64 maps
    for path in range(8):
        part = slice(64 * path, 64 * path + 64)
        reduced = F.relu(bn(1, F.conv2d(maps, weights["conv1"][part]), part))
        seen = F.relu(bn(2, F.conv2d(reduced, weights["conv2"][part], padding=1), part))
        total += F.conv2d(seen, weights["conv3"][:, part])
    expected = F.relu(bn(3, total) + maps)
    torch.testing.assert_close(block(maps), expected, rtol=1e-4, atol=1e-4)


def test_logits_are_those_of_torchvision():
    theirs = pytest.importorskip("torchvision").models.resnext50_32x4d(num_classes=5)
    net, images = resnext("50 (32x4d)", num_classes=5), torch.randn(2, 3, 64, 64)
    logits, expected = both_answer(net, theirs, ZOO["resnext50_32x4d"].torchvision_names, images)
    assert expected.std() > 1e-3
    assert torch.equal(logits, expected)


def test_filters_begin_with_he_variance_over_the_maps_of_all_groups():
    torch.manual_seed(0)
    net = resnext("50 (32x4d)", num_classes=10)
    for name, reached in [("conv4_2.conv2", 9 * 512), ("conv5_2.conv3", 2048)]:
        weight = net.get_parameter(f"{name}.weight")
        assert weight.var().item() == pytest.approx(2 / reached, rel=0.03)
        assert weight.mean().item() == pytest.approx(0, abs=0.03 * weight.std().item())
    assert net.get_parameter("fc.weight").abs().max().item() == pytest.approx(2048**-0.5, rel=0.01)
    assert not net.get_parameter("fc.bias").any()
