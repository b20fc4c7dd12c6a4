"""`--config FILE`: settings from TOML, which flags override."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cyclopts.config import Dict

from convscope import synonyms
from convscope.errors import RequestError, nearest
from convscope.regular_files import read_regular
from convscope.training.setting import SettingField, settings_of


def read_config_flag(tokens: Sequence[str], command: str) -> tuple[Dict, ...]:
    """Read the file that `--config FILE` names, if it is given; RequestError if it is wrong."""
    files: list[str] = []
    remaining = iter(tokens)
    for word in remaining:
        if word == "--config":
            files.append(next(remaining, ""))
        elif word.startswith("--config="):
            files.append(word.removeprefix("--config="))
    if len(files) > 1:
        raise RequestError("--config can be given only once.")
    if files == [""]:
        raise RequestError("--config needs a TOML file.")
    found = [(file, read_settings(Path(file))) for file in files]
    for file, settings in found:
        _check_code(file, "model", settings.get("model"), tokens)
        _check_code(file, "augment", settings.get("augment"), tokens)
    # Below the command's name: outside of it, keys that are commands, as data is, are dropped.
    return tuple(Dict({command: settings}, source=file) for file, settings in found)


def _check_code(file: str, setting: str, value: object, tokens: Sequence[str]) -> None:
    """Refuse code that a file names and the command line does not. Raises ConsentError."""
    from convscope.runs.own_code import is_own_code, named_by_file  # noqa: PLC0415 -- torch

    is_named = any(word.partition("=")[0] == f"--{setting}" for word in tokens)
    if isinstance(value, str) and is_own_code(value) and not is_named:
        raise named_by_file(file, value, setting)


def read_settings(path: Path) -> dict[str, Any]:
    """The settings of a TOML file by our names, checked by name and type."""
    from convscope.training.config import TABLES, TrainConfig  # noqa: PLC0415 -- imports torch

    content = _read_toml(path)
    for name, value in content.items():
        if isinstance(value, dict) and name not in TABLES:
            raise RequestError(
                f"{path} has a table [{name}]; settings must be outside of any table."
                f"{nearest(name, TABLES)}"
            )
    settings = {name: value for name, value in content.items() if name not in TABLES}
    try:
        settings, _ = synonyms.translate(settings, {"data", *settings_of(TrainConfig)})
    except RequestError as error:
        raise RequestError(f"{path}: {str(error).replace('`', '')}") from error
    data = settings.pop("data", None)
    if data is not None and not isinstance(data, str):
        raise RequestError(f"{path}: data must be text, not {data!r}.")
    values = TrainConfig.from_dict(settings, source=str(path)).to_dict()
    known = settings_of(TrainConfig)
    checked = {name: _as_flag(known[name], values[name]) for name in settings}
    return checked if data is None else {"data": data, **checked}


def _as_flag(field: SettingField, value: Any) -> Any:
    """A value as the command line would have it, where that is not as TOML has it."""
    return "x".join(map(str, value)) if field.is_size and isinstance(value, list) else value


def settings_of_run(path: Path | None) -> dict[str, Any]:
    """The settings of a file if it is a run's config.toml, which lists all; else nothing."""
    content = {} if path is None else _read_toml(path)
    return content if "versions" in content else {}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_regular(path).decode("utf-8"))
    except FileNotFoundError as error:
        raise RequestError(f"There is no file {path} to read settings from.") from error
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise RequestError(f"{path} is not valid TOML: {error}.") from error
