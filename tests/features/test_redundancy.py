"""Redundant and dead filters of a trained LeNet-5 are found."""

import copy

import pytest
import torch

from convscope.features.redundancy import FilterAnalysis
from convscope.lessons import filters
from convscope.lessons.trained import opened
from convscope.runs.folder import Run


@pytest.fixture(scope="module")
def known(digits_run):
    return opened(Run.open(digits_run))


def analyze(known, change=lambda conv1: None):
    net = copy.deepcopy(known.net)
    with torch.no_grad():
        change(net.conv1)
    return FilterAnalysis(net, "conv1", card=known.card, train=known.train, test=known.test)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_copied_filter_is_perfectly_correlated_in_either_direction(known, sign):
    def change(conv1):
        conv1.weight[4] = sign * conv1.weight[0]
        conv1.bias[4] = sign * conv1.bias[0]

    analysis = analyze(known, change)
    assert analysis.correlation[0, 4] == pytest.approx(sign)
    assert analysis.cosine[0, 4] == pytest.approx(sign)
    first, *_ = filters._alike(analysis)["pairs"]
    assert first["pair"] == [0, 4]
    assert first["correlation"] == pytest.approx(sign)


def test_a_filter_of_zeros_is_dead_and_correlates_with_none(known):
    def change(conv1):
        conv1.weight[3] = 0
        conv1.bias[3] = 0

    analysis = analyze(known, change)
    assert analysis.dead == [3]
    assert analyze(known).dead == []
    assert analysis.correlation[3].tolist() == analysis.cosine[3].tolist() == [0] * 6
    assert analysis.num_correct_without((3,)) == analysis.num_correct_without(())
