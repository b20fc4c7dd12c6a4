"""What a search may choose: ranges and lists of values for settings, in a plain form."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_origin

from convscope import synonyms
from convscope.errors import RequestError, nearest
from convscope.training.config import TrainConfig
from convscope.training.data_settings import DataSettings
from convscope.training.made_with import FREE
from convscope.training.setting import SettingField, settings_of

Value = bool | int | float | str

_COMPARED = {*settings_of(DataSettings)} - {"resize_mode", "window"} | {"metric"}
_WITHOUT_RESULT = {*FREE, "seed", "device", "threads", "engine", "simd_width", "compile"}

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(:log)?")


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, both included; with `is_log`, evenly in their logarithm."""

    low: float
    high: float
    is_log: bool = False
    is_integer: bool = False

    @property
    def ends(self) -> tuple[Value, ...]:
        return self.low, self.high


@dataclass(frozen=True)
class Choices:
    """One of several values."""

    values: tuple[Value, ...]

    @property
    def ends(self) -> tuple[Value, ...]:
        return self.values


Space = Mapping[str, Range | Choices]


def parse_words(words: Sequence[str]) -> dict[str, str]:
    """The texts of a command line, NAME=VALUES, by name.

    >>> parse_words(["lr=1e-4..1e-1:log", "augment=none,photo"])
    {'lr': '1e-4..1e-1:log', 'augment': 'none,photo'}

    Raises RequestError for another form, and for a name that comes twice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, sign, values = word.partition("=")
        if not sign or not name or not values:
            raise RequestError(
                f"`search` takes NAME=LOW..HIGH, NAME=LOW..HIGH:log or NAME=VALUE,VALUE, not "
                f"{word!r}."
            )
        if name in found:
            raise RequestError(f"`search` names {name} twice.")
        found[name] = values
    return found


def parse_space(search: Mapping[str, str | Sequence[Value]], config: TrainConfig) -> Space:
    """The space that texts and lists describe, by the names of settings.

    Raises RequestError, naming the setting, for values that it does not take beside the others of
    `config`, for a setting that decides which images are compared, and for none at all.
    """
    if not search:
        raise RequestError(
            "`search` is empty: name what to try, such as `search=lr=1e-4..1e-1:log`."
        )
    known, space = settings_of(TrainConfig), dict[str, Range | Choices]()
    for given, values in search.items():
        translated, _ = synonyms.translate({given: values}, known)
        [name] = translated or [given]
        if name not in known:
            raise RequestError(f"`search`: unknown setting {given!r}.{nearest(given, known)}")
        if name in space:
            raise RequestError(f"`search` names {name} twice.")
        _check_name(name)
        space[name] = _parse(known[name], values)
        _check_values(name, space[name], config)
    return space


def to_text(values: Range | Choices) -> str | list[Value]:
    """The plain form, as a file has it."""
    if isinstance(values, Choices):
        return list(values.values)
    return f"{values.low!r}..{values.high!r}{':log' if values.is_log else ''}"


def _check_name(name: str) -> None:
    if name in _COMPARED:
        raise RequestError(
            f"`search` cannot vary {name}: trials are compared on the same images by the same "
            "metric."
        )
    if name in _WITHOUT_RESULT:
        raise RequestError(
            f"`search` cannot vary {name}: no setting of the machine, and no seed, is better than "
            "another."
        )


def _parse(field: SettingField, values: str | Sequence[Value]) -> Range | Choices:
    if all(get_origin(each) is tuple for each in field.members if each is not type(None)):
        raise RequestError(
            f"`search` cannot vary {field.name}, which has several numbers. Set it, and search "
            "once for each."
        )
    numbers = field.is_number and not field.choices
    found = _RANGE.fullmatch(values) if isinstance(values, str) else None
    if found is None:
        parts = values.split(",") if isinstance(values, str) else values
        return _choices(field, parts)
    if not numbers:
        raise RequestError(
            f"`search`: {field.name} has no range; list values: {field.name}=VALUE,VALUE."
        )
    low, high, is_log = float(found[1]), float(found[2]), found[3] is not None
    is_integer = float not in field.members
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise RequestError(f"`search`: {field.name}={values} is no range from low to high.")
    if is_log and low <= 0:
        raise RequestError(f"`search`: {field.name}={values} has no logarithm; begin above 0.")
    if is_integer and not (low.is_integer() and high.is_integer()):
        raise RequestError(f"`search`: {field.name}={values} must be integers.")
    return Range(low, high, is_log, is_integer)


def _choices(field: SettingField, parts: Sequence[Value]) -> Choices:
    values = tuple(_value(field, part) for part in parts)
    if len({*map(str, values)}) < max(2, len(values)):
        raise RequestError(f"`search`: {field.name} needs two values or more, each once.")
    return Choices(values)


def _value(field: SettingField, part: Value) -> Value:
    """A value as the setting has it; a text is read as on the command line."""
    value: object = part
    if isinstance(part, str):
        word = part.strip()
        value = synonyms.value(field.name, word)
        if bool in field.members and word.lower() in ("true", "false"):
            value = word.lower() == "true"
        elif value == word and re.fullmatch(_NUMBER, word):
            value = float(word) if float in field.members else _integer(word)
    if not field.accepts(value):
        raise RequestError(f"`search`: {field.name} must be {field.type_name}, not {part!r}.")
    converted = field.convert(value)
    if not isinstance(converted, Value):
        raise RequestError(f"`search` cannot vary {field.name}, which has several numbers.")
    return converted


def _integer(word: str) -> int | float:
    return int(word) if re.fullmatch(r"[-+]?\d+", word) else float(word)


def _check_values(name: str, values: Range | Choices, config: TrainConfig) -> None:
    """Refuse what no training would take, before the first one."""
    for value in values.ends:
        is_integer = isinstance(values, Range) and values.is_integer
        try:
            with_values(config, {name: int(cast("float", value)) if is_integer else value})
        except RequestError as error:
            raise RequestError(f"`search`: {name}={value}: {error}") from error


def with_values(config: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    """The settings of a trial."""
    return TrainConfig.from_dict({**config.to_dict(), **values})
