"""Answers that are counted in place of accuracy, where classes are not known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from convscope.card import Card
from convscope.conversion.accuracy import ImageAnswers
from convscope.conversion.calibration import CalibrationImages

INPUT = {
    "classes": ("a", "b", "c"), "input_size": (4, 4), "in_channels": 1, "resize_mode": "crop",
    "mean": (0.5,), "std": (0.25,),
}  # fmt: skip
CARDS = [
    Card(**INPUT),
    Card(**INPUT, task="ordinal"),
    Card(**INPUT, task="multi-label", thresholds=(0.4, 0.5, 0.7)),
]


def answer(logits, card):
    """The class, or the labels, of one image."""
    if card.task == "multi-label":
        chances = 1 / (1 + np.exp(-logits.astype(np.float64)))
        return [bool(p >= t) for p, t in zip(chances, card.thresholds, strict=True)]
    return max(range(3), key=lambda k: logits[k])


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.task)
def test_the_answers_that_change_are_the_cost(card):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (100, 4, 4, 1), np.uint8)
    images = CalibrationImages(pixels[:1], pixels, None, "some", "others")
    answers = ImageAnswers.of(SimpleNamespace(net=net, card=card), images)
    seen = []

    def engine(batch):
        with torch.inference_mode():
            before = net(torch.from_numpy(batch)).numpy()
        after = np.round(before * 2) / 2 + np.float32([0, 0.01, 0.02])
        seen.extend(answer(a, card) != answer(b, card) for a, b in zip(before, after, strict=True))
        return after

    found = answers.of_engine(engine)
    cost = answers.cost(found)
    changed = sum(seen)
    assert len(seen) == 100 > changed > 0
    assert (cost.accuracy.before, cost.accuracy.lost, cost.accuracy.gained) == (100, changed, 0)
    assert cost.points == pytest.approx(changed)
    assert answers.agreement(found) == pytest.approx(1 - changed / 100)
    assert str(cost) == f"{changed} of 100, {changed:.2f}%"
    assert cost.problem(8, changed + 0.5) == ""
    assert cost.problem(8, changed - 0.5, "ncnn").startswith("In ncnn 8 bits change too many answ")
