"""What chance decided in the network is shown as it was decided."""

import itertools

import pytest
import torch
from torch import nn

from convscope.explanation.recording import record
from tests.explanation.cases.arithmetic import Columns, three_columns
from tests.explanation.cases.case import image_of, units_of


@pytest.mark.parametrize("seed", range(6))
def test_a_join_is_the_mean_of_the_columns_that_were_kept(seed):
    join = three_columns()
    join.sampler.drop_prob, join.sampler.global_prob = 0.5, 0.0
    net = Columns(join)
    torch.manual_seed(seed)
    join.sampler.draw(training=True)
    image = image_of((2, 3, 4)).abs() + 1
    recording = record(net, image)
    columns = {1.0: "add", 2.0: "mul"}  # of positive numbers the third equals the first
    for at in units_of((2, 3, 4)):
        explanation = recording.explain("join", at)
        assert explanation.is_within_tolerance
        gains = [term.value / image[0][at].item() for term in explanation.terms]
        mean = recording["join"].value[at].item() / image[0][at].item()
        assert sum(gains) / len(gains) == pytest.approx(mean, rel=1e-6)
        for term, gain in zip(explanation.terms, gains, strict=True):
            assert recording[term.location.source].kind in {columns[round(gain)], "relu"}


def test_dropout_shows_its_mask():
    image = image_of((6, 4, 5)).abs() + 1
    recording = record(nn.Sequential(nn.Dropout2d(0.5)), image)
    masks = set()
    for k, i, j in itertools.product(range(6), range(4), range(5)):
        (term,) = recording.explain("0", (k, i, j)).terms
        masks.add((k, term.weight))
        assert term.weight == (2.0 if recording["0"].value[k, i, j] else 0.0)
    assert len(masks) == 6
    assert {mask for _, mask in masks} == {0.0, 2.0}
