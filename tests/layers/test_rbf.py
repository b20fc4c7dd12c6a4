"""Radial basis functions: distances against a loop, the sign of a logit, digits not lost."""

import pytest
import torch
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.layers import RadialBasis
from tests.reference import layers as reference


def codes(dtype=torch.float64):
    return torch.randn(10, 84, generator=torch.manual_seed(0)).sign().to(dtype)


def test_logits_are_the_negative_squared_distances():
    x = torch.randn(3, 84, dtype=torch.float64, requires_grad=True)
    layer = RadialBasis(codes())
    torch.testing.assert_close(layer(x), -reference.distance(x, codes()))
    assert torch.autograd.gradcheck(layer, x[:1])


def test_each_code_is_recognized_as_its_own_class_and_has_distance_nought():
    logits = RadialBasis(codes(torch.float32))(codes(torch.float32))
    assert logits.argmax(1).tolist() == list(range(10))
    assert logits.diagonal().tolist() == [0] * 10


def test_a_small_distance_keeps_its_digits():
    near = codes(torch.float32) + 1e-4 * torch.randn(10, 84)
    answer = RadialBasis(codes(torch.float32))(near).diagonal()
    exact = -(near.double() - codes()).square().sum(1)
    torch.testing.assert_close(answer.double(), exact, rtol=1e-6, atol=0)


def test_cross_entropy_is_the_papers_equation_9_without_its_constant():
    x, right = torch.randn(4, 84, dtype=torch.float64) / 9, torch.tensor([3, 1, 4, 1])
    distance = reference.distance(x, codes())
    wanted = distance[torch.arange(4), right] + torch.log(torch.exp(-distance).sum(1))
    loss = F.cross_entropy(RadialBasis(codes())(x), right, reduction="none")
    torch.testing.assert_close(loss, wanted)


def test_codes_are_saved_and_not_trained_nor_shared():
    own = codes()
    layer = RadialBasis(own)
    own.zero_()
    assert not list(layer.parameters())
    assert torch.equal(layer.state_dict()["codes"], codes())
    assert repr(layer) == "RadialBasis(84, 10)"


def test_codes_must_be_a_matrix():
    with pytest.raises(RequestError, match=r"shape \(10, 7, 12\)"):
        RadialBasis(torch.zeros(10, 7, 12))
