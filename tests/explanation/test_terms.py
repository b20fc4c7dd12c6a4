"""Records of what numbers are made of: they add up exactly, and are read like sequences."""

import itertools
import json
import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.terms import (
    Expression,
    Extremum,
    Identity,
    Line,
    Location,
    Precision,
    Sum,
    Term,
    TermGroup,
    Terms,
    Unsupported,
    exact_sum,
    number,
    parenthesized,
    product_errors,
    to_dict,
)

FLOAT32 = Precision(unit=2.0**-24, sums=2.0**-24)
FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
SOBER = st.floats(min_value=-1e100, max_value=1e100).filter(lambda x: abs(x) > 1e-100 or x == 0)


def part(values, weights=1.0, *, source="x", inside=None, weight_source=None):
    many = np.arange(len(values))
    values = np.asarray(values, dtype=np.float64)
    return TermGroup(
        source,
        values,
        np.broadcast_to(np.asarray(weights, dtype=np.float64), values.shape),
        np.stack([many // 2, many % 2], 1),
        None if inside is None else np.asarray(inside),
        weight_source,
        None if weight_source is None else many[:, None],
    )


THREE = Terms(
    part([1.0, -2.0, 3.0], [2.0, 2.0, -1.0], weight_source="w"),
    part([], source="nothing"),
    part([0.0, 5.0], [7.0, 0.5], source="y", inside=[False, True]),
)
LISTED = [
    Term(2.0, 1.0, 2.0, Location("x", (0, 0)), Location("w", (0,))),
    Term(2.0, -2.0, -4.0, Location("x", (0, 1)), Location("w", (1,))),
    Term(-1.0, 3.0, -3.0, Location("x", (1, 0)), Location("w", (2,))),
    Term(7.0, 0.0, 0.0, None, None),
    Term(0.5, 5.0, 2.5, Location("y", (0, 1)), None),
]


def test_terms_of_several_groups_are_one_sequence():
    assert len(THREE) == len(LISTED)
    assert list(THREE) == LISTED
    assert [THREE[n] for n in range(-5, 5)] == LISTED + LISTED
    assert list(reversed(THREE)) == LISTED[::-1]
    assert LISTED[2] in THREE
    assert THREE.index(LISTED[4]) == 4


@given(st.slices(5))
def test_slices_are_those_of_a_list(piece):
    assert THREE[piece] == LISTED[piece]


@pytest.mark.parametrize("n", [5, -6])
def test_there_is_no_term_beyond_the_last(n):
    with pytest.raises(IndexError):
        THREE[n]


def test_no_terms_are_an_empty_sequence():
    for empty in (Terms(), Terms(part([]))):
        assert (len(empty), list(empty), empty.largest(3)) == (0, [], [])
        assert Sum(terms=empty, formula="", bias=0.5).exact_value == 0.5


def test_a_term_holds_plain_numbers():
    assert all(type(number) is float for term in THREE for number in term[:3])
    assert all(type(at) is int for term in THREE if term.location for at in term.location.at)


def test_columns_are_the_terms():
    assert THREE.values.tolist() == [term.value for term in LISTED]
    assert THREE.weights.tolist() == [term.weight for term in LISTED]
    assert THREE.products.tolist() == [term.product for term in LISTED]


def test_the_largest_are_by_magnitude_without_the_padding():
    assert THREE.largest(10) == [1, 2, 4, 0]
    assert THREE.largest(2) == [1, 2]
    assert THREE.largest(0) == []


def test_largest_orders_ties_by_index_and_puts_nan_first():
    assert Terms(part([1.0, -1.0, 1.0])).largest(3) == [0, 1, 2]
    assert Terms(part([1.0, math.inf, math.nan])).largest(3)[-1] == 0
    assert Terms(part([1.0, 9.0, math.nan])).largest(1) == [2]


def test_a_product_may_be_another_function_of_weight_and_value():
    distance = Terms(part([3.0], 1.0), product=lambda w, v: -np.square(v - w))
    assert distance[0].product == -4


def test_locations_print_as_indices():
    assert str(Location("conv1", (0, 3, 2))) == "conv1[0,3,2]"
    assert str(Location("scale", ())) == "scale"


@given(st.lists(st.tuples(FLOATS, FLOATS), max_size=20), FLOATS)
def test_the_sum_of_float32_products_is_exact_and_rounded_once(pairs, bias):
    terms = Terms(part([x for x, _ in pairs], [w for _, w in pairs])) if pairs else Terms()
    exact = sum((Fraction(x) * Fraction(w) for x, w in pairs), Fraction(bias))
    assert Sum(terms=terms, formula="", bias=bias).exact_value == float(exact)


@given(st.lists(st.tuples(SOBER, SOBER), min_size=1, max_size=8))
def test_products_of_float64_numbers_and_their_errors_are_exact(pairs):
    one, two = (np.array(column) for column in zip(*pairs, strict=True))
    errors = product_errors(one, two)
    for x, w, product, error in zip(one, two, one * two, errors, strict=True):
        assert Fraction(product) + Fraction(error) == Fraction(x) * Fraction(w)
    total = Sum(terms=Terms(part(one, two)), formula="", errors=errors).exact_value
    assert total == float(sum(Fraction(x) * Fraction(w) for x, w in pairs))


def test_without_the_errors_a_float64_sum_would_not_be_exact():
    x = 1 + 2.0**-52
    terms = Terms(part([x, -1.0], [x, x]))
    exact = Fraction(x) * Fraction(x) - Fraction(x)
    errors = product_errors(np.array([x, -1.0]), np.array([x, x]))
    assert Sum(terms=terms, formula="", errors=errors).exact_value == float(exact)
    assert Sum(terms=terms, formula="").exact_value != float(exact)


@pytest.mark.parametrize(
    ("one", "two"),
    [(2.0**1000, 3.0), (1e300 / 3, 0.1), (0.1, -1e305), (1e155, 1e152), (1.7e308, 1.0)],
)
def test_the_errors_of_products_of_large_numbers_are_exact_too(one, two):
    (error,) = product_errors(np.array([one]), np.array([two]))
    assert Fraction(one * two) + Fraction(float(error)) == Fraction(one) * Fraction(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [(math.inf, 2.0), (-math.inf, 0.5), (math.inf, 0.0), (math.nan, 1.0), (1e200, 1e200)],
)
def test_products_that_are_not_finite_have_no_error_term(one, two):
    """Its error, which is none, adds nothing; nobody is warned."""
    (error,) = product_errors(np.array([one]), np.array([two]))
    assert error == 0
    total = Sum(terms=Terms(part([one], [two])), formula="", errors=np.array([error])).exact_value
    assert total == one * two or math.isnan(one * two) == math.isnan(total) is True


@pytest.mark.parametrize(
    ("numbers", "total"),
    [
        ([], 0.0),
        ([1e16, 1.0, -1e16], 1.0),
        ([0.1] * 10, 1.0),
        ([math.inf, 1.0], math.inf),
        ([-math.inf, 1e308], -math.inf),
        ([math.inf, math.inf], math.inf),
        ([math.inf, -math.inf], math.nan),
        ([math.nan, 1.0], math.nan),
        ([math.nan, math.inf, -math.inf], math.nan),
        ([1e308, 1e308], math.inf),
        ([-1e308, -1e308], -math.inf),
        ([1e308, 1e308, -1e308], 1e308),
    ],
)
def test_sums_are_rounded_once_and_propagate_infinity_and_nan(numbers, total):
    for order in itertools.permutations(numbers) if len(numbers) < 4 else [numbers]:
        assert exact_sum(order) == pytest.approx(total, rel=0, abs=0, nan_ok=True)


@given(st.lists(FLOATS, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_a_sum_does_not_matter(numbers, dice: random.Random):
    shuffled = dice.sample(numbers, len(numbers))
    assert exact_sum(numbers) == exact_sum(shuffled) == float(sum(map(Fraction, numbers)))


@pytest.mark.parametrize("divisor", [3.0, -0.5, 49.0])
def test_a_divisor_divides_the_sum_and_its_tolerance(divisor):
    decomposition = Sum(terms=Terms(part([1.0, 2.0], 4.0)), formula="", bias=-2.0, divisor=divisor)
    assert decomposition.exact_value == 10 / divisor
    bound = decomposition.rounding_bound(Precision(unit=2.0**-60, sums=2.0**-30))
    assert bound == pytest.approx((2 * 12 + 3 * 14) / abs(divisor) * 2.0**-30)


def test_the_tolerance_is_relative_to_magnitudes_and_scales_with_epsilon():
    terms = Terms(part([1e6, -1e6]))
    assert Sum(terms=terms, formula="").exact_value == 0
    bound = Sum(terms=terms, formula="").rounding_bound(FLOAT32)
    assert bound == pytest.approx((2 * 1e6 + 3 * 2e6) * 2.0**-24)  # two additions, three others
    given = Sum(terms=terms, formula="", roundings=7, magnitude=3.0)
    assert given.rounding_bound(FLOAT32) == pytest.approx(21 * 2.0**-24)


VALUES = st.lists(st.sampled_from([-2.0, -0.0, 0.0, 1.5, 3.0, math.inf, -math.inf]), min_size=1)


@given(VALUES)
def test_an_extremum_matches_python_and_its_winner_is_the_first(values):
    for which, of in (("maximum", max), ("minimum", min)):
        decomposition = Extremum(which=which, terms=Terms(part(values)), formula="")
        assert decomposition.exact_value == of(values)
        assert decomposition.winner == values.index(of(values))
        assert decomposition.ties == [n for n, x in enumerate(values) if x == of(values)][1:]
        assert (decomposition.kind, decomposition.rounding_bound(FLOAT32)) == (which, 0)


def test_nan_wins_over_every_number():
    terms = Terms(part([math.inf, math.nan, -math.inf, math.nan]))
    for which in ("maximum", "minimum"):
        decomposition = Extremum(which=which, terms=terms, formula="")
        assert math.isnan(decomposition.exact_value)
        assert (decomposition.winner, decomposition.ties) == (1, [3])


@pytest.mark.parametrize(("which", "fill"), [("maximum", -math.inf), ("minimum", math.inf)])
def test_padding_never_wins(which, fill):
    terms = Terms(part([fill] * 4, inside=[False, True, False, True]))
    decomposition = Extremum(which=which, terms=terms, formula="")
    assert (decomposition.winner, decomposition.ties) == (1, [3])


def test_an_identity_is_its_term_or_a_constant():
    assert Identity(terms=Terms(part([0.1])), formula="").exact_value == 0.1
    assert Identity(terms=Terms(), formula="", constant=-3.0).exact_value == -3
    assert Identity(terms=Terms(), formula="").rounding_bound(FLOAT32) == 0


@pytest.mark.parametrize("total", [0.0, math.inf, -math.inf, 6.0])
def test_an_expression_that_only_selects_has_zero_tolerance(total):
    terms = Terms(part([math.inf]))
    decomposition = Expression(
        terms=terms, formula="", substituted="", exact_value=total, roundings=0, magnitude=math.inf
    )
    assert decomposition.rounding_bound(FLOAT32) == 0


MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (2.0, "2"),
        (-17.0, f"{MINUS}17"),
        (0.1234567, "0.123457"),
        (-0.1234567, f"{MINUS}0.123457"),
        (1e-30, f"1e{MINUS}30"),
        (-1e30, f"{MINUS}1e+30"),
        (math.inf, "inf"),
        (-math.inf, f"{MINUS}inf"),
        (math.nan, "nan"),
    ],
)
def test_numbers_have_a_true_minus_sign(value, text):
    assert number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_number_is_correct_to_its_digits(value):
    assert float(number(value, digits=17).replace(MINUS, "-")) == value
    assert "-" not in number(value)
    text = parenthesized(value)
    assert text.strip("()") == number(value)
    assert text.startswith("(") == text.endswith(")") == number(value).startswith(MINUS)


ALL = [
    Sum(
        terms=THREE,
        formula="y = Σ w·x + b",
        bias=0.5,
        bias_location=Location("b", (0,)),
        divisor=2.0,
        lines=(Line("mean", "μ", math.nan),),
    ),
    Sum(terms=Terms(part([math.inf, 1.0])), formula="y = x + z"),
    Extremum(which="maximum", terms=THREE, formula="y = max x"),
    Identity(terms=Terms(), formula="y = x", constant=-math.inf),
    Expression(
        terms=Terms(part([2.0])), formula="y = e^x", substituted="e^2", exact_value=math.exp(2)
    ),
    Unsupported(operands=("conv1", "image"), formula="sort: no rule"),
]


@pytest.mark.parametrize("decomposition", ALL, ids=lambda decomposition: decomposition.kind)
def test_every_decomposition_goes_through_json(decomposition):
    payload = json.loads(json.dumps(to_dict(decomposition), allow_nan=True))
    assert (payload["decomposition"], payload["formula"]) == (
        decomposition.kind,
        decomposition.formula,
    )
    assert float(payload["exact_value"]) == pytest.approx(
        decomposition.exact_value, rel=0, nan_ok=True
    )
    assert payload["num_terms"] == len(decomposition.terms) == len(payload["terms"])
    for term, one in zip(decomposition.terms, payload["terms"], strict=True):
        assert tuple(float(one[name]) for name in ("weight", "value", "product")) == term[:3]
        assert one["location"] == (term.location and [term.location.source, *term.location.at])
        assert one["weight_location"] == (term.weight_location and str(term.weight_location))
    assert [line["label"] for line in payload["lines"]] == [
        line.label for line in decomposition.lines
    ]


def test_json_has_the_fields_of_each_kind():
    whole, _, largest, _, function, unknown = map(to_dict, ALL)
    assert (whole["bias"], whole["divisor"], whole["bias_location"]) == (0.5, 2, "b[0]")
    assert (largest["winner"], largest["ties"]) == (4, [])
    assert function["substituted"] == "e^2"
    assert list(unknown["operands"]) == ["conv1", "image"]


def test_json_keeps_the_largest_terms_in_order():
    payload = to_dict(ALL[0], max_terms=2)
    assert [term["product"] for term in payload["terms"]] == [-4, -3]
    assert payload["num_terms"] == 5
    assert payload["exact_value"] == ALL[0].exact_value


def test_unsupported_has_no_terms_and_no_exact_value():
    decomposition = ALL[-1]
    assert len(decomposition.terms) == 0
    assert math.isnan(decomposition.exact_value)
    assert math.isnan(decomposition.rounding_bound(FLOAT32))
