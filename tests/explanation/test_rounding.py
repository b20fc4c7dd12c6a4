"""The bounds on rounding: never too small, on ordinary and on adverse numbers, and of use."""

import math
import random
import statistics

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from convscope.errors import NetworkError
from convscope.explanation.recording import record
from convscope.terms import Expression, Precision, Sum, TermGroup, Terms
from tests.explanation.cases.case import Net, image_of, randomized, units_of
from tests.explanation.cases.spectra import SPECTRA
from tests.explanation.test_operations import CASES, NOISY, record_case

HALVES = [torch.bfloat16, torch.float16]
REAL = [case for case in CASES if case not in SPECTRA]  # complex numbers have float32 parts
FLOAT32 = Precision(
    2.0**-24, 2.0**-24, spacing=2.0**-149, normal=2.0**-126, largest=float(np.finfo("f4").max)
)
FLOAT16 = FLOAT32._replace(unit=2.0**-11, spacing=2.0**-24, largest=65504.0)


@pytest.fixture(params=[True, False], ids=["oneDNN", "native"])
def onednn(request):
    """Whether convolutions are computed by oneDNN."""
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(request.param)
    yield request.param
    torch._C._set_mkldnn_enabled(before)


@NOISY
@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        pytest.param(
            *(case, dtype), id=f"{dtype}-{case}", marks=[pytest.mark.slow][: (place + 2 * half) % 4]
        )
        for half, dtype in enumerate(HALVES)
        for place, case in enumerate(c for c in REAL if c.kind != "cuda")
    ],
)
def test_every_kind_stays_within_its_bound_in_16_bits(case, dtype):
    assert_within(case, dtype)


@NOISY
@pytest.mark.parametrize("case", [c for c in REAL if c.kind.startswith("conv")], ids=str)
@pytest.mark.usefixtures("onednn")
def test_convolutions_stay_within_their_bounds_with_and_without_onednn(case):
    for dtype in HALVES:
        assert_within(case, dtype)


def assert_within(case, dtype):
    try:
        _, _, recording = record_case(case, dtype)
    except (RuntimeError, NetworkError):
        pytest.skip("PyTorch cannot compute it with this type on the CPU")
    for at in units_of(recording[recording.output].shape)[:6]:
        explanation = recording.explain(recording.output, at)
        assert explanation.decomposition.kind != "unsupported", explanation.formula
        assert explanation.is_within_tolerance, report(at, explanation)


def report(at, explanation):
    bound = explanation.rounding_bound
    return f"{at}: {explanation.model_value} is not {explanation.exact_value} ± {bound}"


def giant(shape):
    """One giant number among many tiny ones."""
    numbers = torch.rand(shape) * 2.0**-10
    numbers.view(-1)[3::101] = 60.0
    return numbers


def alternating(shape):
    """Numbers that cancel: neighbors differ in sign, and a little in size."""
    numbers = 1 + torch.rand(shape) / 64
    numbers.view(-1)[1::2] *= -1
    return numbers


def triple(x, w):
    """Queries, keys and values, with scores up to millions."""
    x = x.clamp(-1000, 1000)
    return x, x * w, x.flip(2)


def mathematical_attention(*tensors):
    with sdpa_kernel(SDPBackend.MATH):
        return F.scaled_dot_product_attention(*tensors)


