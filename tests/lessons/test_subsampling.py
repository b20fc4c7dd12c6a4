"""The lesson on subsampling: torch's pooling and NumPy's slices find the same pictures."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.lessons.images import square
from convscope.lessons.subsampling import compute, subsample

START = dict(picture="palace", factor="2", hidden=1000)


@pytest.mark.parametrize("picture", ["palace", "flower"])
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_the_three_pictures_are_those_of_torch(picture, factor):
    answer = compute(START | dict(picture=picture, factor=str(factor)))
    pixels = torch.tensor(square(picture), dtype=torch.float64)[None, None]
    expected = {
        "stride": pixels[..., ::factor, ::factor],
        "mean": (F.avg_pool2d(pixels, factor) + 0.5).floor(),
        "max": F.max_pool2d(pixels, factor),
    }
    assert [one["kind"] for one in answer["kinds"]] == list(expected)
    for one in answer["kinds"]:
        small = expected[one["kind"]]
        assert one["levels"] == small.flatten().tolist()
        assert one["brightness"] == pytest.approx(small.mean().item())
        large = F.interpolate(small, scale_factor=factor, mode="nearest")
        assert one["error"] == pytest.approx((large - pixels).abs().mean().item())
    assert answer["small"] == 128 // factor
    assert answer["brightness"] == pytest.approx(pixels.mean().item())


def test_halves_are_rounded_up():
    assert subsample([[1, 2], [1, 2]], 2, "mean") == [[2]]
    assert subsample([[0, 0], [0, 1]], 2, "mean") == [[0]]


def test_weights_are_those_of_torchs_layers():
    for row in compute(START | dict(hidden=7))["sizes"]:
        weight = torch.nn.Linear(row["pixels"], 7, device="meta").weight
        assert row["weights"] == weight.numel()
        assert row["pixels"] == np.zeros((128, 128))[:: row["factor"], :: row["factor"]].size
        assert row["weights"] + row["saved"] == 128 * 128 * 7
        assert row["share"] == row["pixels"] / 128**2


WRONG = [
    dict(picture="digit"),
    dict(factor="3"),
    dict(factor=2),
    dict(hidden=0),
    dict(hidden=10_001),
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_cannot_be_set_is_refused_by_its_name(wrong):
    with pytest.raises(RequestError, match=next(iter(wrong))):
        compute(START | wrong)
