"""Figures and shapes as the page writes them: a true minus, ×, thousands apart."""

import re
from fractions import Fraction

from convscope.geometry import Derivation


def figure(value: int | Fraction) -> str:
    """An exact number: 1,234, −3, 0.25, or a fraction where its decimals have no end.

    >>> figure(61706), figure(Fraction(-1, 4)), figure(Fraction(169, 784))
    ('61,706', '−0.25', '169/784')
    """
    value = Fraction(value)
    sign = "\N{MINUS SIGN}" if value < 0 else ""
    above, below = abs(value.numerator), value.denominator
    if below == 1:
        return f"{sign}{above:,}"
    places = decimals(value)
    if places is None:
        return f"{sign}{above}/{below}"
    digits = f"{above * 10**places // below:0{places + 1}d}"
    return f"{sign}{int(digits[:-places]):,}.{digits[-places:]}"


def decimals(value: Fraction) -> int | None:
    """Places after the point that write it exactly; None where none do."""
    rest, places = value.denominator, 0
    while 10**places % rest:
        places += 1
        if places > rest.bit_length():
            return None
    return places


def bracketed(value: int | Fraction) -> str:
    """The number, in brackets where it is negative: a factor or a summand."""
    return f"({figure(value)})" if value < 0 else figure(value)


def sides(height: int, width: int) -> str:
    return f"{height}×{width}"


def volume(channels: int, height: int, width: int) -> str:
    """6@28×28, as in the LeNet paper."""
    return f"{channels}@{height}×{width}"


def several(number: int, word: str) -> str:
    """1 filter, 3 filters."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def tidy(text: str) -> str:
    """What the geometry writes for a terminal, as the page writes it."""
    text = re.sub(r"(?<=\d)x(?=\d)", "×", text)
    return re.sub(r"(?<![^\s(])-(?=\s|\d)", "\N{MINUS SIGN}", text)


def tidied(worked: Derivation) -> Derivation:
    rows = tuple((name, tidy(value), tidy(formula)) for name, value, formula in worked.rows)
    return Derivation(rows, tuple(tidy(remark) for remark in worked.remarks))
