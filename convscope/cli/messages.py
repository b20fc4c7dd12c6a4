"""Messages in the words of the command line: keyword arguments as flags, old flags by new names."""

import re
from collections.abc import Sequence

RENAMED = {
    "train": {
        "--body-lr": "--backbone-lr-scale",
        "--channels": "--in-channels",
        "--clip": "--clip-grad-norm",
        "--drop-at": "--lr-milestones",
        "--drop-by": "--lr-gamma, the factor itself: 0.1 for what was 10",
        "--early-stop": "--early-stopping-patience",
        "--fit": "--resize-mode",
        "--max-unreadable": "--max-corrupt-fraction",
        "--memory-share": "--cache-fraction",
        "--minutes": "--max-minutes",
        "--optimiser": "--optimizer",
        "--patience": "--lr-patience",
        "--save-seconds": "--checkpoint-seconds",
        "--schedule": "--lr-schedule",
        "--size": "--input-size",
        "--warmup": "--warmup-epochs",
    },
    "summary": {
        "--channels": "--in-channels",
        "--classes": "--num-classes",
        "--size": "--input-size",
    },
    "explain": {
        "--columns": "--im2col",
        "--instead-of": "--contrast",
        "--names": "--list-layers",
    },
}
"""Flags that have other names now, by command."""

_KEYWORD = re.compile(r"`([a-z][a-z0-9_]*)(?:=([^`]+))?`")


def in_flags(message: str) -> str:
    """A message whose keyword arguments, which stand in backticks, are written as flags.

    >>> in_flags("`batch_size` must be at least 1. Choose `engine='torch'`.")
    '--batch-size must be at least 1. Choose --engine torch.'
    """

    def flag(match: re.Match[str]) -> str:
        name, value = match.groups()
        spelled = f"--{name.replace('_', '-')}"
        return spelled if value is None else f"{spelled} {value.strip(chr(39))}"

    return _KEYWORD.sub(flag, message)


def renamed_flag(tokens: Sequence[str]) -> str | None:
    """The hint for the first flag of a command line that has another name now, if there is one.

    >>> renamed_flag(["train", "--clip=1"])
    '--clip is now --clip-grad-norm.'
    """
    command, *others = tokens or [""]
    for flag in (token.partition("=")[0] for token in others):
        if new := RENAMED.get(command, {}).get(flag):
            return f"{flag} is now {new}."
    return None
