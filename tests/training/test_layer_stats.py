"""A look inside tells what an independent computation finds, and leaves no trace."""

import copy
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import convscope
from convscope.runs.live_files import Live
from convscope.runs.tensor_file import TensorFile, pack_tensors
from convscope.training.callbacks.layer_stats import HISTORY, LayerStats, activations
from convscope.training.callbacks.snapshots import least_informative
from convscope.training.callbacks.throttle import Throttle

NAME = "tests_of_look"


class Net(nn.Module):
    """In evaluation and in training another: batch norm, dropout; written over in place: ReLU."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.unused = nn.Linear(2, 2)
        self.conv = nn.Conv2d(1, 4, 5, stride=2)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(4 * 14 * 14, 20), nn.Tanh())
        self.head = nn.Linear(20, num_classes)

    def forward(self, images):
        return self.head(self.body(self.drop(self.relu(self.norm(self.conv(images))))))


def by_hand(net, images):
    """What the layers of Net give in evaluation, in float64, without its forward."""
    w = {name: value.double() for name, value in net.state_dict().items()}
    gave = {"conv": F.conv2d(images.double(), w["conv.weight"], w["conv.bias"], stride=2)}
    gave["norm"] = F.batch_norm(
        gave["conv"],
        w["norm.running_mean"],
        w["norm.running_var"],
        w["norm.weight"],
        w["norm.bias"],
    )
    gave["relu"] = gave["norm"].clamp(min=0)
    gave["drop"] = gave["relu"]
    gave["body.0"] = gave["drop"].flatten(1)
    gave["body.1"] = gave["body.0"] @ w["body.1.weight"].T + w["body.1.bias"]
    gave["body.2"] = gave["body.1"].tanh()
    gave["head"] = gave["body.2"] @ w["head.weight"].T + w["head.bias"]
    return {name: values.numpy() for name, values in gave.items()}


def rms(*arrays):
    flat = np.concatenate([np.asarray(array, float).ravel() for array in arrays])
    return np.sqrt((flat**2).mean())


KINDS = ["Conv2d", "BatchNorm2d", "ReLU", "Dropout", "Flatten", "Linear", "Tanh", "Linear"]


def test_a_look_is_what_plain_arithmetic_finds_at_that_step(tmp_path, monkeypatch):
    """Without momentum and decay a step is rate · gradient, so the gradient is the step / rate."""
    monkeypatch.setitem(sys.modules, NAME, sys.modules[Net.__module__])
    monkeypatch.setattr(Live, "is_watched", lambda _live, _what="watched": True)
    monkeypatch.setattr(Throttle, "is_due", lambda _throttle: True)
    nets, fed, real = [], [], LayerStats.capture

    def spy(stats, images, *rest, **settings):
        nets.append(copy.deepcopy(stats.network))
        fed.append(images.clone())
        return real(stats, images, *rest, **settings)

    monkeypatch.setattr(LayerStats, "capture", spy)
    plain = dict(momentum=0.0, weight_decay=0.0, lr_schedule="constant", warmup_epochs=0.0, lr=0.25)
    settings = dict(
        input_size=32, in_channels=1, batch_size=100, steps=7, backbone_lr_scale=0.5, **plain
    )
    convscope.train("digits", out=tmp_path / "run", model=f"{NAME}:Net", **settings)
    metadata = (look := Live(tmp_path / "run").read_snapshot("look")).metadata
    assert (metadata["step"], len(nets)) == (7, 7)
    assert fed[-1].shape == (32, 1, 32, 32)
    gave = by_hand(nets[-1], fed[-1])
    assert [layer["name"] for layer in metadata["layers"]] == list(gave)
    assert [layer["kind"] for layer in metadata["layers"]] == KINDS
    before, after = (dict(net.named_parameters()) for net in nets[-2:])
    for layer, values in zip(metadata["layers"], gave.values(), strict=True):
        name, stats = layer["name"], layer["activation"]
        assert layer["shape"] == [*values.shape[1:]]
        assert stats["mean"] == pytest.approx(values.mean(), abs=1e-5), name
        assert stats["std"] == pytest.approx(values.std(), rel=1e-4), name
        assert stats["zeros"] == pytest.approx((values == 0).mean(), abs=1e-4), name
        assert stats["largest"] == pytest.approx(np.abs(values).max(), rel=1e-4), name
        own = [key for key in after if key.rpartition(".")[0] == name]
        if not own:
            assert layer["gradient"] is layer["weight"] is layer["update"] is None
            continue
        rate = 0.25 if name == "head" else 0.125
        moved = rms(*((after[key] - before[key]).detach() for key in own))
        weight = rms(*(after[key].detach() for key in own))
        assert layer["weight"] == pytest.approx(weight, rel=1e-5)
        assert layer["gradient"] == pytest.approx(moved / rate, rel=1e-3)
        assert layer["update"] == pytest.approx(moved / weight, rel=1e-3)
    assert 0 < metadata["layers"][2]["activation"]["zeros"] < 1
    card = convscope.runs.folder.Run.open(tmp_path / "run").read_card()
    captured = look.tensors["batch"].double() / 255
    normal = (captured - card.mean[0]) / card.std[0]
    assert torch.allclose(normal.permute(0, 3, 1, 2), fed[-1][:16].double(), atol=1e-5)
    last = metadata["history"][-1]
    assert last["step"] == 7
    assert last["layers"]["relu"]["zeros"] == pytest.approx(
        metadata["layers"][2]["activation"]["zeros"], rel=1e-3
    )


def test_the_names_under_the_images_are_those_of_their_classes(tmp_path, monkeypatch):
    """A folder of one color per class: the largest channel says which."""
    from tests.conftest import make_image_folder  # noqa: PLC0415

    root = make_image_folder(tmp_path / "fruit", ("apple", "leaf", "plum"), each=12)
    monkeypatch.setattr(Live, "is_watched", lambda _live, _what="watched": True)
    settings = dict(model="tinyvgg", batch_size=8, epochs=1, optimizer="adamw")
    convscope.train(str(root), out=tmp_path / "run", **settings)
    look = Live(tmp_path / "run").read_snapshot("look")
    channel = look.tensors["batch"].float().mean((1, 2)).argmax(1).tolist()
    assert look.metadata["labels"] == [("apple", "leaf", "plum")[place] for place in channel]
    assert {layer["update"] for layer in look.metadata["layers"]} == {None}, "AdamW moves otherwise"


def test_the_largest_is_so_by_its_absolute_value():
    net = nn.Sequential(nn.Linear(1, 2), nn.ReLU())
    net[0].weight.data[:] = torch.tensor([[-3.0], [1.0]])
    net[0].bias.data[:] = 0
    captured = activations(net, torch.ones(4, 1))
    assert captured["0"]["activation"] == dict(mean=-1.0, std=2.0, zeros=0.0, largest=3.0)
    assert captured["1"]["activation"] == dict(mean=0.5, std=0.5, zeros=0.5, largest=1.0)


def test_a_look_leaves_no_trace():
    torch.manual_seed(0)
    net = Net().train()
    net.drop.eval()
    images = torch.randn(8, 1, 32, 32)
    F.cross_entropy(net(images), torch.arange(8)).backward()
    kept = {name: value.clone() for name, value in net.state_dict().items()}
    gradients = {name: weight.grad for name, weight in net.named_parameters()}
    copies = {name: None if grad is None else grad.clone() for name, grad in gradients.items()}
    modes = [module.training for module in net.modules()]
    random = torch.get_rng_state()
    activations(net, images)
    assert torch.equal(torch.get_rng_state(), random)
    assert [module.training for module in net.modules()] == modes
    for name, value in net.state_dict().items():
        assert torch.equal(value, kept[name])
    for name, weight in net.named_parameters():
        assert weight.grad is gradients[name]
        assert weight.grad is None or torch.equal(weight.grad, copies[name])
    assert not any(module._forward_hooks for module in net.modules())


def test_a_failure_in_a_look_leaves_no_hook_and_no_mode():
    net = Net().train()
    with pytest.raises(RuntimeError):
        activations(net, torch.zeros(2, 3, 32, 32))
    assert all(module.training for module in net.modules())
    assert not any(module._forward_hooks for module in net.modules())


def test_numbers_that_are_none_are_told_as_none():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    net[0].weight.data[:] = float("inf")
    net[0].weight.grad = torch.full((2, 2), float("nan"))
    stats = LayerStats(net, None, step=0)
    zeros = torch.zeros(1, 2, 2, 1, dtype=torch.uint8)
    captured = stats.capture(torch.ones(1, 2), zeros, ["a"], step=1, lr=lambda _name: 0.1)
    first = captured.metadata["layers"][0]
    assert (first["activation"]["largest"], first["weight"], first["gradient"]) == (None,) * 3
    pack_tensors(captured.tensors, captured.metadata)  # strict JSON


@pytest.mark.parametrize("count", [HISTORY, 500, 5000])
def test_a_history_is_bounded_even_and_goes_on(count):
    net, kept = nn.Sequential(nn.Linear(2, 2)), None
    zeros = torch.zeros(1, 2, 2, 1, dtype=torch.uint8)
    history = LayerStats(net, None, step=0)
    for step in range(1, count + 1):
        if step == count // 2:
            history = LayerStats(net, TensorFile({}, kept.metadata), step=step)
        kept = history.capture(torch.ones(1, 2), zeros, ["a"], step=step, lr=None)
    steps = np.array([entry["step"] for entry in kept.metadata["history"]])
    assert len(steps) == min(count, HISTORY)
    assert (steps[0], steps[-1]) == (1, count)
    gaps = np.diff(steps)
    assert gaps.min() >= 1
    assert gaps.max() <= 2.5 * gaps.mean()


def test_a_resumed_training_forgets_looks_at_steps_that_it_repeats():
    saved = {"history": [{"step": step, "layers": {}} for step in (3, 8, 12)]}
    stats = LayerStats(nn.Identity(), TensorFile({}, saved), step=8)
    assert [entry["step"] for entry in stats.history] == [3, 8]


@pytest.mark.parametrize(
    ("places", "least"), [([0, 1, 2, 10], 1), ([0, 5, 9, 10], 2), ([0, 4, 5, 6, 10], 2)]
)
def test_the_place_that_is_missed_least_stands_between_the_nearest(places, least):
    assert least_informative(places) == least
