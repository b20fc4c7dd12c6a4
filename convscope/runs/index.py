"""Tolerant, cached readers of run folders, for lists of runs: a file is read again only when it
has changed, and what cannot be read is empty or None.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from convscope.card import Card, TaskName
from convscope.errors import ConvscopeError
from convscope.regular_files import open_regular
from convscope.runs.folder import Run
from convscope.runs.live_files import Live, Snapshot
from convscope.runs.tensor_file import TensorFile
from convscope.zoo import ENTRIES, create_model
from convscope.zoo.files import is_file, short_name

JsonDict = dict[str, Any]
Stamp = tuple[int, int]

MAX_LINES = 1000
"""Lines of metrics of a run at most."""

_TAIL = 16384  # bytes at the end of a log that are read


def stamp(path: Path) -> Stamp:
    """Modification time and size of a file; zeros if it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def read_config(path: Path) -> JsonDict:
    """The settings of the run at `path`; empty if they cannot be read. Do not change it."""
    return _config(path, stamp(path / "config.toml"))


@lru_cache(maxsize=1024)
def _config(path: Path, _stamp: Stamp) -> JsonDict:
    try:
        return Run(path).read_config()
    except ConvscopeError:
        return {}


def read_test(path: Path) -> JsonDict | None:
    """The test result of the run at `path`; None if it was not tested."""
    return _test(path, stamp(path / "test.json"))


@lru_cache(maxsize=1024)
def _test(path: Path, _stamp: Stamp) -> JsonDict | None:
    with suppress(ConvscopeError):
        return Run(path).read_scores("test.json")
    return None


def read_now(path: Path) -> JsonDict | None:
    """The last status that the training of the run at `path` wrote; None if it wrote none."""
    return _now(path, stamp(Live(path).folder / "now.json"))


@lru_cache(maxsize=1024)
def _now(path: Path, _stamp: Stamp) -> JsonDict | None:
    return Live(path).read_now()


def read_metrics(path: Path) -> list[JsonDict]:
    """The evaluations of the run at `path`; of more than `MAX_LINES`, the best and some others."""
    return _metrics(path, stamp(path / "metrics.jsonl"))


@lru_cache(maxsize=256)
def _metrics(path: Path, _stamp: Stamp) -> list[JsonDict]:
    try:
        return thin_metrics(Run(path).read_metrics())
    except ConvscopeError:
        return []


def read_snapshot(path: Path, name: Snapshot) -> TensorFile | None:
    """A snapshot of the run at `path`; None if there is none. Do not change it."""
    return _snapshot(path, name, stamp(Live(path).folder / f"{name}.safetensors"))


@lru_cache(maxsize=16)
def _snapshot(path: Path, name: Snapshot, _stamp: Stamp) -> TensorFile | None:
    return Live(path).read_snapshot(name)


def thin_metrics(lines: Sequence[JsonDict], *, max_lines: int = MAX_LINES) -> list[JsonDict]:
    """At most `max_lines` lines: the newest of the best, and others evenly up to the last."""
    if len(lines) <= max_lines:
        return list(lines)
    best = [index for index, line in enumerate(lines) if line.get("best")][-(max_lines // 4) :]
    count = max_lines - len(best)
    spread = {round(i * (len(lines) - 1) / (count - 1)) for i in range(count)}
    return [lines[index] for index in sorted(spread | set(best))]


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a text file that are not blank; empty if there is no file."""
    try:
        with open_regular(path) as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]


def run_title(config: Mapping[str, Any]) -> str:
    """For example "lenet5 on mnist"; the data alone for a model that is not chosen yet; empty if
    the config names no model.
    """
    if "model" not in config:
        return ""
    model = str(config["model"])
    data = config.get("dataset", {}).get("name") or Path(str(config.get("data", "digits"))).name
    if model == "auto":
        return str(data)
    return f"{short_name(model)} on {data}"


def num_correct(test: Mapping[str, Any]) -> int:
    """The number of test images classified correctly; of several labels, in every one."""
    if "correct" in test:
        return test["correct"]
    return sum(row[index] for index, row in enumerate(test["confusion"]))


def best_value(metrics: Sequence[Mapping[str, Any]], metric: str) -> float | None:
    """A metric of validation with the best weights so far; None before the first validation."""
    return next((line.get(f"val_{metric}") for line in reversed(metrics) if line.get("best")), None)


def read_task(path: Path) -> TaskName:
    """What the run at `path` says of an image; one class before that is known."""
    card = read_card(path)
    return "single-label" if card is None else card.task


def read_card(path: Path) -> Card | None:
    """The card of the run at `path`; None if it cannot be read."""
    return _card(path, stamp(path / "card.json"))


@lru_cache(maxsize=256)
def _card(path: Path, _stamp: Stamp) -> Card | None:
    try:
        return Run(path).read_card()
    except (ConvscopeError, ValueError):
        return None


def count_parameters(path: Path) -> int | None:
    """The number of parameters of the network of the run at `path`.

    None if it is unknown, and for a user's own network, because a list of runs must not import
    user code.
    """
    card, model = read_card(path), read_config(path).get("model")
    if card is None or not isinstance(model, str) or not (is_file(model) or model in ENTRIES):
        return None
    table = path / "network.toml"
    source = str(table) if is_file(model) else model
    return _count_parameters(
        source, stamp(table), len(card.classes), card.in_channels, card.input_size
    )


@lru_cache(maxsize=256)
def _count_parameters(
    model: str, _stamp: Stamp, num_classes: int, in_channels: int, input_size: tuple[int, int]
) -> int | None:
    try:
        with torch.device("meta"):
            net = create_model(
                model, num_classes=num_classes, in_channels=in_channels, input_size=input_size
            )
    except (ConvscopeError, RuntimeError):
        return None
    return sum(weight.numel() for weight in net.parameters())
