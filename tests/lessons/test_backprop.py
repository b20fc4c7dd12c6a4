"""The lesson on one step of training: every gradient against differences of a network in loops."""

import math

import pytest

from convscope.errors import RequestError
from convscope.lessons.backprop import IMAGES, NAMES, compute

START = dict(image="a vertical line", right="vertical", rate=0.5, step=0, at=0, dense_at=0)


def loss_of(parameters, pixels, right):
    """The network in loops."""
    filter_, dense = parameters["filter"], parameters["dense"]
    values = []
    for row in range(4):
        for column in range(4):
            total = parameters["bias"][0]
            for i in range(3):
                for j in range(3):
                    total += filter_[3 * i + j] * pixels[6 * (row + i) + column + j]
            values.append(max(0.0, total))
    pooled = [
        max(values[4 * (2 * y + i) + 2 * x + j] for i in range(2) for j in range(2))
        for y in range(2)
        for x in range(2)
    ]
    scores = [
        parameters["dense_bias"][c] + sum(dense[4 * c + i] * pooled[i] for i in range(4))
        for c in range(2)
    ]
    return math.log(sum(math.exp(score) for score in scores)) - scores[right]


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("right", NAMES)
def test_every_gradient_is_the_slope_of_the_loss(image, right):
    answer = compute(START | dict(image=image, right=right, step=3))
    now, pixels, place = answer["now"], answer["pixels"], answer["right"]
    assert answer["forward"]["loss"] == pytest.approx(loss_of(now, pixels, place))
    step = 1e-6
    for name, values in now.items():
        for i in range(len(values)):
            ends = []
            for sign in (1, -1):
                moved = [v + sign * step * (k == i) for k, v in enumerate(values)]
                ends.append(loss_of(now | {name: moved}, pixels, place))
            slope = (ends[0] - ends[1]) / (2 * step)
            assert answer["backward"][name][i] == pytest.approx(slope, abs=1e-8), (name, i)


@pytest.mark.parametrize("image", IMAGES)
def test_the_step_goes_against_the_gradient_and_the_image_goes_forward_again(image):
    answer = compute(START | dict(image=image, rate=0.3))
    for name, values in answer["now"].items():
        for old, slope, new in zip(
            values, answer["backward"][name], answer["then"][name], strict=True
        ):
            assert new == pytest.approx(old - 0.3 * slope)
    after = loss_of(answer["then"], answer["pixels"], answer["right"])
    assert answer["after"]["loss"] == pytest.approx(after) == answer["losses"][-1]
    assert after < answer["forward"]["loss"]
    assert answer["parameters"] == 9 + 1 + 8 + 2


def test_one_step_after_the_other_is_several_steps():
    one, two = compute(START), compute(START | dict(step=1))
    assert two["now"] == one["then"]
    assert two["losses"][:2] == one["losses"]
    assert compute(START | dict(step=50))["losses"][-1] < 0.1


@pytest.mark.parametrize("at", range(9))
def test_the_terms_of_a_weight_add_up_to_its_gradient(at):
    answer = compute(START | dict(image="a corner", at=at, dense_at=at % 8))
    chosen = answer["chosen"]
    assert sum(term["product"] for term in chosen["terms"]) == pytest.approx(chosen["total"])
    assert chosen["total"] == answer["backward"]["filter"][at]
    assert [answer["pixels"][cell] for cell in chosen["covered"]] == [
        term["weight"] for term in chosen["terms"]
    ]
    product = chosen["score_gradient"] * chosen["value"]
    assert product == pytest.approx(answer["backward"]["dense"][at % 8])


def test_inner_gradients_pass_the_maxima_and_relu_only():
    answer = compute(START | dict(image="a cross"))
    forward, backward = answer["forward"], answer["backward"]
    winners = dict(zip(forward["winners"], backward["pooled"], strict=True))
    for unit, value in enumerate(forward["active"]):
        assert backward["active"][unit] == winners.get(unit, 0)
        assert backward["sums"][unit] == (backward["active"][unit] if value > 0 else 0)


WRONG = [dict(image="a digit"), dict(right="up"), dict(rate=11), dict(rate=None), dict(step=51),
         dict(at=9), dict(dense_at=8)]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_cannot_be_set_is_refused_by_its_name(wrong):
    with pytest.raises(RequestError, match=next(iter(wrong))):
        compute(START | wrong)
