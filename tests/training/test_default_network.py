"""Without a model, a training gets the network of its weights, or one that fits its images."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import convscope
from convscope.card import Card
from convscope.data.dataset import ArrayImages, Dataset
from convscope.errors import RequestError
from convscope.runs.folder import Run
from convscope.training.callbacks.base import Callback
from convscope.training.callbacks.time_estimate import TimeEstimate
from convscope.training.config import TrainConfig
from convscope.training.default_network import choose_network
from convscope.training.events import FitStart, StepEnd
from convscope.training.image_sample import ImageSample, sample_images
from convscope.training.initial_weights import with_published_weights
from convscope.training.limits import Limits
from convscope.weights.source import Weights
from convscope.zoo import create_model
from tests.training.small import digest_of_weights

CPU = torch.device("cpu")


def dataset(count=1000):
    return Dataset(
        name="fruit",
        classes=("apple", "leaf"),
        images=ArrayImages(np.zeros((count, 2, 2, 3), np.uint8)),
        labels=np.arange(count) % 2,
        split=np.full(count, "train"),
    )


def choice(*sizes, gray=False, count=1000, device=CPU, threads=2, given=(), **settings):
    """What is chosen for images of these (height, width)."""
    config = TrainConfig(threads=threads, **settings)
    sample = ImageSample(sizes, gray)
    return choose_network(dataset(count), sample, config, given=given, weights=None, device=device)


@pytest.fixture(autouse=True)
def with_the_compiled_engine(monkeypatch):
    """As it is installed with the extra `lanes`."""
    monkeypatch.setattr("convscope.training.default_network.find_spec", lambda name: name)


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (32, 32), (20, 16)])
def test_small_grayscale_images_get_the_lectures_network_as_it_is(size):
    default = choice(size, gray=True)
    assert (default.model, default.settings, default.reason) == ("lenet5", {}, "")


@pytest.mark.parametrize(
    ("sizes", "gray", "expected"),
    [
        ([(32, 32)], False, (32, 3)),
        ([(28, 28)], False, (28, 3)),
        ([(48, 48)], True, (48, 1)),
        ([(64, 48)], False, ((64, 48), 3)),
        ([(12, 10)], False, (16, 3)),
        ([(40, 60), (44, 44), (37, 90)], False, (40, 3)),
        ([(30, 400)], False, (32, 3)),
    ],
)
def test_small_images_get_a_small_network_at_their_own_size(sizes, gray, expected):
    default = choice(*sizes, gray=gray)
    assert default.model == "resnet20_cifar"
    assert (default.settings["input_size"], default.settings["in_channels"]) == expected
    assert default.settings["augment"] == "crop-flip"
    size = default.settings["input_size"]
    create_model("resnet20_cifar", num_classes=2, input_size=(size, size) if size == 32 else None)


@pytest.mark.parametrize("size", [(65, 65), (96, 400), (375, 500), (2000, 3000), (4000, 3000)])
@pytest.mark.parametrize("count", [50, 1000, 100_000])
def test_color_photographs_never_become_small_nor_gray(size, count):
    default = choice(size, count=count)
    side = default.settings["input_size"]
    assert default.model == ("resnet20_cifar" if side == 64 else "resnet18")
    assert default.settings["in_channels"] == 3
    assert default.settings["augment"] == "resized-crop-flip"
    assert 64 <= side <= min(size)
    assert f"{default.model} is trained on {side}x{side} pixels" in default.reason


def test_grayscale_photographs_keep_one_channel():
    assert choice((400, 380), gray=True).settings["in_channels"] == 1


def test_what_trains_in_less_time_than_it_compiles_is_not_compiled():
    assert choice((32, 32), count=100).settings["engine"] == "torch"
    assert choice((32, 32), count=50_000, steps=10).settings["engine"] == "torch"
    assert "engine" not in choice((32, 32), count=5000).settings
    assert "engine" not in choice((64, 64), count=10).settings  # which the engine does not take


def hours(default, count):
    """By the table of multiply-adds of the paper, and 12 thousand million of them a second."""
    work = 1.82e9 * (default.settings["input_size"] / 224) ** 2
    return default.settings["epochs"] * count * work / 12e9 / 3600


@pytest.mark.parametrize("count", [100, 300, 600, 1000, 2000, 8000])
def test_photographs_on_a_cpu_take_ten_minutes(count):
    assert hours(choice((500, 500), count=count), count) <= 1 / 6 * 1.15


def test_more_photographs_get_smaller_inputs_then_fewer_epochs_and_more_time_larger_ones():
    chosen = [choice((500, 500), count=count).settings for count in (100, 300, 600, 2000, 50_000)]
    sides = [settings["input_size"] for settings in chosen]
    epochs = [settings["epochs"] for settings in chosen]
    assert (sides, epochs[:3], epochs[-1]) == ([224, 128, 96, 64, 64], [30, 30, 30], 5)
    assert 15 <= epochs[3] < 30
    cuda = choice((500, 500), count=5000, device=torch.device("cuda")).settings
    assert (cuda["input_size"], cuda["epochs"]) == (224, 30)
    many = dict(count=5000)
    assert choice((500, 500), **many, threads=128).settings["input_size"] == 224
    assert choice((500, 500), **many, steps=10).settings["input_size"] == 224
    assert choice((500, 500), **many, max_minutes=1000).settings["input_size"] == 224
    assert choice((500, 500), count=500, max_minutes=1).settings["input_size"] == 64


def test_small_images_that_are_many_get_fewer_epochs():
    many = choice((32, 32), count=45_000)
    assert many.settings["epochs"] == 11  # 45,000 x 40.6e6 / 36e9 = 51 s each
    assert "than 11 (`epochs`) would take this CPU more than 10 minutes" in many.reason
    assert choice((32, 32), count=45_000, device=torch.device("cuda")).settings["epochs"] == 30


def test_what_a_person_sets_is_kept():
    given = {"augment", "epochs"}  # here by their defaults
    default = choice((500, 500), given=given, count=9000, input_size=160)
    assert not default.settings.keys() & {"augment", "crop_scale", "epochs", "input_size"}
    assert "resnet18 is trained on 160x160 pixels" in default.reason
    assert "Windows" not in default.reason
    assert default.applied(TrainConfig(input_size=160)).input_size == 160
    assert choice((500, 500), input_size=48).model == "resnet20_cifar"
    assert choice((32, 32), input_size=128).model == "resnet18"


def test_digits_at_another_size_get_a_network_that_takes_it():
    assert choice((8, 8), gray=True, input_size=16).model == "resnet20_cifar"
    assert choice((8, 8), gray=True, input_size=32).model == "lenet5"


class Messages(Callback):
    def __init__(self):
        self.texts = []

    def on_message(self, event):
        self.texts.append(event.text)


def test_a_folder_of_color_images_is_trained_in_color_and_resumed(image_folder, tmp_path):
    messages = Messages()
    result = convscope.train(
        image_folder, out=tmp_path / "run", steps=2, callbacks=[messages], progress=False
    )
    config, card = Run.open(result.run).read_config(), Run.open(result.run).read_card()
    assert (config["model"], config["input_size"], config["in_channels"]) == (
        "resnet20_cifar", 16, 3
    )  # fmt: skip
    assert (config["augment"], card.in_channels) == ("crop-flip", 3)
    assert sum("No network was named" in text for text in messages.texts) == 1
    assert convscope.resume(result.run, steps=3, progress=False).run == result.run


def test_all_folds_get_one_network(image_folder, tmp_path):
    messages = Messages()
    words = dict(folds=2, steps=1, callbacks=[messages], progress=False)
    result = convscope.cross_validate(image_folder, out=tmp_path / "cv", augment="crop", **words)
    configs = [Run.open(fold.result.run).read_config() for fold in result.folds]
    assert [(one["model"], one["input_size"]) for one in configs] == [("resnet20_cifar", 16)] * 2
    assert [one["augment"] for one in configs] == ["crop"] * 2  # which a person asked for
    assert sum("No network was named" in text for text in messages.texts) == 1


def test_without_a_model_digits_are_trained_to_the_same_bits_as_with_lenet5(tmp_path):
    words = dict(steps=3, progress=False, engine="torch")
    messages = Messages()
    auto = convscope.train(out=tmp_path / "auto", callbacks=[messages], **words)
    named = convscope.train(out=tmp_path / "named", model="lenet5", **words)
    assert digest_of_weights(auto.run) == digest_of_weights(named.run)
    assert not any("No network was named" in text for text in messages.texts)


def weights(source, card=None, sha256=""):
    return Weights(source, {}, card, sha256)


def of_weights(opened):
    sample = ImageSample(((500, 500),), all_gray=False)
    return choose_network(dataset(), sample, TrainConfig(), weights=opened, device=CPU).model


CARD = Card(
    classes=("a", "b"), input_size=(32, 32), in_channels=3, resize_mode="crop", mean=(0.0,) * 3,
    std=(1.0,) * 3,
)  # fmt: skip


def test_weights_bring_their_network(tmp_path, image_folder):
    run = convscope.train(
        image_folder,
        out=tmp_path / "run",
        model="tinyvgg",
        input_size=16,
        steps=2,
        engine="torch",
        progress=False,
    ).run
    messages = Messages()
    result = convscope.train(
        image_folder, out=tmp_path / "next", weights=run, steps=1, engine="torch",
        progress=False, callbacks=[messages],
    )  # fmt: skip
    assert Run.open(result.run).read_config()["model"] == "tinyvgg"
    assert Run.open(result.run).read_card().input_size == (16, 16)
    assert (
        "No network was named, so tinyvgg is trained, of which the weights are." in messages.texts
    )
    assert of_weights(weights(str(run / "model.safetensors"))) == "tinyvgg"
    assert of_weights(weights("a.safetensors", replace(CARD, provenance={"network": "vgg11"}))) == (
        "vgg11"
    )


def test_names_and_released_files_of_libraries_bring_their_network():
    assert of_weights(weights("torchvision:resnet18")) == "resnet18"
    assert of_weights(weights("torchvision:swin_t")) == "torchvision:swin_t"
    assert of_weights(weights("timm:resnet18.a1_in1k")) == "resnet18"
    assert of_weights(weights("some/file.pth", sha256="f37072fd" + "0" * 56)) == "resnet18"


def test_published_weights_are_those_of_resnet18_and_trained_for_less_on_a_cpu():
    wanted = with_published_weights(TrainConfig(pretrained=True, threads=2))
    assert (wanted.weights, wanted.pretrained) == ("torchvision:resnet18", False)
    named = with_published_weights(TrainConfig(pretrained=True, model="vgg11"))
    assert named.weights == "torchvision:vgg11"
    opened = weights("torchvision:resnet18", replace(CARD, input_size=(224, 224)))
    sample = ImageSample(((500, 500),), all_gray=False)
    chosen = choose_network(dataset(400), sample, wanted, weights=opened, device=CPU)
    assert chosen.settings["epochs"] == 9  # 400 x 1.82e9 / 12e9 = 61 s each
    assert "more epochs than 9 (`epochs`) would take this CPU more than 10 min" in chosen.reason


@pytest.mark.parametrize("network", ["", "mine:Net"])
def test_weights_of_unknown_networks_and_of_own_code_ask_for_the_model(network):
    card = replace(CARD, provenance={"network": network}) if network else None
    with pytest.raises(RequestError, match="name the network with `model`"):
        of_weights(weights("file.pth", card))


def estimate(times, *, steps, per_epoch=10, share=0.0):
    """What is told after steps that took so many seconds."""
    told = []
    callback = TimeEstimate(told.append, share=share, shorter=" (shorter)")
    state = SimpleNamespace()
    callback.on_fit_start(state, FitStart(0, Limits(steps=steps), per_epoch, lambda: None))
    for number, seconds in enumerate(times, 1):
        callback.on_step_end(
            state, StepEnd(number, 1, None, loss=1.0, num_correct=0, lr=0.1, seconds=seconds)
        )
    return told


def test_the_time_of_all_steps_is_told_once_without_the_first():
    assert estimate([60, 0.3, 0.3, 0.3], steps=300) == []
    assert estimate([60, *[0.3] * 9], steps=300) == [
        "30 epochs take about 90 seconds on this machine."
    ]
    assert estimate([60, *[3] * 9], steps=300, share=0.2) == [
        "30 epochs take about 18 minutes on this machine (shorter)."
    ]
    assert estimate([60, 1, 1, 1], steps=7) == ["7 steps take about 7 seconds on this machine."]
    assert estimate([60, 1, 1, 1], steps=10) == [
        "The epoch takes about 10 seconds on this machine."
    ]


def test_nothing_is_told_where_the_time_is_the_limit():
    told = []
    callback = TimeEstimate(told.append, share=0.0)
    callback.on_fit_start(SimpleNamespace(), FitStart(0, Limits(seconds=60), 10, lambda: None))
    callback.on_step_end(
        SimpleNamespace(), StepEnd(1, 1, None, loss=1.0, num_correct=0, lr=0.1, seconds=9.0)
    )
    assert told == []


def test_a_sample_tells_sizes_and_channels():
    images = Dataset(
        name="fruit",
        classes=("apple", "leaf"),
        images=ArrayImages(np.zeros((9, 5, 7), np.uint8)),
        labels=np.arange(9) % 2,
        split=np.full(9, "train"),
    )
    assert sample_images(images) == ImageSample(((5, 7),) * 9, all_gray=True)
