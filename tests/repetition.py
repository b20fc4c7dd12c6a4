"""Parameters of which the fast tests take some, and `scripts/test --slow` all.

For what one value shows as well as all, but for a fault of one network, width or moment alone.
A tuple is the values of several parameters.
"""

from collections.abc import Iterable
from typing import Any

import pytest


def first_fast(number: int, values: Iterable[Any]) -> list[Any]:
    """The values for `pytest.mark.parametrize`, all but the first so many marked as slow."""
    return [value if place < number else _slow(value) for place, value in enumerate(values)]


def sample_fast(step: int, values: Iterable[Any]) -> list[Any]:
    """The values for `pytest.mark.parametrize`, all but each `step`-th marked as slow."""
    return [value if place % step == 0 else _slow(value) for place, value in enumerate(values)]


def _slow(value: Any) -> Any:
    if isinstance(value, type(pytest.param())):
        return value._replace(marks=(*value.marks, pytest.mark.slow))
    return pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow)
