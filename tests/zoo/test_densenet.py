"""DenseNet against its paper (Table 1, section 3) and against torchvision's."""

from functools import partial

import pytest
import torch
from torch import nn

from convscope.errors import RequestError
from convscope.zoo import ZOO, create_model
from convscope.zoo.densenet import TORCHVISION, DenseBlock, densenet, densenet_cifar
from convscope.zoo.parameter_names import rename_parameter
from tests.reference.network import multiply_adds, on_meta, volumes
from tests.reference.peer import both_answer, renamed, shapes
from tests.repetition import first_fast

DEPTHS = [121, 161, 169, 201]


def weight_layers(net):
    return sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in net.modules())


@pytest.mark.parametrize(
    ("config", "maps", "billions"),
    first_fast(
        1,
        [
            ("121 (k=32)", (256, 512, 1024, 1024), 2.834),
            ("161 (k=48)", (384, 768, 2112, 2208), 7.728),
            ("169 (k=32)", (256, 512, 1280, 1664), 3.360),
            ("201 (k=32)", (256, 512, 1792, 1920), 4.291),
        ],
    ),
)
def test_layers_volumes_and_work_are_the_papers(config, maps, billions):
    net, image = on_meta(partial(densenet, config), (224, 224))
    assert weight_layers(net) == int(config[:3])
    assert multiply_adds(net, image) / 1e9 == pytest.approx(billions, abs=5e-4)
    seen = volumes(net, image)
    for block, (wide, side) in enumerate(zip(maps, (56, 28, 14, 7), strict=True), start=1):
        assert seen[f"block{block}"] == (wide, side, side)
        if block < 4:
            assert seen[f"transition{block}"] == (wide // 2, side // 2, side // 2)
    assert seen["pool1"] == (2 * int(config[-3:-1]), 56, 56)


@pytest.mark.parametrize(
    ("depth", "growth", "bottleneck", "work"),
    [
        (40, 12, False, 264_812_928),
        (100, 12, False, 1_769_516_448),
        (100, 12, True, 287_929_692),
        (190, 40, True, 9_301_945_740),
    ],
)
def test_layers_and_work_on_cifar_are_counted_as_elsewhere(depth, growth, bottleneck, work):
    net, image = on_meta(partial(densenet_cifar, depth, growth, bottleneck=bottleneck), (32, 32))
    assert weight_layers(net) == depth
    assert multiply_adds(net, image) == work


@pytest.mark.parametrize(
    ("depth", "growth", "bottleneck", "parameters"),
    [(100, 24, False, 27_249_082), (250, 24, True, 15_324_406)],
)
def test_the_papers_other_networks_of_cifar_have_their_parameters(
    depth, growth, bottleneck, parameters
):
    net, _ = on_meta(partial(densenet_cifar, depth, growth, bottleneck=bottleneck), (32, 32))
    assert sum(weight.numel() for weight in net.parameters()) == parameters


def test_every_layer_of_a_block_sees_the_maps_of_all_before_it():
    torch.manual_seed(0)
    block = densenet_cifar(19, 3, bottleneck=False).get_submodule("block2").eval()
    assert isinstance(block, DenseBlock)
    maps = [torch.randn(2, 16 + 5 * 3, 4, 4)]
    for layer in block.children():
        maps.append(layer(torch.cat(maps, dim=1)))
    assert len(maps) == 6
    assert torch.equal(block(maps[0]), torch.cat(maps, dim=1))


def test_the_layers_stand_in_the_papers_order():
    with torch.device("meta"):
        net = densenet_cifar(40, 12, bottleneck=True, dropout=0.2)
    names = " ".join(name for name, _ in net.get_submodule("block1.layer1").named_children())
    assert names == "bn1 relu1 conv1 dropout1 bn2 relu2 conv2 dropout2"
    names = " ".join(name for name, _ in net.get_submodule("transition1").named_children())
    assert names == "bn relu conv dropout pool"
    assert {layer.p for layer in net.modules() if isinstance(layer, nn.Dropout)} == {0.2}
    last = [name for name, _ in net.named_children()][-6:]
    assert last == ["block3", "bn4", "relu4", "pool4", "flatten", "fc"]
    assert not any("dropout" in name for name, _ in densenet_cifar(40, 12).named_modules())


@pytest.mark.parametrize(("bottleneck", "rule"), [(False, r"3n\+4"), (True, r"6n\+4")])
def test_a_depth_that_the_table_cannot_have_is_refused(bottleneck, rule):
    with pytest.raises(RequestError, match=rf"{rule} .*not 41\."):
        densenet_cifar(41, 12, bottleneck=bottleneck)


@pytest.mark.parametrize("depth", DEPTHS)
def test_torchvisions_and_timms_parameters_have_our_names_and_shapes(depth):
    models = pytest.importorskip("torchvision").models
    name = f"densenet{depth}"
    with torch.device("meta"):
        net, theirs = create_model(name), getattr(models, name)()
    assert shapes(renamed(theirs, ZOO[name].torchvision_names)) == shapes(net.state_dict())
    if depth == 121:
        with torch.device("meta"):
            timms = pytest.importorskip("timm").create_model(name)
        assert shapes(timms.state_dict()) == shapes(theirs.state_dict())


def test_the_names_in_torchvisions_files_of_weights_are_read_too():
    """They are of before its code was: densenet.py of torchvision rewrites them as it loads."""
    for new, old in [("norm1", "norm.1"), ("conv2", "conv.2")]:
        layer = "features.denseblock3.denselayer24"
        assert rename_parameter(f"{layer}.{old}.weight", TORCHVISION) == rename_parameter(
            f"{layer}.{new}.weight", TORCHVISION
        )


def test_logits_are_those_of_torchvision():
    theirs = pytest.importorskip("torchvision").models.densenet121(num_classes=5)
    net, images = densenet("121 (k=32)", num_classes=5), torch.randn(2, 3, 64, 64)
    logits, expected = both_answer(net, theirs, TORCHVISION, images)
    assert expected.std() > 1e-3
    assert torch.equal(logits, expected)


def test_filters_begin_with_he_variance_over_the_units_that_an_operand_reaches():
    torch.manual_seed(0)
    net = densenet_cifar(40, 48, bottleneck=True)
    for name, reached in [
        ("block2.layer5.conv1", 4 * 48),
        ("block2.layer5.conv2", 9 * 48),
        ("transition2.conv", 240),
    ]:
        weight = net.get_parameter(f"{name}.weight")
        assert weight.var().item() == pytest.approx(2 / reached, rel=0.05)
        assert weight.mean().item() == pytest.approx(0, abs=0.03 * weight.std().item())
    assert not net.get_parameter("fc.bias").any()
