"""The settings of a training as flags."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, make_dataclass
from functools import partial
from typing import Annotated, Any, Literal, get_origin

from cyclopts import Group, Parameter, Token

from convscope.cli.options import INTEGER, NUMBERS
from convscope.training.config import TrainConfig
from convscope.training.setting import SettingField, figure, settings_of


def _size(one: SettingField, _hint: Any, tokens: Sequence[Token]) -> Any:
    text = tokens[0].value
    if one.accepts(text):
        return one.convert(text)
    raise ValueError(f"{text!r} is no size in pixels, such as 224 or 224x160.")


def _choice(one: SettingField, _hint: Any, tokens: Sequence[Token]) -> str:
    text = tokens[0].value
    if one.accepts(text):
        return text
    raise ValueError(
        f"{text!r} is none of {', '.join(map(str, one.choices))}, and not module:attr."
    )


_GIVEN = "_given"


def make_flags(names: Collection[str] | None = None) -> type[TrainConfig]:
    """`TrainConfig` with a cyclopts parameter, help and group, for each setting, or for some."""
    known = settings_of(TrainConfig)
    titles = dict.fromkeys(one.setting.group for one in known.values())
    groups = {title: Group(title, sort_key=number) for number, title in enumerate(titles, 1)}
    return make_dataclass(
        "TrainFlags",
        [
            (name, _annotated(one, groups[one.setting.group]), field(default=one.default))
            if names is None or name in names
            else (name, Annotated[one.type, Parameter(parse=False)], field(default=one.default))
            for name, one in known.items()
        ],
        bases=(TrainConfig,),
        frozen=True,
        kw_only=True,
        namespace={"__module__": __name__, "__new__": _new},
    )


def _new(cls: type[TrainConfig], **given: Any) -> TrainConfig:
    """Flags that know which of them a command line or a file gave."""
    flags = object.__new__(cls)
    object.__setattr__(flags, _GIVEN, given)
    return flags


def given_settings(flags: TrainConfig, file: Mapping[str, Any]) -> set[str]:
    """The settings that a person gave, on the command line or in a file that is no run's config.

    A run's config.toml lists every setting: `file` are its values, which no person gave.
    """
    given: Mapping[str, Any] = vars(flags).get(_GIVEN, {})
    values = flags.to_dict()
    return {name for name in given if name not in file or file[name] != values.get(name)}


def config_of(flags: TrainConfig) -> TrainConfig:
    """The settings alone, with those of a recipe where neither a flag nor a file gave any."""
    config = TrainConfig(**{name: getattr(flags, name) for name in settings_of(TrainConfig)})
    if config.recipe is None:
        return config
    from convscope.training.recipe import with_recipe  # noqa: PLC0415 -- torch

    return with_recipe(config, vars(flags).get(_GIVEN, {}))


def _choices(one: SettingField, about: Parameter) -> Any:
    if one.takes_code:
        named = f"{one.setting.help} [choices: {', '.join(map(str, one.choices))}]"
        listed = Parameter(converter=partial(_choice, one), metavar="CHOICE", help=named)
        return Annotated[str | None if one.optional else str, about, listed]
    hint = Literal[one.choices]  # a union of Literals as one, which help lists as one
    return Annotated[hint | None if one.optional else hint, about]


def _annotated(one: SettingField, group: Group) -> Any:
    about = Parameter(group=group, help=one.setting.help)
    if one.choices:
        return _choices(one, about)
    if one.is_size:
        sized = Parameter(converter=partial(_size, one), n_tokens=1, negative="", metavar="SIZE")
        return Annotated[one.type, about, sized]
    if one.optional and any(get_origin(member) is tuple for member in one.members):
        return Annotated[one.type, about, NUMBERS]
    if get_origin(one.type) is tuple:
        shown = " ".join(map(figure, one.default))
        listed = Parameter(consume_multiple=True, negative="", show_default=lambda _value: shown)
        return Annotated[one.type, about, listed]
    if int in one.members:
        return Annotated[one.type, INTEGER, about]
    return Annotated[one.type, about]
