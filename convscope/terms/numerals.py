"""Format numbers for reading."""


def number(value: float, *, digits: int = 6) -> str:
    """A number with so many significant digits, a true minus sign, and no sign before zero.

    >>> number(-0.1234567), number(2.0), number(-17.0)
    ('−0.123457', '2', '−17')
    """
    return _minus(f"{value:.{digits}g}")


def fixed(value: float, decimals: int) -> str:
    """A number with a fixed number of decimals.

    >>> fixed(-0.126, 2), fixed(-0.001, 2)
    ('−0.13', '0.00')
    """
    written = f"{value:.{decimals}f}"
    return _minus(written if written.strip("-0.") else written.lstrip("-"))


def _minus(written: str) -> str:
    return "0" if written == "-0" else written.replace("-", "\N{MINUS SIGN}")


def parenthesized(value: float, *, first: bool = False) -> str:
    """The number, in parentheses if it is negative and not the first of a sum."""
    written = number(value)
    return f"({written})" if written.startswith("\N{MINUS SIGN}") and not first else written
