"""What layers hold for one image: as other ways compute it, bounded, without a trace."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from convscope.card import Card
from convscope.runs.live_files import Live
from convscope.runs.tensor_file import TensorFile, load_tensors
from convscope.training.callbacks import layer_views
from convscope.training.callbacks.epoch_weights import EpochWeightsWriter
from convscope.training.callbacks.layer_views import LayerViewWriter, example_at
from convscope.training.callbacks.throttle import Throttle
from convscope.training.epoch_weights import EPOCHS, EpochWeights
from convscope.training.layer_view import LAYERS, SIDE, TILES, view_layers
from tests.training.small import train

CLASSES = ("a", "b", "c")


def card_of(size=12, classes=CLASSES):
    return Card(
        classes=classes,
        input_size=(size, size),
        in_channels=1,
        resize_mode="pad",
        mean=(0.0,),
        std=(1.0,),
    )


def small(*, inplace=True):
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=inplace),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * 25, 3),
    ).train()


@pytest.fixture
def image():
    return torch.randn(1, 1, 12, 12, generator=torch.Generator().manual_seed(1))


def values(view, name):
    """A part as numbers again: to half a level of 127."""
    index, part = name.split("/")
    figures = view.metadata["layers"][int(index)]["parts"][part]
    return view.tensors[name].float() * figures["peak"] / 127, figures["peak"] / 127


def test_activations_and_their_gradients_are_those_of_a_chain_of_calls(image):
    """Also behind a ReLU that writes over its input: the network is called layer by layer."""
    net = small()
    net(torch.randn(8, 1, 12, 12))  # moves the statistics of batch norm
    view = view_layers(net, image, card_of(), target=2)
    plain = small(inplace=False)
    plain.load_state_dict(net.state_dict())
    outputs, values_so_far = [], image
    for layer in plain.eval():
        values_so_far = layer(values_so_far)
        values_so_far.retain_grad()
        outputs.append(values_so_far)
    loss = nn.functional.cross_entropy(outputs[-1], torch.tensor([2]))
    loss.backward()
    shown = [
        output for output, layer in zip(outputs, plain, strict=True) if "Flat" not in str(layer)
    ]
    assert [layer["name"] for layer in view.metadata["layers"]] == ["0", "1", "2", "3", "5"]
    for index, output in enumerate(shown):
        for part, wanted in (("activation", output), ("activation_gradient", output.grad)):
            found, level = values(view, f"{index}/{part}")
            assert (found.flatten() - wanted.detach().flatten()).abs().max() <= 0.51 * level
            assert wanted.abs().max() > 0
            told = view.metadata["layers"][index]["parts"][part]
            assert told["low"] == pytest.approx(wanted.min().item())
            assert told["high"] == pytest.approx(wanted.max().item())
    assert view.metadata["loss"] == pytest.approx(loss.item())
    shares = outputs[-1].softmax(1)[0].tolist()
    assert dict(view.metadata["answers"]) == pytest.approx(dict(zip(CLASSES, shares, strict=True)))


def test_a_view_leaves_no_trace_and_shows_the_gradients_of_the_step(image):
    net = small()
    net[0].weight.requires_grad_(requires_grad=False)  # frozen
    nn.functional.cross_entropy(net(torch.randn(8, 1, 12, 12)), torch.arange(8) % 3).backward()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    gradients = {name: one.grad for name, one in net.named_parameters()}
    view = view_layers(net, image, card_of(), target=None)
    assert all(value.equal(before[name]) for name, value in net.state_dict().items())
    for name, one in net.named_parameters():
        assert one.grad is gradients[name]
        assert one.requires_grad is (name != "0.weight")
    assert all(layer.training and not layer._forward_hooks for layer in net)
    found, level = values(view, "4/weight_gradient")
    assert (found[0, 0] - net[5].weight.grad).abs().max() <= 0.51 * level
    assert "0/weight_gradient" not in view.tensors
    assert view.metadata["target"] == CLASSES.index(view.metadata["answers"][0][0])


def test_what_is_shown_is_bounded_however_large_the_network():
    wide = nn.Conv2d(1, 100, 3, padding=1)
    deep = [nn.Conv2d(100, 100, 1) for _ in range(2 * LAYERS)]
    net = nn.Sequential(wide, *deep, nn.Flatten(), nn.Linear(100 * 40 * 40, 3))
    view = view_layers(net, torch.rand(1, 1, 40, 40), card_of(40), target=0)
    names = [layer["name"] for layer in view.metadata["layers"]]
    assert len(names) == LAYERS
    assert (names[0], names[-1]) == ("0", str(2 * LAYERS + 2))
    assert view.metadata["left_out"] == 2 * LAYERS + 2 - LAYERS
    assert view.tensors["0/activation"].shape == (TILES, 1, 20, 20)
    for name, tensor in view.tensors.items():
        assert tensor.dtype == torch.int8
        assert max(tensor.shape[2:]) <= (128 if "weight" in name else SIDE)
        assert tensor.numel() <= TILES * 1024


def test_what_is_no_number_is_marked_and_the_rest_keeps_its_scale(image):
    net = small()
    with torch.no_grad():
        net[0].weight[1, 0, 0, 0] = torch.nan
        net[5].weight[0, 0] = torch.inf
    view = view_layers(net, image, card_of(), target=0)
    assert (view.tensors["0/activation"][1] == -128).all()
    assert view.tensors["0/activation"][[0, 2, 3]].abs().max() <= 127
    assert view.metadata["layers"][0]["parts"]["activation"]["peak"] > 0
    assert view.tensors["4/weight"][0, 0, 0, 0] == -128
    assert view.metadata["loss"] is None


@pytest.fixture
def writer(tmp_path):
    """A writer over a small network that has one example."""
    live = Live(tmp_path)
    live.begin()
    net, card = small(), card_of()
    pixels = torch.randint(0, 255, (3, 12, 12, 1), dtype=torch.uint8)
    images = [{"name": name, "label": i, "truth": name} for i, name in enumerate(CLASSES)]
    examples = TensorFile({"pixels": pixels}, {"split": "val", "images": images})
    inputs = SimpleNamespace(
        card=card, normalized=lambda pixels: pixels.permute(0, 3, 1, 2).float() / 255
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer_views, "examples_of", lambda _: examples)
        writer = LayerViewWriter(live, net, inputs, None, notify=pytest.fail)
        writer.on_fit_start(None, None)
    return writer


def test_nothing_is_computed_while_nobody_looks_and_then_the_chosen_example(writer, monkeypatch):
    live, calls = writer.live, []
    writer.network.register_forward_hook(lambda *_: calls.append(1))
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)

    def steps(count, first):
        for step in range(first, first + count):
            clock.now += 0.05
            writer.on_step_end(None, SimpleNamespace(step=step, epoch=1))

    live.watch()  # somebody looks at the page, and not at the layers
    steps(100, 1)
    assert not calls
    assert live.read_snapshot("layers") is None
    live.watch("watched_layers")
    steps(100, 101)
    assert 0 < len(calls) <= 100 * 0.05 / 0.2 + 1
    assert live.read_snapshot("layers").metadata["example"]["truth"] == "a"
    live.write_snapshot("example", example_at(live.read_snapshot("examples"), 2))
    steps(20, 201)
    view = live.read_snapshot("layers")
    assert view.metadata["example"] == {"name": "c", "label": 2, "truth": "c"}
    assert view.metadata["step"] > 200


def test_views_take_two_percent_of_a_watched_training_at_most(writer, monkeypatch):
    clock, taken = SimpleNamespace(now=100.0), []

    def view(*_args, **_kwargs):
        clock.now += 0.05
        taken.append(clock.now)
        return TensorFile({"pixels": torch.zeros(1)}, {})

    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(Live, "is_watched", lambda _live, _what: True)
    monkeypatch.setattr(layer_views, "example_view", view)
    for step in range(3000):
        clock.now += 0.01
        writer.on_step_end(None, SimpleNamespace(step=step, epoch=1))
    assert len(taken) >= 3
    assert 0.05 * len(taken) / (clock.now - 100) < 0.022  # before the first, there is no pause


def test_a_network_that_cannot_be_looked_into_is_told_once_and_trained_on(writer, monkeypatch):
    notes = []
    writer.notify = notes.append
    monkeypatch.setattr(Live, "is_watched", lambda _live, _what: True)
    monkeypatch.setattr(writer.network[0], "forward", lambda _: 1 / 0)
    for step in range(3):
        writer._poll.seconds = writer._throttle.seconds = 0
        writer.on_step_end(None, SimpleNamespace(step=step, epoch=1))
    assert notes == ["No view of the layers of this network: division by zero"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A run of five epochs, of which the disk was fast enough to keep each."""
    out = tmp_path_factory.mktemp("kept") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Throttle, "is_due", lambda _: True)
        train(out, epochs=5)
    return out


