"""The lesson on the challenge: top-k errors by hand, and figures that papers state."""

import pytest

from convscope.errors import RequestError
from convscope.lessons.ilsvrc import compute

START = dict(answers=5)


def test_the_errors_are_those_counted_by_hand():
    # places 1, 2, 4, 1, none and 3
    for allowed, wrong in zip(range(1, 6), (4, 3, 2, 1, 1), strict=True):
        answer = compute(dict(answers=allowed))
        assert answer["wrong"] == wrong
        assert answer["errors"] == [4 / 6, 3 / 6, 2 / 6, 1 / 6, 1 / 6]
        right = [example["right"] for example in answer["examples"]]
        assert right.count(False) == wrong
        for example in answer["examples"]:
            assert len(set(example["answers"])) == 5
            assert example["right"] == (example["name"] in example["answers"][:allowed])


def test_the_winners_have_their_published_errors_and_depths():
    answer = compute(START)
    found = [
        (one["year"], one["network"], one["layers"], one["error"]) for one in answer["winners"]
    ]
    assert found == [
        (2012, "AlexNet", 8, pytest.approx(0.153)),
        (2014, "GoogLeNet", 22, pytest.approx(0.0667)),
        (2015, "ResNet", 152, pytest.approx(0.0357)),
    ]
    assert answer["runner_up"] == {"year": 2012, "error": 0.262}
    assert all(one["source"] for one in [*answer["winners"], *answer["single"]])


def test_single_networks_have_the_errors_of_ten_crops():
    found = {
        one["name"]: (one["layers"], one["error"] and round(100 * one["error"], 2),
                      round(100 * one["top5_error"], 2))
        for one in compute(START)["single"]
    }  # fmt: skip
    assert found == {  # tables of the papers, ten crops
        "AlexNet": (8, 40.7, 18.2),
        "VGG-16": (16, 28.07, 9.33),
        "GoogLeNet": (22, None, 9.15),
        "ResNet-34": (34, 24.52, 7.46),
        "ResNet-50": (50, 22.85, 6.71),
        "ResNet-101": (101, 21.75, 6.05),
        "ResNet-152": (152, 21.43, 5.71),
    }


@pytest.mark.parametrize("wrong", [dict(answers=0), dict(answers=6), dict(answers="5")], ids=str)
def test_what_cannot_be_set_is_refused_by_its_name(wrong):
    with pytest.raises(RequestError, match="answers"):
        compute(wrong)
