"""Networks of timm and torchvision by name, and what is said where a library is missing."""

import sys

import pytest
import torch

from convscope.errors import RequestError
from convscope.zoo import create_model, default_input, libraries
from convscope.zoo.libraries import library_of, library_preprocessing, timm_preprocessing


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("timm:resnet18", ("timm", "resnet18")),
        ("timm.models:resnet18", ("timm", "resnet18")),
        ("torchvision.models:resnet18", ("torchvision", "resnet18")),
        ("torchvision.models.resnet:resnet18", ("torchvision", "resnet18")),
        ("torchvision.models.resnet:ResNet", None),
        ("mynets:resnet18", None),
        ("resnet18", None),
    ],
)
def test_a_librarys_network_is_recognized(name, meant):
    assert library_of(name) == meant


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_a_librarys_network_is_built_for_the_classes(library):
    pytest.importorskip(library)
    with torch.device("meta"):
        net = create_model(f"{library}:resnet18", num_classes=3)
    assert net.get_submodule("fc").out_features == 3
    assert type(net).__module__.startswith(library)
    assert default_input(f"{library}:resnet18") == (3, (224, 224))


def test_timm_builds_for_other_channels_and_sizes():
    pytest.importorskip("timm")
    net = create_model("timm:test_vit", num_classes=3, in_channels=1, input_size=96).eval()
    assert net(torch.zeros(1, 1, 96, 96)).shape == (1, 3)
    net = create_model("timm:test_resnet", num_classes=3, in_channels=1, input_size=40).eval()
    assert net(torch.zeros(1, 1, 40, 40)).shape == (1, 3)


def test_torchvision_takes_three_channels():
    pytest.importorskip("torchvision")
    with pytest.raises(RequestError, match="take 3 channels, not 1"):
        create_model("torchvision:resnet18", in_channels=1)


def test_an_unknown_name_of_a_library_is_answered_with_the_nearest():
    pytest.importorskip("timm")
    with pytest.raises(RequestError, match="Did you mean 'timm:resnet18'"):
        create_model("timm:resnt18")


def test_preprocessing_is_what_the_library_states():
    timm = pytest.importorskip("timm")
    config = timm.get_pretrained_cfg("resnet18")
    stated = library_preprocessing("timm", "resnet18")
    assert stated is not None
    assert (stated.in_channels, *stated.input_size) == config.input_size
    assert (stated.mean, stated.std, stated.interpolation) == (
        config.mean,
        config.std,
        config.interpolation,
    )
    assert stated.resize_size == int(224 / config.crop_pct)
    assert timm_preprocessing({"input_size": "many"}) is timm_preprocessing(None) is None


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(libraries, "find_spec", lambda name: None)
    libraries.import_library.cache_clear()
    with pytest.raises(
        RequestError, match=r'timm is not installed: `pip install "convscope\[timm\]"`'
    ):
        create_model("timm:resnet18")


def test_a_broken_library_is_told_with_the_versions(monkeypatch):
    pytest.importorskip("torchvision")

    def broken(_name):
        raise RuntimeError("operator torchvision::nms does not exist")

    libraries.import_library.cache_clear()
    monkeypatch.setattr(libraries.importlib, "import_module", broken)
    version = sys.modules["torchvision"].__version__.partition("+")[0]
    told = "does not import: RuntimeError: operator torchvision::nms does not exist"
    with pytest.raises(RequestError, match=told) as caught:
        create_model("torchvision:resnet18")
    assert f"torch {torch.__version__}, torchvision {version}" in str(caught.value)
    libraries.import_library.cache_clear()