DRAWS = {
    "random": torch.randn,
    "positive": torch.rand,
    "giant": giant,
    "alternating": alternating,
    "equal": lambda shape: torch.full(shape, 0.1),
    "subnormal": lambda shape: torch.randn(shape) * 2.0**-16,
    "tiny": lambda shape: torch.randn(shape) * 2.0**-131,
    "huge": lambda shape: torch.randn(shape) * 2.0**14,
}
OPERATIONS = {
    "conv2d": (lambda x, w: F.conv2d(x, w.view(8, 32, 3, 3)), (32, 6, 6), 2304),
    "conv2d 1x1": (lambda x, w: F.conv2d(x, w.view(8, 256, 1, 1)), (256, 3, 3), 2048),
    "conv2d depthwise": (lambda x, w: F.conv2d(x, w.view(32, 1, 5, 5), groups=32), (32, 6, 6), 800),
    "conv_transpose2d": (lambda x, w: F.conv_transpose2d(x, w.view(32, 4, 3, 3)), (32, 4, 4), 1152),
    "linear": (lambda x, w: F.linear(x.flatten(1), w.view(4, 2048)), (32, 8, 8), 8192),
    "linear transposed, bias": (
        lambda x, w: F.linear(x.flatten(2).transpose(1, 2), w[:512].view(4, 128), w[512:]),
        (128, 3, 3),
        516,
    ),
    "matmul": (lambda x, w: x.flatten(2) @ w.view(256, 4), (3, 16, 16), 1024),
    "vector": (lambda x, w: x.flatten(1) @ w, (8, 16, 16), 2048),
    "avg_pool2d": (lambda x, _: F.avg_pool2d(x, 8), (2, 16, 16), 1),
    "adaptive_avg_pool2d": (lambda x, _: F.adaptive_avg_pool2d(x, 3), (2, 16, 16), 1),
    "mean": (lambda x, _: x.mean((2, 3)), (2, 40, 40), 1),
    "mean of channels": (lambda x, _: x.mean(1), (512, 2, 2), 1),
    "sum": (lambda x, _: x.sum((2, 3)), (2, 40, 40), 1),
    "add": (lambda x, w: x + w.view(4, 4), (4, 4, 4), 16),
    "add a number": (lambda x, _: x + 0.3, (4, 4, 4), 1),
    "mul": (lambda x, w: x * w.view(4, 4), (4, 4, 4), 16),
    "batch_norm": (lambda x, w: F.batch_norm(x, w[:8], w[8:].abs() + 1), (8, 3, 3), 16),
    "layer_norm": (lambda x, w: F.layer_norm(x, (64,), w[:64], w[64:]), (2, 3, 64), 128),
    "group_norm": (lambda x, _: F.group_norm(x, 2), (8, 4, 4), 1),
    "instance_norm": (lambda x, _: F.instance_norm(x), (8, 4, 4), 1),
    "normalize": (lambda x, _: F.normalize(x, dim=1), (8, 4, 4), 1),
    "lp_pool2d": (lambda x, _: F.lp_pool2d(x.abs(), 2.0, 2), (8, 4, 4), 1),
    "var": (lambda x, _: x.var((2, 3)), (8, 9, 9), 1),
    "std": (lambda x, _: x.std(1), (64, 3, 3), 1),
    "index_add": (lambda x, w: x[..., :2].index_add(3, w.gt(0).long(), x), (4, 4, 40), 40),
    "index_add, alpha": (
        lambda x, w: x[..., :2].index_add(3, w.gt(0).long(), x, alpha=0.3),
        (4, 4, 40),
        40,
    ),
    "scatter_add": (
        lambda x, w: x[..., :2].scatter_add(3, w.gt(0).long().expand_as(x), x),
        (4, 4, 40),
        40,
    ),
    "attention": (
        lambda x, w: F.scaled_dot_product_attention(*triple(x, w)),
        (2, 40, 16),
        16,
    ),
    "attention by the mathematical formula": (
        lambda x, w: mathematical_attention(*triple(x, w)),
        (2, 40, 16),
        16,
    ),
}


@pytest.mark.parametrize("dtype", [*HALVES, torch.float32], ids=str)
@pytest.mark.parametrize("name", OPERATIONS)
def test_sums_of_adverse_numbers_stay_within_their_bound(name, dtype):
    of, shape, weights = OPERATIONS[name]
    for draw in DRAWS.values():
        torch.manual_seed(0)
        net = Net(of, w=torch.randn(weights)).to(dtype)
        recording = record(net, draw((1, *shape)).to(dtype))
        for at in units_of(recording[recording.output].shape)[:6]:
            explanation = recording.explain(recording.output, at)
            assert explanation.is_within_tolerance, report(at, explanation)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_a_long_sum_of_equal_terms_stays_within_its_bound(dtype):
    """A sum in 16 bits would not get beyond 2^9 or 2^12 times the term."""
    recording = record(Net(lambda x: x.sum((2, 3))), torch.full((1, 1, 250, 400), 0.1).to(dtype))
    explanation = recording.explain(recording.output, (0,))
    assert len(explanation.terms) == 100_000
    assert explanation.is_within_tolerance
    assert explanation.rounding_bound < 0.02 * explanation.model_value


