"""A function of keyword settings shows each of them in its signature and its docstring."""

import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from convscope.training.setting import SettingField, settings_of

_P = ParamSpec("_P")
_R = TypeVar("_R")


def takes_settings(config: type) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Decorate a function whose `**settings` are the settings of the dataclass `config`.

    `inspect.signature`, `help` and notebooks then show them with their types, defaults and helps.
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        signature = inspect.signature(function)
        fixed = [
            parameter
            for parameter in signature.parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        settings = settings_of(config).values()
        shown = signature.replace(parameters=[*fixed, *map(_parameter, settings)])
        function.__signature__ = shown  # pyright: ignore[reportFunctionMemberAccess]
        lines = "".join(f"    {one.name}: {one.setting.help}\n" for one in settings)
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\nSettings:\n{lines}"
        return function

    return decorate


def _parameter(field: SettingField) -> inspect.Parameter:
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type
    )
