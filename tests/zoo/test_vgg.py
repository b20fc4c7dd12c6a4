"""VGG against its paper (Tables 1 and 2) and against torchvision's VGG."""

import sys
from functools import partial

import pytest
import torch
from torch import nn

from convscope.layers import LocalResponseNorm
from convscope.zoo import ZOO
from convscope.zoo.parameter_names import rename_parameter
from convscope.zoo.vgg import TABLE, torchvision_names, vgg
from tests.reference.network import multiply_adds, on_meta, volumes

# Weight layers: Table 1, second row. Parameters: Table 2, which prints them in millions, rounded;
# the exact counts stand here because a wrong 1x1 filter in C hides inside that rounding.
PAPER = [
    ("A", 11, 132_863_336, 7_609_090_048),
    ("A-LRN", 11, 132_863_336, 7_609_090_048),
    ("B", 13, 133_047_848, 11_308_466_176),
    ("C", 16, 133_638_952, 11_770_888_192),
    ("D", 16, 138_357_544, 15_470_264_320),
    ("E", 19, 143_667_240, 19_632_062_464),
]
TORCHVISION = ["vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"]


@pytest.mark.parametrize(("config", "weight_layers", "parameters", "work"), PAPER)
def test_depth_parameters_and_work_are_the_papers(config, weight_layers, parameters, work):
    net, image = on_meta(partial(vgg, config), (224, 224))
    assert sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in net) == weight_layers
    assert sum(weight.numel() for weight in net.parameters()) == parameters
    assert multiply_adds(net, image) == work


@pytest.mark.parametrize("config", ["A", "A-LRN", "B", "C", "D", "E"])
def test_every_stage_has_the_papers_channels_at_half_the_size(config):
    seen = volumes(*on_meta(partial(vgg, config), (224, 224)))
    stages = [seen[f"pool{stage}"] for stage in range(1, 6)]
    sizes = (64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)
    assert stages == list(sizes)
    assert [seen[name] for name in ("fc1", "fc2", "fc3")] == [(4096,), (4096,), (1000,)]


def test_only_c_has_filters_of_1x1_the_last_of_its_later_stages():
    net, _ = on_meta(partial(vgg, "C"), (224, 224))
    convolutions = {name: layer for name, layer in net.named_children() if name[:4] == "conv"}
    small = [name for name, layer in convolutions.items() if layer.kernel_size == (1, 1)]
    assert small == ["conv3_3", "conv4_3", "conv5_3"]


def test_response_normalization_has_alexnets_constants_after_the_first_relu():
    net, _ = on_meta(partial(vgg, "A-LRN"), (224, 224))
    assert [name for name, _ in net.named_children()][:4] == ["conv1_1", "relu1_1", "lrn1", "pool1"]
    lrn = net.get_submodule("lrn1")
    assert isinstance(lrn, LocalResponseNorm)
    assert (lrn.n, lrn.k, lrn.alpha, lrn.beta, lrn.groups) == (5, 2, 1e-4, 0.75, 1)


def test_batch_norm_stands_between_every_convolution_and_its_relu():
    net, _ = on_meta(partial(vgg, "A-LRN", batch_norm=True), (224, 224))
    below = [name for name, _ in net.named_children()]
    assert below[:5] == ["conv1_1", "bn1_1", "relu1_1", "lrn1", "pool1"]
    for name in below:
        if name.startswith("conv"):
            place = below.index(name)
            assert below[place + 1 : place + 3] == [f"bn{name[4:]}", f"relu{name[4:]}"]


def test_every_cell_of_the_table_belongs_to_a_column():
    header, *rows = (line.split() for line in TABLE.strip().splitlines())
    assert {len(row) for row in rows} == {1, len(header)}
    assert [row[0] for row in rows if len(row) == 1].count("maxpool") == 5


def test_a_cell_the_builder_does_not_know_is_refused(monkeypatch):
    monkeypatch.setattr(sys.modules[vgg.__module__], "TABLE", "A\nconv7-64")
    with pytest.raises(ValueError, match="'conv7-64'"):
        vgg("A")


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvisions_parameters_have_our_names_and_shapes(name):
    models = pytest.importorskip("torchvision").models
    with torch.device("meta"):
        net, theirs = ZOO[name].builder(), getattr(models, name)()
    renamed = {
        rename_parameter(key, ZOO[name].torchvision_names): value
        for key, value in theirs.state_dict().items()
    }
    assert shapes(renamed) == shapes(net.state_dict())


@pytest.mark.parametrize("name", ["vgg11", "vgg13_bn", "vgg16", "vgg19_bn"])
def test_logits_are_those_of_torchvision(name):
    models = pytest.importorskip("torchvision").models
    net = ZOO[name].builder(num_classes=10, input_size=(64, 32)).eval()
    with torch.device("meta"):
        theirs = getattr(models, name)(num_classes=10).eval()
    theirs.avgpool = nn.Identity()  # adapts to 7x7, the size at 224x224, and else repeats maps
    theirs.classifier[0] = nn.Linear(512 * 2, 4096, device="meta")
    match = {rename_parameter(key, ZOO[name].torchvision_names): key for key in theirs.state_dict()}
    theirs.load_state_dict({match[key]: value for key, value in shaken(net).items()}, assign=True)
    images = torch.randn(2, 3, 64, 32)
    with torch.inference_mode():
        assert torch.equal(net(images), theirs(images))


def shapes(state):
    return {key: value.shape for key, value in state.items()}


def shaken(net):
    """The state of a network whose biases and running statistics are not what they begin with."""
    torch.manual_seed(0)
    for key, value in net.state_dict().items():
        if key.endswith(("bias", "running_mean")):
            value.normal_(std=0.1)
        if key.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    return net.state_dict()


@pytest.mark.slow
def test_logits_are_those_of_torchvision_at_the_papers_size():
    models = pytest.importorskip("torchvision").models
    theirs = models.vgg16().eval()
    with torch.device("meta"):
        net = vgg("D").eval()
    state = {
        rename_parameter(key, torchvision_names("D")): value
        for key, value in theirs.state_dict().items()
    }
    net.load_state_dict(state, assign=True)
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(net(images), theirs(images))


def test_weights_begin_as_glorots():
    torch.manual_seed(0)
    net = vgg("C", batch_norm=True, num_classes=10, input_size=(32, 32))
    for name, fan_in, fan_out in [
        ("conv2_1", 9 * 64, 9 * 128),
        ("conv5_2", 9 * 512, 9 * 512),
        ("conv5_3", 512, 512),
        ("fc1", 512, 4096),
        ("fc3", 4096, 10),
    ]:
        weight = net.get_parameter(f"{name}.weight")
        assert weight.var().item() == pytest.approx(2 / (fan_in + fan_out), rel=0.03)
        assert weight.abs().max().item() == pytest.approx((6 / (fan_in + fan_out)) ** 0.5, rel=0.01)
        assert weight.mean().item() == pytest.approx(0, abs=0.03 * weight.std().item())
        assert not net.get_parameter(f"{name}.bias").any()
    assert bool((net.get_parameter("bn5_3.weight") == 1).all())
