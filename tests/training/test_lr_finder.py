"""The learning rate range test: its rule, what it leaves behind, and its picture."""

import copy
import json
import math
import tempfile
import xml.etree.ElementTree as ET
from itertools import repeat
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.errors import RequestError, WorkError
from convscope.training.executors.eager import EagerExecutor
from convscope.training.lr_finder import Rates, result_of, smooth, sweep
from convscope.training.nonfinite import NonfiniteError
from convscope.training.state import TrainState
from tests.training.small import Net

SMALL = dict(input_size=32, in_channels=1, progress=False, num_rates=40, batch_size=64)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A result, the network and its weights before, and the batches of all steps.

    Neither the temporary folder nor the random states are changed.
    """
    net, place = Net(), tmp_path_factory.mktemp("temporary")
    net[3].p = 0.0
    net.eval()
    before = copy.deepcopy(net.state_dict())
    state, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    steps, step = [], EagerExecutor.step

    def recorded(executor, state, batch, lr):
        steps.append((executor.inputs.card, batch))
        return step(executor, state, batch, lr)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EagerExecutor, "step", recorded)
        patch.setattr(tempfile, "tempdir", str(place))
        patch.chdir(place)
        result = convscope.lr_find("digits", model=net, **SMALL)
    assert torch.equal(state, torch.get_rng_state())
    assert np.array_equal(numbers, np.random.get_state()[1])  # noqa: NPY002
    assert [*place.iterdir()] == []
    return SimpleNamespace(result=result, net=net, before=before, steps=steps)


def test_losses_are_smoothed_without_the_bias_of_the_start():
    losses = [3.0, 1.0, 2.0, 5.0]
    weights = [[0.98 ** (n - k) for k in range(n + 1)] for n in range(4)]
    expected = [np.average(losses[: n + 1], weights=weights[n]) for n in range(4)]
    assert smooth(losses) == pytest.approx(expected)


def test_the_suggestion_is_a_tenth_of_the_rate_with_the_lowest_mean(found):
    """By weighted means of all losses up to each step, without the first four steps of 40."""
    losses, result = found.result.losses, found.result
    means = {
        lr: np.average(losses[:n], weights=0.98 ** np.arange(n)[::-1])
        for n, lr in enumerate(result.lrs, 1)
        if n > 4
    }
    assert result.suggestion == pytest.approx(min(means, key=means.get) / 10)
    assert result.lrs[0] < result.suggestion < result.lrs[-1] / 10


def descent(curvature, first=1e-3, count=100):
    """The sweep of noisy gradient descent on curvature / 2 · w², from w = 1."""
    weight, random = 1.0, np.random.default_rng(0)

    class Executor:
        def step(self, state, batch, lr):
            nonlocal weight
            loss = curvature / 2 * weight**2
            if not math.isfinite(loss):
                raise NonfiniteError("The loss is inf")
            weight -= lr * curvature * (weight + 0.2 * random.normal())
            return loss, 0

    trainer = SimpleNamespace(
        state=TrainState(), executor=Executor(), batches=lambda epoch, start: repeat(None, 7)
    )
    rates = Rates(first, 1e3, count)
    lrs, losses = sweep(trainer, rates, lambda done, total: None)
    return result_of(lrs, losses, rates, lr=0.1)


@pytest.mark.parametrize("curvature", [0.1, 1.0, 10.0])
def test_on_a_parabola_the_suggestion_converges_and_the_sweep_ends_where_it_diverges(curvature):
    """Gradient descent on it converges at rates below 2 / curvature, and nowhere else."""
    result = descent(curvature)
    assert len(result.lrs) == len(result.losses) < 100
    assert result.lrs[-1] > 2 / curvature
    assert 0.1 / curvature < result.suggestion < 2 / curvature
    ratios = np.diff(np.log(result.lrs))
    assert np.allclose(ratios, math.log(1e3 / 1e-3) / 99)


def test_a_loss_that_is_not_finite_ends_the_sweep():
    result = descent(1e200, first=1e-201, count=20)
    assert len(result.lrs) < 20
    assert all(map(math.isfinite, result.losses))
    assert result.suggestion is None
    assert "`min_lr`" in result.sentence


def test_where_the_loss_falls_nowhere_there_is_no_suggestion():
    rates = Rates(num_rates=100)
    for fall, reason in ((1e-6, "1%"), (1e-3, "raise `max_lr`")):
        result = result_of([*rates], [1 - fall * n for n in range(100)], rates, lr=0.1)
        assert result.suggestion is None
        assert reason in repr(result)


def test_a_network_that_returns_nan_is_no_end_of_a_sweep():
    net = Net()
    nn.init.constant_(net[5].weight, math.nan)
    with pytest.raises(WorkError, match="before any weight has changed"):
        convscope.lr_find("digits", model=net, **SMALL)


def test_a_network_is_left_as_it_was(found):
    assert not found.net.training
    assert not hasattr(found.net, "card")
    assert found.net.state_dict().keys() == found.before.keys()
    for name, tensor in found.net.state_dict().items():
        assert torch.equal(tensor, found.before[name])


def test_the_losses_are_those_of_a_plain_loop(found):
    """The same batches by SGD as it is in the books, at the rates of the result."""
    net = copy.deepcopy(found.net).train()
    momenta = [torch.zeros_like(weight) for weight in net.parameters()]
    losses = []
    for (card, batch), lr in zip(found.steps[:12], found.result.lrs, strict=False):
        images = (batch.pixels.permute(0, 3, 1, 2) / 255 - card.mean[0]) / card.std[0]
        loss = nn.functional.cross_entropy(net(images), torch.from_numpy(batch.labels))
        gradients = torch.autograd.grad(loss, [*net.parameters()])
        with torch.no_grad():
            for weight, momentum, gradient in zip(
                net.parameters(), momenta, gradients, strict=True
            ):
                momentum.mul_(0.9).add_(gradient + 0.0005 * weight)
                weight.sub_(lr * momentum)
        losses.append(loss.item())
    assert losses == pytest.approx(found.result.losses[:12], rel=1e-4)


def test_settings_take_part_and_what_has_no_effect_is_told(capsys):
    frozen = convscope.lr_find(
        "digits", model="tests.training.small:Net", freeze="0", optimizer="adamw", ema=0.9,
        **SMALL | {"progress": True},
    )  # fmt: skip
    assert frozen.lr == 0.001
    assert "`ema` has no effect" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(min_lr=1.0, max_lr=0.1), "`min_lr` must be above 0 and below `max_lr`"),
        (dict(min_lr=0), "`min_lr` must be above 0"),
        (dict(max_lr=math.nan), "`min_lr` must be above 0"),
        (dict(num_rates=3), "`num_rates` must be between 20 and 1000, not 3"),
    ],
)
def test_rates_out_of_range_are_refused(wrong, message):
    with pytest.raises(RequestError, match=message):
        convscope.lr_find("nowhere", **wrong)


def test_the_picture_has_a_logarithmic_axis(found, tmp_path):
    result = found.result
    result.plot().save(tmp_path / "lr.svg")
    root = ET.parse(tmp_path / "lr.svg").getroot()  # noqa: S314 -- our own file
    [line] = [element for element in root.iter() if element.tag.endswith("polyline")]
    across = [float(point.split(",")[0]) for point in line.attrib["points"].split()]
    assert np.allclose(np.diff(across), np.diff(across)[0], atol=0.11)
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {"1e-7", "1e-1", "smoothed", f"suggestion {result.suggestion:.2g}"} <= {*texts}
    assert "<svg" in result._repr_html_()


def test_the_command_writes_a_picture_and_takes_a_file_of_settings(command, tmp_path):
    (tmp_path / "my.toml").write_text('data = "digits"\nbatch_size = 64\nengine = "torch"\n')
    words = ["lr_find", "--config", "my.toml", "--num-rates", "40", "--ema", "0.9"]
    done = command(*words, "-o", "lr.svg", "--json", cwd=tmp_path)
    result = json.loads(done.stdout)
    assert len(result["lrs"]) == len(result["losses"]) == len(result["smoothed_losses"])
    assert result["lr"] == pytest.approx(0.05)
    assert "--ema has no effect" in done.stderr
    assert f"--lr {result['suggestion']:.2g} " in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"my.toml", "lr.svg"}
    refused = command("lr-find", "-o", "lr.png", cwd=tmp_path, code=2)
    assert "ends in .svg" in refused.stderr
