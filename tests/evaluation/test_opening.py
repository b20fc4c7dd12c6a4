"""A trained network is a run, or a model with weights and what is known of its images."""

import shutil

import pytest
import torch
from torch import nn

import convscope
from convscope.errors import RequestError
from convscope.evaluation.opening import open_trained
from convscope.weights import imagenet_names
from convscope.weights.class_names import parse_class_names
from convscope.weights.preprocessing import InputSettings
from convscope.zoo import create_model


def weights_of(path, **arguments):
    net = create_model("lenet5", **arguments)
    torch.save(net.state_dict(), path)
    return net


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_is_built_for_as_many_outputs_and_channels_as_its_weights(tmp_path, channels):
    theirs = weights_of(tmp_path / "x.pth", num_classes=7, in_channels=channels)
    opened = open_trained("lenet5", weights=tmp_path / "x.pth")
    images = torch.rand(2, channels, 32, 32)
    with torch.inference_mode():
        assert torch.equal(opened.net(images), theirs.eval()(images))
    assert opened.card.classes == tuple("0123456")
    assert (opened.card.in_channels, opened.card.input_size) == (channels, (32, 32))


def test_what_is_assumed_is_said_with_how_to_say_otherwise(tmp_path):
    weights_of(tmp_path / "x.pth", num_classes=3, in_channels=3)
    note = open_trained("lenet5", weights=tmp_path / "x.pth").note
    assert (
        "x.pth says nothing of its preprocessing; assumed: 32x32 pixels, `resize_mode='crop'`"
        in (note)
    )
    assert "mean 0.485 0.456 0.406, std 0.229 0.224 0.225" in note
    assert "`input_size`, `resize_mode`, `mean` and `std`" in note
    assert "give them with `class_names`" in note
    settings = InputSettings(mean=0.5, std=(0.1, 0.2, 0.3), resize_mode="stretch")
    opened = open_trained(
        "lenet5", weights=tmp_path / "x.pth", settings=settings, class_names="ant, bee, cow"
    )
    card = opened.card
    assert (card.mean, card.std) == ((0.5, 0.5, 0.5), (0.1, 0.2, 0.3))
    assert (card.resize_mode, card.classes) == ("stretch", ("ant", "bee", "cow"))
    assert "`class_names`" not in opened.note


def test_random_weights_do_not_predict():
    with pytest.raises(
        RequestError,
        match=r"random weights.*nothing\. Name others with `weights`: a file,",
    ):
        open_trained("lenet5")
    with pytest.raises(RequestError, match="Take its published ones with `pretrained`, or name"):
        open_trained("squeezenet1_1")
    headless = {n: t for n, t in create_model("lenet5").state_dict().items() if "fc2" not in n}
    with pytest.raises(RequestError, match="last layer of lenet5 has random weights"):
        open_trained("lenet5", weights=headless)


def test_a_run_knows_its_own_classes_and_images(digits_run):
    assert open_trained(digits_run).card.classes == tuple("0123456789")
    with pytest.raises(RequestError, match=r"is a run, .* leave out `mean` and `class_names`"):
        open_trained(digits_run, class_names="a,b", settings=InputSettings(mean=0.5))


def test_a_module_takes_names_and_numbers_too():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    card = open_trained(net, class_names=["a", "b"], settings=InputSettings(std=0.5)).card
    assert (card.classes, card.std) == (("a", "b"), (0.5, 0.5, 0.5))
    with pytest.raises(RequestError, match="`class_names` has 3 names, and the network has 2"):
        open_trained(net, class_names=["a", "b", "c"])


def test_the_card_of_loaded_weights_stays_on_the_network(tmp_path):
    weights_of(tmp_path / "x.pth")
    net = create_model("lenet5")
    card = convscope.load_weights(
        net, tmp_path / "x.pth", mean=0.25, class_names=list("abcdefghij")
    )
    assert open_trained(net).card == card
    assert (card.mean, card.classes) == ((0.25,), tuple("abcdefghij"))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (dict(mean=(0.5, 0.5)), "`mean` has 2 numbers, and the network's input has 3 channels"),
        (dict(mean=(123.7, 116.3, 103.5)), "123.7 is of bytes. Divide `mean` and `std` by 255"),
        (dict(std=0), "`std` must be above 0"),
        (dict(std=float("nan")), "`std` is of pixels"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(settings, told):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(RequestError, match=told):
        open_trained(net, settings=InputSettings(**settings))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.txt", "ant\nbee\n\ncow\n"),
        ("x.json", '["ant", "bee", "cow"]'),
        ("x.json", '{"ant": 0, "bee": 1, "cow": 2}'),
        ("x.json", '{"2": "cow", "0": "ant", "1": "bee"}'),
        ("x.json", '{"0": ["n1", "ant"], "1": ["n2", "bee"], "2": ["n3", "cow"]}'),
        ("x.txt", "\ufeffant\r\nbee\r\ncow"),
    ],
)
def test_class_names_come_from_a_file(tmp_path, name, text):
    (tmp_path / name).write_bytes(text.encode())
    assert parse_class_names(tmp_path / name) == ("ant", "bee", "cow")
    assert parse_class_names(str(tmp_path / name)) == ("ant", "bee", "cow")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("nowhere.txt", "names no file 'nowhere.txt'"),
        ("a,b,a", "has 'a' twice"),
        ("a,,b", "has an empty name"),
        (["a"], "has 1 name; it needs two"),
        ({"a": 0, "b": 2}, "with the indices 0 to 1"),
    ],
)
def test_other_class_names_are_refused(value, told):
    with pytest.raises(RequestError, match=told):
        parse_class_names(value)


def test_imagenets_names_are_those_of_torchvision_and_timm(monkeypatch):
    from timm.data import ImageNetInfo  # noqa: PLC0415
    from torchvision.models import ResNet50_Weights  # noqa: PLC0415

    theirs = ResNet50_Weights.IMAGENET1K_V1.meta["categories"]
    assert imagenet_names.torchvision_names() == tuple(theirs)
    info = ImageNetInfo()
    described = [info.index_to_description(index).partition(",")[0] for index in range(1000)]
    assert imagenet_names.timm_names() == tuple(described)
    names = parse_class_names("imagenet")
    assert len(set(names)) == 1000
    monkeypatch.setattr(imagenet_names, "_read", lambda *_: None)
    imagenet_names.imagenet_names.cache_clear()
    with pytest.raises(RequestError, match="come with torchvision or timm"):
        parse_class_names("imagenet")
    imagenet_names.imagenet_names.cache_clear()


def test_a_network_that_a_run_names_wrongly_is_told_as_the_runs(digits_run, tmp_path):
    run = shutil.copytree(digits_run, tmp_path / "run")
    config = run / "config.toml"
    config.write_text(config.read_text().replace('model = "lenet5"', 'model = "lenet6"'))
    with pytest.raises(RequestError, match=r"run/config\.toml, `model`: .*lenet6"):
        convscope.load(run)
