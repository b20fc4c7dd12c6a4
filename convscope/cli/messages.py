"""Messages in the words of the command line: keywords as flags."""

import re

from convscope.errors import shell_word
from convscope.synonyms.names import COMMANDS

_KEYWORD = re.compile(r"`([a-z][a-z0-9_]*)(?:=([^`]+))?`")

_BY_POSITION = ("images", "networks", "run")
"""Keywords that are no flags on the command line; its help has them in capitals."""

_ARGUMENTS = ("data", "filters")
"""Names of commands that are keywords, too, and meant as such."""


def in_flags(message: str) -> str:
    """A message whose keyword arguments, which stand in backticks, are written as flags.

    >>> in_flags("`batch_size` must be at least 1. Choose `engine='torch'`.")
    '--batch-size must be at least 1. Choose --engine torch.'
    >>> in_flags("`bias=False` excludes `same=True`.")
    '--no-bias excludes --same.'
    """

    def flag(match: re.Match[str]) -> str:
        name, value = match.groups()
        if name in _BY_POSITION:
            return name.upper()
        if name in COMMANDS and name not in _ARGUMENTS:
            return f"`convscope {name}`"
        dashed = name.replace("_", "-")
        spelled = f"--no-{dashed}" if value == "False" else f"--{dashed}"
        if value in {None, "False", "True"}:
            return spelled
        return f"{spelled} {shell_word(str(value).strip(chr(39)))}"

    return _KEYWORD.sub(flag, message)
