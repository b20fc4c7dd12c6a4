"""Read what a student typed: numbers, volumes, sizes and choices, in many notations."""

import re
from dataclasses import dataclass
from fractions import Fraction

from convscope.lessons.exercises.answer import Answer

_LONGEST = 200  # characters
_POWER = 30  # of ten
_DIGITS = 3  # significant digits of a rounded answer, at least
_CUT_DIGITS = 4  # of one whose further digits were left out: a calculator's 0.66666666
_MINUS = str.maketrans(dict.fromkeys("−–—‒‐‑﹣－", "-") | {"⁄": "/", "∕": "/", "÷": "/"})
_BLANKS = re.compile(r"[\s\u00a0\u2000-\u200b\u202f\u2060\ufeff]+")
_PARTS = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅛": "1/8"}
_THOUSANDS = re.compile(r"(?<![\w.,])([1-9][0-9]{0,2})((?:[,'’_ ][0-9]{3})+)(?![\w,'’]|\.[0-9]*,)")
_DECIMAL_COMMA = re.compile(r"(?<![\w.,])([0-9]+),([0-9]+)(?![\w,])")
_PLAIN = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]{1,3})?"
_NUMBER = re.compile(rf"(?<![\w.])([-+]?\s?{_PLAIN})(?:\s?/\s?({_PLAIN}))?(\s?%)?", re.IGNORECASE)
_SHORT = re.compile(r"[0-9]\s?(?:k|m|g|thousand|million|mio|billion)\b", re.IGNORECASE)
_TIMES = re.compile(r"(?<=[0-9\s)])(?:by|[x×*·✕⨯])(?=[\s(]*[0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """A number, and the unit of its last digit if it was written as a decimal."""

    value: Fraction
    unit: Fraction | None = None


class UnreadableError(Exception):
    """The text is not an answer of the expected kind; the message says what is expected."""


def read(text: str, right: Answer, choices: tuple[str, ...]) -> list[Answer]:
    """Return all possible readings of the text, the likeliest first.

    The correct answer determines the expected kind, and which orders of a volume's sides are
    accepted: height×width×channels, channels@height×width, and any order if two sides are equal.

    Raises UnreadableError.
    """
    text = _BLANKS.sub(" ", text.translate(_MINUS)).strip()
    if not text:
        raise UnreadableError(f"There is no answer yet. {_expected(right)}")
    if len(text) > _LONGEST:
        raise UnreadableError(f"This is too long for an answer. {_expected(right)}")
    match right.kind:
        case "choice":
            return [_read_choice(text, choices)]
        case "volume" | "size":
            return _read_sides(_after_equals(text), right)
        case _:
            return [_read_number(_after_equals(text), right)]


def _after_equals(text: str) -> str:
    """Return what follows the last equals sign, as in `5·5·3 + 1 = 76`."""
    before, sign, after = text.rpartition("=")
    return after.strip() if sign and before and after.strip() else text


def _expected(right: Answer) -> str:
    match right.kind:
        case "choice":
            return "Choose one of the answers."
        case "volume":
            form = f"{right.form} (maps@height×width)"
        case "size":
            form = f"{right.form} (height×width)"
        case _:
            form = right.form
    what = {"volume": "A volume", "size": "A size", "whole": "A whole number"}
    return f"{what.get(right.kind, 'A number')} is expected, for example {form}."


def _read_choice(text: str, choices: tuple[str, ...]) -> Answer:
    """Read a choice by its text, or by its letter: a, b, c."""
    plain = [_BLANKS.sub(" ", choice.translate(_MINUS)).strip().casefold() for choice in choices]
    word = text.casefold().strip(" .)(")
    if text.casefold() in plain:
        return Answer("choice", choices[plain.index(text.casefold())])
    if len(word) == 1 and 0 <= ord(word) - ord("a") < len(choices):
        return Answer("choice", choices[ord(word) - ord("a")])
    raise UnreadableError("This is not one of the answers. Choose one of them.")


def _read_number(text: str, right: Answer) -> Answer:
    if _SHORT.search(text):
        raise UnreadableError(f"Write the number in full. {_expected(right)}")
    found = numbers(_TIMES.sub(" × ", text), decimal_comma=right.kind == "number")
    if len(found) != 1:
        raise UnreadableError(_expected(right))
    if right.kind == "whole" and found[0].value.denominator != 1:
        raise UnreadableError(f"This is not a whole number. {_expected(right)}")
    if right.endless and _is_rounded(found[0], right):
        return right
    return Answer(right.kind, found[0].value)


def _is_rounded(reading: Reading, right: Answer) -> bool:
    """Whether the decimal is the correct number, rounded to the digits that it has, or cut there.

    It needs at least three significant digits: -99.6 is accepted for -1195/12, -100 is not. From
    four digits on, the rest may be cut: 0.6666 is accepted for 2/3, 0.666 is not.
    """
    if reading.unit is None or not isinstance(right.value, Fraction):
        return False
    digits = len(str(int(abs(reading.value) / reading.unit)))
    if digits < _DIGITS:
        return False
    unit = Fraction(10) ** (_exponent(right.value) - digits + 1)
    missing = abs(right.value) - abs(reading.value)
    is_cut = digits >= _CUT_DIGITS and 0 < missing < unit and reading.value * right.value > 0
    return is_cut or abs(reading.value - right.value) * 2 <= unit


def _exponent(value: Fraction) -> int:
    """Return the power of ten of the first significant digit of a nonzero number."""
    exponent = len(str(abs(value.numerator))) - len(str(value.denominator))
    return exponent if abs(value) >= Fraction(10) ** exponent else exponent - 1


def numbers(text: str, *, decimal_comma: bool = False) -> list[Reading]:
    """Return all numbers in a text: −3, 1,234, 1 234, .5, 1/4, 25%, 1e3.

    A comma before three digits separates thousands, unless the number starts with 0; other commas
    are decimal commas if `decimal_comma` is set. Raises UnreadableError for an invalid number.
    """
    for sign, written in _PARTS.items():
        text = text.replace(sign, written)
    if re.search(r"[0-9][⁰¹²³⁴-⁹]", text):
        raise UnreadableError("Write powers out as plain numbers.")
    text = re.sub(r"\bminus\b\s?", "-", text, flags=re.IGNORECASE)
    text = _THOUSANDS.sub(lambda found: re.sub(r"[^0-9]", "", found[0]), text)
    if decimal_comma:
        text = _DECIMAL_COMMA.sub(r"\1.\2", text)
    return [_reading(*found.groups()) for found in _NUMBER.finditer(text)]


def _reading(above: str, below: str | None, percent: str | None) -> Reading:
    value, unit = _decimal(above)
    if below is not None:
        under, _ = _decimal(below)
        if not under:
            raise UnreadableError("Division by 0.")
        value, unit = value / under, None
    share = 100 if percent else 1
    return Reading(value / share, unit / share if unit is not None else None)


def _decimal(text: str) -> tuple[Fraction, Fraction]:
    """Return the number and the unit of its last digit."""
    digits, _, power = text.replace(" ", "").lower().partition("e")
    if abs(int(power or 0)) > _POWER:
        raise UnreadableError("This number is too large or too small. Write another.")
    after = len(digits.partition(".")[2]) - int(power or 0)
    return Fraction(digits.rstrip(".")) * Fraction(10) ** int(power or 0), Fraction(10) ** -after


def _read_sides(text: str, right: Answer) -> list[Answer]:
    """Read two or three whole numbers separated by ×, @, commas or spaces."""
    if "@" in text:
        return [_read_at(text, right)]
    found = _integers(text, right)
    if right.kind == "size":
        if len(found) == 1 and isinstance(right.value, tuple) and len(set(right.value)) == 1:
            found *= 2
        if len(found) != 2:
            raise UnreadableError(_expected(right))
        return [Answer("size", tuple(found))]
    if len(found) != 3:
        missing = "The number of maps is missing. " if len(found) == 2 else ""
        raise UnreadableError(f"{missing}{_expected(right)}")
    height, width, channels = found
    readings = [Answer("volume", (channels, height, width))]
    if len(set(found)) == 2:
        lone = next(side for side in found if found.count(side) == 1)
        pair = next(side for side in found if side != lone)
        square = Answer("volume", (lone, pair, pair))
        readings += [square] if _is_square(right) else []
    if right not in readings and Answer("volume", tuple(found)) == right:
        order = "Write maps@height×width or height×width×maps."
        raise UnreadableError(f"These are the right numbers, but their order is ambiguous. {order}")
    return readings


def _is_square(right: Answer) -> bool:
    return isinstance(right.value, tuple) and right.value[-1] == right.value[-2]


def _read_at(text: str, right: Answer) -> Answer:
    """Read 6@28×28 or 28×28@6: the single number is the number of maps."""
    parts = [_integers(part, right, listed=False) for part in text.split("@")]
    parts.sort(key=len)
    if right.kind != "volume" or [len(part) for part in parts] != [1, 2]:
        raise UnreadableError(_expected(right))
    (channels,), (height, width) = parts
    return Answer("volume", (channels, height, width))


def _integers(text: str, right: Answer, *, listed: bool = True) -> list[int]:
    """Read whole numbers; commas and spaces separate them, or thousands if there is a × or @."""
    text = _TIMES.sub(" × ", text)
    parts = text.split("×") if "×" in text or not listed else re.split(r"[,;\s]+", text)
    found = [reading for part in parts for reading in numbers(part)]
    if any(reading.value.denominator != 1 for reading in found):
        text = "Sizes are whole numbers: a window that does not fit is not counted."
        raise UnreadableError(f"{text} {_expected(right)}")
    if any(reading.value < 1 for reading in found):
        raise UnreadableError(f"Every side is 1 or more. {_expected(right)}")
    return [int(reading.value) for reading in found]
