"""What a setting says about itself, in its field's metadata: help, group, range."""

import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import numpy as np


@dataclass(frozen=True)
class Setting:
    """The metadata of a field that is a setting.

    Attributes:
        group: heading under which help texts and forms list the setting.
        help: one or two sentences for command line, forms and docstrings alike.
        low, high: smallest and largest value.
        above: value that must be exceeded.
        only_if: other settings, by name, with the values with which this one has an effect; see
            `convscope.training.effects`.
        off: the value that says what holds anyway where the setting has no effect.
    """

    group: str
    help: str
    low: float | None = None
    high: float | None = None
    above: float | None = None
    only_if: Mapping[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])
    off: float | None = None

    def allows(self, value: float) -> bool:
        """Whether a value is in range; NaN never is in a range."""
        return (
            (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.high is None or value <= self.high)
        )

    @property
    def range(self) -> str:
        """The range in words, as in "must be between 0 and 1".

        >>> Setting("Data", "Fraction.", low=0, high=0.9).range
        'between 0 and 0.9'
        """
        high = None if self.high is None or self.high >= ENDLESS else self.high
        if self.low is not None and high is not None:
            return f"between {figure(self.low)} and {figure(high)}"
        bounds = {"above": self.above, "at least": self.low, "at most": high}
        return " and ".join(
            f"{how} {figure(end)}" for how, end in bounds.items() if end is not None
        )


_HUGE = 10**300  # integers up to here are floats, too
_LONG = 1e15  # from here on a float is shown with an exponent

ENDLESS = 1e9
"""An upper limit from here on only catches typing errors and is not shown."""


def figure(number: float) -> str:
    """Format a number for messages.

    >>> figure(1_000_000), figure(0.0005)
    ('1,000,000', '0.0005')
    """
    if isinstance(number, int):  # which may be too large for a float
        return f"{number:,}"
    return f"{number:,.0f}" if number.is_integer() and abs(number) < _LONG else f"{number:g}"


_T = TypeVar("_T")


def setting(
    default: _T,
    group: str,
    *,
    help: str,  # noqa: A002 -- argparse's word
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    only_if: Mapping[str, tuple[Any, ...]] | None = None,
    off: float | None = None,
) -> _T:
    """A dataclass field with a `Setting`; typed like `dataclasses.field`."""
    note = Setting(group, help, low=low, high=high, above=above, only_if=only_if or {}, off=off)
    return field(default=default, metadata={"setting": note})


@dataclass(frozen=True)
class SettingField:
    """A field of a settings class: its name, type, default and `Setting`."""

    name: str
    type: Any
    default: Any
    setting: Setting

    @property
    def members(self) -> tuple[Any, ...]:
        """The types of the union that `type` is, or `type` alone."""
        return tuple(_members(self.type))

    @property
    def optional(self) -> bool:
        """Whether None is allowed, which leaves the value open."""
        return types.NoneType in self.members

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of a `Literal`; empty for other types."""
        return tuple(
            choice
            for member in self.members
            if get_origin(member) is Literal
            for choice in get_args(member)
        )

    @property
    def takes_code(self) -> bool:
        """Whether it takes code of the user's own, as module:attr, beside its choices."""
        return bool(self.choices) and str in self.members

    @property
    def is_size(self) -> bool:
        """Whether it is one side in pixels, or (height, width)."""
        return tuple[int, int] in self.members

    @property
    def is_number(self) -> bool:
        return not self.choices and (int in self.members or float in self.members)

    def numbers(self, value: Any) -> Sequence[float]:
        """The numbers of a value that have a range: none for what is no number."""
        if value is None or not self.is_number:
            return ()
        return typing.cast("tuple[int, int]", value) if isinstance(value, tuple) else (value,)

    def accepts(self, value: object) -> bool:
        """Whether a value, as Python or TOML has it, is of this type; True is not an integer."""
        value = _plain(value)
        if self.is_size and isinstance(value, str):
            return _SIZE.fullmatch(value) is not None
        if self.takes_code and value is not None:
            return value in self.choices or (isinstance(value, str) and ":" in value)
        return any(_is_a(value, member) for member in self.members)

    def convert(self, value: Any) -> Any:
        """An accepted value in the field's own type: paths, floats, tuples."""
        value = _plain(value)
        if value is None or value in self.choices:
            return value
        if Path in self.members:
            return Path(value)
        if self.is_size:
            return _size(value)
        if isinstance(value, list):
            return tuple(float(item) for item in typing.cast("list[float]", value))
        return float(value) if float in self.members else value

    @property
    def type_name(self) -> str:
        """The type in words, as in "must be an integer"."""
        if self.choices:
            own = " or your own function as module:attr" if self.takes_code else ""
            return " or ".join(repr(choice) for choice in self.choices) + own
        if self.is_size:
            return "a number of pixels, or height and width as (224, 160) or '224x160'"
        [member] = (member for member in self.members if member is not types.NoneType)
        return "a list of numbers" if get_origin(member) is tuple else _TYPE_NAMES[member]


@cache
def settings_of(cls: type) -> dict[str, SettingField]:
    """The fields of a dataclass that have a `Setting`, by name and in order."""
    hints = get_type_hints(cls)
    return {
        one.name: SettingField(one.name, hints[one.name], one.default, one.metadata["setting"])
        for one in fields(cls)
        if "setting" in one.metadata
    }


_SIZE = re.compile(r"\s*(\d{1,9})\s*(?:[x,\u00d7]\s*(\d{1,9})\s*)?")


def _size(value: Any) -> int | tuple[int, int]:
    """One side for a square, else (height, width)."""
    if isinstance(value, str):
        sides = [int(side) for side in _SIZE.fullmatch(value).groups() if side]  # pyright: ignore[reportOptionalMemberAccess]
    else:
        sides = [value] if isinstance(value, int) else [*value]
    return sides[0] if len({*sides}) == 1 else (sides[0], sides[1])


_TYPE_NAMES = {
    int: "an integer",
    float: "a number",
    str: "text",
    bool: "true or false",
    Path: "a path",
}


def _plain(value: Any) -> Any:
    """A value with Python's numbers in place of numpy's."""
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in typing.cast("Sequence[object]", value)]
        return tuple(items) if isinstance(value, tuple) else items
    scalar: Any = value
    return scalar.item() if isinstance(value, np.generic) else scalar


def _members(hint: Any) -> list[Any]:
    if get_origin(hint) in (typing.Union, types.UnionType):
        return [inner for member in get_args(hint) for inner in _members(member)]
    return [hint]


def _is_a(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return any(value == choice and type(value) is type(choice) for choice in get_args(kind))
    if kind == tuple[int, int]:
        sides: Any = value
        return (
            isinstance(value, list | tuple) and [_is_a(side, int) for side in sides] == [True] * 2
        )
    if get_origin(kind) is tuple:
        return isinstance(value, list | tuple) and all(
            _is_a(item, float) for item in typing.cast("list[object]", value)
        )
    if kind in (int, float):
        if kind is float and isinstance(value, int) and abs(value) > _HUGE:
            return False
        numbers = int if kind is int else (int, float)
        return isinstance(value, numbers) and not isinstance(value, bool)
    return isinstance(value, (str, Path) if kind is Path else kind)
