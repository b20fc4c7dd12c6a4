"""The lesson of the bird: edges and weights against a count in loops, torch and the lecture."""

import re

import pytest
import torch
from torch import nn

from convscope.errors import RequestError
from convscope.lessons.bird import DRAWING, PLACES, compute

START = dict(side=256, channels=3, hidden=1000, filters=8, kernel=40, look="the beak")


def count_edges(side, channels, filters, kernel):
    """Every unit of every map asks every cell whether it lies in its window."""
    edges, used = 0, set()
    for k in range(filters):
        for y in range(side):
            for x in range(side):
                if y + kernel > side or x + kernel > side:
                    continue
                for c in range(channels):
                    for row in range(side):
                        for column in range(side):
                            if y <= row < y + kernel and x <= column < x + kernel:
                                edges += 1
                                used.add((k, c, row - y, column - x))
    return edges, len(used)


def test_the_lectures_layer_has_its_counts():
    dense, small = compute(START | dict(kernel=5))["layers"]
    assert (dense["edges"], dense["weights"]) == (256 * 256 * 3 * 1000,) * 2
    assert small["parameters"] == 608
    assert small["edges"] == 38_102_400
    assert compute(START | dict(kernel=5))["output"] == [8, 252, 252]


@pytest.mark.parametrize("shape", [(8, 1, 1, 3), (9, 2, 3, 4), (8, 3, 2, 8), (10, 1, 2, 1)])
def test_edges_and_weights_are_those_of_a_count_one_by_one(shape):
    side, channels, filters, kernel = shape
    state = dict(side=side, channels=channels, filters=filters, kernel=kernel, hidden=7)
    dense, small = compute(START | state)["layers"]
    assert (small["edges"], small["weights"]) == count_edges(*shape)
    links = sum(1 for _ in range(7) for _ in range(channels) for _ in range(side * side))
    assert dense["edges"] == dense["weights"] == links


def test_parameters_are_those_of_torchs_layers():
    with torch.device("meta"):
        layers = [nn.Linear(3 * 64 * 64, 100), nn.Conv2d(3, 16, 7)]
    answer = compute(START | dict(side=64, hidden=100, filters=16, kernel=7))
    for layer, row in zip(layers, answer["layers"], strict=True):
        assert (row["weights"], row["biases"]) == (layer.weight.numel(), layer.bias.numel())
        assert row["bytes"] == 4 * row["parameters"]
        for what in ("edges", "weights"):
            formula = row[f"{what}_formula"].replace("·", "*").replace(",", "")
            assert eval(formula) == row[what]  # noqa: S307 -- a formula of ours
    assert answer["times"] == layers[0].weight.numel() / layers[1].weight.numel()


@pytest.mark.parametrize("look", PLACES)
@pytest.mark.parametrize(("side", "kernel"), [(256, 40), (8, 8), (100, 64), (31, 1)])
def test_the_window_is_inside_and_around_its_place(look, side, kernel):
    answer = compute(START | dict(side=side, kernel=kernel, look=look))
    for start, middle in zip(answer["window"], reversed(PLACES[look]), strict=True):
        assert 0 <= start <= side - kernel
        assert start <= middle * side <= start + kernel or start in (0, side - kernel)


def test_the_window_on_the_beak_holds_the_beak():
    path = dict(DRAWING)["beak"]
    corners = [float(text) for text in re.findall(r"[\d.]+", path)]
    top, left = compute(START)["window"]
    for x, y in zip(corners[::2], corners[1::2], strict=True):
        assert left <= 256 * x <= left + 40
        assert top <= 256 * y <= top + 40


WRONG = [dict(side=7), dict(side=1025), dict(channels=0), dict(hidden=0), dict(hidden=10_001),
         dict(filters=513), dict(kernel=0), dict(kernel=65), dict(look="the bird")]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_cannot_be_set_is_refused_by_its_name(wrong):
    with pytest.raises(RequestError, match=next(iter(wrong))):
        compute(START | wrong)


def test_a_filter_larger_than_the_image_is_refused():
    with pytest.raises(RequestError, match="20×20 does not fit an image of 16×16"):
        compute(START | dict(side=16, kernel=20))
