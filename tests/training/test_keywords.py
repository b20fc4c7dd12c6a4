"""What type checkers know of `convscope.train` is what it takes."""

import inspect
import types
import typing
from typing import Any, get_args, get_origin, get_type_hints

import convscope
from convscope.training.config import TrainConfig
from convscope.training.keywords import WIDER, WIDER_BY_NAME, TrainSettings
from convscope.training.setting import settings_of


def members(hint: Any) -> set[Any]:
    """The parts of a union, and the values of literals, whatever order they are written in."""
    if get_origin(hint) in (typing.Union, types.UnionType):
        return {inner for member in get_args(hint) for inner in members(member)}
    if get_origin(hint) is typing.Literal:
        return {(type(choice), choice) for choice in get_args(hint)}
    return {hint}


def test_the_keywords_are_the_settings_in_their_order_with_their_types():
    hints = get_type_hints(TrainSettings)
    fields = settings_of(TrainConfig)
    assert list(hints) == list(fields), "add a new setting to training/keywords.py, too"
    for name, field in fields.items():
        expected = {
            inner for member in field.members for inner in members(WIDER.get(member, member))
        }
        if name in WIDER_BY_NAME:
            expected = members(WIDER_BY_NAME[name]) | (expected & {types.NoneType})
        assert members(hints[name]) == expected, name


def test_help_shows_every_setting_and_its_sentence():
    text = inspect.getdoc(convscope.train) or ""
    for name, field in settings_of(TrainConfig).items():
        assert f"{name}: {field.setting.help}" in text
