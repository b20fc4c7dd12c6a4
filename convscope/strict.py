"""Read JSON and TOML strictly: no key twice, and values of the types and ranges that are stated.

A file of a run may have been edited, cut short or written by somebody else. What it says is taken
only if it has exactly the form that is stated, as a `TypedDict` or a data class; everything else
ends in a RequestError that names the file, the key, what was found and what is allowed.
"""

import json
import math
import reprlib
import tomllib
import types
import typing
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import partial
from typing import Annotated, Any, Literal, Union, get_args, get_origin, is_typeddict

from convscope.errors import RequestError
from convscope.words.json_text import originals

MAX_DEPTH = 20
"""Levels of nesting at most; files of convscope have five."""

_LARGEST = 1e300  # so that sums of numbers are finite too

_Pairs = list[tuple[str, object]]


@dataclass(frozen=True)
class Between:
    """The range of a number, ends included, or of the length of a text or a list."""

    low: float
    high: float = math.inf

    def allows(self, value: Any) -> bool:
        size: float = len(value) if isinstance(value, str | list | tuple) else value
        return self.low <= size <= self.high


Text = Annotated[str, Between(1, 10_000)]
"""A text that is not empty."""

Count = Annotated[int, Between(0, 2**53)]
"""An integer that JavaScript can count to as well."""

Share = Annotated[float, Between(0, 1)]


