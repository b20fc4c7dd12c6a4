"""Somebody's own network is trained, or its failure is told as its own."""

import gc
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import NetworkError, RequestError, WorkError
from convscope.runs.tensor_file import load_tensors
from tests.training.small import Act

OWN = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self, num_classes=10, width=4):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, width, 3), nn.BatchNorm2d(width)
        self.fc = nn.Linear(width, num_classes)
    def logits(self, x):
        return self.fc(self.norm(self.conv(x)).relu().mean((2, 3)))
    def forward(self, x):
        return self.logits(x)
class Pair(Net):
    def forward(self, x):
        return self.conv(x), self.logits(x)
class PairInTraining(Net):
    def forward(self, x):
        return (self.logits(x), self.logits(x)) if self.training else self.logits(x)
class Dict(Net):
    def forward(self, x):
        return {"features": self.conv(x), "logits": self.logits(x)}
class Spatial(Net):
    def forward(self, x):
        return self.logits(x)[..., None, None]
class InPlace(Net):
    def forward(self, x):
        x.mul_(2)
        return self.logits(x)
class FailsInTraining(Net):
    def forward(self, x):
        assert not self.training, "I do not train"
        return self.logits(x)
class OddBatch(Net):
    def forward(self, x):
        if self.training and len(x) % 2:
            raise ValueError(f"an odd batch of {len(x)}")
        return self.logits(x)
class Fixed(Net):
    def forward(self, x):
        return self.fc(self.conv(x).view(16, 4, -1).mean(2))
class Cuda(Net):
    def forward(self, x):
        return self.logits(x.cuda())
class One(Net):
    def __init__(self):
        super().__init__(1)
class NotANumber(Net):
    def forward(self, x):
        return self.logits(x) * float("nan")
class NoGradient(Net):
    def forward(self, x):
        h = self.conv(x).sigmoid()
        means = h.mean((2, 3))
        h.zero_()
        return self.fc(means)
class NoParameters(nn.Module):
    def forward(self, x):
        return x.mean((2, 3)).expand(-1, 2)
