"""What `pretrained` starts from: the weights that a network's own library names as its default."""

import json
import re

import pytest
import timm
from safetensors.torch import save_file
from torchvision import models

import convscope
from convscope.errors import RequestError
from convscope.runs.folder import Run
from convscope.weights.published import published_weights, torchvision_file
from convscope.weights.torchvision_releases import releases
from convscope.zoo import ZOO
from tests.conftest import make_image_folder


def test_every_network_of_the_zoo_that_torchvision_has_has_published_weights():
    known = [name for name, entry in ZOO.items() if entry.torchvision_names is not None]
    rows = {f"torchvision:{row.network}" for row in releases()}
    assert {published_weights(name) for name in known} == rows
    for name in ZOO.keys() - {*known}:
        with pytest.raises(RequestError, match=f"No weights are published for {name}"):
            published_weights(name)


@pytest.mark.parametrize("name", ["resnet18", "test_resnet", "efficientnet_b0", "convnext_tiny"])
def test_timms_are_those_that_it_loads_itself(name):
    config = timm.get_pretrained_cfg(name)
    assert published_weights(f"timm:{name}") == f"timm:{config.architecture}.{config.tag}"


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("alexnet", "Those of alexnet_2014 are"),
        ("mine:Net", "choose timm:NAME or torchvision:NAME"),
        ("net.toml", "Name some by `weights`"),
        ("timm:resnt18", "Did you mean 'timm:resnet18'"),
        ("timm:resnet20ts", "has no network|publishes no weights"),
    ],
)
def test_a_network_without_any_is_told(model, told):
    with pytest.raises(RequestError, match=told):
        published_weights(model)


def test_torchvisions_file_and_images_are_those_that_it_states():
    seen = 0
    for name in models.list_models(module=models):
        for weights in models.get_model_weights(name):
            found = torchvision_file(f"{name}.{weights.name}")
            if found is None:  # VGG-16's FEATURES have no classifier
                continue
            remote, card, names = found
            theirs = weights.transforms()
            assert remote.urls == (weights.url,)
            assert re.fullmatch("[0-9a-f]{8,}", remote.sha256)
            assert card.input_size == tuple(theirs.crop_size * 2)
            assert card.resize_size == max(theirs.resize_size[0], theirs.crop_size[0])
            assert card.interpolation == theirs.interpolation.value
            if name not in ("googlenet", "inception_v3"):
                assert (card.mean, card.std) == (tuple(theirs.mean), tuple(theirs.std))
            assert len(names or card.classes) == len(weights.meta["categories"])
            seen += 1
        default = torchvision_file(name)
        assert default
        assert default[0].urls == (models.get_model_weights(name).DEFAULT.url,)
    assert seen > 100
    assert torchvision_file("resnet18.NOPE") is torchvision_file("lenet5") is None


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """timm's test_resnet as if it had been downloaded."""
    monkeypatch.setenv("CONVSCOPE_DATA", str(tmp_path / "cache"))
    (tmp_path / "cache" / "weights").mkdir(parents=True)
    net = timm.create_model("test_resnet", num_classes=1000)
    start = tmp_path / "cache" / "weights" / "timm-test_resnet.r160_in1k"
    save_file(net.state_dict(), f"{start}.safetensors")
    config = timm.get_pretrained_cfg("test_resnet").to_dict()
    start.with_suffix(".r160_in1k.json").write_text(
        json.dumps({"pretrained_cfg": config}, default=str)
    )
    return net


def test_a_training_starts_from_them_and_records_their_name(kept, tmp_path):
    data = str(make_image_folder(tmp_path / "fruit", ("apple", "leaf"), each=8))
    settings = dict(model="timm:test_resnet", input_size=32, freeze="body", steps=1, progress=False)
    result = convscope.train(data, out=tmp_path / "run", pretrained=True, **settings)
    run = Run.open(result.run)
    config = run.read_config()
    assert (config["weights"], config["pretrained"]) == ("timm:test_resnet.r160_in1k", False)
    trained, before = run.read_weights().tensors, kept.state_dict()
    differing = {name for name in before if not trained[name].equal(before[name])}
    assert differing == {"fc.weight", "fc.bias"}
    with pytest.raises(RequestError, match="`pretrained` and `weights` exclude each other"):
        convscope.train(data, weights=run, pretrained=True, **settings)
