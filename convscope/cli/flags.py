"""The settings of a training as flags."""

from dataclasses import field, make_dataclass
from typing import Annotated, Any, Literal, get_origin

from cyclopts import Group, Parameter

from convscope.cli.options import INTEGER
from convscope.training.config import TrainConfig
from convscope.training.setting import SettingField, figure, settings_of


def make_flags() -> type[TrainConfig]:
    """`TrainConfig` with a cyclopts parameter, help and group, for each setting."""
    known = settings_of(TrainConfig)
    names = dict.fromkeys(one.setting.group for one in known.values())
    groups = {name: Group(name, sort_key=number) for number, name in enumerate(names, 1)}
    return make_dataclass(
        "TrainFlags",
        [
            (name, _annotated(one, groups[one.setting.group]), field(default=one.default))
            for name, one in known.items()
        ],
        bases=(TrainConfig,),
        frozen=True,
        kw_only=True,
        namespace={"__module__": __name__},
    )


def _annotated(one: SettingField, group: Group) -> Any:
    about = Parameter(group=group, help=one.setting.help)
    if one.choices:  # a union of Literals as one, which help lists as one
        hint = Literal[one.choices]
        return Annotated[hint | None if one.optional else hint, about]
    if get_origin(one.type) is tuple:
        shown = " ".join(map(figure, one.default))
        listed = Parameter(consume_multiple=True, negative="", show_default=lambda _value: shown)
        return Annotated[one.type, about, listed]
    if int in one.members:
        return Annotated[one.type, INTEGER, about]
    return Annotated[one.type, about]
