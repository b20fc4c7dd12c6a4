"""Local response normalization: the paper's formula in a loop, and torch's letters."""

import pytest
import torch
from torch import nn

from convscope.errors import RequestError
from convscope.layers import LocalResponseNorm
from tests.reference import layers as reference

SETTINGS = [
    dict(),
    dict(groups=2),
    dict(n=3, k=1.0, alpha=0.5, beta=0.5, groups=4),
    dict(n=1, alpha=2.0),
    dict(n=9, alpha=0.1),
]


def maps(*shape):
    rng = torch.manual_seed(0)
    return 30 * torch.randn(*shape, generator=rng, dtype=torch.float64)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_every_unit_is_divided_as_the_paper_writes(setting):
    layer, a = LocalResponseNorm(**setting), maps(2, 8, 3, 2)
    letters = {name: getattr(layer, name) for name in ("n", "k", "alpha", "beta", "groups")}
    b = layer(a)
    torch.testing.assert_close(b, reference.response_norm(a, **letters))
    channels_last = a.to(memory_format=torch.channels_last)
    torch.testing.assert_close(layer(channels_last), b)


def test_the_defaults_are_alexnets_constants():
    a = maps(1, 96, 3, 3)
    caffe = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
    torch.testing.assert_close(LocalResponseNorm()(a), caffe(a))


def test_towers_are_normalized_apart():
    a = maps(2, 8, 3, 3)
    apart = torch.cat([LocalResponseNorm()(half) for half in a.chunk(2, 1)], 1)
    assert torch.equal(LocalResponseNorm(groups=2)(a), apart)
    assert not torch.allclose(LocalResponseNorm()(a), apart)


def test_gradients_are_those_of_finite_differences():
    a = maps(1, 4, 2, 2).requires_grad_()
    assert torch.autograd.gradcheck(LocalResponseNorm(n=3, alpha=0.1, groups=2), a)


def test_an_empty_batch_is_taken():
    assert LocalResponseNorm(groups=2)(torch.empty(0, 8, 3, 3)).shape == (0, 8, 3, 3)


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: LocalResponseNorm(n=4), "n is 4"),
        (lambda: LocalResponseNorm(n=-1), "n is -1"),
        (lambda: LocalResponseNorm(groups=0), "groups is 0"),
        (
            lambda: LocalResponseNorm(groups=3)(torch.zeros(1, 8, 2, 2)),
            "3 groups do not divide 8 maps",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(ask, told):
    with pytest.raises(RequestError, match=told):
        ask()


def test_the_layer_prints_the_papers_letters():
    printed = repr(LocalResponseNorm(groups=2))
    assert printed == "LocalResponseNorm(n=5, k=2.0, alpha=0.0001, beta=0.75, groups=2)"
