"""A command line in other people's words, translated into ours before it is parsed."""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import get_args, get_origin

from cyclopts import ArgumentCollection

from convscope import synonyms
from convscope.errors import RequestError, nearest, shell_word

_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
"""What other programs write behind a switch."""


_NEGATIVE = "--no-"
"""What a flag begins with that switches its option off."""


@dataclass(frozen=True)
class Option:
    """One option of a command: what it is called, and what it takes.

    Attributes:
        flag: as it is typed, such as --batch-size; the bare name if it stands by its position.
        index: its position on the command line; -1 for flags.
    """

    flag: str
    index: int = -1
    is_switch: bool = False
    is_list: bool = False
    is_numbers: bool = False


def _is_folder_of_network(token: str) -> bool:
    """Whether a word names a run, or an exported network; see `runs` and `exported`."""
    return any(Path(token, name).is_file() for name in ("config.toml", "export.json"))


def options_of(arguments: ArgumentCollection) -> dict[str, Option]:
    """The options of a command by their names in Python, those by position first."""
    found: dict[str, Option] = {}
    for argument in arguments:
        names = [name for name in argument.names if name.startswith("--")]
        name = argument.names[0] if argument.names else "*"
        if name == "*":  # the settings as one
            continue
        is_list = get_origin(argument.hint) is tuple or "VAR" in argument.field_info.kind.name
        is_numbers = get_origin(argument.hint) is tuple and float in get_args(argument.hint)
        is_switch = argument.hint is bool
        if names:
            key = names[0].removeprefix("--").replace("-", "_")
            found[key] = Option(names[0], -1, is_switch, is_list, is_numbers)
        else:
            found[name.lower()] = Option(name, argument.index or 0, is_list=is_list)
    return found


def translate(
    command: str,
    tokens: Sequence[str],
    options: dict[str, Option],
    exact: Iterable[str],
    owner: Callable[[str], str | None] = lambda _name: None,
) -> tuple[list[str], list[str]]:
    """The tokens behind a command with our flags and values, and notes for the user.

    `exact` has every flag that is parsed as it is; `owner` finds the command that has a flag.

    Raises RequestError for flags that have a sentence of their own, and for unknown ones.
    """
    translation = _Translation(command, options, set(exact), owner)
    remaining = list(tokens)
    while remaining:
        token = remaining.pop(0)
        if token == "--":  # noqa: S105
            translation.tokens += [token, *remaining]
            break
        translation.take(_as_flag(token, options, command), remaining)
    return translation.finish(), translation.notes


def _is_flag(token: str) -> bool:
    return re.match(r"--?[A-Za-z]", token) is not None


def _as_flag(token: str, options: dict[str, Option], command: str) -> str:
    """`epochs=3`, as Ultralytics writes it, as --epochs=3; other tokens as they are."""
    name, equals, _ = token.partition("=")
    if not equals or not re.fullmatch("[a-z][a-z0-9_]*", name) or Path(token).exists():
        return token
    try:
        known = synonyms.meaning(name, options, command)
    except RequestError:
        return f"--{token}"
    return token if known is None and name not in synonyms.PARTS_OF_OUT else f"--{token}"


