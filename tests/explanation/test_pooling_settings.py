"""Every combination of the settings of pooling, against torch in float64."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.explanation.recording import record
from tests.explanation.cases.case import Net, image_of, units_of
from tests.repetition import sample_fast

KERNELS = {1: (2, 3, 4), 2: (2, (3, 2), (1, 4)), 3: (2, (1, 2, 3))}
SETTINGS = [
    (axes, kernel, stride, padding, ceil)
    for axes, kernels in KERNELS.items()
    for kernel, stride, padding, ceil in itertools.product(kernels, (None, 1, 2, 3), (0, 1), (0, 1))
    if not padding or min(kernel if isinstance(kernel, tuple) else (kernel,)) >= 2
]
SIDES = {1: (7,), 2: (6, 7), 3: (3, 5, 6)}


class Columns(nn.Module):
    """An image of columns only, where pooling runs along one axis."""

    def __init__(self, pool):
        super().__init__()
        self.pool = pool

    def forward(self, x):
        return self.pool(x[:, :, 0])


def record_pool(pool, axes):
    image = image_of((2, *((1,) if axes == 1 else ()), *SIDES[axes]))
    net = Columns(pool) if axes == 1 else Net(pool)
    recording = record(net, image)
    return recording, net(image.double())[0]


@pytest.mark.parametrize("setting", sample_fast(3, map(pytest.param, SETTINGS)), ids=str)
def test_average_pooling_of_any_settings_is_explained(setting):
    axes, kernel, stride, padding, ceil = setting
    pool = getattr(F, f"avg_pool{axes}d")
    options = [(include, None) for include in (True, False)]
    options += [(True, 5), (False, -2)] if axes > 1 else []
    for include, divisor in options:
        extra = {} if axes == 1 else {"divisor_override": divisor}

        def average(x, include=include, extra=extra):
            return pool(x, kernel, stride, padding, bool(ceil), count_include_pad=include, **extra)

        recording, expected = record_pool(average, axes)
        for at in units_of(expected.shape)[:8]:
            explanation = recording.explain(recording.output, at)
            assert explanation.exact_value == pytest.approx(expected[at].item(), rel=1e-12)
            assert explanation.is_within_tolerance


@pytest.mark.parametrize("setting", sample_fast(3, map(pytest.param, SETTINGS)), ids=str)
@pytest.mark.parametrize("dilation", [1, 2])
def test_the_maximum_and_its_index_are_explained_for_any_settings(setting, dilation):
    axes, kernel, stride, padding, ceil = setting
    sizes = kernel if isinstance(kernel, tuple) else (kernel,) * axes
    if any(dilation * (k - 1) >= side for k, side in zip(sizes, SIDES[axes], strict=True)):
        pytest.skip("the window is larger than the image")
    pool = getattr(F, f"max_pool{axes}d_with_indices")
    for which in (0, 1):
        recording, expected = record_pool(
            lambda x, which=which: pool(x, kernel, stride, padding, dilation, bool(ceil))[which],
            axes,
        )
        for at in units_of(expected.shape)[:8]:
            explanation = recording.explain(recording.output, at)
            assert explanation.exact_value == expected[at].item()
            assert explanation.is_within_tolerance


def test_of_maxima_that_are_equal_the_index_says_which_one_is_meant():
    recording = record(
        Net(lambda x: F.max_pool2d(x, 2, return_indices=True)[1]), torch.ones(1, 2, 4)
    )
    for column in (0, 1):
        explanation = recording.explain(recording.output, (0, 0, column))
        assert explanation.is_within_tolerance
        place = explanation.terms[explanation.top_terms[0]].location
        assert explanation.exact_value == place.at[1] * 4 + place.at[2]


def test_a_unit_that_no_index_names_is_zero():
    recording = record(
        nn.Sequential(Net(lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2))),
        torch.arange(16.0).reshape(1, 4, 4),
    )
    zero = recording.explain(recording.output, (0, 0, 0))
    assert (zero.exact_value, len(zero.terms)) == (0, 0)
    assert "no index names this place" in zero.formula
    copied = recording.explain(recording.output, (0, 1, 3))
    assert copied.exact_value == 7
    assert recording.trace_back(recording.output, (0, 1, 3)).pixels[0].location.at == (0, 1, 3)


def test_draws_of_fractional_pooling_are_those_of_the_network():
    torch.manual_seed(0)
    net = nn.Sequential(nn.FractionalMaxPool2d(2, output_ratio=(0.6, 0.7), return_indices=True))
    recording = record(net, image_of((3, 9, 10)))
    values, indices = (recording[name] for name in recording.names[1:])
    for at in units_of(values.shape):
        explanation = recording.explain(values.name, at)
        assert explanation.decomposition.kind == "maximum"
        row, column = explanation.terms[explanation.decomposition.winner].location.at[1:]
        assert indices.value[at].item() == row * 10 + column


@pytest.mark.parametrize("seed", range(5))
def test_windows_that_chance_decides_lie_in_the_fields(seed):
    torch.manual_seed(seed)
    pool = nn.FractionalMaxPool2d((2, 3), output_size=(5, 4))
    recording = record(nn.Sequential(pool), image_of((2, 11, 12)))
    sizes = set()
    for at in itertools.product(range(2), range(5), range(4)):
        explanation = recording.explain("0", at)
        field = explanation.receptive_field
        assert not field.exact
        for term in explanation.terms:
            for place, (first, stop) in zip(term.location.at[1:], field.clipped, strict=True):
                assert first <= place < stop
        sizes.add(tuple(stop - first for first, stop in field.clipped))
    assert max(sizes) <= (5, 6)
