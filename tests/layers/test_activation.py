"""The constants of the scaled tanh do what the paper chose them for."""

import math

import pytest
import torch

from convscope.layers import ScaledTanh


def test_the_function_is_the_papers():
    x = torch.linspace(-4, 4, 33, dtype=torch.float64)
    expected = [1.7159 * math.tanh(2 * value / 3) for value in x.tolist()]
    torch.testing.assert_close(ScaledTanh()(x), torch.tensor(expected, dtype=torch.float64))


def test_one_is_kept_and_the_curve_bends_most_there():
    squash = ScaledTanh()
    assert squash(torch.tensor(1.0)).item() == pytest.approx(1, abs=1e-4)
    x = torch.linspace(0.5, 1.5, 1001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(squash(x).sum(), x, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), x)
    assert x[bend.abs().argmax()].item() == pytest.approx(1, abs=0.02)


def test_gradients_are_those_of_finite_differences():
    x = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ScaledTanh(amplitude=2, slope=0.3), x)


def test_the_layer_prints_its_constants():
    assert repr(ScaledTanh()) == "ScaledTanh(amplitude=1.7159, slope=0.6667)"
