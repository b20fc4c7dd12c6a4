"""Gradients added up over micro-batches: those of the whole batch, and steps counted as steps."""

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.card import Card
from convscope.data.mixing import Mixing
from convscope.errors import RequestError
from convscope.training.batches import Batch
from convscope.training.config import TrainConfig
from convscope.training.executors.base import Inputs
from convscope.training.executors.eager import EagerExecutor, micro_batches
from convscope.training.loss import BatchLoss
from convscope.training.optimizer import Optimizer
from convscope.training.state import TrainState
from tests.training.small import train

IMAGES = 23
WEIGHTS = torch.tensor([1.0, 2.0, 0.25])
LOSSES = {
    "plain": dict(),
    "weighted": dict(weights=WEIGHTS, label_smoothing=0.1),
    "mixed": dict(weights=WEIGHTS),
    "multi-label": dict(weights=WEIGHTS),
    "ordinal": dict(weights=WEIGHTS),
}


def card_of(name):
    task = name if name in ("multi-label", "ordinal") else "single-label"
    return Card(
        classes=("a", "b", "c"), input_size=(8, 8), in_channels=3, resize_mode="crop",
        mean=(0.5,) * 3, std=(0.25,) * 3, task=task,
    )  # fmt: skip


def step(name, micro_batch, net):
    """The loss of a step, the images that were right, and the gradients."""
    random = np.random.default_rng(0)
    pixels = torch.from_numpy(random.integers(0, 256, (IMAGES, 8, 8, 3), dtype=np.uint8))
    batch = Batch(np.arange(IMAGES), random.integers(0, 3, IMAGES), 0, lambda: pixels)
    if name == "mixed":
        batch.mix = Mixing(1.0, 0.0, 0, (8, 8)).draw(0, 0, IMAGES)
    if name == "multi-label":
        batch.targets = random.integers(0, 2, (IMAGES, 3)).astype(np.uint8)
    inputs = Inputs(None, card_of(name), torch.device("cpu"))
    executor = EagerExecutor(
        net,
        Optimizer(net, TrainConfig()),
        inputs,
        BatchLoss(card_of(name), **LOSSES[name]),
        micro_batch=micro_batch,
    )
    loss, right = executor.step(TrainState(), batch, 0.0)
    return loss, right, [weight.grad for weight in net.parameters()]


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 36, 3))


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_uneven_parts_are_those_of_one_batch(name):
    loss, right, whole = step(name, None, network())
    found, also_right, parts = step(name, 5, network())
    assert found == pytest.approx(loss, rel=1e-5)
    assert also_right == right
    for part, gradient in zip(parts, whole, strict=True):
        torch.testing.assert_close(part, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("images", "size", "expected"),
    [
        (23, 5, [4, 5, 4, 5, 5]),
        (128, 64, [64, 64]),
        (65, 64, [65]),  # a last single image is never alone
        (66, 64, [33, 33]),
        (4, 1, [1, 1, 1, 1]),
        (3, 64, [3]),
        (10, None, [10]),
    ],
)
def test_parts_are_as_few_and_as_equal_as_can_be(images, size, expected):
    parts = micro_batches(images, size)
    assert [part.stop - part.start for part in parts] == expected
    assert [n for part in parts for n in range(images)[part]] == [*range(images)]


def test_batch_norm_sees_each_part_alone():
    net = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3 * 64, 3))
    seen = []
    net[0].register_forward_hook(lambda _, args, __: seen.append(args[0].detach()))
    step("plain", 12, net)
    mean = torch.zeros(3)
    for part in seen:
        mean = 0.9 * mean + 0.1 * part.mean((0, 2, 3))
    assert [len(part) for part in seen] == [11, 12]
    torch.testing.assert_close(net[0].running_mean, mean)


def plain(num_classes: int = 10) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(784, num_classes)
    )


class Rates(convscope.Callback):
    def __init__(self):
        self.lrs, self.images = [], []

    def on_step_end(self, state, event):
        self.lrs.append(event.lr)
        self.images.append(len(event.batch))


def test_a_training_is_that_with_larger_batches(tmp_path):
    runs = {}
    for name, more in {"large": dict(batch_size=256), "parts": dict(accumulate=4)}.items():
        torch.manual_seed(0)
        net, rates = plain(), Rates()
        settings = dict(batch_size=64, epochs=2, engine="torch", input_size=32, in_channels=1)
        settings |= dict(lr_schedule="one-cycle", callbacks=[rates], progress=False) | more
        convscope.train("digits", model=net, out=tmp_path / name, **settings)
        runs[name] = net.state_dict(), rates
    for name, weight in runs["large"][0].items():
        torch.testing.assert_close(runs["parts"][0][name], weight, rtol=1e-3, atol=1e-5)
    assert runs["parts"][1].images == runs["large"][1].images == [256, 256, 256, 256, 235] * 2
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05 * 4, 10, cycle_momentum=False)
    for lr in runs["parts"][1].lrs:  # scaled with the images of a step, down at the last one
        assert lr == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6, abs=1e-12)
        optimizer.step()
        schedule.step()


def test_warm_up_ends_at_its_step_in_a_short_training_too(tmp_path):
    rates = Rates()
    train(
        tmp_path / "run", epochs=1, batch_size=64, accumulate=2, lr=1.0, lr_schedule="constant",
        warmup_epochs=0.5, callbacks=[rates],
    )  # fmt: skip
    assert rates.lrs == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1])


def test_the_compiled_engine_leaves_it_to_torch():
    with pytest.raises(RequestError, match="not possible: gradients are accumulated"):
        convscope.train("digits", accumulate=2, engine="lanes", steps=1, progress=False)


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(RequestError, match="`nesterov` needs a momentum"):
        TrainConfig(nesterov=True, momentum=0.0)
