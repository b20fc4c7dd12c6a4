"""Format numbers and shapes for the page: minus sign, ×, thousands separators."""

import re
from fractions import Fraction

from convscope.arithmetic import Derivation


def figure(value: int | Fraction) -> str:
    """Format an exact number: 1,234, −3, 0.25, or a fraction if its decimals are infinite.

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
    """Return the number of decimals that represent it exactly; None if infinitely many."""
    rest, places = value.denominator, 0
    while 10**places % rest:
        places += 1
        if places > rest.bit_length():
            return None
    return places


def bracketed(value: int | Fraction) -> str:
    """Format a number as a factor or a summand: in parentheses if it is negative."""
    return f"({figure(value)})" if value < 0 else figure(value)


def sides(height: int, width: int) -> str:
    return f"{height}×{width}"


def volume(channels: int, height: int, width: int) -> str:
    """Format a volume as 6@28×28, as in the LeNet paper."""
    return f"{channels}@{height}×{width}"


def several(number: int, word: str) -> str:
    """Format a count with its noun: 1 filter, 3 filters."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def tidy(text: str) -> str:
    """Replace the terminal's x and - in a formula by the page's × and minus sign."""
    text = re.sub(r"(?<=\d)x(?=\d)", "×", text)
    return re.sub(r"(?<![^\s(])-(?=\s|\d)", "\N{MINUS SIGN}", text)


def tidied(worked: Derivation) -> Derivation:
    rows = tuple((name, tidy(value), tidy(formula)) for name, value, formula in worked.rows)
    return Derivation(rows, tuple(tidy(remark) for remark in worked.remarks))
