"""Every kind of operation that has a rule, against slow loops, numpy and exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from convscope.explanation.recording import record
from convscope.explanation.rules import RULES
from convscope.explanation.rules.activation import CURVES
from convscope.explanation.rules.complex_sums import real_view
from tests.explanation.cases.activations import ACTIVATIONS, ANYWHERE
from tests.explanation.cases.arithmetic import ARITHMETIC
from tests.explanation.cases.case import (
    Net,
    assert_locations_are_true,
    image_of,
    numbers,
    randomized,
    units_of,
)
from tests.explanation.cases.choices import CHOICES
from tests.explanation.cases.functions import FUNCTIONS
from tests.explanation.cases.linear import LINEAR
from tests.explanation.cases.matrices import MATRICES
from tests.explanation.cases.movement import CASTS, MOVES
from tests.explanation.cases.normalization import NORMALIZATION
from tests.explanation.cases.order import ORDER
from tests.explanation.cases.pooling import POOLING
from tests.explanation.cases.quantized import NORMALIZED, QUANTIZED, ROUNDED
from tests.explanation.cases.recurrent import RECURRENT
from tests.explanation.cases.spectra import SPECTRA
from tests.explanation.cases.statistics import STATISTICS
from tests.explanation.cases.windows import ODD_WINDOWS, OWN_WINDOWS, WINDOWS
from tests.repetition import first_fast, sample_fast

NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
CASES = [
    *(
        *WINDOWS,
        *OWN_WINDOWS,
        *ODD_WINDOWS,
        *MATRICES,
        *POOLING,
        *NORMALIZATION,
        *ACTIVATIONS,
        *ARITHMETIC,
        *FUNCTIONS,
        *ORDER,
        *STATISTICS,
    ),
    *(*MOVES, *CASTS, *LINEAR, *CHOICES, *RECURRENT, *SPECTRA, *QUANTIZED, *NORMALIZED, *ROUNDED),
]
DRAWS = {
    "rand": lambda x: torch.rand(1, 2),
    "randn": lambda x: torch.randn(1, 2),
    "randint": lambda x: torch.randint(5, (1, 2)),
    "randperm": lambda x: torch.randperm(2),
    "bernoulli": lambda x: torch.full((1, 2), 0.5).bernoulli_(0.5),
    "uniform": lambda x: torch.zeros(1, 2).uniform_(),
    "normal": lambda x: torch.zeros(1, 2).normal_(),
    "exponential": lambda x: torch.zeros(1, 2).exponential_(),
    "empty": lambda x: torch.empty(1, 2),
    "zeros": lambda x: torch.zeros(1, 2),
    "ones": lambda x: torch.ones(1, 2),
    "full": lambda x: torch.full((1, 2), 7.0),
    "arange": lambda x: torch.arange(2),
    "linspace": lambda x: torch.linspace(0, 1, 3),
    "eye": lambda x: torch.eye(2),
    "tensor": lambda x: torch.tensor([1.0, 2.0]),
    "zeros_like": torch.zeros_like,
    "ones_like": torch.ones_like,
    "empty_like": torch.empty_like,
    "full_like": lambda x: torch.full_like(x, 3.0),
    "rand_like": torch.rand_like,
    "randn_like": torch.randn_like,
    "new_empty": lambda x: x.new_empty(2),
    "new_zeros": lambda x: x.new_zeros(2),
    "new_ones": lambda x: x.new_ones(2),
    "new_full": lambda x: x.new_full((2,), 4.0),
    "new_tensor": lambda x: x.new_tensor([4.0]),
    "zero": lambda x: (x * 1).zero_(),
    "fill": lambda x: (x * 1).fill_(2.5),
}
ELSEWHERE = {"inplace_update", *DRAWS}  # by WRITES, and what has no operand

NOISY = pytest.mark.filterwarnings("ignore:Using padding='same'", "ignore:.*chain_matmul")


class Flat(nn.Module):
    """A network of rows (n, c, t) or (n, c), fed with an image."""

    def __init__(self, net: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.net, self.shape = net, shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x.reshape(1, *self.shape))


def record_case(case, dtype=torch.float32):
    """The network, what its last operation's network takes, and the recording."""
    net, image = randomized(case.build()).to(dtype), image_of(case.image, dtype=dtype)
    if dtype == torch.float64:  # fill the digits that float32 has not
        image = image / 3
        with torch.no_grad():
            for tensor in net.parameters():
                tensor.div_(3)
    whole = net if len(case.image) > 2 else Flat(net, case.image)
    return net, image, record(whole, image if len(case.image) > 2 else image[None])


