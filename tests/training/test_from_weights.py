"""Trainings that start from other weights: what is taken over, held, let go, and resumed."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope.errors import Interrupted, RequestError
from convscope.runs.folder import Run
from convscope.runs.tensor_file import load_tensors
from convscope.training.callbacks.base import Callback
from convscope.zoo import create_model
from tests.conftest import make_image_folder
from tests.repetition import first_fast


class Net(nn.Sequential):
    """Batch norm, dropout and three stages in a thousand parameters."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 5, stride=2)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(4, 4, 5, stride=2)
        self.bn2 = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.2)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(4 * 5 * 5, num_classes)


NET = f"{__name__}:Net"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Net.__module__])


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A run of Net on three colors, its card unlike anything that other data would choose."""
    sys.modules.setdefault(__name__, sys.modules[Net.__module__])
    root = tmp_path_factory.mktemp("source")
    data = make_image_folder(root / "fruit", ("apple", "leaf", "plum"), each=12)
    words = dict(
        model=NET, input_size=32, in_channels=3, resize_mode="letterbox", epochs=3, batch_size=8
    )
    return convscope.train(str(data), out=root / "run", **words).run


@pytest.fixture
def fishes(tmp_path):
    """Two new classes."""
    return str(make_image_folder(tmp_path / "fish", ("carp", "eel"), each=25))


def train(data, source, out, **more):
    words = dict(model=NET, weights=str(source), epochs=2, batch_size=8, seed=5)
    return convscope.train(data, out=out, **{**words, **more}).run


def tensors(run: Path) -> dict[str, torch.Tensor]:
    """The weights as training left them."""
    stored, _ = Run.open(run).read_state()
    named = stored.tensors.items()
    return {name.removeprefix("model/"): t for name, t in named if name.startswith("model/")}


def changed(run: Path, source: Path) -> set[str]:
    """The layers of which some bit is not the source's."""
    before, after = Run.open(source).read_weights().tensors, tensors(run)
    return {
        name.rpartition(".")[0]
        for name, tensor in after.items()
        if tensor.shape != before[name].shape or not torch.equal(tensor, before[name])
    }


def test_new_classes_train_on_a_held_body_of_which_no_bit_changes(tmp_path, source, fishes):
    out = tmp_path / "run"
    trained = convscope.train(
        fishes, out=out, model=NET, weights=str(source), freeze="drop", epochs=20, batch_size=8
    )
    assert changed(out, source) == {"fc"}
    assert tensors(out)["fc.weight"].shape == (2, 100)
    assert trained.test.top1 == 1.0
    state, _ = Run.open(out).read_state()
    assert {name for name in state.tensors if "optimizer" in name} == {
        f"optimizer/{place}/{name}"
        for place in (0, 1)
        for name in ("exp_avg", "exp_avg_sq", "step")
    }


def test_without_a_freeze_all_of_it_trains_on(tmp_path, source, fishes):
    out = train(fishes, source, tmp_path / "run")
    assert changed(out, source) == {"conv1", "bn1", "conv2", "bn2", "fc"}


def test_the_first_step_is_taken_from_the_weights(tmp_path, source, fishes):
    out = train(
        fishes, source, tmp_path / "run", steps=1, lr=1e-12, warmup_epochs=0.0, weight_decay=0.0
    )
    before, after = Run.open(source).read_weights().tensors, tensors(out)
    for name in ("conv1.weight", "conv2.bias", "bn2.weight"):
        assert torch.allclose(after[name], before[name], atol=1e-9)


def test_pictures_are_prepared_as_the_weights_know_them(tmp_path, source, fishes):
    own = Run.open(source).read_card()
    card = Run.open(train(fishes, source, tmp_path / "run", epochs=1)).read_card()
    assert (card.input_size, card.resize_mode, card.mean, card.std) == (
        own.input_size,
        own.resize_mode,
        own.mean,
        own.std,
    )
    assert card.classes == ("carp", "eel")
    told = card.provenance
    assert (told["weights"], told["weights_head"]) == (str(source), "initialized")
    assert (told["network"], told["data"]) == (NET, "fish")


