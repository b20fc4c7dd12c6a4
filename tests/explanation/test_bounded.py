"""Recordings in bounded memory give the bits of a whole one, whatever a network does."""

import random

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.explanation.bounded import record_within, runs_of
from convscope.explanation.recording import record
from convscope.inference import inference_mode

LIMIT = 40_000  # bytes


class Awkward(nn.Module):
    """Writes in place, splits, joins, draws random numbers, and reads constants and views."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.blocks = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(12))
        self.relu = nn.ReLU(inplace=True)
        self.last = nn.Linear(8, 5)

    def forward(self, x):
        x = self.relu(self.norm(self.first(x)))
        early = x
        for number, block in enumerate(self.blocks):
            left, right = block(x).chunk(2, 1)
            x = self.relu(torch.cat([right, left], 1)) + x
            if number % 4 == 1:
                x = x + torch.rand(1, 8, 1, 1)
            if number % 4 == 2:
                x[:, 0] = 0
            if number % 4 == 3:
                x = F.pad(x, (1, 0, 0, 0))[..., 1:] * torch.linspace(0, 1, 16)
        x = (x + early).permute(0, 2, 3, 1).reshape(1, 256, 8)
        return self.last(torch.softmax(x, 1).mean(1))


class Large(nn.Module):
    """Skips that go over everything, so that no result is passed by all."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(3 + 2 * n, 2, 3, padding=1) for n in range(20))

    def forward(self, x):
        several = [x]
        for layer in self.layers:
            several.append(layer(torch.cat(several, 1)).tanh())
        return torch.cat(several, 1).mean((2, 3))


def whole_and_bounded(net, limit):
    torch.manual_seed(0)
    image = torch.randn(1, 3, 16, 16)
    torch.manual_seed(1)
    with inference_mode(net):
        whole = record(net, image)
    torch.manual_seed(1)
    return whole, record_within(runs_of(net, image), limit)


def bits(tensor):
    return tensor.contiguous().numpy().tobytes()


def held(recording):
    done = recording._forward_pass
    latest = [] if done.compute is None else done.compute._latest.values()
    return sum(tensor.nbytes for tensor in (*done.results.values(), *latest))


@pytest.mark.parametrize("make", [Awkward, Large])
@pytest.mark.parametrize("order", ["forward", "back", "mixed"])
def test_every_result_has_the_same_bits_in_any_order(make, order):
    torch.manual_seed(2)
    net = make()
    whole, (bounded, size) = whole_and_bounded(net, LIMIT)
    assert bounded.names == whole.names
    assert sum(whole[name].tensor.nbytes for name in whole.names) > 4 * LIMIT
    assert size == LIMIT
    names = list(whole.names)
    if order == "back":
        names.reverse()
    if order == "mixed":
        random.Random(0).shuffle(names)
    for name in names:
        assert bits(bounded[name].tensor) == bits(whole[name].tensor), name
    for name in names[:10]:
        at = (0,) * len(whole[name].shape)
        assert bounded.explain(name, at).to_dict() == whole.explain(name, at).to_dict()


def test_only_some_results_are_held():
    """A network without random numbers; each of these is held once it was read."""
    _, (bounded, _) = whole_and_bounded(Large(), LIMIT)
    largest = max(bounded[name].tensor.nbytes for name in bounded.names)
    for name in bounded.names:
        _ = bounded[name].tensor
        assert held(bounded) <= LIMIT + largest + bounded["image"].tensor.nbytes


def test_a_pass_that_fits_is_held_whole():
    whole, (bounded, size) = whole_and_bounded(Large(), 10 * 1_000_000)
    assert size == sum(whole[name].tensor.nbytes for name in whole.names)
    assert held(bounded) == held(whole)


def test_weights_that_changed_are_noticed():
    net = Large()
    _, (bounded, _) = whole_and_bounded(net, LIMIT)
    with torch.no_grad():
        net.layers[3].weight.add_(1)

    def read_all():
        return [bounded[name].tensor for name in reversed(bounded.names)]

    with pytest.raises(RequestError, match="weights were changed"):
        read_all()


def test_replays_follow_from_what_is_computed_again():
    net = Large()
    whole, (bounded, _) = whole_and_bounded(net, LIMIT)
    name = whole.names[9]
    changed = {name: whole[name].tensor * 2}
    expected, found = whole.replay(changed), bounded.replay(changed)
    for each in whole.names:
        assert bits(found[each].tensor) == bits(expected[each].tensor), each
    assert torch.equal(
        bounded.gradients(bounded.output, (3,))["image"],
        whole.gradients(whole.output, (3,))["image"],
    )