NETWORKS = {
    "conv2d": lambda: nn.Conv2d(16, 8, 3),
    "conv2d 1x1": lambda: nn.Conv2d(256, 8, 1),
    "conv2d depthwise": lambda: nn.Conv2d(16, 16, 5, groups=16),
    "conv2d of 4,608 terms": lambda: nn.Conv2d(512, 4, 3),
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(1024, 16)),
    "batch_norm": lambda: nn.BatchNorm2d(16).eval(),
    "layer_norm": lambda: nn.LayerNorm(8),
    "gelu": nn.GELU,
    "softmax": lambda: nn.Softmax(1),
    "avg_pool2d": lambda: nn.AvgPool2d(3),
    "mean": lambda: nn.AdaptiveAvgPool2d(1),
    "bilinear": lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
    "var": lambda: Net(lambda x: x.var(1)),
    "std": lambda: Net(lambda x: x.std((2, 3))),
    "attention": lambda: Net(lambda x: F.scaled_dot_product_attention(4 * x, 4 * x, x)),
}


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_median_bound_is_far_below_the_value(name, dtype):
    torch.manual_seed(0)
    net = NETWORKS[name]()
    channels = next((m.in_channels for m in net.modules() if isinstance(m, nn.Conv2d)), 16)
    recording = record(net.to(dtype), torch.rand(1, channels, 8, 8).to(dtype))
    ratios = [
        explanation.rounding_bound / abs(explanation.model_value)
        for at in units_of(recording[recording.output].shape)
        if (explanation := recording.explain(recording.output, at)).model_value
    ]
    assert statistics.median(ratios) < 0.02


