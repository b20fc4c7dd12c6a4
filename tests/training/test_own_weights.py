"""`pretrained` with a network of one's own: its weights are trained, and are fine-tuned."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

import convscope
from convscope.errors import RequestError
from convscope.runs.folder import Run
from convscope.training.config import TrainConfig
from convscope.training.fine_tuning import FINE_TUNING
from convscope.training.launched import _check_same
from convscope.zoo import create_model
from tests.conftest import make_image_folder

SHORT = dict(steps=2, engine="torch", progress=False)


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_DATA", str(tmp_path / "cache"))
    return str(make_image_folder(tmp_path / "fruit", ("apple", "leaf"), each=12))


def trained(model="resnet20_cifar", **arguments):
    """A network as after a training: batch norm has seen images, the head's biases have moved."""
    torch.manual_seed(0)
    net = create_model(model, num_classes=2, **arguments)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if name.endswith("running_mean") or name == "fc.bias":
                tensor.add_(0.1)
    return net


def copied(net):
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def test_a_network_that_is_handed_over_is_fine_tuned_from_its_weights(data, tmp_path):
    net = trained()
    before = copied(net)
    run = convscope.train(
        data, model=net, pretrained=True, lr=1e-6, out=tmp_path / "run", **SHORT
    ).run
    config = Run.open(run).read_config()
    assert {name: config[name] for name in FINE_TUNING} == FINE_TUNING
    for name, tensor in net.state_dict().items():
        assert torch.allclose(tensor, before[name], atol=1e-4), name  # the head is kept as well
        assert name.startswith("fc") or "running" not in name or torch.equal(tensor, before[name])


def test_the_run_is_repeated_from_the_file_that_it_names(data, tmp_path):
    first = convscope.train(data, model=trained(), pretrained=True, out=tmp_path / "a", **SHORT)
    config = Run.open(first.run).read_config()
    assert not config["pretrained"]
    weights = {"model": config["model"], "weights": config["weights"]}
    again = convscope.train(data, **weights, out=tmp_path / "b", **SHORT)
    one, two = (Run.open(each.run).read_weights().tensors for each in (first, again))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_restart_of_the_same_call_goes_on_with_its_run(data, tmp_path):
    """As an elastic launcher restarts it: the run records a file of weights, the call does not."""
    first = convscope.train(data, model=trained(), pretrained=True, out=tmp_path / "run", **SHORT)
    run, given = Run.open(first.run), {"model", "pretrained", "steps"}
    config = TrainConfig(model="ResNet", pretrained=True, steps=2)
    _check_same(run, data, config, given, trained())
    with pytest.raises(RequestError, match="`steps` was 2 and is 3"):
        _check_same(run, data, replace(config, steps=3), given, trained())
    with pytest.raises(
        RequestError, match=r"`weights` was .*memory-.* and is torchvision:resnet18"
    ):
        _check_same(run, data, replace(config, model="resnet18"), given)


def test_without_it_nothing_is_assumed_of_a_network(data, tmp_path):
    run = convscope.train(data, model=trained(), out=tmp_path / "run", **SHORT).run
    config = Run.open(run).read_config()
    assert (config["optimizer"], config["freeze_bn"]) == ("sgd", False)
    assert "weights" not in config


@pytest.mark.parametrize(("bias", "weights"), [(0.0, "small"), (0.1, "kept")])
def test_a_large_head_without_biases_is_new_and_starts_small(data, tmp_path, bias, weights):
    net = trained()
    nn.init.constant_(net.fc.bias, bias)
    nn.init.uniform_(net.fc.weight, -0.5, 0.5)  # as timm draws an EfficientNet's for four classes
    before = net.fc.weight.detach().clone()
    made = convscope.train(data, model=net, pretrained=True, lr=1e-6, out=tmp_path / "run", **SHORT)
    change = float((net.fc.weight.detach() - before).abs().max())
    assert (change < 1e-4) == (weights == "kept")
    assert (float(net.fc.weight.detach().abs().max()) < 0.1) == (weights == "small")
    told = Run.open(made.run).read_card().provenance
    assert ("starts small" in told.get("weights_head", "")) == (weights == "small")


def test_a_network_whose_batch_norm_has_seen_nothing_is_refused(data):
    with pytest.raises(RequestError, match="batch norm has seen no image: all running means are 0"):
        convscope.train(data, model=create_model("resnet20_cifar"), pretrained=True)


OWN = """
import torch
from torch import nn

class Net(nn.Sequential):
    def __init__(self, num_classes):
        super().__init__(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(4, num_classes),
        )

def from_my_file(num_classes):
    net = Net(num_classes)
    state = torch.load("mine.pt", weights_only=True)
    net.load_state_dict({**net.state_dict(), **state})
    return net
"""


def test_code_of_ones_own_builds_the_network_with_its_weights(data, tmp_path, command):
    (tmp_path / "mynet.py").write_text(OWN)
    state = {"0.weight": torch.full((4, 3, 3, 3), 0.25), "1.running_mean": torch.full((4,), 0.5)}
    torch.save(state, tmp_path / "mine.pt")
    words = ["train", data, "--pretrained", "--steps", 1, "--input-size", 8, "--lr", 1e-9]
    done = command(*words, "--model", "mynet:from_my_file", "--out", "run", "--json", cwd=tmp_path)
    assert "It starts from the trained weights of mynet:from_my_file itself." in done.stderr
    assert "so the training images decide" in done.stderr
    run = Run.open(tmp_path / "run")
    assert run.read_config()["optimizer"] == "adamw"
    stored = run.read_weights().tensors
    assert torch.allclose(stored["0.weight"], state["0.weight"], atol=1e-6)
    assert torch.equal(stored["1.running_mean"], state["1.running_mean"])
    assert json.loads(done.stdout)["run"]
    refused = command(*words, "--model", "mynet:Net", cwd=tmp_path, code=2)
    assert "the weights of mynet:Net are trained" in refused.stderr
    assert "leave out --pretrained" in refused.stderr
