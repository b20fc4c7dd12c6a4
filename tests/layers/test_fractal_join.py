"""FractalNet's join and sampler: which column passes, how often, and that something always does."""

import copy
from collections import Counter

import pytest
import torch
from torch import nn

from convscope.errors import RequestError
from convscope.layers import DropPathSampler, FractalJoin

DRAWS = 4000


class Scale(nn.Module):
    """A stand-in for a convolution; its product tells the way that a number took."""

    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor, dtype=torch.float64))

    def forward(self, x):
        return x * self.factor


class Fractal(nn.Module):
    """Two blocks of three columns: 4, 2 and 1 layers between the input and the last join."""

    def __init__(self, sampler):
        super().__init__()
        self.sampler = sampler
        self.layers = nn.ModuleDict({name: Scale(prime) for name, prime in LAYERS.items()})
        self.middle = FractalJoin((2, 3), sampler)
        self.last = FractalJoin((1, 2, 3), sampler)

    def step(self, column, name, x):
        return self.layers[name](x) if x is not None and self.sampler.is_active(column) else None

    def block(self, x):
        third = self.step(3, "3b", self.step(3, "3a", x))
        joined = self.middle([self.step(2, "2a", x), third])
        third = self.step(3, "3d", self.step(3, "3c", joined))
        return self.last([self.step(1, "1a", x), self.step(2, "2b", joined), third])

    def forward(self, x):
        self.sampler.draw(training=self.training)
        return self.block(self.block(x))


LAYERS = {"1a": 2, "2a": 3, "2b": 5, "3a": 7, "3b": 11, "3c": 13, "3d": 17}
COLUMNS = {1: 2, 2: 3 * 5, 3: 7 * 11 * 13 * 17}  # a block's product along one column
ALL = (2 + (3 + 7 * 11) / 2 * (5 + 13 * 17)) / 3


def test_evaluation_is_the_mean_at_every_join():
    net = Fractal(DropPathSampler(3)).eval()
    assert net(torch.tensor(1.0)).item() == pytest.approx(ALL**2)


def test_a_global_pass_takes_one_column_through_the_whole_network():
    torch.manual_seed(0)
    net = Fractal(DropPathSampler(3, global_prob=1))
    one = torch.tensor(1.0)
    answers = Counter(round(net(one).item()) for _ in range(DRAWS))
    assert set(answers) == {product**2 for product in COLUMNS.values()}
    for count in answers.values():
        assert count / DRAWS == pytest.approx(1 / 3, abs=0.03)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_network_held_to_one_column_is_that_plain_network(column):
    net = Fractal(DropPathSampler(3))
    net.sampler.only = column
    for mode in (True, False):
        net.train(mode)
        assert net(torch.tensor(1.0)).item() == COLUMNS[column] ** 2
    net(torch.tensor(1.0)).backward()
    trained = {name[0] for name, layer in net.layers.items() if layer.factor.grad is not None}
    assert trained == {str(column)}
    net.sampler.only = None
    assert net(torch.tensor(1.0)).item() == pytest.approx(ALL**2)


def test_half_of_the_passes_are_global_and_evaluation_never_is():
    torch.manual_seed(0)
    sampler, columns = DropPathSampler(4), Counter()
    for _ in range(DRAWS):
        sampler.draw(training=True)
        columns[sampler.column] += 1
    assert columns.pop(None) / DRAWS == pytest.approx(0.5, abs=0.03)
    assert set(columns) == {1, 2, 3, 4}
    for _ in range(50):
        sampler.draw(training=False)
        assert sampler.column is None
        assert sampler.draw_survivors(4) == [0, 1, 2, 3]


