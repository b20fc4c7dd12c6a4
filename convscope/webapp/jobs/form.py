"""What a training can be started with from the page: data, networks, and every setting."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, get_origin

from convscope.data.source import NAMES, is_here
from convscope.recipes import list_recipes
from convscope.training.config import AUTO, TrainConfig
from convscope.training.setting import ENDLESS, SettingField, settings_of
from convscope.zoo import ZOO, paper

LEFT_OUT = {
    "data_dir": "It is a folder on this machine; set CONVSCOPE_DATA before you start the lab.",
    "class_names": "For weights from a file, which the page does not name.",
    "fsdp": "It takes several processes, and a training from the page is one.",
    "log": "It may send metrics to a service, which is not for a page to choose.",
    "mean": "For weights from a file, which the page does not name.",
    "std": "For weights from a file, which the page does not name.",
}
"""Settings that are not set from the page, and why."""

NOTES = {
    "augment": "On this page, none of your own.",
    "model": "On this page, choose one from the list.",
    "weights": "On this page, a run of this lab, torchvision:NAME or timm:NAME.",
}
"""What is narrower from the page than from the command line: no request names a path."""

_KINDS = {int: "whole", float: "number", bool: "switch", str: "text", Path: "text"}


def setting_groups(models: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The settings in their groups, described by their types and metadata.

    `models` are the networks that the lab was given in addition to the zoo.

    A `kind` is number, whole, text, choice, switch or list; `optional` ones may be null, which
    leaves the value to the network, the data or the machine.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, field in settings_of(TrainConfig).items():
        if name in LEFT_OUT:
            continue
        setting = field.setting
        low = setting.above if setting.low is None else setting.low
        described: dict[str, Any] = {
            "name": name,
            "help": " ".join(filter(None, (setting.help, NOTES.get(name)))),
            "kind": _kind(field),
            "choices": list(field.choices),
            "optional": field.optional,
            "default": _as_json(field.default),
            "low": low,
            "high": None if setting.high is None or setting.high >= ENDLESS else setting.high,
        }
        if field.optional and bool in field.members:  # a switch has no third position
            described |= {"kind": "choice", "choices": [True, False]}
        if name == "model":
            described |= {"kind": "choice", "choices": [AUTO, *models, *ZOO]}
        if name == "recipe":
            described |= {"kind": "choice", "choices": list_recipes()}
        if name == "device":
            described |= {"kind": "choice", "choices": ["auto", "cpu", "cuda", "mps"]}
        groups.setdefault(setting.group, []).append(described)
    return [{"name": name, "settings": settings} for name, settings in groups.items()]


def _as_json(default: Any) -> Any:
    return [*default] if isinstance(default, tuple) else default


def _kind(field: SettingField) -> str:
    if field.choices:
        return "choice"
    first = next(member for member in field.members if member is not NoneType)
    return "list" if get_origin(first) is tuple else _KINDS[first]


def left_out() -> list[dict[str, str]]:
    """The settings that are not set from the page, with what they are and why."""
    settings = settings_of(TrainConfig)
    return [
        {"name": name, "help": settings[name].setting.help, "why": why}
        for name, why in LEFT_OUT.items()
    ]


def sources() -> list[dict[str, Any]]:
    """The named data, each with a sentence that says whether it is already here."""
    found: list[dict[str, Any]] = []
    for name, words in NAMES.items():
        what, _, amount = words.replace(" x ", "×").rpartition(", ")
        missing = not is_here(name)
        after = f"; {amount} are downloaded first" if missing else ", already here"
        found.append({"name": name, "description": f"{what}{after}", "needs_download": missing})
    return found


FITTING = {"name": AUTO, "description": "One that fits the images, or that of the weights."}
"""The first choice of a network to train."""


def networks(given: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The networks of the zoo with their papers, after those that the lab was given."""
    own = [{"name": name, "description": "Added when this lab was started."} for name in given]
    return own + [{"name": name, "description": paper(name)} for name in ZOO]
