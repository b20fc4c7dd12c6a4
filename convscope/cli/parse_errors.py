"""What is wrong with a command line that does not parse."""

import re
from typing import Literal, get_args, get_origin

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnusedCliTokensError,
)


def parse_error(error: CycloptsError) -> str:
    """What is wrong with a command line that does not parse, and where its help is."""
    command = error.command_chain[0] if error.command_chain else ""
    return f"{_problem(error, command)} See `{f'convscope {command}'.strip()} --help`."


def _problem(error: CycloptsError, command: str) -> str:
    name = error.argument.name if error.argument else ""
    match error:
        case CoercionError() if error.token is not None:
            return f"{error.token.keyword or name}: {_expected(error, error.token.value)}"
        case MissingArgumentError() if name.startswith("-"):
            return f"{name} needs a value."
        case MissingArgumentError():
            return f"{command} needs {name}."
        case RepeatArgumentError():
            return f"{error.token.keyword or name} is given twice; give it once."
        case UnusedCliTokensError():
            left = " ".join(map(repr, error.unused_tokens or ()))
            return (
                f"{left} is too much: {command} takes no more values without a flag. Quote a path "
                "that has spaces."
            )
        case _:
            return " ".join(str(error).split())


def _expected(error: CoercionError, text: str) -> str:
    """What a value should have been, as in "'ten' is not a number."."""
    if error.msg:
        return " ".join(str(error.msg).split())
    hint = error.target_type or (error.argument.hint if error.argument else None)
    choices = [
        choice
        for member in (hint, *get_args(hint))
        if get_origin(member) is Literal
        for choice in get_args(member)
    ]
    if choices:
        return f"{text!r} is not one of {', '.join(map(str, choices))}."
    if re.fullmatch(r"-?\d+,\d+", text):
        return f"{text!r} is not a number; write {text.replace(',', '.')}, with a point."
    if text.endswith("%") and text[:-1].replace(".", "").isdigit():
        return f"{text!r} is not a number; write {float(text[:-1]) / 100:g}."
    return f"{text!r} is not a number."
