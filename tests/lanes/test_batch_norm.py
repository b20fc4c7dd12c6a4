"""Batch norm's statistics, their use in evaluation, and what large means and lone lanes do."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.lanes.engine import Engine
from convscope.lanes.frontend import read_network
from convscope.lanes.jit import fast_targets, host_targets
from convscope.lanes.plan import make_plan
from convscope.zoo import create_model
from convscope.zoo.resnet import resnet_cifar
from tests.lanes.networks import batch, distance, exact, network

USUAL, WIDEST = fast_targets()[0], fast_targets()[-1]


def normalized(**how):
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6, **how), nn.ReLU(),
        nn.Conv2d(6, 5, 3, stride=2), nn.BatchNorm2d(5, **how), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 10),
    )  # fmt: skip


SHAPE = (2, 9, 10)


@pytest.mark.parametrize(
    ("how", "target"),
    [(dict(momentum=None), USUAL), (dict(momentum=0.3, affine=False), WIDEST)],
    ids=str,
)
def test_steps_and_running_statistics_are_those_of_torch(how, target):
    net = normalized(**how)
    twin = copy.deepcopy(net).double()
    other = torch.optim.SGD(twin.parameters(), lr=0.05, momentum=0.9)
    engine = Engine(net, SHAPE, threads=2, target=target)
    for step, count in enumerate((32, 21, 8, 3)):
        images = batch(SHAPE, count, seed=step)
        images.step(engine, lr=0.05, momentum=0.9)
        other.zero_grad()
        F.cross_entropy(twin(images.images), images.labels).backward()
        other.step()
        wanted = twin.state_dict()
        for name, value in net.state_dict().items():
            exactly = dict(rtol=2e-5, atol=2e-6)
            torch.testing.assert_close(value.double(), wanted[name].double(), **exactly)
    images = batch(SHAPE, 21, seed=9)
    found = torch.from_numpy(engine.logits(images.given, scales=images.scales))
    wanted = twin.eval()(images.images)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-5)


def test_the_layers_buffers_are_the_engines_memory():
    net = normalized()
    engine = Engine(net, SHAPE)
    batch(SHAPE, 16).step(engine, update=False)
    assert net[1].num_batches_tracked == 1
    assert net[1].running_mean.data_ptr() == engine.statistics.values.data_ptr()
    net.load_state_dict({name: torch.full_like(t, 3) for name, t in net.state_dict().items()})
    assert torch.equal(engine.statistics.values, torch.full((22,), 3.0))
    assert torch.equal(engine.statistics.counts, torch.tensor([3, 3]))


def test_every_thread_count_gives_the_same_statistics_to_the_bit():
    found = []
    for threads in (1, 2, 3):
        net, shape = network("batch norm and skips")
        engine = Engine(net, shape, threads=threads)
        batch(shape, 37).step(engine, update=False)
        found.append(engine.statistics.values.clone())
    assert all(torch.equal(values, found[0]) for values in found)


@pytest.mark.parametrize("count", [24, 29])
def test_a_large_mean_costs_no_digits(count):
    """x is 1000 + what has a deviation of about 0.6: its squares have no digits left for that."""
    net = normalized()
    with torch.no_grad():
        net[3].bias.fill_(1000)
    images = batch(SHAPE, count)
    loss, wanted = exact(net, images)
    engine = Engine(copy.deepcopy(net), SHAPE, threads=2)
    found, _ = images.step(engine, update=False)
    assert found == pytest.approx(loss, rel=2e-4)
    assert distance(engine.gradients(), wanted) < 2e-3
    twin = copy.deepcopy(net).double()
    twin(images.images)
    variance = engine.statistics.values[-5:].double()
    torch.testing.assert_close(variance, twin[4].running_var, rtol=2e-4, atol=0)


def test_lanes_without_an_image_leave_no_trace():
    """An outlier that the empty lanes repeat would move every statistic."""
    net = normalized()
    images = batch(SHAPE, 9)
    images.pixels[-1] = 255
    _, wanted = exact(net, images)
    engine = Engine(copy.deepcopy(net), SHAPE)
    images.step(engine, update=False)
    assert distance(engine.gradients(), wanted) < 1e-5


@pytest.mark.slow
def test_two_steps_of_resnet_20_are_those_of_torch():
    torch.manual_seed(0)
    net = create_model("resnet20_cifar")
    shape = (3, 32, 32)
    twin = copy.deepcopy(net).double()
    other = torch.optim.SGD(twin.parameters(), lr=0.05)
    engine = Engine(net, shape, threads=2)
    losses = []
    for step in range(2):
        images = batch(shape, 10, seed=step)
        loss, _ = images.step(engine, lr=0.05)
        other.zero_grad()
        wanted = F.cross_entropy(twin(images.images), images.labels)
        wanted.backward()
        other.step()
        losses.append((loss, wanted.item()))
        for name, value in twin.named_buffers():
            found = net.get_buffer(name).double()
            torch.testing.assert_close(found, value.double(), rtol=1e-3, atol=1e-4)
    assert losses[0][0] == pytest.approx(losses[0][1], rel=1e-6)
    assert losses[1][0] == pytest.approx(losses[1][1], rel=1e-3)


def test_answers_of_resnet_20_between_steps_are_those_of_torch():
    """At rest no value is made anew: what a skip reads late must not be overwritten before."""
    torch.manual_seed(0)
    net, shape = create_model("resnet20_cifar"), (3, 32, 32)
    engine = Engine(net, shape, threads=2)
    for step in range(2):
        images = batch(shape, 21, seed=step)
        found = torch.from_numpy(engine.logits(images.given, scales=images.scales)).double()
        wanted = copy.deepcopy(net).double().eval()(images.images)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
        images.step(engine, lr=0.05)


class Wide(nn.Module):
    """A skip over two filters between 16 maps each, then 32: products with maps in the lanes."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.bn_a = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.b, self.bn_b = nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.c, self.bn_c = nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.d, self.bn_d = nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32)
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.bn_a(self.a(x)))
        x = torch.relu(self.bn_c(self.c(torch.relu(self.bn_b(self.b(x))))) + x)
        return self.fc(torch.flatten(self.pool(torch.relu(self.bn_d(self.d(x)))), 1))


