"""What a person may type: every spelling of the right answer, and no other number."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convscope.arithmetic import Derivation
from convscope.lessons.exercises import check, exercise
from convscope.lessons.exercises.answer import Answer, choice, integer, number, size_of, volume_of
from convscope.lessons.exercises.task import Task


def inference_mode(answer: Answer, choices=()):
    return Task(
        question="?", answer=answer, hint="The formula.", worked=Derivation(()), choices=choices
    )


VOLUME = volume_of(6, 28, 28)
TALL = volume_of(6, 28, 24)

RIGHT = [
    *(
        (VOLUME, text)
        for text in (
            "28x28x6", "28 x 28 x 6", "28×28×6", "28*28*6", "28X28X6", "6@28×28", "6@28x28",
            "6 @ 28 x 28", "(28, 28, 6)", "(6, 28, 28)", "[6, 28, 28]", "28 28 6", "6 28 28",
            "28x6x28", "28x28@6", "28 by 28 by 6", "28·28·6", "28,28,6", "28; 28; 6",
            "6 maps of 28x28", "a volume of 6@28×28", " 28x28x6 ", "output = 28x28x6", "28x28x6.",
            "6@28,28", "28\u00a0×\u00a028\u00a0×\u00a06",
        )
    ),
    *((TALL, text) for text in ("28x24x6", "6@28x24", "28×24@6", "(28, 24, 6)", "28 24 6")),
    (volume_of(1024, 7, 7), "1,024@7×7"),
    (volume_of(1024, 7, 7), "7x7x1,024"),
    (volume_of(8, 252, 252), "8,252,252"),
    (volume_of(3, 5, 3), "5x3x3"),
    (size_of(28, 28), "28"),
    (size_of(28, 28), "28x28"),
    (size_of(28, 24), "28 by 24"),
    (size_of(256, 252), "256 252"),
    *(
        (integer(1234), text)
        for text in (
            "1234", "1,234", "1 234", "1\u202f234", "1'234", "1_234", "+1234", "1234.0", "1234 ",
            "1,234 parameters", "= 1234", "12·102 + 10 = 1,234", "1.234e3", "about 1234.", "01234",
        )
    ),
    *((integer(-3), text) for text in ("-3", "−3", "– 3", "- 3", "minus 3", "w = −3")),
    (integer(0), "0"),
    (integer(0), "-0"),
    (integer(61706), "61 706"),
    *(
        (number(Fraction(1, 4)), text)
        for text in (
            "1/4", "0.25", ".25", "25%", "25 %", "0,25", "2/8", "¼", "0.250", "1 / 4", "1÷4",
        )
    ),
    (number(Fraction(1, 2)), ".5"),
    (number(Fraction(-3, 4)), "−0.75"),
    (number(Fraction(1, 3)), "1/3"),
    (number(Fraction(1, 3)), "0.333"),
    (number(Fraction(1, 3)), "33.3%"),
    (number(Fraction(2, 3)), "0.667"),
    *((number(Fraction(2, 3)), text) for text in ("0.6666", "0.66666666", "66.66%")),
    (number(Fraction(-2, 3)), "-0.6666"),
    (number(Fraction(5)), "5.0"),
    (choice("Filter 2"), "filter 2"),
    (choice("Filter 2"), "b"),
]  # fmt: skip

WRONG = [
    *((VOLUME, text) for text in ("6x28x6", "28x28x7", "28@6x28", "28x27x6", "6@27x28", "3@28×28")),
    (TALL, "24x28x6"),
    (volume_of(3, 5, 3), "3@3×5"),
    *((integer(1234), text) for text in ("1233", "-1234", "12345", "123", "1,235", "4,321")),
    *(
        (number(Fraction(1, 4)), text)
        for text in ("0.26", "1/5", "24%", "0.025", "2.5", "25", ".2500001")
    ),
    *((number(Fraction(1, 3)), text) for text in ("0.332", "0.334", "0.3334", "33.4%", "0.3332")),
    *((number(Fraction(2, 3)), text) for text in ("0.666", "0.66", "0.6665", "-0.6666", "0.6668")),
    *((size_of(28, 24), text) for text in ("24x28", "28x28")),
    (choice("Filter 2"), "Filter 1"),
    (choice("Filter 2"), "a"),
]  # fmt: skip

UNREAD = [
    *(
        (VOLUME, text)
        for text in (
            "", "  ", "28", "28x28", "x", "@", "6@28", "28x28x6x1", "27.5x28x6", "0x28x6",
            "6@-28x28", "28²x6", "a@b×c", "6@28×28@6",
        )
    ),
    (TALL, "6x28x24"),
    *(
        (integer(760), text)
        for text in (
            "", "many", "7 or 8", "760.5", "76%", "5·5·3·10+10", "1e99999", "0.76k", "61k", "1/0",
            "7²", "x" * 300, "nan", "inf", "٧٦٠", "12,34",
        )
    ),
    *(
        (number(Fraction(1, 4)), text)
        for text in ("", "a quarter", "1/0", "1/4 1/4", "1/2/2", "..", "-")
    ),
    *((integer(5), text) for text in ("5x5", "5 by 5", "5x5x3")),
    (size_of(28, 24), "28"),
    (choice("Filter 2"), "Filter 9"),
    (choice("Filter 2"), "2"),
]  # fmt: skip


def judge(answer, text, **how):
    return check(inference_mode(answer, ("Filter 1", "Filter 2", "Filter 3")), text, **how)


@pytest.mark.parametrize(("answer", "text"), RIGHT, ids=str)
def test_a_right_answer_is_right_in_this_spelling(answer, text):
    verdict = judge(answer, text)
    assert verdict.right, verdict.sentence
    assert verdict.worked is not None


@pytest.mark.parametrize(("answer", "text"), WRONG, ids=str)
def test_another_answer_is_wrong_and_gets_the_formula(answer, text):
    verdict = judge(answer, text)
    assert (verdict.right, verdict.counted, verdict.worked) == (False, True, None)
    assert "The formula." in verdict.sentence


@pytest.mark.parametrize(("answer", "text"), UNREAD, ids=lambda value: str(value)[:40])
def test_what_cannot_be_read_is_no_try_and_gets_an_example(answer, text):
    verdict = judge(answer, text)
    assert not verdict.right
    assert not verdict.counted
    assert "The formula." not in verdict.sentence
    assert verdict.sentence.endswith((".", ")"))


def test_the_right_numbers_in_an_order_that_is_not_clear_are_not_called_wrong():
    assert "order" in judge(TALL, "6x28x24").sentence


BY = st.sampled_from(["x", " x ", "×", " × ", "*", "X", "·", " by "])
APART = st.sampled_from([" ", ", ", ",", "; ", " ; "])
SIDE = st.integers(1, 9999)


@st.composite
def spelled_volumes(draw):
    channels, height, width = draw(SIDE), draw(SIDE), draw(st.one_of(SIDE, st.none()))
    square = width is None
    width = height if square else width
    order = [height, width, channels]
    if square and draw(st.booleans()):
        order = draw(st.sampled_from([[channels, height, width], [height, channels, width]]))
    by = draw(BY)
    kind = draw(st.sampled_from(["by", "at", "list"]))
    match kind:
        case "by":
            text = by.join(map(str, order))
        case "at":
            maps = draw(st.sampled_from([str(channels), f"{channels:,}"]))
            text = f"{maps}@{height}{by}{width}"
        case _:
            text = draw(APART).join(map(str, order))
            text = draw(st.sampled_from([text, f"({text})", f"[{text}]"]))
    return volume_of(channels, height, width), f"{draw(st.sampled_from(['', ' ']))}{text}"


@given(spelled_volumes())
def test_any_volume_in_any_spelling_is_accepted(found):
    answer, text = found
    assert judge(answer, text).right


@given(spelled_volumes(), SIDE, SIDE, SIDE)
def test_no_other_volume_is_accepted(found, channels, height, width):
    right, text = found
    other = volume_of(channels, height, width)
    assume(sorted(other.value) != sorted(right.value))
    assert not judge(other, text).right


def spellings(value: int):
    sign, plain = ("-" if value < 0 else ""), abs(value)
    grouped = f"{plain:,}"
    return st.sampled_from(
        [
            f"{sign}{plain}",
            f"{sign.replace('-', '−')}{plain}",
            f"{sign}{grouped}",
            sign + grouped.replace(",", " "),
            sign + grouped.replace(",", "\u202f"),
            f"{sign}{plain} parameters",
            f"it is {sign}{plain}.",
            f"3·4 + 5 = {sign}{grouped}",
            f"{sign}{plain}.0",
        ]
    )


@given(st.data(), st.integers(-(10**12), 10**12))
def test_any_whole_number_in_any_spelling_is_accepted_and_no_other(data, value):
    text = data.draw(spellings(value))
    assert judge(integer(value), text).right
    other = data.draw(st.integers(-(10**12), 10**12))
    assume(other != value)
    assert not judge(integer(other), text).right


# Of 100 and more, a whole number has the three digits to which others may be rounded.
@given(st.data(), st.fractions(-99, 99, max_denominator=400))
def test_any_fraction_is_accepted_as_it_is_and_no_other(data, value):
    text = data.draw(
        st.sampled_from(
            [
                f"{value.numerator}/{value.denominator}",
                f"{7 * value.numerator} / {7 * value.denominator}",
                str(value).replace("-", "−"),
            ]
        )
    )
    assert judge(number(value), text).right
    other = data.draw(st.fractions(-99, 99, max_denominator=400))
    assume(other != value)
    assert not judge(number(other), text).right


@pytest.mark.parametrize(
    ("value", "accepted", "refused"),
    [
        (Fraction(-1195, 12), ["-99.6", "-99.58", "−99.583"], ["-100", "-99.5", "-1e2"]),
        (Fraction(169, 784), ["0.216", "0.21556", "21.6%"], ["0.22", "0.215", "22%"]),
        (Fraction(29_989, 300_007), ["0.0999610", "0.100"], ["0.10", "0.0998"]),
        (Fraction(2000, 3), ["667", "666.7"], ["670", "666"]),
    ],
)
def test_a_rounded_answer_needs_three_significant_digits(value, accepted, refused):
    assert all(judge(number(value), text).right for text in accepted)
    assert not any(judge(number(value), text).right for text in refused)


@given(st.integers(-(10**6), 10**6), st.integers(0, 6))
def test_a_decimal_is_accepted_exactly_and_not_a_digit_beside_it(units, places):
    value = Fraction(units, 10**places)
    text = (
        f"{'-' if units < 0 else ''}{abs(units) // 10**places}.{abs(units) % 10**places:0{places}d}"
    )
    text = text.rstrip(".") if places == 0 else text
    assert judge(number(value), text).right
    percent = f"{float(100 * value):.{places}f}%"
    assert judge(number(value), percent).right
    assert not judge(number(value + Fraction(1, 10**places)), text).right


@given(st.integers(1, 10**4), st.sampled_from([3, 7, 9, 11, 13, 91]), st.integers(0, 7))
def test_an_endless_decimal_may_be_rounded_to_three_digits_but_not_to_two(above, below, places):
    value = Fraction(above, below)
    assume(value.denominator not in (1, 2, 5))
    rounded = round(value, places)
    digits = f"{int(rounded * 10**places):0{places + 1}d}"
    text = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    enough = int(rounded * 10**places) >= 100 and places > 0
    whole_enough = places == 0 and rounded >= 100
    assert judge(number(value), text).right == (enough or whole_enough)


@given(st.text(max_size=60))
def test_no_text_at_all_makes_it_stumble(text):
    for answer in (VOLUME, integer(760), number(Fraction(1, 3)), size_of(2, 2), choice("Filter 2")):
        verdict = judge(answer, text)
        assert verdict.sentence
        assert isinstance(verdict.right, bool)


def test_the_right_answer_of_every_exercise_is_accepted_as_it_is_told():
    for lesson in ("convolution", "volumes", "pooling", "training", "vgg", "filters"):
        for place in range(1, 60):
            task = exercise(lesson, seed=8, number=place).task
            assert check(task, task.answer.text.partition(" ≈")[0]).right
            assert not check(task, task.answer.text.partition(" ≈")[0]).sentence.startswith("Not")
