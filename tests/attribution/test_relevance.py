"""Layer-wise relevance propagation: conservation, the rules against slow loops, refusals."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.attribution.pixel_methods import gradient_x_input, relevance
from convscope.errors import RequestError
from tests.attribution.networks import (
    Attending,
    Chain,
    Dense,
    Grouped,
    Residual,
    image,
    randomize,
    subject_of,
)
from tests.reference.relevance import relevance_of_convolution, relevance_of_dense

RULES = ("composite", "epsilon", "z-plus")
NETWORKS = {"chain": Chain, "residual": Residual, "dense": Dense}


@pytest.mark.parametrize("other", [None, 2])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", NETWORKS)
def test_relevance_is_conserved(name, rule, other):
    subject = subject_of(randomize(NETWORKS[name]()), image(), other=other)
    shares = relevance(subject, rule).shares
    assert shares.map
    assert abs(shares.rest) < 1e-9
    assert shares.score == pytest.approx(float(subject.target.score(subject.logits(subject.image))))


@pytest.mark.parametrize("rule", RULES)
def test_without_biases_all_relevance_reaches_the_pixels(rule):
    subject = subject_of(randomize(Chain(bias=False)), image(), other=2)
    shares = relevance(subject, rule).shares
    assert shares.map == pytest.approx(shares.score, rel=1e-4)


def test_the_epsilon_rule_of_a_relu_network_without_biases_is_gradient_times_input():
    """Ancona et al., 2018, proposition 1."""
    subject = subject_of(randomize(Chain(bias=False)), image())
    found, same = relevance(subject, "epsilon").values, gradient_x_input(subject).values
    assert abs(found - same).max() < 1e-4 * abs(same).max()


@pytest.mark.parametrize("rule", ["epsilon", "z-plus"])
def test_a_convolution_and_a_dense_layer_divide_as_a_slow_loop_does(rule):
    convolution, dense = nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.Linear(27, 4)
    net = randomize(nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), dense))
    subject = subject_of(net, image(2, 6))
    hidden = nn.Flatten()(nn.ReLU()(convolution(subject.image)))
    seed = torch.zeros(4, dtype=torch.float64)
    seed[1] = net(subject.image)[0, 1]
    dense_rule = rule
    middle = relevance_of_dense(hidden[0], dense.weight, dense.bias, seed, dense_rule)
    expected = relevance_of_convolution(
        subject.image[0], convolution, middle.reshape(3, 3, 3), rule
    ).sum(0)
    found = torch.from_numpy(relevance(subject, rule).values)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_batch_norm_is_folded_into_the_convolution_before_it(rule):
    convolution, norm = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)
    net = randomize(nn.Sequential(convolution, norm, nn.ReLU(), nn.Flatten(), nn.Linear(180, 4)))
    folded = nn.Conv2d(3, 5, 3).double()
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    folded.weight.data = convolution.weight * scale.reshape(-1, 1, 1, 1)
    folded.bias.data = norm.bias + (convolution.bias - norm.running_mean) * scale
    same = nn.Sequential(folded, *list(net)[2:])
    found, expected = (relevance(subject_of(each, image()), rule).values for each in (net, same))
    assert abs(found - expected).max() < 1e-5 * abs(expected).max()


@pytest.mark.parametrize("rule", RULES)
def test_a_transposed_convolution_is_folded_by_its_groups(rule):
    convolution, norm = nn.ConvTranspose2d(4, 6, 2, groups=2), nn.BatchNorm2d(6)
    rest = nn.ReLU(), nn.Flatten(), nn.Linear(486, 4)
    net = randomize(nn.Sequential(convolution, norm, *rest))
    folded = nn.ConvTranspose2d(4, 6, 2, groups=2).double()
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    folded.weight.data = convolution.weight.clone()
    folded.weight.data[:2] *= scale[:3].reshape(1, 3, 1, 1)
    folded.weight.data[2:] *= scale[3:].reshape(1, 3, 1, 1)
    folded.bias.data = norm.bias + (convolution.bias - norm.running_mean) * scale
    same = nn.Sequential(folded, *rest)
    found, expected = (
        relevance(subject_of(each, image(4, 8)), rule).values for each in (net, same)
    )
    assert abs(found - expected).max() < 1e-5 * abs(expected).max()


class Gated(nn.Module):
    """Squeeze-and-excitation; with `held`, its gate is a constant."""

    def __init__(self, gate, held=None):
        super().__init__()
        self.conv, self.gate, self.held = nn.Conv2d(3, 5, 3), gate, held
        self.squeeze, self.excite = nn.Linear(5, 3), nn.Linear(3, 5)
        self.fc = nn.Linear(5, 4)

    def forward(self, x):
        x = F.relu(self.conv(x))
        gate = self.held
        if gate is None:
            gate = self.gate(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))[..., None, None]
        return self.fc((x * gate).mean((2, 3)))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("gate", [torch.sigmoid, F.hardsigmoid])
def test_a_gate_counts_as_a_constant(rule, gate):
    """The map is that of the same network with the numbers of the gate in place of it."""
    net = randomize(Gated(gate))
    x = image()
    hidden = F.relu(net.conv(x)).mean((2, 3))
    held = gate(net.excite(F.relu(net.squeeze(hidden))))[..., None, None]
    same = Gated(gate, held).double()
    same.load_state_dict(net.state_dict())
    found, expected = relevance(subject_of(net, x), rule), relevance(subject_of(same, x), rule)
    assert abs(found.values - expected.values).max() < 1e-5 * abs(expected.values).max()
    assert abs(found.shares.rest) < 1e-9
    assert found.shares.map == pytest.approx(expected.shares.map, rel=1e-5)


NORMALIZED = {
    **{how: partial(Attending, how) for how in ("module", "function", "products")},
    "grouped": Grouped,
}


@pytest.mark.parametrize("name", NORMALIZED)
def test_attention_and_normalization_divide_by_constants(name):
    """By epsilon, the map is gradient x input where what decides is detached (Ali et al., 2022)."""
    net, x = randomize(NORMALIZED[name]()), image()
    held = Attending("products", held=True) if name != "grouped" else Grouped(held=True)
    held = held.double().eval()
    held.load_state_dict(net.state_dict())
    torch.testing.assert_close(held(x), net(x))  # the same network
    x.requires_grad_()
    held(x)[0, 1].backward()
    expected = (x * x.grad).sum(1)[0].detach()
    found = torch.from_numpy(relevance(subject_of(net, x.detach()), "epsilon").values)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)
    plain = torch.from_numpy(gradient_x_input(subject_of(net, x.detach())).values)
    assert (plain - expected).abs().max() > 0.1 * expected.abs().max()  # which is something else


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", NORMALIZED)
def test_relevance_is_conserved_through_attention_and_normalization(name, rule):
    subject = subject_of(randomize(NORMALIZED[name]()), image(), other=2)
    shares = relevance(subject, rule).shares
    assert shares.map
    assert abs(shares.rest) < 1e-9
    assert shares.score == pytest.approx(float(subject.target.score(subject.logits(subject.image))))


class SelfAttention(nn.Sequential):
    """Queries, keys and values that are the same tensor."""

    def forward(self, x):
        x = self[0](x).flatten(2).mT
        return self[1](F.scaled_dot_product_attention(x, x, x).mean(1))


def test_values_that_are_queries_too_get_their_share_as_values_alone():
    net = randomize(SelfAttention(nn.Conv2d(3, 5, 3, bias=False), nn.Linear(5, 4, bias=False)))
    shares = relevance(subject_of(net, image()), "epsilon").shares
    assert shares.map == pytest.approx(shares.score, rel=1e-4)


class Squared(nn.Sequential):
    """A product of two results of which none is a gate."""

    def forward(self, x):
        x = self[0](x)
        return self[1]((x * x.flip(1)).mean((2, 3)))


def test_an_operation_without_a_rule_is_refused_by_name():
    net = randomize(Squared(nn.Conv2d(3, 5, 3), nn.Linear(5, 4)))
    subject = subject_of(net, image())
    with pytest.raises(RequestError, match=r"LRP has no rule for mul .*integrated-gradients"):
        relevance(subject, "composite")


@pytest.mark.filterwarnings("ignore")
def test_captum_agrees_on_a_chain_without_biases():
    captum = pytest.importorskip("captum.attr", reason="captum is not installed")
    net = randomize(Flat()).float()
    x = image().float()
    expected = captum.LRP(net).attribute(x.clone(), target=1).sum(1)[0].detach()
    found = torch.from_numpy(relevance(subject_of(net, x), "epsilon").values).float()
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


class Flat(nn.Module):
    """The chain without a module for its flattening, for which captum's LRP has no rule."""

    def __init__(self):
        super().__init__()
        layers = list(Chain(bias=False))
        self.features, self.head = nn.Sequential(*layers[:6]), nn.Sequential(*layers[7:])

    def forward(self, x):
        return self.head(self.features(x).flatten(1))
