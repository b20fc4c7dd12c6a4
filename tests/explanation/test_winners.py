"""The winner of a maximum or minimum, and those that are as large."""

import math

import pytest
import torch
from torch import nn

from convscope.explanation.recording import record
from convscope.layers import MinPool2d
from tests.explanation.cases.case import Net


@pytest.mark.parametrize(
    ("layer", "rows", "winner", "ties"),
    [
        (nn.MaxPool2d(2), [[1, 3], [3, 3]], 1, [2, 3]),
        (nn.MaxPool2d(2), [[3, 1], [2, 0]], 0, []),
        (nn.MaxPool2d(3, 3, 1), [[-1, -2], [-2, -1]], 4, [8]),
        (MinPool2d(2), [[3, 1], [1, 2]], 1, [2]),
        (MinPool2d(3, padding=1), [[1, 2], [2, 1]], 4, [8]),
        (nn.AdaptiveMaxPool2d(1), [[1, 5], [5, 2]], 1, [2]),
        (nn.MaxPool2d(2), [[math.nan, 3], [4, math.nan]], 0, [3]),
        (nn.MaxPool2d(2), [[-math.inf, -math.inf], [-math.inf, -math.inf]], 0, [1, 2, 3]),
        (nn.MaxPool2d(3, 3, 1), [[-math.inf, -math.inf], [-math.inf, -math.inf]], 4, [5, 7, 8]),
        (MinPool2d(3, padding=1), [[math.inf, math.inf], [math.inf, math.inf]], 4, [5, 7, 8]),
    ],
)
def test_the_winner_is_the_first_unit_and_ties_are_named(layer, rows, winner, ties):
    recording = record(nn.Sequential(layer), torch.tensor([[rows]], dtype=torch.float32))
    explanation = recording.explain("0", (0, 0, 0))
    assert (explanation.decomposition.winner, explanation.decomposition.ties) == (winner, ties)
    assert explanation.terms[winner].location is not None
    assert explanation.top_terms[0] == winner
    assert explanation.is_within_tolerance
    assert explanation.rounding_bound == 0


def test_ties_of_two_operands_are_named():
    recording = record(Net(lambda x: torch.maximum(x, x.abs())), torch.tensor([[[2.0, -2.0]]]))
    tie, abs_won = (recording.explain(recording.output, (0, 0, n)).decomposition for n in (0, 1))
    assert (tie.winner, tie.ties) == (0, [1])
    assert (abs_won.winner, abs_won.ties) == (1, [])