@NOISY
@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize(
    "case",
    sample_fast(
        2, [pytest.param(case, marks=NEEDS_GPU if case.kind == "cuda" else ()) for case in CASES]
    ),
    ids=str,
)
def test_every_unit_matches_the_definition(case):
    net, image, recording = record_case(case)
    found = recording[recording.output]
    assert found.kind == case.kind
    expected = np.asarray(case.expected(numbers(image), net, numbers(found.tensor)), dtype=float)
    assert expected.shape == tuple(real_view(found.tensor).shape)
    expected = expected.reshape(found.shape)
    for at in units_of(found.shape):
        explanation = recording.explain(found.name, at)
        decomposition = explanation.decomposition.kind
        assert decomposition in case.decomposition.split(" or "), explanation.formula
        assert explanation.model_value == found.value[at].item()
        assert explanation.is_within_tolerance, (
            at,
            explanation.exact_value,
            explanation.model_value,
        )
        assert_is(decomposition, explanation.exact_value, expected[at].item())
        assert_locations_are_true(explanation, recording, net)
        numbers_at_hand = np.abs([*explanation.terms.values, explanation.exact_value, 1.0])
        most = numbers_at_hand[np.isfinite(numbers_at_hand)].max()
        allowed = (4000 + len(explanation.terms) ** 2) * explanation.precision.unit * most
        assert explanation.rounding_bound <= allowed, "so wide that anything agrees"


def assert_is(decomposition, total, expected):
    """Sums of float32 products are exact; of functions both sides are float64 calculations."""
    if decomposition in {"maximum", "minimum", "identity"}:
        assert total == expected
    else:
        close = dict(sum=(1e-12, 1e-13), expression=(1e-10, 1e-12))[decomposition]
        assert total == pytest.approx(expected, rel=close[0], abs=close[1])


@pytest.mark.parametrize("kind", DRAWS)
def test_generated_values_have_no_terms(kind):
    recording = record(Net(DRAWS[kind]), image_of((1, 2, 2)))
    found = recording[recording.output]
    assert found.kind == kind
    for at in units_of(found.shape):
        explanation = recording.explain(found.name, at)
        assert explanation.decomposition.kind == "identity"
        assert len(explanation.terms) == 0
        model_value = found.value[at].item()
        assert explanation.exact_value == model_value or math.isnan(model_value)
        assert explanation.receptive_field is None


def test_no_rule_is_without_a_test():
    assert {case.kind for case in CASES} | ELSEWHERE == set(RULES)
    assert {case.kind for case in ANYWHERE} <= set(CURVES)


SUMS = [
    case
    for case in (*WINDOWS, *OWN_WINDOWS, *ODD_WINDOWS, *MATRICES, *ARITHMETIC)
    if case.decomposition == "sum"
]
NOT_PRODUCTS = {
    *("RadialBasis", "div", "DropPath", "FractalJoin", "SparseConnectionConv2d"),
    *("addcdiv", "lerp"),
}
EXACT = [c for c in SUMS if c.kind not in NOT_PRODUCTS and "dropout" not in c.kind]


@NOISY
@pytest.mark.parametrize("case", EXACT, ids=str)
@pytest.mark.parametrize(
    "dtype", first_fast(1, [torch.float32, torch.float64, torch.bfloat16]), ids=str
)
def test_the_exact_value_is_the_sum_rounded_once(case, dtype):
    _, _, recording = record_case(case, dtype)
    found = recording[recording.output]
    for at in units_of(found.shape)[:8]:
        explanation = recording.explain(found.name, at)
        whole = sum(Fraction(t.weight) * Fraction(t.value) for t in explanation.terms)
        assert explanation.exact_value == float(whole + Fraction(explanation.decomposition.bias))
        assert explanation.is_within_tolerance
        assert explanation.precision.unit == torch.finfo(dtype).eps / 2


def test_bfloat16_rounding_is_large_and_within_tolerance():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 2, 3)).to(torch.bfloat16)
    recording = record(net, image_of((3, 5, 6), dtype=torch.bfloat16))
    explanations = [recording.explain("0", at) for at in units_of((2, 3, 4))]
    assert all(one.is_within_tolerance for one in explanations)
    assert max(abs(one.difference) for one in explanations) > 1e-4


def test_a_patch_lies_under_the_filter_and_channel_sums_add_up():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, (3, 2), stride=2, padding=1))
    image = image_of((3, 5, 6))
    padded = np.pad(numbers(image[0]), ((0, 0), (1, 1), (1, 1)))
    recording = record(net, image)
    for k, i, j in units_of(recording["0"].shape):
        explanation = recording.explain("0", (k, i, j))
        patch = padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 2]
        assert np.array_equal(explanation.patch, patch)
        assert np.array_equal(explanation.filter, numbers(net[0].weight[k]))
        sums = (patch * numbers(net[0].weight[k])).sum((1, 2))
        assert explanation.channel_sums == pytest.approx(sums)
        bias = net[0].bias[k].item()
        assert explanation.channel_sums.sum() + bias == pytest.approx(explanation.exact_value)


def test_an_error_larger_than_rounding_is_not_within_tolerance():
    recording = record(Net(lambda x: x.sum((1, 2))), image_of((3, 4, 5)))
    decomposition = recording.explain(recording.output, (0,))
    assert decomposition.is_within_tolerance
    wrong = type(decomposition)(
        **{**vars(decomposition), "model_value": decomposition.model_value + 1e-3}
    )
    assert not wrong.is_within_tolerance
