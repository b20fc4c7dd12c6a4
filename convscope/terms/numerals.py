"""Numbers for people."""


def number(value: float, *, signs: int = 6) -> str:
    """A number for people, with a true minus, and no sign before a zero.

    >>> number(-0.1234567), number(2.0), number(-17.0)
    ('−0.123457', '2', '−17')
    """
    return _minus(f"{value:.{signs}g}")


def fixed(value: float, after: int) -> str:
    """A number with so many digits after the point.

    >>> fixed(-0.126, 2), fixed(-0.001, 2)
    ('−0.13', '0.00')
    """
    written = f"{value:.{after}f}"
    return _minus(written if written.strip("-0.") else written.lstrip("-"))


def _minus(written: str) -> str:
    return "0" if written == "-0" else written.replace("-", "\N{MINUS SIGN}")


def bracketed(value: float, *, first: bool = False) -> str:
    """The number, in brackets where it is negative and does not stand first."""
    written = number(value)
    return f"({written})" if written.startswith("\N{MINUS SIGN}") and not first else written