@pytest.mark.parametrize(("inputs", "rate"), [(1, 0.15), (3, 0.15), (2, 0.9)])
def test_a_local_pass_drops_each_input_with_the_rate_but_never_all(inputs, rate):
    torch.manual_seed(0)
    sampler = DropPathSampler(3, drop_prob=rate, global_prob=0)
    sampler.draw(training=True)
    fates = Counter(tuple(sampler.draw_survivors(inputs)) for _ in range(DRAWS))
    assert () not in fates
    survival = 1 - rate + rate**inputs / inputs  # a lone survivor is drawn where all would go
    for place in range(inputs):
        share = sum(count for kept, count in fates.items() if place in kept) / DRAWS
        assert share == pytest.approx(survival, abs=0.03)
    every = fates[tuple(range(inputs))] / DRAWS
    assert every == pytest.approx((1 - rate) ** inputs if inputs > 1 else 1, abs=0.03)


def test_a_local_join_is_the_mean_of_the_survivors_alone():
    torch.manual_seed(0)
    sampler = DropPathSampler(3, drop_prob=0.5, global_prob=0)
    join = FractalJoin((1, 2, 3), sampler)
    sampler.draw(training=True)
    inputs = [torch.tensor(value) for value in (1.0, 3.0, 8.0)]
    answers = Counter(join(inputs).item() for _ in range(DRAWS))
    assert set(answers) == {1, 3, 8, 2, 4.5, 5.5, 4}  # of one, of two, of all three
    assert answers[4] / DRAWS == pytest.approx(0.125, abs=0.03)


def test_a_global_join_answers_with_its_column_or_with_nothing():
    sampler = DropPathSampler(4, global_prob=1)
    join, inputs = FractalJoin((3, 4), sampler), [torch.tensor(1.0), torch.tensor(3.0)]
    seen = set()
    torch.manual_seed(0)
    for _ in range(100):
        sampler.draw(training=True)
        seen.add((sampler.column, None if (answer := join(inputs)) is None else answer.item()))
        assert sampler.draw_survivors(3) == [0, 1, 2]
    assert seen == {(1, None), (2, None), (3, 1), (4, 3)}


def test_a_join_is_a_mean_of_tensors_and_its_gradient_too():
    sampler = DropPathSampler(3)
    inputs = [torch.randn(2, 3, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    join = FractalJoin((1, 2, 3), sampler)
    torch.testing.assert_close(join(inputs), torch.stack(inputs).mean(0))
    torch.testing.assert_close(join([None, *inputs[1:]]), (inputs[1] + inputs[2]) / 2)
    assert join([None, None, None]) is None
    assert torch.autograd.gradcheck(lambda *given: join(given), inputs)


def test_one_seed_gives_one_sequence_of_subnetworks():
    net = Fractal(DropPathSampler(3))

    def answers():
        torch.manual_seed(3)
        return [net(torch.tensor(1.0)).item() for _ in range(50)]

    first = answers()
    assert answers() == first
    assert len(set(first)) > 5


def test_a_copied_network_keeps_one_sampler_of_its_own():
    net = Fractal(DropPathSampler(3))
    twin = copy.deepcopy(net)
    assert twin.middle.sampler is twin.last.sampler is twin.sampler is not net.sampler


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: DropPathSampler(0), "columns is 0"),
        (lambda: DropPathSampler(3, drop_prob=1), "drop_prob is 1"),
        (lambda: DropPathSampler(3, global_prob=1.1), "global_prob is 1.1"),
        (lambda: FractalJoin((), DropPathSampler(3)), "of 1 to 3"),
        (lambda: FractalJoin((3, 4), DropPathSampler(3)), r"\(3, 4\)"),
        (lambda: FractalJoin((0, 1), DropPathSampler(3)), r"\(0, 1\)"),
    ],
)
def test_what_cannot_be_meant_is_refused(ask, told):
    with pytest.raises(RequestError, match=told):
        ask()


def test_a_join_wants_an_input_for_each_of_its_columns():
    with pytest.raises(ValueError, match="zip"):
        FractalJoin((1, 2), DropPathSampler(2))([torch.zeros(1)])


def test_the_join_prints_its_columns():
    assert repr(FractalJoin((2, 3), DropPathSampler(3))) == "FractalJoin(columns=(2, 3))"
