"""Read what the page asks a lesson for; whatever is out of bounds is a sentence."""

from collections.abc import Mapping, Sequence
from reprlib import repr as shortened
from typing import Any, cast

from convscope.errors import RequestError

_LARGEST = 1e6  # of a number in a cell


def integer(state: Mapping[str, Any], name: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`. Raises RequestError for anything else."""
    value = state.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RequestError(
            f"{name} must be a whole number from {low} to {high}, not {_shown(value)}."
        )
    return value


def number(state: Mapping[str, Any], name: str, low: float, high: float) -> float:
    """A number from `low` to `high`. Raises RequestError for anything else."""
    value = state.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise RequestError(
            f"{name} must be a number from {low:,g} to {high:,g}, not {_shown(value)}."
        )
    return float(value)


def choice(state: Mapping[str, Any], name: str, choices: Sequence[str]) -> str:
    """One of some words. Raises RequestError for another."""
    value = state.get(name)
    if value not in choices:
        raise RequestError(f"{name} must be one of {', '.join(choices)}, not {_shown(value)}.")
    return str(value)


def cells(state: Mapping[str, Any], name: str, count: int) -> list[float]:
    """`count` finite numbers, row by row. Raises RequestError for more, fewer, or others."""
    found = state.get(name)
    values = cast("list[object]", found) if isinstance(found, list) else []
    if len(values) != count or not all(map(_is_number, values)):
        numbers = "1 number, not" if count == 1 else f"{count} numbers, none"
        raise RequestError(f"{name} must be {numbers} beyond {_LARGEST:,.0f} in size.")
    return [float(cast("float", value)) for value in values]


def _is_number(value: object) -> bool:
    """Not beyond the largest, and so neither infinite nor "not a number"."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -_LARGEST <= value <= _LARGEST


def _shown(value: object) -> str:
    """What was given, cut where it is long; JSON has no word for a number that is none."""
    return "nothing" if value is None else shortened(value)