def test_a_size_or_a_fit_that_is_set_wins(tmp_path, source, fishes):
    own = Run.open(source).read_card()
    card = Run.open(
        train(fishes, source, tmp_path / "fit", epochs=1, resize_mode="pad")
    ).read_card()
    assert (card.input_size, card.resize_mode, card.mean) == (own.input_size, "pad", own.mean)
    card = Run.open(train(fishes, source, tmp_path / "size", epochs=1, input_size=31)).read_card()
    assert (card.input_size, card.resize_mode, card.mean) == ((31, 31), own.resize_mode, own.mean)


def test_resizing_goes_with_the_size_and_the_fit_of_the_weights(tmp_path, fishes, monkeypatch):
    from convscope.training import initial_weights as verb  # noqa: PLC0415
    from convscope.weights.source import Weights  # noqa: PLC0415
    from convscope.weights.torchvision_releases import imagenet_card  # noqa: PLC0415

    net = create_model("resnet20_cifar")
    card = imagenet_card(resize=40, crop=32)
    held = Weights("theirs", net.state_dict(), card, "0")
    monkeypatch.setattr(verb, "open_weights", lambda source, *, on_progress: held)
    words = dict(model="resnet20_cifar", steps=1, batch_size=8, engine="torch")
    for more, resize in (
        ({}, 40),
        (dict(input_size=24), None),
        (dict(resize_mode="stretch"), None),
    ):
        run = train(fishes, "theirs", tmp_path / str(more), **words, **more)
        found = Run.open(run).read_card()
        assert (found.resize_size, found.mean, found.std) == (resize, card.mean, card.std)


def test_a_file_that_says_nothing_of_its_pictures_leaves_them_to_the_data(tmp_path, fishes):
    torch.save(create_model("resnet20_cifar").state_dict(), tmp_path / "x.pth")
    words = dict(model="resnet20_cifar", steps=1, batch_size=8, engine="torch", val=0.2)
    run = train(fishes, tmp_path / "x.pth", tmp_path / "run", **words)
    plain = convscope.train(fishes, out=tmp_path / "plain", **words).run
    one, other = (Run.open(r).read_card() for r in (run, plain))
    assert (one.input_size, one.resize_mode, one.mean, one.std) == (
        other.input_size,
        other.resize_mode,
        other.mean,
        other.std,
    )


def test_batch_norm_of_a_held_resnet_keeps_its_statistics(tmp_path, fishes):
    net = create_model("resnet20_cifar")
    torch.save(net.state_dict(), tmp_path / "x.pth")
    words = dict(model="resnet20_cifar", freeze="conv3_3", freeze_bn=False)
    words |= dict(epochs=1, batch_size=8, engine="torch")
    run = train(fishes, tmp_path / "x.pth", tmp_path / "run", **words)
    layers = list(dict(net.named_children()))
    held = layers[: layers.index("conv3_3") + 1]
    after = tensors(run)
    for name, tensor in net.state_dict().items():
        if name.partition(".")[0] in held:
            assert torch.equal(tensor, after[name]), name
        elif name.endswith("running_mean"):
            assert not torch.equal(tensor, after[name]), name


@pytest.mark.parametrize(
    ("epochs", "let_go"),
    [
        (1, {"fc"}),
        (2, {"fc", "bn2"}),
        (3, {"fc", "bn2", "conv2"}),
        (4, {"fc", "bn2", "conv2", "bn1"}),
    ],
)
def test_each_epoch_lets_one_more_stage_go(tmp_path, source, fishes, epochs, let_go):
    out = train(fishes, source, tmp_path / "run", freeze="drop", unfreeze_every=1, epochs=epochs)
    assert changed(out, source) == let_go


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, state, event):
        if event.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


STAGED = dict(
    freeze="drop", unfreeze_every=1, backbone_lr_scale=0.1, epochs=4, checkpoint_seconds=0.0
)


