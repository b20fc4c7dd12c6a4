"""What people of other programs call things: one hand-written table, which wins over spelling.

Used for flags, settings in files, keyword arguments, commands, networks and functions alike. A name
is compared without case, hyphens and underscores. It has one of four answers: one of our names, one
of our names with a value, a sentence that says where its like is, or none.
"""

import functools
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any, ParamSpec, TypeVar, cast

from convscope.errors import RequestError, nearest
from convscope.synonyms import elsewhere, names, settings


@dataclass(frozen=True)
class Meaning:
    """What a foreign name means: our name, the value that it stands for, and what is to be said.

    `name` is empty for what is accepted and changes nothing.
    """

    name: str
    value: str | None = None
    note: str = ""


def key(name: str) -> str:
    """A name without case, hyphens, underscores, spaces and dots.

    >>> key("--Batch_Size"), key("ResNet-18")
    ('batchsize', 'resnet18')
    """
    return re.sub(r"[-_.\s]", "", name.casefold())


def _inverted(table: Mapping[str, str]) -> dict[str, list[str]]:
    """Each synonym's key with the names it belongs to."""
    found: dict[str, list[str]] = {}
    for name, synonyms in table.items():
        for word in dict.fromkeys(map(key, synonyms.split())):
            found.setdefault(word, []).append(name)
    return found


_NAMES = _inverted(settings.SYNONYMS)
_PRESETS = {key(name): preset for name, preset in settings.PRESETS.items()}
_SENTENCES = _inverted(elsewhere.SENTENCES)
_OF_COMMANDS = {name: _inverted(table) for name, table in elsewhere.OF_COMMANDS.items()}
_WITHOUT_EFFECT = _inverted(elsewhere.WITHOUT_EFFECT)
_VALUES = {name: _inverted(table) for name, table in settings.VALUES.items()}
_VALUE_SENTENCES = {name: _inverted(table) for name, table in settings.VALUE_SENTENCES.items()}
_COMMANDS = _inverted(names.COMMANDS)
_COMMANDS_ELSEWHERE = _inverted(names.COMMANDS_ELSEWHERE)
_MODELS = _inverted(names.MODELS)
_ATTRIBUTES = _inverted(names.ATTRIBUTES)
_RESULTS = {kind: _inverted(table) for kind, table in names.RESULTS.items()}

PARTS_OF_OUT = {
    key(name): part
    for part, synonyms in {
        "name": "name experiment experiment_name exp_name run_name exp job_name",
        "project": "project project_dir",
    }.items()
    for name in synonyms.split()
}
"""Names that together say where a run goes: `project`/`name`."""


def meaning(name: str, known: Collection[str], command: str = "train") -> Meaning | None:
    """What an option means to a command that has the options `known`; None if nobody knows.

    Raises RequestError with the sentence for what convscope has elsewhere or not at all, and for a
    name that could be two options.
    """
    word = key(name)
    for option in known:
        if key(option) == word:
            return Meaning(option)
    found = [option for option in _NAMES.get(word, ()) if option in known]
    if {"run", "model"} <= {*found}:  # what is looked at; `model` itself is the code of a run
        found.remove("model")
    if len(found) > 1:
        raise RequestError(f"{_said(name)} could be {' or '.join(f'`{one}`' for one in found)}.")
    if found:
        return Meaning(found[0], note=_note(word, found[0]))
    if word in _PRESETS and _PRESETS[word][0] in known:
        return Meaning(*_PRESETS[word])
    if word in _WITHOUT_EFFECT and "threads" in known:
        return Meaning("", note=f"{_said(name)} has no effect. {_WITHOUT_EFFECT[word][0]}")
    if sentence := _sentence(word, known, command):
        raise RequestError(f"There is no {_said(name)}. {sentence}")
    return None


def _note(word: str, option: str) -> str:
    if (word, option) == ("patience", "early_stopping_patience"):
        return (
            "`patience` is taken as `early_stopping_patience`; how long the schedule plateau waits "
            "is `lr_patience`."
        )
    return ""


def _sentence(word: str, known: Collection[str], command: str) -> str | None:
    words = [word, word.removeprefix("no")]
    for each in words:
        if found := _OF_COMMANDS.get(command, {}).get(each):
            return found[0]
    for each in words:
        for found in _SENTENCES.get(each, ()):
            options = re.findall(r"`([a-z_0-9]+)[`=]", found)
            if command == "train" or all(option in known for option in options):
                return found
    return None


def _said(name: str) -> str:
    """A name in backticks, which the command line shows as a flag; a flag as it was typed."""
    return name if name.startswith("-") else f"`{name}`"


def value(option: str, given: object) -> object:
    """A value of one of our options, in our spelling; RequestError for one that is elsewhere.

    >>> value("lr_schedule", "CosineAnnealingLR"), value("optimizer", "SGD"), value("lr", 0.1)
    ('cosine', 'sgd', 0.1)
    """
    if option == "device":  # 0 and torch.device("cuda:0") as well
        return str(given)
    if option in ("precision", "cache"):  # 32, torch.bfloat16 and False as well
        given = str(given)
    if not isinstance(given, str):
        return given
    word = key(given)
    for ours in settings.VALUES.get(option, {}):
        if key(ours) == word:
            return ours
    if found := _VALUES.get(option, {}).get(word):
        return found[0]
    if found := _VALUE_SENTENCES.get(option, {}).get(word):
        raise RequestError(f"There is no `{option}={given}`. {found[0]}")
    if option == "input_size" and (sides := re.fullmatch(r"(\d+)[x,](\d+)", given)):
        return sides[1] if sides[1] == sides[2] else given
    return given