@dataclass
class _Translation:
    command: str
    options: dict[str, Option]
    exact: set[str]
    owner: Callable[[str], str | None]
    tokens: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    first: list[str] = field(default_factory=list[str])
    later: dict[int, str] = field(default_factory=dict[int, str])
    out_parts: dict[str, str] = field(default_factory=dict[str, str])
    typed: list[str] = field(default_factory=list[str])
    by_position: bool = False

    def take(self, token: str, remaining: list[str]) -> None:
        """Translate one token, with the value that follows it."""
        if not _is_flag(token):
            self.by_position = True
            self.tokens.append(token)
            return
        name, equals, attached = token.partition("=")
        self.typed.append(name)

        def following() -> str | None:
            if equals:
                return attached
            return remaining.pop(0) if remaining and not _is_flag(remaining[0]) else None

        part = synonyms.PARTS_OF_OUT.get(synonyms.key(name))
        if part and "out" in self.options and name not in self.exact:
            self.out_parts[part] = following() or ""
            return
        if as_it_is := self._without_option(token, name):
            self.tokens.append(as_it_is)
            return
        meaning = self._meaning(name)
        if meaning.note:
            self.notes.append(meaning.note)
        if not meaning.name:
            following()
        elif meaning.value is not None:
            self._preset(meaning.name, meaning.value, attached if equals else None, remaining)
        else:
            option = self.options[meaning.name]
            if option.is_switch and not equals and remaining and remaining[0].lower() in _TRUTHS:
                equals, attached = "=", remaining.pop(0)
            self._place(meaning.name, option, following, attached=bool(equals))

    def _preset(self, name: str, value: str, attached: str | None, remaining: list[str]) -> None:
        """A switch that sets our option to a value, unless it is written as false."""
        if attached is None and remaining and remaining[0].lower() in _TRUTHS:
            attached = remaining.pop(0)
        if attached is None or _TRUTHS.get(attached.lower(), True):
            self.tokens += [self.options[name].flag, value]

    def _option(self, flag: str) -> Option | None:
        return next((each for each in self.options.values() if each.flag == flag), None)

    def _without_option(self, token: str, name: str) -> str | None:
        """--help and --no-open as they are, and --no-browser, by another name, as --no-open."""
        if name in self.exact:
            return token if self._option(name) is None else None
        if not name.startswith(_NEGATIVE):
            return None
        with suppress(RequestError):
            meaning = synonyms.meaning(name.removeprefix(_NEGATIVE), self.options, self.command)
            if meaning is not None and meaning.name and meaning.value is None:
                flag = _NEGATIVE + self.options[meaning.name].flag.removeprefix("--")
                return flag if flag in self.exact else None
        return None

    def _meaning(self, name: str) -> synonyms.Meaning:
        if name in self.exact:
            return synonyms.Meaning(name.removeprefix("--").replace("-", "_"))
        meaning = synonyms.meaning(name, self.options, self.command)
        if meaning is not None:
            return meaning
        if other := self.owner(name):
            raise RequestError(f"{name} belongs to `convscope {other}`; {self.command} has none.")
        flags = [option.flag for option in self.options.values() if option.index < 0]
        raise RequestError(
            f"There is no {name}.{nearest(name, flags)} `convscope {self.command} --help` lists "
            "the flags."
        )

    def _place(
        self, name: str, option: Option, following: Callable[[], str | None], *, attached: bool
    ) -> None:
        if option.is_switch:
            self._switch(option, following() if attached else None)
            return
        text = following()
        if text is None:
            self.tokens.append(option.flag)
            return
        value = str(synonyms.value(name, text))
        if option.index == 0 and not option.is_list:
            self.first.append(value)
        elif option.index > 0 and not option.is_list:
            self.later[option.index] = value
        elif option.index >= 0:
            self.tokens.append(value)
        elif option.is_numbers and re.fullmatch(r"[\d.]+(,[\d.]+)+", value):
            self.tokens += [option.flag, *value.split(",")]
        elif attached:
            self.tokens.append(f"{option.flag}={value}")
        else:
            self.tokens += [option.flag, value]

    def _switch(self, option: Option, text: str | None) -> None:
        truth = True if text is None else _TRUTHS.get(text.lower())
        if truth:
            self.tokens.append(option.flag)
        elif truth is None:
            raise RequestError(f"{option.flag} takes no value, not {text!r}.")

    def finish(self) -> list[str]:
        """All tokens: those by position in their order, and the run folder put together."""
        schedule = self._value_of("--lr-schedule")
        synonyms.check_patience(self.typed, schedule)
        if self.out_parts:
            self._put_out_together()
        if {"run", "models"} & self.options.keys() and self._option("--model"):
            self._take_model_for_run()
        if self.command == "train":
            self._check_data()
        later = [value for _, value in sorted(self.later.items())]
        return [*self.first, *self.tokens, *later]

    def _value_of(self, flag: str) -> str | None:
        for token, following in pairwise([*self.tokens, ""]):
            if token == flag:
                return following
            if token.startswith(f"{flag}="):
                return token.partition("=")[2]
        return None

    def _take_model_for_run(self) -> None:
        """Without a run folder, --model is what to look at, as elsewhere; beside one, its code."""
        model = self._value_of("--model")
        given = (*self.first, *self.tokens)
        if model and not any(map(_is_folder_of_network, given)):
            self._remove("--model")
            self.first.append(model)

    def _remove(self, flag: str) -> None:
        """Take a flag with its value out of the tokens."""
        position = next(n for n, token in enumerate(self.tokens) if token.partition("=")[0] == flag)
        del self.tokens[position : position + (2 if self.tokens[position] == flag else 1)]

    def _check_data(self) -> None:
        """Refuse --data-dir alone, which elsewhere is the data and here only says where it lies."""
        folder = self._value_of("--data-dir")
        named = any(self._value_of(flag) for flag in ("--data", "--config"))
        if folder is not None and not self.by_position and not named:
            raise RequestError(
                "--data-dir is where named data sets are searched, and none is named. To train on "
                f"the images in {folder}: `convscope train {shell_word(folder)}`."
            )

    def _put_out_together(self) -> None:
        """--project P --name N, and --out P --name N, are the run folder P/N."""
        if not (name := self.out_parts.get("name")):
            raise RequestError(
                "The run folder is PROJECT/NAME of --project and --name; give both, or the folder "
                "as --out."
            )
        out = self._value_of("--out")
        parent = self.out_parts.get("project") or out or "runs"
        if out is not None:
            self._remove("--out")
        self.tokens += ["--out", str(Path(parent, name))]
