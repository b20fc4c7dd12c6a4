"""What a run folder says of its training; a file is read again only when it has changed."""

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import torch

from convscope.card import Card
from convscope.errors import ConvscopeError
from convscope.zoo import ZOO, build
from convscope.zoo.table_file import is_table

Words = dict[str, Any]
Stamp = tuple[int, int]

MOST = 1000
"""Lines of metrics that are told of one run."""

_TEST = {"top1", "top1_interval", "images", "confusion"}
_TAIL = 16384  # bytes of a log that are looked at


def stamp(path: Path) -> Stamp:
    """Time and size of a file, which change when it does; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def read_config(path: Path) -> Words:
    """The config.toml of the run at `path`; empty where it cannot be read. Not to be changed."""
    return read_toml(path / "config.toml")


def read_toml(path: Path) -> Words:
    """A file's TOML; empty where it cannot be read. Not to be changed."""
    return _toml(path, stamp(path))


def read_test(path: Path) -> Words | None:
    """The test of the run at `path`, None before it was made."""
    found = read_json(path / "test.json")
    return found if found and found.keys() >= _TEST else None


def read_metrics(path: Path) -> list[Words]:
    """The evaluations of the run at `path`; of more than `MOST` the best and some between."""
    return _lines(path / "metrics.jsonl", stamp(path / "metrics.jsonl"))


def read_json(path: Path) -> Words | None:
    """A file's JSON object, its numbers finite; None where there is none. Not to be changed."""
    return _object(path, stamp(path))


@lru_cache(maxsize=1024)
def _toml(path: Path, _stamp: Stamp) -> Words:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=2048)
def _object(path: Path, _stamp: Stamp) -> Words | None:
    try:
        found = finite(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError):
        return None
    return cast("Words", found) if isinstance(found, dict) else None


@lru_cache(maxsize=256)
def _lines(path: Path, _stamp: Stamp) -> list[Words]:
    try:
        found = [finite(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    except (OSError, ValueError):
        return []
    return thinned([cast("Words", line) for line in found if isinstance(line, dict)])


def thinned(lines: Sequence[Words], *, most: int = MOST) -> list[Words]:
    """At most `most` of the lines: the last, the newest that were the best, others evenly."""
    if len(lines) <= most:
        return list(lines)
    best = [place for place, line in enumerate(lines) if line.get("best")][-(most // 4) :]
    left = most - len(best)
    spread = {round(place * (len(lines) - 1) / (left - 1)) for place in range(left)}
    return [lines[place] for place in sorted(spread | set(best))]


def finite(value: Any) -> Any:
    """JSON's values with None for what is no finite number."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): finite(v) for k, v in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in cast("Sequence[object]", value)]
    return value


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a text file that say anything; none where there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]


def title_of(config: Mapping[str, Any]) -> str:
    """`lenet5 on mnist`; empty where the config does not say."""
    if "model" not in config:
        return ""
    model = str(config["model"])
    data = config.get("dataset", {}).get("name") or Path(str(config.get("data", "digits"))).name
    return f"{Path(model).stem if is_table(model) else model} on {data}"


def test_hits(test: Mapping[str, Any]) -> int:
    """How many images of a test were answered right."""
    return sum(row[place] for place, row in enumerate(test["confusion"]))


def best_top1(metrics: Sequence[Mapping[str, Any]]) -> float | None:
    """The validation accuracy of the best weights so far."""
    return next((line.get("val_top1") for line in reversed(metrics) if line.get("best")), None)


def card_of(path: Path) -> Card | None:
    """The card of the run at `path`, None where there is none to read."""
    return _card(path / "card.json", stamp(path / "card.json"))


@lru_cache(maxsize=256)
def _card(path: Path, _stamp: Stamp) -> Card | None:
    try:
        return Card.from_json(path.read_text("utf-8"), where=path.name)
    except (OSError, ValueError, ConvscopeError):
        return None


def parameters_of(path: Path) -> int | None:
    """How many parameters the network of the run at `path` has.

    None where that cannot be told, and for a network of the user's own: a list of runs imports
    nobody's code.
    """
    card, model = card_of(path), read_config(path).get("model")
    if card is None or not isinstance(model, str) or not (is_table(model) or model in ZOO):
        return None
    kept = path / "network.toml"
    source = str(kept) if is_table(model) else model
    return _counted(source, stamp(kept), len(card.classes), card.in_channels, card.input_size)


@lru_cache(maxsize=256)
def _counted(
    model: str, _stamp: Stamp, classes: int, channels: int, size: tuple[int, int]
) -> int | None:
    try:
        with torch.device("meta"):
            net = build(model, classes=classes, channels=channels, input=size)
    except (ConvscopeError, RuntimeError):
        return None
    return sum(weight.numel() for weight in net.parameters())
