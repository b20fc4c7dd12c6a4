"""What a training can be begun with from the page: data, networks, and every setting."""

import inspect
import re
import types
import typing
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from cyclopts import Group, Parameter

from convscope.data.source import NAMES, is_here
from convscope.training.config import RANGES, TrainConfig
from convscope.zoo import ZOO, paper

LEFT_OUT = {
    "data_dir": "It is a folder of this machine; set CONVSCOPE_DATA before the lab is started.",
}
"""Settings that are not set from the page, and why."""

NOTES = {
    "model": "From the page: one that stands here.",
    "weights": "From the page: a run of this lab, torchvision:NAME or timm:NAME.",
}
"""What is narrower from the page than from the command line: no request names a path."""

_KINDS = {int: "whole", float: "number", bool: "switch", str: "text", Path: "text"}
_ENDLESS = 1e9  # a limit that is there to catch typing errors is no limit to tell


def setting_groups(models: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The settings in their groups, told by their types, limits and docstring.

    `models` are the networks that the lab was given beside the zoo.

    A `kind` is number, whole, text, choice, switch or list; `optional` ones may be null, which
    leaves the value to the network, the data or the machine.
    """
    hints = typing.get_type_hints(TrainConfig, include_extras=True)
    helps, found = setting_helps(), dict[str, list[dict[str, Any]]]()
    for field in fields(TrainConfig):
        if field.name in LEFT_OUT:
            continue
        default = None if field.default is MISSING else field.default
        low, high = RANGES.get(field.name, (None, None))
        told = {
            "name": field.name,
            "help": " ".join(filter(None, (helps[field.name], NOTES.get(field.name)))),
            **_kind(get_args(hints[field.name])[0]),
            "default": _plain(default),
            "low": low,
            "high": None if high is None or high >= _ENDLESS else high,
        }
        if field.name == "model":
            told |= {"kind": "choice", "choices": [*models, *ZOO]}
        found.setdefault(_group(hints[field.name]), []).append(told)
    return [{"name": name, "settings": told} for name, told in found.items()]


def _plain(value: object) -> object:
    return list(typing.cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value


def setting_group_names() -> dict[str, str]:
    """The group of each setting."""
    hints = typing.get_type_hints(TrainConfig, include_extras=True)
    return {field.name: _group(hints[field.name]) for field in fields(TrainConfig)}


def _group(hint: Any) -> str:
    given = (note for note in hint.__metadata__ if isinstance(note, Parameter))
    groups = (group for note in given for group in typing.cast("tuple[Any, ...]", note.group))
    return next(str(group.name) for group in groups if isinstance(group, Group))


def _kind(hint: Any) -> dict[str, Any]:
    """The kind of a type, its choices, and whether it may be left to others."""
    members = list(_members(hint))
    optional = types.NoneType in members
    choices = [c for kind in members if get_origin(kind) is Literal for c in get_args(kind)]
    if choices:
        return {"kind": "choice", "choices": choices, "optional": optional}
    first = next(kind for kind in members if kind is not types.NoneType)
    kind = "list" if get_origin(first) is tuple else _KINDS[first]
    return {"kind": kind, "choices": [], "optional": optional}


def _members(hint: Any) -> Iterable[Any]:
    """The types of a union, unions within it taken apart."""
    if get_origin(hint) in (typing.Union, types.UnionType):
        for member in get_args(hint):
            yield from _members(member)
    else:
        yield hint


def setting_helps() -> dict[str, str]:
    """What each setting is, from the docstring's section Attributes."""
    _, _, section = inspect.cleandoc(TrainConfig.__doc__ or "").partition("Attributes:\n")
    entries = re.findall(r"^    (\w+): (.+(?:\n {8,}.+)*)", section, flags=re.MULTILINE)
    return {name: _capital(" ".join(text.split())) for name, text in entries}


def _capital(text: str) -> str:
    """A sentence, unless its first word is a name in small letters."""
    first = text.split(maxsplit=1)[0].rstrip(":;,.")
    own = {c for kind in _literals() for c in kind} | {"sgd"}
    return text if first in own else text[:1].upper() + text[1:]


def _literals() -> Iterable[Sequence[Any]]:
    hints = typing.get_type_hints(TrainConfig)
    return (get_args(m) for h in hints.values() for m in _members(h) if get_origin(m) is Literal)


def left_out() -> list[dict[str, str]]:
    """The settings that are not set from the page, with what they are and why."""
    helps = setting_helps()
    return [{"name": name, "help": helps[name], "why": why} for name, why in LEFT_OUT.items()]


def sources() -> list[dict[str, Any]]:
    """The named data, each with a sentence that says whether it is here already."""
    found: list[dict[str, Any]] = []
    for name, words in NAMES.items():
        what, _, amount = words.replace(" x ", "×").rpartition(", ")
        missing = not is_here(name)
        after = f"; {amount} are downloaded first" if missing else ", here already"
        found.append({"name": name, "description": f"{what}{after}", "needs_download": missing})
    return found


def networks(given: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The networks of the zoo with their papers, after those that the lab was given."""
    own = [{"name": name, "description": "Given to this lab."} for name in given]
    return own + [{"name": name, "description": paper(name)} for name in ZOO]
