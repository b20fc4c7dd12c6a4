"""The formulas that are shown: what they say is evaluated, and is what is counted."""

import re
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convscope.arithmetic import (
    Axis,
    Volume,
    convolution,
    dense,
    derive_convolution,
    derive_dense,
    derive_output,
    derive_pooling,
    derive_windows,
    locally_connected,
    pooling,
    sliding,
    solve_for_window,
)


def evaluated(formula):
    """The exact value of a formula such as 8·(5·5·3 + 1)."""
    assert re.fullmatch(r"[-0-9 +·/()]+", formula)
    return eval(re.sub(r"(\d+)", r"Fraction(\1)", formula).replace("·", "*"))  # noqa: S307


sides = st.integers(1, 30)
around = st.sampled_from([0, 1, 2, (0, 1), (2, 1), "same", "valid"])


@given(sides, st.integers(1, 6), st.integers(1, 4), around, st.integers(1, 3), st.booleans())
def test_the_formula_of_an_axis_comes_to_its_output(size, kernel, stride, padding, dilation, ceil):
    axis = Axis(size, kernel, stride, padding, dilation, ceil)
    assume(axis.effective_kernel <= size + sum(axis.padding_pair))
    units = axis.output
    formula, *steps = re.split(", | [=≈] ", axis.formula)
    assert int(re.findall("[0-9]+", steps[-1])[-1]) == units
    value = evaluated(formula)
    assert float(steps[0]) == pytest.approx(float(value), abs=0.0051)
    assert ("≈" in axis.formula) == ((value * 100).denominator > 1)
    assert ("rounded" in axis.formula) == (value.denominator > 1)
    exact = Axis(axis.next_exact, kernel, stride, axis.padding_pair, dilation)
    assert "rounded" not in exact.formula
    assert exact.size - size < stride


@given(sides, st.integers(1, 6), st.integers(1, 4), st.integers(1, 3))
def test_the_formula_of_same_padding_comes_to_what_is_put(size, kernel, stride, dilation):
    axis = Axis(size, kernel, stride, "same", dilation)
    before, after = axis.padding_pair
    formula, told = axis.padding_formula.split(" = ")
    value = evaluated(formula)
    if stride == 1:
        assert value == Fraction(before + after, 2)
    else:
        assert max(value, 0) == before + after
    assert ("odd one after" in told) == (after > before)
    assert ("none" in told) == (value < 0)


VOLUME = Volume(4, 20, 15)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize("words", [dict(), dict(groups=2, stride=(2, 1)), dict(padding=1)], ids=str)
def test_the_formulas_of_a_convolution_come_to_its_costs(words, local, bias):
    count = locally_connected if local else convolution
    cost = count(VOLUME, 6, (3, 5), **words, bias=bias)
    groups = words.get("groups", 1)
    axes = sliding(VOLUME, (3, 5), stride=words.get("stride", 1), padding=words.get("padding", 0))
    worked = derive_convolution(VOLUME, axes, cost, groups=groups, local=local)
    rows = {name: (value, formula) for name, value, formula in worked.rows}
    assert rows["output"][0] == str(cost.output)
    for name in ("parameters", "connections", "multiply-adds"):
        value, formula = rows[name]
        number = int(value.replace(",", ""))
        assert number == getattr(cost, name.replace("-", "_"))
        assert number == evaluated(formula.split(":")[0])
    parts = re.findall("[0-9,]+(?= weights| biases)", rows["parameters"][1])
    assert parts == ([f"{cost.weights:,}", f"{cost.biases:,}"] if bias else [])


def test_the_formulas_of_a_dense_layer_come_to_its_costs():
    for bias in (True, False):
        cost = dense(VOLUME, 7, bias=bias)
        rows = {name: rest for name, *rest in derive_dense(VOLUME, cost).rows}
        assert rows["output"][0] == "7"
        for name in ("parameters", "multiply-adds"):
            value, formula = rows[name]
            assert int(value.replace(",", "")) == evaluated(formula.split(":")[0])
            assert int(value.replace(",", "")) == getattr(cost, name.replace("-", "_"))


def test_memory_is_told_in_decimal_units():
    cost = dense(Volume(1, 1, 1000), 250)
    assert derive_dense(Volume(1, 1, 1000), cost).rows[-1] == (
        "memory", "1.0 kB", "for the output, 1.0 MB for the parameters, in float32",
    )  # fmt: skip
    cost = dense(Volume(1, 1, 1), 10)
    assert derive_dense(Volume(1, 1, 1), cost).rows[-1][1] == "40 B"


def test_pooling_tells_what_share_of_the_values_it_keeps():
    volume = Volume(6, 28, 28)
    worked = derive_pooling(volume, sliding(volume, 2, stride=2), pooling(volume, 2))
    assert worked.rows[-2:] == (
        ("values", "1,176", "25% of the 4,704 before"),
        ("connections", "4,704", "14·14·6·2·2"),
    )
    assert worked.remarks == ()


def test_a_stride_that_does_not_fit_is_remarked_on():
    volume = Volume(3, 224, 224)
    worked = derive_output(sliding(volume, 11, stride=4))
    assert worked.rows == (
        ("output", "54x54", "(224 - 11 + 2·0)/4 + 1 = 54.25, rounded down to 54"),
    )
    assert worked.remarks == (
        "The last row and column are never read.",
        "An input of 227x227 would need no rounding.",
    )
    assert derive_output(sliding(volume, 11, stride=4, ceil_mode=True)).remarks == ()


def test_axes_that_differ_have_rows_of_their_own():
    worked = derive_output(sliding(Volume(1, 8, 9), 3, padding=("same", 0), dilation=(1, 2)))
    assert worked.rows == (
        ("output", "8x5", "height: (8 - 3 + 2·1)/1 + 1 = 8"),
        ("", "", "width: (9 - 5 + 2·0)/1 + 1 = 5"),
        ("window", "3x5", "height: 1·(3 - 1) + 1 = 3"),
        ("", "", "width: 2·(3 - 1) + 1 = 5"),
        ("padding", "1 + 1 and 0 + 0", "height: (3 - 1)/2 = 1"),
        ("", "", "width: as given"),
    )


def test_the_inverse_question_shows_windows_and_what_they_leave():
    rows = derive_windows(Volume(1, 27, 27), solve_for_window(27, 13)).rows
    assert rows[0] == ("kernel 3", "stride 2, padding 0", "(27 - 3 + 2·0)/2 + 1 = 13")
    assert rows[-1] == (
        "kernel 2",
        "stride 2, padding 0",
        "(27 - 2 + 2·0)/2 + 1 = 13.5, rounded down to 13; the last row and column are never read",
    )
