"""timm's descriptions of its models, written and read by timm itself."""

import json

import pytest
import timm
import torch
from timm.data import create_transform, resolve_data_config
from timm.models._hub import save_config_for_hf
from torchvision.transforms import InterpolationMode

from convscope.errors import RequestError
from convscope.weights.timm import card_from_config, remote_files


def described(name: str, tmp_path) -> tuple[str, torch.nn.Module]:
    with torch.device("meta"):
        net = timm.create_model(name)
    net.pretrained_cfg = timm.models.get_pretrained_cfg(name).to_dict()
    save_config_for_hf(net, tmp_path / "config.json")
    return (tmp_path / "config.json").read_text(), net


@pytest.mark.parametrize(
    "name", ["resnet18.a1_in1k", "resnet50.tv2_in1k", "vgg16.tv_in1k", "densenet121.ra_in1k"]
)
def test_the_card_prepares_as_timm_does(tmp_path, name):
    text, net = described(name, tmp_path)
    card = card_from_config(text, where="config.json")
    resize, crop, *_, normal = create_transform(**resolve_data_config({}, model=net)).transforms
    assert card.resize_size == resize.size
    assert card.input_size == crop.size
    assert InterpolationMode(card.interpolation) == resize.interpolation
    assert card.mean == pytest.approx(normal.mean.tolist())
    assert card.std == pytest.approx(normal.std.tolist())
    assert (len(card.classes), card.in_channels) == (1000, 3)


@pytest.mark.parametrize(
    "change",
    [{"interpolation": "lanczos"}, {"crop_mode": "border"}, {"crop_pct": 0}, {"num_classes": 0}],
    ids=str,
)
def test_what_a_card_cannot_say_is_refused(tmp_path, change):
    facts = json.loads(described("resnet18.a1_in1k", tmp_path)[0])
    facts["pretrained_cfg"] |= change
    with pytest.raises(RequestError, match=r"config\.json is not .*`input_size` and `resize_mode`"):
        card_from_config(json.dumps(facts), where="config.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", "<html>", '{"pretrained_cfg": 3}'])
def test_what_is_no_description_is_refused(text):
    with pytest.raises(RequestError, match=r"config\.json is not"):
        card_from_config(text, where="config.json")


def test_the_addresses_are_those_of_the_hub():
    config, weights = remote_files("resnet18.a1_in1k")
    base = "https://huggingface.co/timm/resnet18.a1_in1k/resolve/main/"
    assert weights.urls == (f"{base}model.safetensors",)
    assert config.urls == (f"{base}config.json",)
    assert weights.name != config.name


@pytest.mark.parametrize("name", ["", "../secrets", "a/b", "x?y", "resnet 18", ".."])
def test_what_can_be_no_name_is_refused(name):
    with pytest.raises(RequestError, match="timm has no model"):
        remote_files(name)
