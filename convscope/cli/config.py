"""`--config FILE`: settings from TOML, below those given on the command line."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cyclopts.config import Dict

from convscope.errors import RequestError, nearest


def take_config(tokens: Sequence[str]) -> tuple[list[str], tuple[Dict, ...]]:
    """Take `--config FILE` out of a command line and read it; RequestError names a bad file."""
    rest: list[str] = []
    files: list[str] = []
    words = iter(tokens)
    for word in words:
        if word == "--config":
            files.append(next(words, ""))
        elif word.startswith("--config="):
            files.append(word.removeprefix("--config="))
        else:
            rest.append(word)
    if len(files) > 1:
        raise RequestError("--config was given twice; one file is read.")
    return rest, tuple(
        Dict(read_settings(Path(file)), use_commands_as_keys=False, source=file) for file in files
    )


def read_settings(path: Path) -> dict[str, Any]:
    """The settings of a TOML file, checked by name and type."""
    from convscope.training.config import TABLES, TrainConfig  # noqa: PLC0415 -- imports what reads pictures

    try:
        words = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise RequestError(f"There is no {path} to read settings from.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise RequestError(f"{path} is not TOML: {error}.") from error
    for word, value in words.items():
        if isinstance(value, dict) and word not in TABLES:
            raise RequestError(
                f"{path} has a table [{word}]; settings stand on top, outside any."
                f"{nearest(word, TABLES)}"
            )
    settings = {word: value for word, value in words.items() if word not in TABLES}
    data = settings.pop("data", None)
    if data is not None and not isinstance(data, str):
        raise RequestError(f"{path}: data must be text, not {data!r}.")
    plain = TrainConfig.from_dict(settings, source=str(path)).to_dict()
    chosen = {word: plain[word] for word in settings}
    return chosen if data is None else {"data": data, **chosen}