@pytest.mark.parametrize("optimizer", first_fast(1, ["sgd", "adamw"]))
def test_a_stop_in_any_stage_changes_no_bit_and_the_weights_are_not_read_again(
    tmp_path, source, fishes, optimizer
):
    copy = tmp_path / "weights.safetensors"
    copy.write_bytes((source / "model.safetensors").read_bytes())
    words = dict(**STAGED, optimizer=optimizer, input_size=32, in_channels=3)
    whole = tensors(train(fishes, copy, tmp_path / "whole", **words))
    for step in (1, 5, 8, 13):
        out = tmp_path / str(step)
        with pytest.raises(Interrupted):
            train(fishes, copy, out, **words, callbacks=[StopAt(step)])
        copy.rename(tmp_path / "elsewhere")
        convscope.resume(out)
        (tmp_path / "elsewhere").rename(copy)
        assert all(torch.equal(tensor, whole[name]) for name, tensor in tensors(out).items())
        best = (load_tensors(run / "model.safetensors") for run in (out, tmp_path / "whole"))
        assert len({stored.metadata["epoch"] for stored in best}) == 1


class Killed(BaseException):
    """The end of the process, as far as the code can tell."""


def test_a_start_killed_before_its_first_state_begins_from_the_weights_again(
    tmp_path, source, fishes, monkeypatch
):
    def refuse(*_):
        raise Killed

    words = dict(epochs=1, freeze="drop")
    whole = tensors(train(fishes, source, tmp_path / "whole", **words))
    with monkeypatch.context() as patched:
        patched.setattr(Run, "write_state", refuse)
        with pytest.raises(Killed):
            train(fishes, source, tmp_path / "run", **words)
    convscope.resume(tmp_path / "run")
    resumed = tensors(tmp_path / "run")
    assert all(torch.equal(tensor, whole[name]) for name, tensor in resumed.items())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (dict(freeze="conv3"), "Did you mean 'conv2'"),
        (dict(freeze="fc"), "nothing to train"),
        (dict(weights="no-such-thing"), "No weights found for 'no-such-thing'"),
        (dict(model="lenet5"), "has the weights of another network"),
    ],
    ids=str,
)
def test_a_request_that_cannot_be_meant_leaves_no_folder(tmp_path, source, fishes, words, told):
    with pytest.raises(RequestError, match=told):
        train(fishes, source, tmp_path / "run", **words)
    assert not (tmp_path / "run").exists()


def test_a_network_for_color_does_not_start_from_one_for_gray(tmp_path, digits_run, fishes):
    with pytest.raises(RequestError, match="for 1 channels and do not fit a network with 3"):
        train(fishes, digits_run, tmp_path / "run", in_channels=3)