def test_sums_in_16_bits_would_exceed_the_bound():
    """What the bound excludes: every partial sum rounded to bfloat16."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(4096, 1, bias=False)).to(torch.bfloat16)
    recording = record(net, torch.rand(1, 64, 64).to(torch.bfloat16))
    explanation = recording.explain("1", (0,))
    total = torch.zeros((), dtype=torch.bfloat16)
    for product in explanation.terms.products:
        total = total + torch.tensor(product).to(torch.bfloat16)
    assert abs(float(total) - explanation.exact_value) > explanation.rounding_bound


NUMBERS = st.floats(width=32, allow_nan=False, min_value=-(2.0**30), max_value=2.0**30)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=30), st.randoms())
def test_a_float32_sum_in_any_order_is_within_its_bound(pairs, dice: random.Random):
    """Neighbors are added first in one half of the draws, one by one in the other."""
    total = sum_of(pairs)
    numbers = [np.float32(x) * np.float32(w) for x, w in pairs]
    dice.shuffle(numbers)
    while len(numbers) > 1 and len(pairs) % 2:
        numbers = [sum(numbers[n : n + 2], np.float32(0)) for n in range(0, len(numbers), 2)]
    found = np.float32(0)
    for one in numbers:
        found += one
    assert abs(float(found) - total.exact_value) <= total.rounding_bound(FLOAT32)


# By their bits, all that are finite: of floats of 16 bits, Hypothesis drops most draws.
HALF_NUMBERS = (st.integers(0, 0x7BFF) | st.integers(0x8000, 0xFBFF)).map(
    lambda bits: float(np.uint16(bits).view(np.float16))
)


@given(st.lists(st.tuples(HALF_NUMBERS, HALF_NUMBERS), min_size=1, max_size=30))
def test_a_float32_sum_rounded_to_float16_is_within_its_bound(pairs):
    """Also among subnormal numbers, and where it exceeds the largest number, 65504."""
    total = sum_of(pairs)
    found = np.float32(0)
    for x, w in pairs:
        found += np.float32(x) * np.float32(w)
    with np.errstate(over="ignore"):
        rounded = float(np.float16(found))
    bound = total.rounding_bound(FLOAT16)
    assert math.isinf(bound) or abs(rounded - total.exact_value) <= bound
    assert math.isfinite(bound) or abs(total.exact_value) > 65000


def sum_of(pairs):
    x, w = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    return Sum(terms=Terms(TermGroup("x", x, w, np.zeros((len(x), 1), np.int64))), formula="")


def test_the_largest_number_is_no_overflow_and_the_next_one_is():
    assert math.isfinite(FLOAT16.bound(65504, 0))
    assert math.isfinite(FLOAT16.bound(-65519, 0))
    assert math.isinf(FLOAT16.bound(-65521, 0))
    assert math.isinf(FLOAT16.bound(65504, 17))
    assert math.isinf(FLOAT16.bound(1, 0, rounded=65521))
    assert math.isinf(FLOAT16._replace(largest_sum=9).bound(1, 0, reached=10))


def test_an_expression_rounds_every_step_to_the_type_of_the_result_unless_it_says_otherwise():
    one = dict(terms=Terms(), formula="", substituted="", exact_value=1.0)
    narrow = FLOAT16._replace(normal=0.0, spacing=0.0)
    assert Expression(**one).rounding_bound(narrow) == pytest.approx(5 * 2.0**-11, rel=1e-3)
    once = Expression(**one, rounded=0.0)
    assert once.rounding_bound(narrow) == pytest.approx(2.0**-11, rel=1e-3)


def test_a_sum_beyond_the_largest_float16_is_explained_as_an_overflow():
    net = nn.Sequential(nn.Conv2d(16, 1, 3, bias=False)).half()
    nn.init.constant_(net[0].weight, 10.0)
    recording = record(net, torch.full((16, 3, 3), 100.0).half())
    explanation = recording.explain("0", (0, 0, 0))
    assert (explanation.exact_value, explanation.model_value) == (144_000, math.inf)
    assert explanation.is_within_tolerance
    assert "difference (overflow)" in str(explanation)
    assert explanation.to_dict()["rounding_bound"] == "inf"


@pytest.mark.usefixtures("onednn")
def test_processors_may_drop_terms_with_subnormal_bfloat16_factors():
    net = nn.Sequential(nn.Conv2d(16, 4, 3, bias=False)).to(torch.bfloat16)
    nn.init.constant_(net[0].weight, 1024.0)
    recording = record(net, torch.full((16, 3, 3), 2.0**-130).to(torch.bfloat16))
    explanation = recording.explain("0", (0, 0, 0))
    assert explanation.is_within_tolerance
    assert explanation.exact_value <= explanation.rounding_bound < 1.1 * explanation.exact_value


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Conv2d(3, 4, 3),
        lambda: nn.ConvTranspose2d(3, 4, 3),
        lambda: nn.Linear(6, 4),
        lambda: Net(lambda x, w: x @ w, w=torch.randn(6, 4)),
        lambda: Net(lambda x, w: torch.einsum("nchw,kw->nckh", x, w), w=torch.randn(4, 6)),
        lambda: Net(lambda x: F.scaled_dot_product_attention(x, x / 3, x / 7)),
    ],
)
def test_autocast_casts_the_terms(build):
    net, image = randomized(build()), image_of((3, 5, 6))
    with torch.autocast("cpu", torch.bfloat16):
        recording = record(net, image)
    assert recording[recording.output].tensor.dtype == torch.bfloat16
    for at in units_of(recording[recording.output].shape)[:6]:
        explanation = recording.explain(recording.output, at)
        values = torch.from_numpy(explanation.terms.values)
        assert values.equal(values.to(torch.bfloat16).double())
        assert explanation.is_within_tolerance
        assert "operands cast to bfloat16" in explanation.formula


@pytest.mark.parametrize("of", [torch.sum, torch.mean])
def test_an_argument_dtype_casts_the_terms_first(of):
    recording = record(Net(lambda x: of(x, (2, 3), dtype=torch.bfloat16)), image_of((2, 9, 9)))
    explanation = recording.explain(recording.output, (1,))
    assert explanation.terms[0].value != recording["image"].value[1, 0, 0].item()
    assert explanation.is_within_tolerance


def test_a_value_written_to_a_tensor_of_another_type_is_rounded():
    def write(x):
        y = torch.zeros(1, 2, 5, 6, dtype=torch.float16)
        y[:, :1] = x[:, :1] / 3
        return y

    recording = record(Net(write), image_of((2, 5, 6)))
    explanation = recording.explain(recording.output, (0, 1, 2))
    assert explanation.formula == "y = x as float16"
    assert explanation.is_within_tolerance


@pytest.mark.parametrize(("setting", "factor"), [("medium", 2.0**-7), ("high", 2.0**-10)])
def test_a_lower_precision_of_matrix_products_widens_their_bounds(setting, factor):
    """On processors with instructions for it, factors in float32 are rounded first."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(48, 2))
    try:
        torch.set_float32_matmul_precision(setting)
        recording = record(net, image_of((3, 6, 5)))
    finally:
        torch.set_float32_matmul_precision("highest")
    precise = record(net, image_of((3, 6, 5)))
    product, rounded = precise.explain("2", (0,)), recording.explain("2", (0,))
    size = np.abs(product.terms.products).sum() + abs(product.decomposition.bias)
    widened = rounded.rounding_bound - product.rounding_bound
    assert widened == pytest.approx(2 * factor * size, rel=0.01)
    assert recording.explain("0", (0, 0, 0)).precision.factors == 0
