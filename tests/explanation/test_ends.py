"""Infinities, NaN, zeros and the largest numbers come out as in the network."""

import itertools
import math
from fractions import Fraction
from operator import attrgetter

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.explanation.recording import record
from convscope.layers import ScaledTanh
from tests.explanation.cases.activations import ANYWHERE
from tests.explanation.cases.case import Case, Net, image_of, randomized, same

ENDS = torch.tensor(
    [0.0, -0.0, 1e-30, -1e-30, 1.0, -1.0, 50.0, -50.0, 1e4, -1e4, math.inf, -math.inf, math.nan]
)
ENDLESS = [
    *ANYWHERE,
    *(
        Case(kind, lambda of=of: Net(of), "expression", lambda *_: None)
        for kind, of in [
            ("log", torch.log),
            ("log1p", torch.log1p),
            ("sqrt", torch.sqrt),
            ("rsqrt", torch.rsqrt),
            ("reciprocal", torch.reciprocal),
            ("pow", lambda x: x**-1),
            ("pow", lambda x: x**3),
            ("pow", lambda x: x**0.5),
            ("pow", lambda x: x**0),
            ("rdiv", lambda x: 1 / x),
            ("prelu", nn.PReLU()),
            ("ScaledTanh", ScaledTanh()),
        ]
    ),
]


@pytest.mark.parametrize("case", ENDLESS, ids=str)
def test_extreme_inputs_match_torch_in_float64(case):
    net = case.build()
    recording = record(net, ENDS.reshape(1, 1, -1))
    expected = net.double()(ENDS.double().reshape(1, 1, -1)).flatten().tolist()
    for n, exact in enumerate(expected):
        explanation = recording.explain(recording.output, (0, 0, n))
        x = ENDS[n].item()
        assert explanation.decomposition.kind == "expression", (x, explanation.formula)
        slack = 1e-12 * max(1.0, abs(x)) if math.isfinite(x) else 0
        assert explanation.exact_value == pytest.approx(exact, rel=1e-10, abs=slack, nan_ok=True), x
        if not math.isnan(
            explanation.model_value
        ):  # torch's gelu of infinity is NaN in float32 alone
            assert explanation.is_within_tolerance, (
                x,
                explanation.exact_value,
                explanation.model_value,
            )
        assert math.isnan(x) or not math.isnan(explanation.rounding_bound)


@pytest.mark.parametrize(
    "of", [F.hardshrink, F.threshold, F.hardtanh, torch.clamp], ids=attrgetter("__name__")
)
@pytest.mark.parametrize("edge", [0.1, 0.3])
def test_parameters_are_rounded_to_the_networks_precision(of, edge):
    settings = (edge, 20.0) if of is F.threshold else (-edge, edge)[of is F.hardshrink :]
    recording = record(Net(lambda x: of(x, *settings)), torch.tensor([[[edge, -edge, 0.5]]]))
    for n in range(3):
        explanation = recording.explain(recording.output, (0, 0, n))
        assert explanation.is_within_tolerance, (explanation.exact_value, explanation.model_value)


@pytest.mark.parametrize("end", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Conv2d(2, 2, 3, padding=1),
        lambda: nn.Conv2d(2, 2, 3, bias=False),
        lambda: nn.ConvTranspose2d(2, 2, 2),
        lambda: nn.Linear(5, 3),
        lambda: nn.AvgPool2d(2),
        lambda: nn.MaxPool2d(2),
        lambda: nn.BatchNorm2d(2).eval(),
        lambda: nn.Upsample(scale_factor=2),
        lambda: Net(lambda x: x + 1),
        lambda: Net(lambda x: x - x),
        lambda: Net(lambda x: x * x),
        lambda: Net(lambda x: x * 0),
        lambda: Net(lambda x: x / 2),
        lambda: Net(lambda x: 2 / x),
        lambda: Net(lambda x: -x),
        lambda: Net(lambda x: x.sum((2, 3))),
        lambda: Net(lambda x: x.mean((2, 3))),
        lambda: Net(lambda x: x.amax((2, 3))),
        lambda: Net(lambda x: torch.minimum(x, x + 1)),
        lambda: Net(lambda x: x.flatten(1)),
        lambda: Net(lambda x: x.softmax(1)),
        lambda: Net(lambda x: F.local_response_norm(x, 3)),
    ],
)
def test_infinities_and_nan_propagate_as_in_the_network(build, end, dtype):
    net, image = randomized(build()).to(dtype), image_of((2, 4, 5), dtype=dtype)
    image[0, 0, 1, 2], image[0, 1, 1, 2], image[0, 1, 3, 3] = end, -end, end
    recording = record(net, image)
    shape = recording[recording.output].shape
    for at in itertools.product(*map(range, shape)):
        explanation = recording.explain(recording.output, at)
        assert explanation.decomposition.kind != "unsupported", explanation.formula
        if math.isfinite(explanation.model_value):
            assert explanation.is_within_tolerance
        else:
            assert same(explanation.exact_value, explanation.model_value), at


@pytest.mark.parametrize("of", [F.instance_norm, lambda x: F.layer_norm(x, (5,)), F.batch_norm])
@pytest.mark.parametrize("end", [math.inf, math.nan])
def test_a_map_with_an_infinity_is_normalized_to_nan(of, end):
    """The mean of such a map is none, so nothing of it is a number."""
    image = image_of((2, 4, 5))
    image[0, 0, 1, 2] = end
    given = (torch.zeros(2), torch.ones(2)) if of is F.batch_norm else ()
    recording = record(Net(lambda x: of(x, *given, **dict(training=True) if given else {})), image)
    for at in [(0, 1, 1), (0, 1, 2)]:
        explanation = recording.explain(recording.output, at)
        assert math.isnan(explanation.exact_value)
        assert explanation.is_within_tolerance


def test_float64_sums_are_exact_over_the_full_range():
    net = Net(F.linear, w=torch.tensor([[2.0, 3.0, 0.1]]))
    for scale in (1e300, 1e-140):
        image = torch.tensor([[[scale, 3 * scale, -7 * scale]]], dtype=torch.float64) / 3
        recording = record(net.double(), image)
        explanation = recording.explain(recording.output, (0, 0, 0))
        exact = sum(Fraction(t.weight) * Fraction(t.value) for t in explanation.terms)
        assert explanation.exact_value == float(exact)
        assert explanation.is_within_tolerance


@pytest.mark.parametrize("divisor", [0.0, -0.0])
def test_division_by_zero_follows_ieee_754(divisor):
    zero = torch.full((1, 1, 1), divisor)
    image = torch.tensor([[[1.0, -1.0, 0.0, math.nan]]])
    for of in (lambda x: x / divisor, lambda x: x / zero, lambda x: x.div(divisor)):
        recording = record(Net(of), image)
        for n in range(4):
            explanation = recording.explain(recording.output, (0, 0, n))
            assert same(explanation.exact_value, recording[recording.output].value[0, 0, n].item())
            assert explanation.is_within_tolerance