def test_the_run_says_what_it_began_with_and_can_be_run_again(
    tmp_path, source, fishes, monkeypatch
):
    class Notes(Callback):
        def on_run_start(self, event):
            self.description = event.description

    act = Notes()
    monkeypatch.chdir(source.parent)
    out = train(fishes, source.name, tmp_path / "run", freeze="bn1", callbacks=[act])
    assert f"It starts from {source.name}. Layers up to bn1 are frozen." in act.description
    config = Run.open(out).read_config()
    assert config["weights"] == str(source)
    monkeypatch.chdir(tmp_path)
    words = {k: v for k, v in config.items() if not isinstance(v, dict) and k != "data"}
    convscope.train(config["data"], out=tmp_path / "again", **words)
    one, other = tensors(out), tensors(tmp_path / "again")
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_network_with_auxiliary_classifiers_trains(tmp_path, monkeypatch):
    (tmp_path / "aux.py").write_text(
        "from torch import nn\n"
        "from convscope.layers import ModelOutput\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, num_classes):\n"
        "        super().__init__()\n"
        "        self.conv = nn.Conv2d(3, 8, 5, stride=3)\n"
        "        self.aux = nn.Linear(800, num_classes)\n"
        "        self.fc = nn.Linear(800, num_classes)\n"
        "    def forward(self, x):\n"
        "        x = self.conv(x).relu().flatten(1)\n"
        "        return ModelOutput(self.fc(x), (self.aux(x),)) if self.training else self.fc(x)\n"
    )
    monkeypatch.chdir(tmp_path)
    for place in range(2):
        folder = tmp_path / "data" / "ab"[place]
        folder.mkdir(parents=True)
        for number in range(10):
            pixels = np.full((32, 32, 3), 60 + 120 * place + number, np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    trained = convscope.train("data", model="aux:Net", input_size=32, epochs=5, out="run")
    assert trained.test.top1 == 1.0
    assert convscope.evaluate("run").metrics.top1 == 1.0


class Notes(Callback):
    description = ""

    def on_run_start(self, event):
        self.description = event.description


def rows(run: Path) -> torch.Tensor:
    return tensors(run)["fc.weight"]


STILL = dict(steps=1, lr=1e-12, warmup_epochs=0.0, weight_decay=0.0)


@pytest.fixture
def overlap(tmp_path):
    """Two classes that the source knows, in other places, and a new one."""
    return str(make_image_folder(tmp_path / "other", ("leaf", "mango", "plum"), each=12))


def test_a_class_that_the_weights_know_keeps_its_row_wherever_it_stands(tmp_path, source, overlap):
    notes = Notes()
    out = train(overlap, source, tmp_path / "run", **STILL, callbacks=[notes])
    old, new = Run.open(source).read_weights().tensors["fc.weight"], rows(out)
    assert torch.allclose(new[0], old[1], atol=1e-9)
    assert torch.allclose(new[2], old[2], atol=1e-9)
    assert not torch.allclose(new[1], old[0], atol=1e-3)
    assert Run.open(out).read_card().provenance["weights_head"] == (
        "2 of 3 classes by name: leaf, plum"
    )
    assert "Head: 2 of 3 classes by name: leaf, plum." in notes.description


def test_without_class_names_the_head_starts_fresh_and_with_them_it_is_matched(
    tmp_path, source, overlap
):
    state = Run.open(source).read_weights().tensors
    torch.save({"state_dict": dict(state)}, tmp_path / "x.pth")
    words = dict(**STILL, input_size=32, in_channels=3)
    notes = Notes()
    fresh = train(overlap, tmp_path / "x.pth", tmp_path / "a", **words, callbacks=[notes])
    old = state["fc.weight"]
    assert not any(torch.allclose(row, one, atol=1e-3) for row in rows(fresh) for one in old)
    assert "Head: initialized: the weights have no class names; `class_na" in notes.description
    assert "do not say how images are prepared" in notes.description
    names = ["apple", "leaf", "plum"]
    matched = train(overlap, tmp_path / "x.pth", tmp_path / "b", **words, class_names=names)
    assert torch.allclose(rows(matched)[0], state["fc.weight"][1], atol=1e-9)
    assert Run.open(matched).read_config()["class_names"] == "apple,leaf,plum"
    with pytest.raises(RequestError, match=r"`class_names` has 2 names, and .* has 3 outputs"):
        train(overlap, tmp_path / "x.pth", tmp_path / "c", **words, class_names="apple,leaf")


def test_mean_and_std_can_be_said(tmp_path, source, fishes):
    run = train(fishes, source, tmp_path / "run", **STILL, mean=0.5, std=(0.1, 0.2, 0.3))
    card = Run.open(run).read_card()
    assert (card.mean, card.std) == ((0.5, 0.5, 0.5), (0.1, 0.2, 0.3))
    with pytest.raises(RequestError, match="`std` has 2 numbers"):
        train(fishes, source, tmp_path / "other", std=(0.1, 0.2))
    with pytest.raises(RequestError, match="`class_names` are those of `weights`"):
        convscope.train(fishes, out=tmp_path / "third", class_names="a,b")


def test_weights_may_be_a_run_what_train_returned_a_state_dict_or_a_network(
    tmp_path, source, fishes, monkeypatch
):
    monkeypatch.setenv("CONVSCOPE_DATA", str(tmp_path / "cache"))
    net, _ = convscope.load(source)
    kept = net.state_dict()
    for index, weights in enumerate((source, Run.open(source), kept, {"model": kept}, net)):
        words = dict(model=NET, **STILL, batch_size=8, input_size=32, in_channels=3)
        result = convscope.train(fishes, out=tmp_path / str(index), weights=weights, **words)
        assert torch.allclose(tensors(result.run)["conv1.weight"], kept["conv1.weight"], atol=1e-9)
    again = convscope.train(fishes, out=tmp_path / "again", weights=result, **words)
    assert Run.open(again.run).read_config()["weights"] == str(result.run)
