"""Read and check the parameters that the page sends to a lesson."""

from collections.abc import Mapping, Sequence
from reprlib import repr as shortened
from typing import Any, cast

from convscope.errors import RequestError

_LARGEST = 1e6  # of a number in a cell


def integer(state: Mapping[str, Any], name: str, low: int, high: int) -> int:
    """Read a whole number from `low` to `high`. Raises RequestError for anything else."""
    value = state.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RequestError(
            f"{name} must be a whole number from {low} to {high}, not {_shown(value)}."
        )
    return value


def number(state: Mapping[str, Any], name: str, low: float, high: float) -> float:
    """Read a number from `low` to `high`. Raises RequestError for anything else."""
    value = state.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise RequestError(
            f"{name} must be a number from {low:,g} to {high:,g}, not {_shown(value)}."
        )
    return float(value)


def choice(state: Mapping[str, Any], name: str, choices: Sequence[str]) -> str:
    """Read one of several strings. Raises RequestError for any other value."""
    value = state.get(name)
    if value not in choices:
        raise RequestError(f"{name} must be one of {', '.join(choices)}, not {_shown(value)}.")
    return str(value)


def cells(state: Mapping[str, Any], name: str, count: int) -> list[float]:
    """Read `count` finite numbers, row by row. Raises RequestError for anything else."""
    value = state.get(name)
    values = cast("list[object]", value) if isinstance(value, list) else []
    if len(values) != count or not all(map(_is_number, values)):
        numbers = "1 number" if count == 1 else f"{count} numbers"
        raise RequestError(f"{name} must be {numbers} from -{_LARGEST:,.0f} to {_LARGEST:,.0f}.")
    return [float(cast("float", value)) for value in values]


def _is_number(value: object) -> bool:
    """Whether it is a number in the valid range, and thus neither infinite nor NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -_LARGEST <= value <= _LARGEST


def _shown(value: object) -> str:
    """Show an invalid value, shortened if it is long; JSON's null stands for NaN, too."""
    return "nothing" if value is None else shortened(value)
