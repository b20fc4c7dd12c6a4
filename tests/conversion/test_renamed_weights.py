"""Our weights by other libraries' names: their networks load them and answer as ours."""

import pytest
import timm
import torch
from safetensors.torch import load_file
from torchvision import models

import convscope
from convscope.conversion import renamed_weights
from convscope.conversion.renamed_weights import export_weights
from convscope.errors import RequestError, WorkError
from convscope.zoo import ZOO, create_model
from tests.repetition import first_fast

pytest.importorskip("onnx")


def net_of(name, **how):
    torch.manual_seed(0)
    net = create_model(name, num_classes=5, **how).eval()
    with torch.no_grad():
        for key, value in net.state_dict().items():
            if key.endswith("running_mean"):
                value.normal_(std=0.1)
            if key.endswith("running_var"):
                value.uniform_(0.5, 1.5)
    return net


def same(net, theirs, path, size, channels=3):
    theirs.load_state_dict(load_file(path), strict=True)
    images = torch.randn(2, channels, size, size)
    with torch.inference_mode():
        assert torch.allclose(net(images), theirs.eval()(images), rtol=1e-4, atol=1e-4)


def slow(*names):
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


SLOW = slow(
    "densenet121", "alexnet_2014", "efficientnet_b0", "convnext_tiny", "regnet_y_400mf",
    "mobilenet_v2", "resnext50_32x4d", "googlenet_bn", "vgg11_bn",
)  # fmt: skip


def torchvisions(name):
    more = {"aux_logits": False, "init_weights": False} if name == "googlenet_bn" else {}
    theirs = {"alexnet_2014": "alexnet", "googlenet_bn": "googlenet"}.get(name, name)
    return models.get_model(theirs, num_classes=5, **more)


TIMMS = {
    "mobilenet_v2": "mobilenetv2_100", "efficientnet_b0": "efficientnet_b0",
    "regnet_x_400mf": "regnetx_004_tv", "regnet_y_400mf": "regnety_004",
    "convnext_tiny": "convnext_tiny", "densenet121": "densenet121",
}  # fmt: skip
"""timm's networks that are ours; the first four by other names of the network or its layers."""


@pytest.mark.parametrize(
    "name", first_fast(1, ["resnet18", "squeezenet1_1", "mobilenet_v3_small", *SLOW])
)
def test_torchvision_loads_them(tmp_path, name):
    net = net_of(name)
    path = export_weights(net, tmp_path / "x.safetensors", "torchvision")
    same(net, torchvisions(name), path, 224)


@pytest.mark.parametrize("name", first_fast(1, ["resnet18", "vgg11", *slow(*TIMMS)]))
def test_timm_loads_them(tmp_path, name):
    net = net_of(name)
    path = export_weights(net, tmp_path / "x.safetensors", "timm")
    same(net, timm.create_model(TIMMS.get(name, name), num_classes=5), path, 224)


def test_timm_takes_gray_images_and_torchvision_does_not(tmp_path):
    net = net_of("resnet18", in_channels=1)
    path = export_weights(net, tmp_path / "x.safetensors", "timm")
    same(net, timm.create_model("resnet18", num_classes=5, in_chans=1), path, 64, channels=1)
    with pytest.raises(RequestError, match="torchvision's resnet18 takes color images alone"):
        export_weights(net, tmp_path / "y.safetensors", "torchvision")


@pytest.mark.parametrize(
    ("name", "library"),
    [("lenet5", "torchvision"), ("alexnet_towers", "timm"), ("squeezenet1_1", "timm")],
)
def test_what_they_do_not_have_is_refused(tmp_path, name, library):
    assert name in ZOO
    with pytest.raises(RequestError, match=f"{library} has no network with the layers of {name}"):
        export_weights(net_of(name), tmp_path / "x.safetensors", library)
    assert [*tmp_path.iterdir()] == []


def test_a_network_that_answers_otherwise_is_not_written(tmp_path, monkeypatch):
    def changed(*_):
        net = models.resnet18(num_classes=5)
        net.maxpool = torch.nn.AvgPool2d(3, 2, 1)
        yield net

    monkeypatch.setattr(renamed_weights, "_their_networks", changed)
    with pytest.raises(WorkError, match="returns other logits"):
        export_weights(net_of("resnet18"), tmp_path / "x.safetensors", "torchvision")
    assert [*tmp_path.iterdir()] == []


def test_the_same_layers_with_another_arithmetic_are_not_written(tmp_path):
    """timm's MobileNetV3 adds 1e-5 to variances, the paper's 1e-3."""
    with pytest.raises(WorkError, match="returns other logits"):
        export_weights(net_of("mobilenet_v3_small"), tmp_path / "x.safetensors", "timm")
    assert [*tmp_path.iterdir()] == []


def test_an_unknown_library_is_refused(tmp_path):
    with pytest.raises(RequestError, match="`names` may be torchvision or timm, not 'keras'"):
        export_weights(net_of("resnet18"), tmp_path / "x", "keras")


def test_what_was_written_is_read_again(tmp_path):
    net = net_of("resnet18")
    path = export_weights(net, tmp_path / "x.safetensors", "timm")
    again = net_of("resnet18")
    convscope.load_weights(again, path)
    assert all(
        (value == again.state_dict()[name]).all() for name, value in net.state_dict().items()
    )