def test_the_weights_of_epochs_are_those_of_the_training(kept):
    steps = EpochWeights(kept).steps()
    assert set(steps) == {0, 10, 20, 30, 40, 50}, "epochs of ten steps"
    best = load_tensors(kept / "model.safetensors")
    weights = EpochWeights(kept).read(best.metadata["step"])
    assert weights.metadata["epoch"] == best.metadata["epoch"]
    assert weights.tensors.keys() == best.tensors.keys()
    assert all(value.equal(best.tensors[name]) for name, value in weights.tensors.items())
    first = EpochWeights(kept).read(0).tensors
    assert not any(first[name].equal(best.tensors[name]) for name in first if "weight" in name)


def test_so_many_epochs_are_kept_and_those_after_a_step_are_forgotten(tmp_path):
    weights = EpochWeights(tmp_path)
    weights.folder.mkdir()
    for step in range(0, 1000, 10):
        weights.add(
            step,
            TensorFile({"a": torch.full((3,), float(step))}, {"step": step, "epoch": step // 10}),
        )
    steps = weights.steps()
    assert len(steps) == EPOCHS
    assert (steps[0], steps[-1]) == (0, 990)
    assert np.diff(np.log1p(steps)).max() < 2.5  # spread on a logarithmic scale
    assert weights.read(990).tensors["a"].tolist() == [990.0] * 3
    weights.drop_after(500)
    assert weights.steps()[-1] <= 500
    assert weights.read(990) is None


@pytest.mark.parametrize(
    ("inputs", "kept", "is_exact"), [(200, 9, True), (350, 11, False), (600, 0, False)]
)
def test_larger_networks_are_kept_in_half_precision_and_very_large_ones_not(
    tmp_path, inputs, kept, is_exact
):
    """Of inputs · 1,000 weights, and a scale that half precision cannot hold."""
    torch.manual_seed(0)
    network = nn.Linear(inputs, 1000, bias=False)
    network.register_buffer("scale", torch.tensor(1e6))
    live = Live(tmp_path)
    live.begin()
    writer = EpochWeightsWriter(live, network)
    for step in range(20):
        writer._keep(SimpleNamespace(step=step, epoch=step))
    steps = EpochWeights(tmp_path).steps()
    assert len(steps) == kept
    assert sum(file.stat().st_size for file in live.folder.iterdir()) < 8_100_000
    if kept:
        found = EpochWeights(tmp_path).read(steps[-1]).tensors
        assert found["weight"].dtype == torch.float32
        assert found["weight"].equal(network.weight.detach()) == is_exact
        assert torch.allclose(found["weight"], network.weight.detach(), rtol=1e-3, atol=1e-6)
        assert found["scale"] == 1e6
