"""A training of which some layers begin with those of another network, the others anew."""

import pytest
import torch
from torch import nn

import convscope
from convscope.errors import RequestError
from convscope.runs.folder import Run
from convscope.training.callbacks.base import Callback
from convscope.training.config import TrainConfig
from convscope.weights.some_layers import adapt_layers
from convscope.weights.source import Weights
from convscope.zoo import create_model
from tests.training.small import assert_same_bits

SETTINGS = dict(input_size=32, in_channels=1, epochs=1, batch_size=256, engine="torch")
FROZEN = dict(steps=1, lr=1e-12, weight_decay=0.0, warmup_epochs=0.0)


class Shallow(nn.Sequential):
    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 5, stride=2)
        self.relu1 = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(64, 20)
        self.relu2 = nn.ReLU()
        self.fc2 = nn.Linear(20, num_classes)


class Deep(nn.Sequential):
    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 5, stride=2)
        self.relu1 = nn.ReLU()
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(64, 24)
        self.relu2 = nn.ReLU()
        self.fc2 = nn.Linear(24, num_classes)


SHALLOW, DEEP = f"{__name__}:Shallow", f"{__name__}:Deep"


@pytest.fixture(scope="module")
def shallow(tmp_path_factory):
    out = tmp_path_factory.mktemp("layers") / "shallow"
    convscope.train("digits", out=out, model=SHALLOW, progress=False, **SETTINGS)
    return out


def train(out, **more):
    settings = {**SETTINGS, **more}
    return convscope.train("digits", out=out, model=DEEP, progress=False, **settings).run


def weights_of(run):
    return Run.open(run).read_weights().tensors


def test_named_layers_are_taken_and_all_others_begin_anew(shallow, tmp_path):
    plain = weights_of(train(tmp_path / "plain", **FROZEN))
    taken = weights_of(train(tmp_path / "taken", weights=shallow, weights_layers="conv1", **FROZEN))
    source = weights_of(shallow)
    for name, tensor in taken.items():
        if "running" in name or "num_batches" in name:
            continue
        expected = source if name.startswith("conv1.") else plain
        assert torch.allclose(tensor, expected[name], atol=1e-9), name
    assert not torch.equal(source["conv1.weight"], plain["conv1.weight"])


class Notes(Callback):
    def __init__(self, notes):
        self.notes = notes

    def on_message(self, event):
        self.notes.append(event.text)


def test_it_is_a_training_from_scratch_with_the_images_of_the_weights(shallow, tmp_path):
    given = {"weights": "run", "weights_layers": ["conv1", "fc2"]}
    config = TrainConfig.from_dict(given).resolve(1000)
    plain = TrainConfig().resolve(1000)
    assert TrainConfig.from_dict({**given, "weights_layers": ["conv1"]}).weights_layers == "conv1"
    assert config.weights_layers == "conv1,fc2"
    names = ("optimizer", "lr", "backbone_lr_scale", "freeze_bn", "augment", "lr_schedule")
    assert [getattr(config, name) for name in names] == [getattr(plain, name) for name in names]
    run = train(
        tmp_path / "run", weights=shallow, weights_layers="conv1", callbacks=[Notes(notes := [])]
    )
    mine, theirs = (Run.open(one).read_card() for one in (run, shallow))
    assert (mine.mean, mine.std) == (theirs.mean, theirs.std)
    assert mine.provenance["weights_layers"] == "conv1"
    assert f"It starts from {shallow}, in conv1 alone." in " ".join(notes)


class Killed(BaseException):
    """The end of the process, as far as the code can tell."""


class StopAt(Callback):
    def on_step_end(self, state, event):
        if event.step == 3:
            raise KeyboardInterrupt


def test_one_that_was_stopped_ends_with_the_same_bits(shallow, tmp_path, monkeypatch):
    def refuse(*_):
        raise Killed

    words = dict(weights=str(shallow), weights_layers="conv1")
    whole = train(tmp_path / "whole", **words)
    with monkeypatch.context() as patched:
        patched.setattr(Run, "write_state", refuse)
        with pytest.raises(Killed):
            train(tmp_path / "killed", **words)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", **words, callbacks=[StopAt()])
    for name in ("killed", "stopped"):
        convscope.resume(tmp_path / name, progress=False)
        assert_same_bits(whole, tmp_path / name)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("conv2", "no layer 'conv2' with weights. Did you mean 'conv1'"),
        ("relu1", "no layer 'relu1' with weights"),
        ("block", "has no weights of block.0, block.1. Leave out what it lacks"),
        ("fc1", r"fc1.weight is \(20, 64\) in .* and \(24, 64\) in the network"),
        ("conv1,,fc2", "has an empty name"),
        ("", "has an empty name"),
    ],
)
def test_what_cannot_be_taken_is_refused_without_a_run(shallow, tmp_path, layers, message):
    with pytest.raises(RequestError, match=message):
        train(tmp_path / "run", weights=shallow, weights_layers=layers)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("more", [{}, {"pretrained": True}])
def test_layers_of_no_weights_are_refused(more):
    with pytest.raises(RequestError, match="`weights_layers` needs `weights`"):
        TrainConfig(weights_layers="conv1", **more)


def test_a_head_of_other_classes_is_refused():
    net = create_model("lenet5", num_classes=3)
    weights = Weights("theirs", net.state_dict(), None, "0").named(("a", "b", "c"))
    adapted = adapt_layers(weights, net, ["conv1", "fc2"], classes=("a", "b", "c"))
    assert {name.partition(".")[0] for name in adapted.tensors} == {"conv1", "fc2"}
    for other in (("a", "c", "b"), ("a", "b", "d")):
        with pytest.raises(RequestError, match="fc2 of theirs belongs to other classes"):
            adapt_layers(weights, net, ["conv1", "fc2"], classes=other)


def test_torchvisions_vgg11_begins_a_vgg16_as_in_the_paper():
    models = pytest.importorskip("torchvision").models
    layers = ["conv1_1", "conv2_1", "conv3_1", "conv3_2", "fc1", "fc2", "fc3"]
    with torch.device("meta"):
        theirs, net = models.vgg11().state_dict(), create_model("vgg16")
    weights = Weights("theirs", theirs, None, "0")
    names = tuple(map(str, range(1000)))
    adapted = adapt_layers(weights, net, layers, classes=names)
    assert "torchvision's of vgg11" in adapted.report["weights_names"]
    assert {name.partition(".")[0] for name in adapted.tensors} == {*layers}
    assert adapted.tensors["conv3_2.weight"] is theirs["features.8.weight"]


def test_the_command_takes_them(tmp_path, command):
    done = command(
        *("train", "digits", "--model", "lenet5", "--steps", "1", "--out", tmp_path / "run"),
        *("--weights", tmp_path / "lenet5", "--weights-layers", "conv1,conv2"),
        code=2,
    )
    assert "No weights found" in done.stderr
    convscope.train("digits", out=tmp_path / "lenet5", model="lenet5", steps=1, progress=False)
    command(
        *("train", "digits", "--model", "lenet5", "--steps", "1", "--out", tmp_path / "run"),
        *("--weights", tmp_path / "lenet5", "--weights-layers", "conv1,conv2"),
    )
    config = Run.open(tmp_path / "run").read_config()
    assert (config["weights_layers"], config["optimizer"]) == ("conv1,conv2", "sgd")