@pytest.mark.slow
@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("lanes", [8, WIDEST.lanes])
def test_filters_between_many_maps_have_the_gradients_of_autograd(lanes, checked):
    torch.manual_seed(4)
    net, shape = Wide(), (3, 11, 14)
    images = batch(shape, 21)
    _, wanted = exact(net, images)
    target = host_targets(checked=checked)[lanes]
    plan = make_plan(read_network(net, shape), lanes=lanes)
    assert len(plan.by_maps) == 3
    assert len(plan.shared) == 2  # the gradient of the sum is that of both its terms
    program = None
    for threads in (1, 2):
        engine = Engine(copy.deepcopy(net), shape, program=program, target=target, threads=threads)
        program = engine.program
        for memory in (engine._workspaces, engine._gradients, engine._kept):
            memory.fill(np.nan)
        images.step(engine, update=False)
        assert distance(engine.gradients(), wanted) < 1e-5


def test_a_step_waits_for_the_batch_once_per_norm_on_the_longest_path():
    plan = make_plan(read_network(create_model("resnet20_cifar"), (3, 32, 32)), lanes=8)
    assert plan.segments == 2 * 19 + 1
    projected = resnet_cifar(20, shortcut="C")
    plan = make_plan(read_network(projected, (3, 32, 32)), lanes=8)
    assert plan.segments == 2 * 19 + 1  # the skips' norms wait together with others


def test_one_value_per_channel_is_refused_before_anything_is_counted():
    net, shape = network("batch norm of vectors")
    engine = Engine(net, shape)
    before = engine.statistics.counts.clone()
    with pytest.raises(RequestError, match=r"more than one value per channel.*batch_size"):
        batch(shape, 1).step(engine)
    assert torch.equal(engine.statistics.counts, before)