def parse_json(text: str, *, where: str, is_raw: bool = False) -> Any:
    """The value of a JSON text; names that `to_json` escaped are as they were, unless `is_raw`.

    Raises RequestError, naming `where`, for what is no JSON, a key that comes twice, NaN and
    infinity, integers of thousands of digits, text that is no Unicode, and more than MAX_DEPTH
    levels.
    """
    parse = partial(json.loads, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    value = _parsed(parse, text, where, "JSON")
    return value if is_raw else originals(value)


def parse_toml(text: str, *, where: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises RequestError as `parse_json`; TOML may have NaN."""
    return _parsed(tomllib.loads, text, where, "TOML")


def _parsed(parse: Callable[[str], Any], text: str, where: str, language: str) -> Any:
    try:
        value = parse(text)
        _check_tree(value)
    except RecursionError as error:
        raise RequestError(f"{where} is nested too deeply to be read.") from error
    except ValueError as error:
        raise RequestError(f"{where} is not valid {language}: {error}.") from error
    return value


def _unique(pairs: _Pairs) -> dict[str, object]:
    keys = dict(pairs)
    if len(keys) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name in counts if counts[name] > 1)
        raise ValueError(f"the key {shown(twice)} comes twice")
    return keys


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _check_tree(value: object) -> None:
    """Raise RecursionError for more than MAX_DEPTH levels, ValueError for text that is no text."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        inner: list[object] = []
        for item in level:
            if isinstance(item, Mapping):
                pairs = typing.cast("Mapping[str, object]", item)
                inner += [*pairs.keys(), *pairs.values()]
            elif isinstance(item, list):
                inner += typing.cast("list[object]", item)
            elif isinstance(item, str):
                item.encode("utf-8", "surrogateescape")  # names of files may be any bytes
        level = inner
        if not level:
            return
    raise RecursionError


def checked(value: object, form: Any, *, where: str, closed: bool = False) -> Any:
    """A parsed value as the form says: lists as tuples and integers as floats where it has these.

    `form` is a type or a union of `str`, `int`, `float`, `bool`, `None`, `Literal`, `list`,
    `tuple`, `dict`, `TypedDict` and data classes; `Annotated` with `Between` gives a range. True is
    no integer, 1.0 is none, a text is no list, and no number is NaN or infinite. A data class is
    returned as a dictionary of its fields. Other keys than those of a form are refused if it is
    `closed`, else kept.

    Raises RequestError, naming `where`, key, value, and what is allowed.
    """
    return _Checker(where, closed).value(value, form, "")


class _Checker:
    def __init__(self, where: str, closed: bool) -> None:  # noqa: FBT001
        self.where, self.closed = where, closed

    def value(self, value: Any, form: Any, key: str) -> Any:
        for member in _members(form):
            plain, limits = _with_limits(member)
            if _has_kind(value, plain) and all(limit.allows(value) for limit in limits):
                return self._inside(value, plain, key)
        what = f"{self.where}: {key}" if key else self.where
        raise RequestError(f"{what} must be {in_words(form)}, not {shown(value)}.")

    def _inside(self, value: Any, form: Any, key: str) -> Any:
        """A value of the right kind, with what it contains checked."""
        origin, args = get_origin(form), get_args(form)
        if is_typeddict(form) or is_dataclass(form):
            return self._fields(value, form, key)
        if origin in (dict, Mapping):
            return {name: self.value(v, args[1], _inner(key, name)) for name, v in value.items()}
        if origin is list:
            return [self.value(v, args[0], f"{key}[{i}]") for i, v in enumerate(value)]
        if origin is tuple:
            forms = [args[0]] * len(value) if args[1:] == (...,) else args
            return tuple(
                self.value(v, f, f"{key}[{i}]")
                for i, (v, f) in enumerate(zip(value, forms, strict=True))
            )
        return float(value) if form is float else value

    def _fields(self, values: Mapping[str, Any], form: Any, key: str) -> dict[str, Any]:
        forms, required = _fields_of(form)
        for name in values:
            if self.closed and name not in forms:
                place = f" in {key}" if key else ""
                raise RequestError(
                    f"{self.where} has an unknown key {shown(name)}{place}; the keys are "
                    f"{', '.join(forms)}."
                )
        for name in required:
            if name not in values:
                raise RequestError(f"{self.where} has no {_inner(key, name)}.")
        return {
            name: self.value(value, forms[name], _inner(key, name)) if name in forms else value
            for name, value in values.items()
        }


def _inner(key: str, name: str) -> str:
    plain = name if name.isidentifier() and len(name) < 40 else shown(name)
    return f"{key}.{plain}" if key else plain


def _members(form: Any) -> Sequence[Any]:
    """The members of a union, or the form itself."""
    return get_args(form) if get_origin(form) in (Union, types.UnionType) else (form,)


def _with_limits(form: Any) -> tuple[Any, list[Between]]:
    """A form without `Annotated`, and the ranges in it."""
    if get_origin(form) is not Annotated:
        return form, []
    plain, *notes = get_args(form)
    return plain, [note for note in notes if isinstance(note, Between)]


def _has_kind(value: Any, form: Any) -> bool:
    origin, args = get_origin(form), get_args(form)
    if origin is Literal:
        return any(value == choice and type(value) is type(choice) for choice in args)
    if form is float:
        return type(value) in (int, float) and abs(value) < _LARGEST
    if origin in (list, tuple):
        is_list = isinstance(value, list | tuple)
        return is_list and (origin is list or args[1:] == (...,) or len(value) == len(args))
    if origin in (dict, Mapping) or is_typeddict(form) or is_dataclass(form):
        return isinstance(value, dict)
    return form is Any or type(value) is (types.NoneType if form is None else form)


def _fields_of(form: Any) -> tuple[dict[str, Any], Sequence[str]]:
    """The form of each field of a `TypedDict` or a data class, and the names of those required."""
    hints = typing.get_type_hints(form, include_extras=True)
    wrappers = (typing.Required, typing.NotRequired)
    forms = {n: get_args(h)[0] if get_origin(h) in wrappers else h for n, h in hints.items()}
    if is_typeddict(form):
        return forms, sorted(form.__required_keys__)
    needed = [
        one.name
        for one in fields(form)
        if one.default is MISSING and one.default_factory is MISSING
    ]
    return forms, needed


_WORDS = {
    str: "text",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    None: "null",
    types.NoneType: "null",
}


def in_words(form: Any) -> str:
    """A form in words, as in "must be an integer between 1 and 100".

    >>> in_words(Annotated[int, Between(1, 100_000)]), in_words(tuple[float, ...] | None)
    ('an integer between 1 and 100,000', 'a list of numbers or null')
    """
    return " or ".join(_member_in_words(member) for member in _members(form))


def _member_in_words(form: Any) -> str:
    plain, limits = _with_limits(form)
    return _plain_in_words(plain) + "".join(_range_in_words(plain, limit) for limit in limits)


def _range_in_words(form: Any, limit: Between) -> str:
    if form is str or get_origin(form) in (list, tuple):
        return " that is not empty" if limit.low == 1 else ""
    if limit.high == math.inf:
        return f" of at least {limit.low:,}"
    return f" between {limit.low:,} and {limit.high:,}"


def _plain_in_words(form: Any) -> str:
    origin, args = get_origin(form), get_args(form)
    if origin is Literal:
        return " or ".join(map(repr, args))
    if origin in (list, tuple):
        several = {str: "texts", int: "integers", float: "numbers"}
        kind = several.get(_with_limits(args[0])[0], "values")
        count = f"{len(args)} " if origin is tuple and args[1:] != (...,) else ""
        return f"a list of {count}{kind}"
    return _WORDS.get(form, "a table")


_shorten = reprlib.Repr()
_shorten.maxstring = _shorten.maxother = _shorten.maxlong = 60


def shown(value: object) -> str:
    """A value in a message: shortened, with control characters escaped.

    >>> shown("\\x1b[31m"), shown([1] * 100)
    ("'\\\\x1b[31m'", '[1, 1, 1, 1, 1, 1, ...]')
    """
    return _shorten.repr(value)