def translate(
    values: Mapping[str, Any], known: Collection[str], command: str = "train"
) -> tuple[dict[str, Any], list[str]]:
    """Named values by our names and in our spelling, and notes that say what is not obvious.

    A name that nobody knows stays as it is. Raises RequestError as `meaning` and `value` do, and
    for two names of one option.

    >>> translate({"learning_rate": 0.1, "lr_scheduler": "StepLR"}, {"lr", "lr_schedule"})
    ({'lr': 0.1, 'lr_schedule': 'step'}, [])
    """
    translated: dict[str, Any] = {}
    notes: list[str] = []
    origin: dict[str, str] = {}
    switches: set[str] = set()
    for name, given in values.items():
        known_name = name if name in known else None
        found = Meaning(name) if known_name else meaning(name, known, command) or Meaning(name)
        notes += [found.note] if found.note else []
        if not found.name:
            continue
        is_switch = found.value is not None
        said = found.value if is_switch else value(found.name, given)
        is_again = is_switch or found.name in switches  # others may be arrays: not to be compared
        is_said = is_again and translated.get(found.name) == said
        if is_said or (is_switch and given is False):  # as amp=True, amp_dtype="bfloat16"
            continue
        if found.name in translated:
            raise RequestError(
                f"`{origin[found.name]}` and `{name}` are the same; give one of them."
            )
        origin[found.name] = name
        translated[found.name] = said
        switches |= {found.name} if is_switch else set()
    check_patience(values, translated.get("lr_schedule"))
    return translated, notes


def check_patience(given: Iterable[str], schedule: object) -> None:
    """Raise RequestError for `patience` where it could be either of two settings."""
    if schedule == "plateau" and any(key(name) == "patience" for name in given):
        raise RequestError(
            "With `lr_schedule='plateau'`, `patience` could be two settings: `lr_patience`, before "
            "the rate is lowered, or `early_stopping_patience`, before the training stops."
        )


def command(name: str) -> str | None:
    """The command that a name stands for; None if nobody knows, RequestError with a sentence."""
    word = key(name)
    for ours in names.COMMANDS:
        if key(ours) == word:
            return ours
    if word in _COMMANDS:
        return _COMMANDS[word][0]
    if word in _COMMANDS_ELSEWHERE:
        raise RequestError(f"There is no command {name!r}. {_COMMANDS_ELSEWHERE[word][0]}")
    return None


def of_folds(name: str) -> str | None:
    """The setting of a cross-validation that a name means; None for any other.

    >>> of_folds("n_splits"), of_folds("lr")
    ('folds', None)
    """
    word = key(name)
    for option in ("folds", "repeats"):
        if word == option or option in _NAMES.get(word, ()):
            return option
    return None


def model(name: str, known: Iterable[str]) -> str | None:
    """The network among `known` that a name means, by the table and without regard to spelling.

    >>> model("ResNet-18", ["resnet18"]), model("LeNet", ["lenet5"]), model("yolo", ["lenet5"])
    ('resnet18', 'lenet5', None)
    """
    by_key = {key(one): one for one in known}
    word = key(name)
    if word in by_key:
        return by_key[word]
    return next((one for one in _MODELS.get(word, ()) if key(one) in by_key), None)


def attribute(name: str) -> str | None:
    """The function of the package that a name means; None if nobody knows."""
    return next(iter(_ATTRIBUTES.get(key(name), ())), None)


def of_result(result: object, name: str) -> str:
    """The sentence on what a missing attribute of a result is called; empty if nobody knows.

    >>> of_result("no result", "accuracy")
    ''
    """
    found = _RESULTS.get(type(result).__name__, {}).get(key(name), ())
    return f" It is `{found[0]}` here." if found else ""


def missing_attribute(result: object, name: str) -> AttributeError:
    """The error for an attribute that a result does not have."""
    kind = type(result).__name__
    return AttributeError(
        f"{kind!r} object has no attribute {name!r}.{of_result(result, name)}",
        name=name,
        obj=result,
    )


_P = ParamSpec("_P")
_R = TypeVar("_R")


def takes_synonyms(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate a function so that it takes its keyword arguments by synonyms, too.

    A call without a `run` means it by `model`, as elsewhere.

    For type checkers the function is as before: they refuse what is not in its signature.
    """
    known = {
        name: None
        for name, parameter in signature(function).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if not kwargs.keys() <= known.keys():
            translated, _ = translate(kwargs, known, function.__name__)
            for name in translated.keys() - known.keys():
                raise TypeError(
                    f"{function.__name__}() got an unexpected keyword argument {name!r}."
                    f"{nearest(name, known)}"
                )
            kwargs = cast("Any", translated)
        if not args and {"run", "model"} <= known.keys() and "model" in kwargs:
            values = {**kwargs}
            values.setdefault("run", values["model"])
            if values["run"] is values["model"]:
                del values["model"]
            return cast("Callable[..., _R]", function)(**values)
        return function(*args, **kwargs)

    return call
