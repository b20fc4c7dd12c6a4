"""Long networks without modules of their own are folded where they repeat themselves."""

from collections.abc import Hashable, Sequence

MANY = 40
"""Rows of one module, beside each other, that are read one by one; more are folded."""

_LONGEST = 12  # rows of a pattern
_LEAST = 3  # times that it comes
_STACK = 24  # patterns that are folded together: opened, they are this many boxes


def repeated_blocks(names: Sequence[str], looks: Sequence[Hashable]) -> list[tuple[str, str]]:
    """For each of many rows its block and its stage, as a module would give them; "" for none.

    `looks` are equal for rows that look alike. A pattern of up to 12 rows that comes at least three
    times in a row is a block each time, and up to 24 of these are a stage. What does not repeat
    itself is folded by 24 rows.
    """
    found = [("", "")] * len(names)
    start = plain = 0
    while start < len(names):
        length, times = _pattern(looks, start)
        if times < _LEAST:
            start += 1
            continue
        _fold(found, names, plain, start)
        for first in range(start, start + length * times, length * _STACK):
            last = min(first + length * _STACK, start + length * times)
            stage = _span(names, first, last)
            for at in range(first, last, length):
                block = _span(names, at, at + length)
                found[at : at + length] = [(f"{block} ", stage)] * length
        start = plain = start + length * times
    _fold(found, names, plain, len(names))
    return found


def _pattern(looks: Sequence[Hashable], start: int) -> tuple[int, int]:
    """The length of the pattern that begins here and covers most rows, and how often it comes."""
    best = (1, 1)
    for length in range(1, min(_LONGEST, (len(looks) - start) // _LEAST) + 1):
        end = start + length
        while end < len(looks) and looks[end] == looks[end - length]:
            end += 1
        times = (end - start) // length
        if times >= _LEAST and times * length > best[0] * best[1]:
            best = (length, times)
    return best


def _fold(found: list[tuple[str, str]], names: Sequence[str], first: int, last: int) -> None:
    """Rows that do not repeat themselves, where they are many."""
    if last - first > MANY:
        for at in range(first, last, _STACK):
            end = min(at + _STACK, last)
            found[at:end] = [(_span(names, at, end), "")] * (end - at)


def _span(names: Sequence[str], first: int, last: int) -> str:
    return names[first] if last - first == 1 else f"{names[first]} – {names[last - 1]}"
