"""Wide ResNet against its paper (Tables 1 and 5) and against torchvision's."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.zoo import ZOO, create_model
from convscope.zoo.wide_resnet import wide_resnet, wide_resnet_cifar
from tests.reference.network import multiply_adds, on_meta, volumes
from tests.reference.peer import both_answer, renamed, shapes


@pytest.mark.parametrize(
    ("depth", "widen", "work"),
    [(16, 8, 1_548_145_664), (28, 10, 5_243_328_768), (40, 4, 1_298_582_016)],
)
def test_layers_volumes_and_work_are_the_papers(depth, widen, work):
    net, image = on_meta(partial(wide_resnet_cifar, depth, widen), (32, 32))
    assert sum(isinstance(layer, nn.Conv2d) for layer in net.modules()) == depth
    assert multiply_adds(net, image) == work
    seen, last = volumes(net, image), (depth - 4) // 6
    assert seen["conv1"] == (16, 32, 32)
    for stage, (maps, side) in enumerate([(16, 32), (32, 16), (64, 8)], start=2):
        of_stage = [volume for name, volume in seen.items() if name.startswith(f"conv{stage}_")]
        assert of_stage == [(maps * widen, side, side)] * last


@pytest.mark.parametrize(
    ("depth", "widen", "classes", "parameters"),
    [
        (40, 8, 10, 35_748_314),
        (28, 10, 100, 36_536_884),
        (22, 1, 10, 272_282),  # a pre-activation ResNet-20: its projections count as layers here
        (58, 1, 10, 855_578),
        (112, 1, 10, 1_730_522),
    ],
)
def test_other_depths_and_widths_have_the_parameters_counted_elsewhere(
    depth, widen, classes, parameters
):
    net, _ = on_meta(partial(wide_resnet_cifar, depth, widen, num_classes=classes), (32, 32))
    assert sum(weight.numel() for weight in net.parameters()) == parameters


def test_a_depth_that_the_table_cannot_have_is_refused():
    with pytest.raises(RequestError, match=r"6n\+4 .* not 20"):
        wide_resnet_cifar(20, 2)


def test_a_block_activates_before_it_convolves():
    torch.manual_seed(0)
    net = wide_resnet_cifar(16, 2, num_classes=2).eval()

    def bn_relu(state, maps, bn):
        stats = (
            state[f"{bn}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.relu(F.batch_norm(maps, *stats))

    def branch(state, opened, stride):
        maps = F.conv2d(opened, state["conv1.weight"], stride=stride, padding=1)
        return F.conv2d(bn_relu(state, maps, "bn2"), state["conv2.weight"], padding=1)

    first, second = net.get_submodule("conv3_1"), net.get_submodule("conv3_2")
    narrow, wide = torch.randn(2, 32, 7, 7), torch.randn(2, 64, 7, 7)
    state = first.state_dict()
    opened = bn_relu(state, narrow, "bn1")
    projected = F.conv2d(opened, state["shortcut.weight"], stride=2)
    torch.testing.assert_close(first(narrow), branch(state, opened, 2) + projected)
    state = second.state_dict()
    expected = branch(state, bn_relu(state, wide, "bn1"), 1) + wide
    torch.testing.assert_close(second(wide), expected)


def test_batch_norm_and_relu_follow_the_last_block_and_not_the_first_convolution():
    with torch.device("meta"):
        names = [name for name, _ in wide_resnet_cifar(10, 2).named_children()]
    blocks = ["conv2_1", "conv3_1", "conv4_1"]
    assert names == ["conv1", *blocks, "bn4", "relu4", "pool4", "flatten", "fc"]


def test_dropout_stands_between_the_two_convolutions():
    with torch.device("meta"):
        block = wide_resnet_cifar(10, 2, dropout=0.3).get_submodule("conv2_1")
    names = [name for name, _ in block.named_children()]
    assert names.index("conv1") < names.index("dropout") < names.index("conv2")
    assert block.get_submodule("dropout").p == 0.3
    assert "dropout" in block.branch


@pytest.mark.parametrize(
    ("name", "billions"), [("wide_resnet50_2", 11.398), ("wide_resnet101_2", 22.753)]
)
def test_torchvisions_names_shapes_and_work_are_ours(name, billions):
    models = pytest.importorskip("torchvision").models
    net, image = on_meta(partial(create_model, name), (224, 224))
    with torch.device("meta"):
        theirs = getattr(models, name)()
    assert shapes(renamed(theirs, ZOO[name].torchvision_names)) == shapes(net.state_dict())
    assert multiply_adds(net, image) / 1e9 == pytest.approx(billions, abs=5e-4)


@pytest.mark.slow
def test_logits_are_those_of_torchvision():
    theirs = pytest.importorskip("torchvision").models.wide_resnet50_2(num_classes=5)
    net, images = wide_resnet("50-2", num_classes=5), torch.randn(1, 3, 64, 64)
    logits, expected = both_answer(net, theirs, ZOO["wide_resnet50_2"].torchvision_names, images)
    assert expected.std() > 1e-3
    assert torch.equal(logits, expected)


def test_filters_begin_with_he_variance_over_the_units_that_an_operand_reaches():
    torch.manual_seed(0)
    net = wide_resnet_cifar(16, 8)
    for name, reached in [
        ("conv3_1.conv1", 9 * 256),
        ("conv3_1.shortcut", 256),
        ("conv4_2.conv2", 9 * 512),
    ]:
        weight = net.get_parameter(f"{name}.weight")
        assert weight.var().item() == pytest.approx(2 / reached, rel=0.03)
        assert weight.mean().item() == pytest.approx(0, abs=0.03 * weight.std().item())
    assert net.get_parameter("fc.weight").abs().max().item() == pytest.approx(512**-0.5, rel=0.01)
    assert not net.get_parameter("fc.bias").any()