class NormAtTheEnd(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.fc, self.norm = nn.Linear(64, num_classes), nn.BatchNorm1d(num_classes)
    def forward(self, x):
        return self.norm(self.fc(x.flatten(1)))
class FailsLater(Net):
    steps = 0
    def forward(self, x):
        if self.training:
            FailsLater.steps += 1
            assert FailsLater.steps < 7
        return self.logits(x)
def frozen(num_classes):
    return Net(num_classes).requires_grad_(False)
def half(num_classes):
    return Net(num_classes).half()
def double(num_classes):
    return Net(num_classes).double()
"""

RANDOM = np.random.default_rng(0)
LABELS = np.arange(42) % 2
IMAGES = RANDOM.integers(0, 150, (42, 8, 8), np.uint8) + np.uint8(100) * LABELS[
    :, None, None
].astype(np.uint8)


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    (tmp_path / "foreign.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("foreign", None)


def train(model, **settings):
    settings = {"epochs": 1, "threads": 1, "batch_size": 8, "engine": "torch", **settings}
    return convscope.train((IMAGES, LABELS), model=model, progress=False, out="run", **settings)


@pytest.mark.parametrize(
    "name", ["Net", "Pair", "PairInTraining", "Dict", "Spatial", "InPlace", "double"]
)
def test_it_is_trained_on_its_logits_wherever_they_are(name):
    result = train(f"foreign:{name}")
    net, card = convscope.load(result)
    assert card.classes == ("0", "1")
    assert next(net.parameters()).isfinite().all()
    assert convscope.evaluate(result.run, (IMAGES, LABELS)).metrics.loss > 0
    prediction = convscope.predict(result.run, IMAGES[0])[0]
    assert convscope.explain(result.run, IMAGES[0]).at[0] == int(prediction.label)


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("FailsInTraining", NetworkError, r"training mode.*foreign.py, line \d+\): AssertionError"),
        ("Fixed", NetworkError, r"takes batches of 16 images and no single image.*\(foreign.py"),
        ("Cuda", NetworkError, r"instead of `\.cuda\(\)`"),
        ("One", NetworkError, "last layer have two outputs"),
        ("NotANumber", WorkError, "the network itself returns it"),
        ("NoGradient", NetworkError, "in the backward pass"),
        ("NoParameters", RequestError, "no parameters, so there is nothing to train"),
        ("frozen", RequestError, "All parameters of foreign:frozen are frozen"),
        ("half", RequestError, r"float16.*`net.float\(\)`"),
        ("Nett", RequestError, "Did you mean 'Net'"),
    ],
)
def test_its_failure_is_told_as_its_own(name, error, said):
    with pytest.raises(error, match=said):
        train(f"foreign:{name}")


def test_a_failure_at_a_later_batch_is_told_with_the_batch():
    with pytest.raises(NetworkError, match=r"for 9 images of 1x8x8.*an odd batch of 9"):
        train("foreign:OddBatch", batch_size=9, val=0.1, test=0.12)  # of 32 images


def test_a_failure_says_what_is_kept_and_only_that():
    with pytest.raises(NetworkError, match=r"AssertionError") as caught:
        train("foreign:FailsLater", epochs=3)  # its seventh step is in the second epoch
    best = f"The best weights, of epoch 1, are in {Path('run/model.safetensors')}."
    assert str(caught.value).endswith(best)
    assert "state" not in str(caught.value)  # there is that of the start alone


def test_a_failure_after_a_checkpoint_names_its_step():
    with pytest.raises(NetworkError, match=r"AssertionError") as caught:
        train("foreign:FailsLater", epochs=3, checkpoint_seconds=0.0)
    step = load_tensors(max(Path("run/last").iterdir())).metadata["state"]["step"]
    assert step > 3
    assert f" The last good state, after step {step}, is kept in run. The best" in str(caught.value)


def test_what_is_kept_is_whole():
    def damage():
        for file in [*Path("run/last").iterdir(), Path("run/model.safetensors")]:
            file.write_bytes(file.read_bytes()[:-1])

    with pytest.raises(NetworkError, match=r"AssertionError") as caught:
        train("foreign:FailsLater", epochs=3, callbacks=[Act((5, damage))])
    assert "kept" not in str(caught.value)
    assert "best" not in str(caught.value)


def test_a_failure_at_the_first_step_has_nothing_to_keep():
    with pytest.raises(WorkError, match="the network itself returns it") as caught:
        train("foreign:NotANumber")
    assert "kept" not in str(caught.value)
    assert "best" not in str(caught.value)


def test_a_last_batch_of_one_image_is_refused_where_batch_norm_needs_two():
    with pytest.raises(
        RequestError, match=r"The last batch of an epoch is a single image.*size=30"
    ):
        train("foreign:NormAtTheEnd", batch_size=31, val=0.1, test=0.12)


def test_an_unknown_name_is_told_before_any_data_is_opened():
    with pytest.raises(RequestError, match="Did you mean 'resnet50'"):
        convscope.train("no such folder", model="resnt50")


def test_a_class_is_told_from_a_network():
    with pytest.raises(RequestError, match=r"`model` is the class Linear. Pass a network"):
        convscope.train((IMAGES, LABELS), model=torch.nn.Linear)


def test_a_module_is_trained_in_place_and_loads_again():
    import foreign  # noqa: PLC0415 -- which the fixture wrote

    net = foreign.Net(2)
    before = net.fc.weight.clone()
    result = train(net)
    assert not torch.equal(net.fc.weight, before)
    loss = convscope.evaluate(result.run, (IMAGES, LABELS)).metrics.loss
    assert convscope.evaluate(net, (IMAGES, LABELS)).metrics.loss == loss  # prepared alike
    assert 'model = "foreign:Net"' in (result.run / "config.toml").read_text()


def test_a_module_that_no_name_builds_loads_while_it_lives_or_by_another_like_it():
    import foreign  # noqa: PLC0415

    net = foreign.Net(2, width=6)
    result = train(net)
    loaded, _ = convscope.load(result)
    assert torch.equal(loaded.fc.weight, net.fc.weight)
    del net
    gc.collect()
    with pytest.raises(RequestError, match=r"convscope.load\(run, model=net\)"):
        convscope.load(result)
    again, _ = convscope.load(result, model=foreign.Net(2, width=6))
    assert torch.equal(again.fc.weight, loaded.fc.weight)


def test_a_network_of_the_zoo_is_trained_for_the_size_that_it_was_made_for():
    net = convscope.create_model("tinyvgg", num_classes=2, in_channels=1, input_size=(16, 16))
    _, card = convscope.load(train(net))
    assert card.input_size == (16, 16)


def test_a_network_of_timm_is_prepared_as_timm_states():
    timm = pytest.importorskip("timm")
    result = train("timm:test_resnet", input_size=32)
    net, card = convscope.load(result)
    assert card.mean == timm.get_pretrained_cfg("test_resnet").mean
    assert card.input_size == (32, 32)
    assert type(net).__module__ == "timm.models.resnet"


@pytest.mark.parametrize("what", ["fc.weight", "norm.running_var", "norm.running_mean"])
@pytest.mark.parametrize("val", [0.0, 0.2])
def test_weights_that_are_not_finite_replace_no_good_ones(what, val):
    """The last step of the second epoch spoils them, so that no loss shows it but validation's."""

    class Spoil(Act):
        def on_run_start(self, event):
            self.net = event.network

        def spoil(self):
            self.net.state_dict()[what].view(-1)[0] = torch.nan

    act = Spoil()
    act.acts = {8 if val else 10: act.spoil}
    with pytest.raises(WorkError, match=r"not finite|loss is nan") as caught:
        train("foreign:Net", epochs=3, val=val, test=0.1, callbacks=[act])
    best = f"The best weights, of epoch 1, are in {Path('run/model.safetensors')}."
    assert str(caught.value).endswith(best)
    for file in (Path("run/model.safetensors"), *Path("run/last").iterdir()):
        tensors = load_tensors(file).tensors
        assert all(t.isfinite().all() for n, t in tensors.items() if "random" not in n)
