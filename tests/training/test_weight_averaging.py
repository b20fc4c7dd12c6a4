"""The moving average of the weights: its arithmetic, and that it is what is validated and kept."""

import os
import signal

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.errors import WorkError
from convscope.runs.folder import Run
from convscope.runs.tensor_file import load_tensors
from convscope.training.weight_average import WeightAverage, kept_weights, trained_weights
from tests.forked import FORKS
from tests.training.small import Act, Net, assert_same_bits, state_of, train

DECAY = 0.6  # which the warm-up reaches at step 13
SETTINGS = dict(ema=DECAY, epochs=2, lr=0.05, metric="loss")


class Watch(convscope.Callback):
    """Keeps the weights after each step, and asks for a checkpoint during a validation."""

    def on_run_start(self, event):
        self.network, self.steps, self.during = event.network, [self.weights(event.network)], None

    def weights(self, network):
        return {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def on_fit_start(self, state, event):
        self.save = event.save_checkpoint

    def on_step_end(self, state, event):
        self.steps.append(self.weights(self.network))

    def on_evaluation_batch_end(self, state, event):
        if state.epoch == 0 and self.during is None:
            self.save()
            self.during = state_of(self.path)


@pytest.fixture(scope="module")
def averaged(tmp_path_factory):
    """A run with an average, what was watched of it, and the result."""
    watch = Watch()
    watch.path = tmp_path_factory.mktemp("averaged") / "run"
    result = train(watch.path, callbacks=[watch], **SETTINGS)
    return watch, result


def expected(steps):
    """By a loop over the weights after each step, in float64."""
    average = {name: tensor.double().numpy() for name, tensor in steps[0].items()}
    for step, weights in enumerate(steps[1:], 1):
        decay = min(DECAY, (1 + step) / (10 + step))
        for name, tensor in weights.items():
            average[name] = decay * average[name] + (1 - decay) * tensor.double().numpy()
    return average


def averages(stored):
    prefix = "average/"
    return {
        name.removeprefix(prefix): stored.tensors[name]
        for name in stored.tensors
        if name.startswith(prefix)
    }


def test_the_average_is_that_of_a_loop_batch_norm_s_statistics_too(averaged):
    watch, _ = averaged
    found = averages(state_of(watch.path))
    assert found.keys() == watch.steps[0].keys() - {"1.num_batches_tracked"}
    for name, exact in expected(watch.steps).items():
        if name in found:
            np.testing.assert_allclose(found[name], exact, rtol=1e-5, atol=1e-6)


def test_the_average_is_that_of_timm(averaged):
    timm_utils = pytest.importorskip("timm.utils")
    watch, _ = averaged
    net = Net()
    net.load_state_dict(watch.steps[0])
    theirs = timm_utils.ModelEmaV3(net)
    for step, weights in enumerate(watch.steps[1:], 1):
        net.load_state_dict(weights)
        theirs.decay = min(DECAY, (1 + step) / (10 + step))
        theirs.update(net, step=step)
    for name, average in averages(state_of(watch.path)).items():
        torch.testing.assert_close(average, theirs.module.state_dict()[name], rtol=1e-5, atol=1e-6)


def test_the_checkpoint_has_the_trained_weights_beside_the_average(averaged):
    watch, _ = averaged
    stored = state_of(watch.path).tensors
    for name, tensor in watch.steps[-1].items():
        assert torch.equal(stored[f"model/{name}"], tensor)


def test_a_checkpoint_during_a_validation_is_that_before_it(averaged):
    watch, _ = averaged
    step = watch.during.metadata["state"]["step"]
    for name, tensor in watch.steps[step].items():
        assert torch.equal(watch.during.tensors[f"model/{name}"], tensor)
    exact = expected(watch.steps[: step + 1])
    for name, tensor in averages(watch.during).items():
        np.testing.assert_allclose(tensor, exact[name], rtol=1e-5, atol=1e-6)


def test_the_average_is_validated_kept_and_tested(averaged):
    watch, result = averaged
    kept = load_tensors(watch.path / "model.safetensors")
    exact = expected(watch.steps[: kept.metadata["step"] + 1])
    for name, tensor in kept.tensors.items():
        if name != "1.num_batches_tracked":
            np.testing.assert_allclose(tensor, exact[name], rtol=1e-5, atol=1e-6)
    line = Run(watch.path).read_metrics()[kept.metadata["epoch"] - 1]
    measured = convscope.evaluate(watch.path, split="val", trust=True)
    assert measured.loss == pytest.approx(line["val_loss"], rel=1e-5)
    assert convscope.evaluate(watch.path, trust=True).loss == pytest.approx(
        result.test.loss, rel=1e-5
    )
    assert "a moving average of the weights" in (watch.path / "report.html").read_text()


def test_the_steps_are_those_without_an_average(tmp_path, averaged):
    watch, _ = averaged
    train(tmp_path / "run", **{**SETTINGS, "ema": 0.0})
    plain = state_of(tmp_path / "run").tensors
    for name, tensor in watch.steps[-1].items():
        assert torch.equal(plain[f"model/{name}"], tensor)


def test_killed_with_an_average_bf16_and_accumulation_it_resumes_to_the_same_bits(tmp_path):
    more = dict(
        SETTINGS,
        precision="bf16",
        batch_size=64,
        accumulate=2,
        nesterov=True,
        checkpoint_seconds=0.0,
    )
    train(tmp_path / "whole", **more)
    process = FORKS.Process(
        target=train, args=(tmp_path / "killed",), kwargs=dict(callbacks=[Act((12, die))], **more)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    convscope.resume(tmp_path / "killed", trust=True)
    assert_same_bits(tmp_path / "killed", tmp_path / "whole")


def test_the_compiled_engine_averages_what_it_trains(tmp_path):
    pytest.importorskip("llvmlite")
    net = nn.Sequential(nn.Conv2d(1, 4, 5, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    torch.manual_seed(0)
    net.append(nn.Linear(4 * 14 * 14, 10))
    start, found = {n: t.clone() for n, t in net.state_dict().items()}, {}
    for engine in ("torch", "lanes"):
        net.load_state_dict(start)
        out = tmp_path / engine
        settings = dict(SETTINGS, engine=engine, batch_size=256, epochs=1, augment="none")
        convscope.train("digits", model=net, out=out, input_size=32, in_channels=1, **settings)
        found[engine] = load_tensors(out / "model.safetensors"), Run(out).read_metrics()[-1]
    for name, tensor in found["torch"][0].tensors.items():
        torch.testing.assert_close(found["lanes"][0].tensors[name], tensor, rtol=1e-3, atol=1e-4)
    assert found["lanes"][1]["val_loss"] == pytest.approx(found["torch"][1]["val_loss"], rel=1e-3)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Tied(nn.Module):
    """One weight under two names, a mask, and a buffer that is not saved."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 2, bias=False)
        self.second = nn.Linear(2, 2, bias=False)
        self.second.weight = self.first.weight
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
        self.register_buffer("scratch", torch.zeros(2), persistent=False)


def test_tied_weights_are_exchanged_once_and_masks_stay():
    net = Tied()
    average = WeightAverage(net)
    before = net.first.weight.detach().clone()
    with torch.no_grad():
        net.first.weight += 1.0
    after = net.first.weight.detach().clone()
    average.update(0.5)
    with kept_weights(average):
        torch.testing.assert_close(net.second.weight.detach(), (before + after) / 2)
        with kept_weights(average), trained_weights(average):
            assert torch.equal(net.first.weight, after)
        assert not torch.equal(net.first.weight, after)
    assert torch.equal(net.first.weight, after)
    assert average.averages.keys() == {"first.weight"}
    assert torch.equal(net.mask, torch.tensor([0.0, -torch.inf]))


def test_a_checkpoint_without_the_average_is_refused(averaged):
    watch, _ = averaged
    average = WeightAverage(Net())
    with pytest.raises(WorkError, match=r"no average of 0\.weight as `ema`"):
        average.load(load_tensors(watch.path / "model.safetensors"), where=watch.path)
