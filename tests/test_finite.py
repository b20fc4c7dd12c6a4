"""NaN and infinity are found wherever they stand, and no copy is made to look."""

import pytest
import torch

from convscope.finite import is_finite

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.float8_e5m2]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("place", [0, 5, 11])
@pytest.mark.parametrize("dtype", [*DTYPES, torch.complex64])
def test_a_value_that_is_not_finite_is_found(dtype, place, value):
    values = torch.arange(12.0)
    values[place] = value
    for layout in (values, values.reshape(3, 4).t(), values.reshape(1, 3, 2, 2)):
        assert not is_finite(layout.to(dtype))
        assert is_finite(torch.where(layout.isfinite(), layout, 0).to(dtype))


def test_the_largest_finite_value_is_finite_and_so_are_integers_and_nothing():
    assert is_finite(torch.full((1000,), torch.finfo(torch.float32).max))
    assert is_finite(torch.tensor([2**62]))
    assert is_finite(torch.tensor([True]))
    assert is_finite(torch.empty(0, 3))
    assert is_finite(torch.nn.Parameter(torch.ones(2)))
