"""Stochastic depth: the paper's rule, the common one, and the decay of survival."""

from itertools import pairwise

import pytest
import torch

from convscope.errors import RequestError
from convscope.layers import DropPath, linear_decay

DRAWS = 4000


def drawn(layer, n=1):
    """What became of ones, DRAWS times: (DRAWS, n)."""
    torch.manual_seed(0)
    return torch.stack([layer(torch.ones(n, 2, 3, 3)).mean((1, 2, 3)) for _ in range(DRAWS)])


def test_the_paper_drops_a_batch_whole_and_scales_at_the_test():
    layer = DropPath(0.3)
    fates = drawn(layer, n=3)
    assert set(fates.flatten().tolist()) == {0, 1}
    assert (fates == fates[:, :1]).all()
    assert fates.mean().item() == pytest.approx(0.7, abs=0.03)
    x = torch.randn(2, 3)
    torch.testing.assert_close(layer.eval()(x), 0.7 * x)


def test_per_sample_each_image_has_its_own_fate():
    fates = drawn(DropPath(0.3, per="sample"), n=2)
    assert fates.mean(0).tolist() == pytest.approx([0.7, 0.7], abs=0.03)
    both = (fates[:, 0] * fates[:, 1]).mean().item()
    assert both == pytest.approx(0.49, abs=0.03)


def test_rescaled_training_keeps_the_mean_and_leaves_evaluation_alone():
    layer = DropPath(0.3, per="sample", scale_by_keep=True)
    fates = drawn(layer, n=2)
    assert sorted(set(fates.flatten().tolist())) == pytest.approx([0, 1 / 0.7])
    assert fates.mean().item() == pytest.approx(1, abs=0.03)
    x = torch.randn(2, 3)
    assert torch.equal(layer.eval()(x), x)


@pytest.mark.parametrize("rescale", [False, True])
def test_a_rate_of_nought_drops_nothing(rescale):
    x = torch.randn(2, 3)
    layer = DropPath(0, scale_by_keep=rescale)
    assert torch.equal(layer(x), x)
    assert torch.equal(layer.eval()(x), x)


def test_one_seed_gives_one_fate():
    layer, x = DropPath(0.5, per="sample"), torch.ones(64, 1)
    torch.manual_seed(7)
    once = layer(x)
    torch.manual_seed(7)
    assert torch.equal(layer(x), once)
    assert not torch.equal(layer(x), once)


def test_gradients_follow_what_was_drawn_and_are_nought_for_what_was_dropped():
    layer, x = DropPath(0.5, per="sample"), torch.ones(64, 1, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    assert set(x.grad.flatten().tolist()) == {0, 1}
    x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(DropPath(0.3).eval(), x)


def test_survival_falls_in_a_line_to_the_last_block():
    survival = linear_decay(54)  # ResNet-110
    assert survival[0] == pytest.approx(1 - 0.5 / 54)
    assert survival[-1] == 0.5
    steps = {round(before - after, 12) for before, after in pairwise(survival)}
    assert steps == {round(0.5 / 54, 12)}
    assert sum(survival) == pytest.approx((3 * 54 - 1) / 4)  # the paper's expected depth
    assert linear_decay(2, last=0.8) == pytest.approx([0.9, 0.8])


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: DropPath(1), "drop_prob is 1"),
        (lambda: DropPath(-0.1), "drop_prob is -0.1"),
        (lambda: linear_decay(0), "blocks is 0"),
        (lambda: linear_decay(3, last=0), "last is 0"),
        (lambda: linear_decay(3, last=1.5), "last is 1.5"),
    ],
)
def test_what_cannot_be_meant_is_refused(ask, told):
    with pytest.raises(RequestError, match=told):
        ask()


def test_the_layer_prints_what_it_is():
    assert repr(DropPath(0.25)) == "DropPath(0.25, per='batch', scale_by_keep=False)"
