"""ResNet against its paper (Tables 1 and 6, sections 3.3 and 4.2) and against torchvision's."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.zoo import ZOO, create_model
from convscope.zoo.residual import Residual
from convscope.zoo.resnet import resnet, resnet_cifar
from tests.reference.network import multiply_adds, on_meta, volumes
from tests.reference.peer import both_answer, renamed, shapes

DEPTHS = [18, 34, 50, 101, 152]
CIFAR_WORK = [  # layers, multiply-adds with option A
    (20, 40_551_040),
    (32, 68_862_592),
    (44, 97_174_144),
    (56, 125_485_696),
    (110, 252_887_680),
]


def weight_layers(net):
    """Convolutions and dense layers, without those of the shortcuts, as the paper counts them."""
    return sum(
        isinstance(layer, nn.Conv2d | nn.Linear)
        for name, layer in net.named_modules()
        if "shortcut" not in name
    )


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_network_has_the_layers_of_its_name(depth):
    net, _ = on_meta(partial(resnet, depth), (224, 224))
    assert weight_layers(net) == depth


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_a_network_of_cifar_has_the_layers_of_its_name(depth):
    net, _ = on_meta(partial(resnet_cifar, depth), (32, 32))
    assert weight_layers(net) == depth


@pytest.mark.parametrize(("depth", "stride_in_1x1"), [*((d, False) for d in DEPTHS), (50, True)])
def test_every_row_has_the_papers_volume(depth, stride_in_1x1):
    seen = volumes(
        *on_meta(partial(create_model, f"resnet{depth}", stride_in_1x1=stride_in_1x1), (224, 224))
    )
    wide = 1 if depth < 50 else 4
    assert seen["conv1"] == (64, 112, 112)
    assert seen["pool1"] == (64, 56, 56)
    for stage, (maps, side) in enumerate([(64, 56), (128, 28), (256, 14), (512, 7)], start=2):
        of_stage = [volume for name, volume in seen.items() if name.startswith(f"conv{stage}_")]
        assert set(of_stage) == {(wide * maps, side, side)}
    assert (seen["pool5"], seen["fc"]) == ((512 * wide, 1, 1), (1000,))


def test_every_row_of_cifar_has_the_papers_volume():
    seen = volumes(*on_meta(partial(resnet_cifar, 20), (32, 32)))
    assert seen["conv1"] == (16, 32, 32)
    for stage, volume in enumerate([(16, 32, 32), (32, 16, 16), (64, 8, 8)], start=2):
        assert [seen[f"conv{stage}_{place}"] for place in (1, 2, 3)] == [volume] * 3
    assert (seen["pool4"], seen["fc"]) == ((64, 1, 1), (10,))


# Table 1, last row, is of the strides in the first 1x1, where 50 layers and more have them.
@pytest.mark.parametrize(
    ("depth", "stride_in_1x1", "work"),
    [
        (18, False, 1_814_073_344),
        (34, False, 3_663_761_408),
        (50, False, 4_089_184_256),
        (50, True, 3_857_973_248),
        (101, True, 7_570_194_432),
        (152, True, 11_282_415_616),
    ],
)
def test_multiply_adds_are_the_papers(depth, stride_in_1x1, work):
    net, image = on_meta(
        partial(create_model, f"resnet{depth}", stride_in_1x1=stride_in_1x1), (224, 224)
    )
    assert multiply_adds(net, image) == work


@pytest.mark.parametrize(("depth", "work"), CIFAR_WORK)
def test_multiply_adds_of_cifar_are_counted_as_elsewhere(depth, work):
    assert multiply_adds(*on_meta(partial(resnet_cifar, depth), (32, 32))) == work


@pytest.mark.parametrize(("depth", "parameters"), [(20, 272_474), (56, 855_770), (110, 1_730_714)])
def test_projections_add_2752_parameters_on_cifar(depth, parameters):
    net, _ = on_meta(partial(resnet_cifar, depth, shortcut="B"), (32, 32))
    assert sum(weight.numel() for weight in net.parameters()) == parameters


@pytest.mark.parametrize(("option", "projections"), [("A", 0), ("B", 3), ("C", 16)])
def test_the_options_of_the_shortcut_project_nowhere_where_maps_change_and_everywhere(
    option, projections
):
    net, _ = on_meta(partial(resnet, 34, shortcut=option), (224, 224))
    found = [name for name, _ in net.named_modules() if name.endswith("shortcut.conv")]
    assert len(found) == projections


def test_option_a_takes_every_second_unit_and_adds_maps_of_zeros():
    shortcut = resnet_cifar(20).get_submodule("conv3_1.shortcut")
    maps = torch.randn(2, 16, 7, 8)
    answer = shortcut(maps)
    assert torch.equal(answer[:, :16], maps[:, :, ::2, ::2])
    assert answer.shape == (2, 32, 4, 4)
    assert not answer[:, 16:].any()


def test_a_block_is_relu_of_branch_plus_shortcut():
    torch.manual_seed(0)
    block = resnet(50, num_classes=2).get_submodule("conv3_1").eval()
    assert isinstance(block, Residual)
    state, maps = block.state_dict(), torch.randn(2, 256, 6, 6)

    def conv_bn(maps, conv, bn, **stride_and_padding):
        stats = (
            state[f"{bn}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(F.conv2d(maps, state[f"{conv}.weight"], **stride_and_padding), *stats)

    branch = F.relu(conv_bn(maps, "conv1", "bn1"))
    branch = F.relu(conv_bn(branch, "conv2", "bn2", stride=2, padding=1))
    branch = conv_bn(branch, "conv3", "bn3")
    shortcut = conv_bn(maps, "shortcut.conv", "shortcut.bn", stride=2)
    torch.testing.assert_close(block(maps), F.relu(branch + shortcut))
    names = " ".join(name for name, _ in block.named_children())
    assert names == "conv1 bn1 relu1 conv2 bn2 relu2 conv3 bn3 shortcut relu"


@pytest.mark.parametrize("stride_in_1x1", [True, False])
def test_the_stride_is_in_the_chosen_convolution_of_the_first_block_of_a_row(stride_in_1x1):
    with torch.device("meta"):
        net = create_model("resnet101", stride_in_1x1=stride_in_1x1)
    strided = {
        name
        for name, layer in net.named_modules()
        if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2)
    }
    conv = "conv1" if stride_in_1x1 else "conv2"
    blocks = [f"conv{stage}_1" for stage in (3, 4, 5)]
    inside = [f"{block}.{name}" for block in blocks for name in (conv, "shortcut.conv")]
    assert strided == {"conv1", *inside}


@pytest.mark.parametrize("name", ["resnet18", "resnet20_cifar", "lenet5", "mine:Net"])
def test_stride_in_1x1_is_refused_by_what_has_no_such_choice(name):
    with pytest.raises(RequestError, match="stride_in_1x1"):
        create_model(name, stride_in_1x1=True)


def test_a_misspelt_name_is_told_before_its_stride():
    with pytest.raises(RequestError, match="Did you mean 'resnet50'"):
        create_model("resnt50", stride_in_1x1=True)


@pytest.mark.parametrize("depth", [1, 2, 21])
def test_a_depth_that_cifars_table_cannot_have_is_refused(depth):
    with pytest.raises(RequestError, match=rf"6n\+2 .* not {depth}"):
        resnet_cifar(depth)


@pytest.mark.parametrize("depth", DEPTHS)
def test_torchvisions_and_timms_parameters_have_our_names_and_shapes(depth):
    models = pytest.importorskip("torchvision").models
    name = f"resnet{depth}"
    with torch.device("meta"):
        net, theirs = create_model(name), getattr(models, name)()
    assert shapes(renamed(theirs, ZOO[name].torchvision_names)) == shapes(net.state_dict())
    if depth == 18:
        with torch.device("meta"):
            timms = pytest.importorskip("timm").create_model(name)
        assert shapes(timms.state_dict()) == shapes(theirs.state_dict())


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_logits_are_those_of_torchvision(name):
    theirs = getattr(pytest.importorskip("torchvision").models, name)(num_classes=5)
    images = torch.randn(2, 3, 64, 48)
    logits, expected = both_answer(
        create_model(name, num_classes=5), theirs, ZOO[name].torchvision_names, images
    )
    assert expected.std() > 1e-3
    assert torch.equal(logits, expected)


def test_filters_begin_with_he_variance_and_batch_norm_as_the_identity():
    torch.manual_seed(0)
    net = resnet(50, num_classes=10)
    for name, reached in [
        ("conv1", 49 * 64),
        ("conv3_2.conv2", 9 * 128),
        ("conv5_1.conv1", 512),
        ("conv5_1.shortcut.conv", 2048),
    ]:
        weight = net.get_parameter(f"{name}.weight")
        assert weight.var().item() == pytest.approx(2 / reached, rel=0.05)
        assert weight.mean().item() == pytest.approx(0, abs=0.03 * weight.std().item())
    fc = net.get_submodule("fc")
    assert fc.weight.abs().max().item() == pytest.approx(2048**-0.5, rel=0.01)
    assert fc.weight.var().item() == pytest.approx(1 / (3 * 2048), rel=0.05)
    assert not fc.bias.any()
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert bool((layer.weight == 1).all())
            assert not layer.bias.any()
