"""What a run folder says of its training; a file is read again only when it has changed."""

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import torch

from convscope.card import Card
from convscope.errors import ConvscopeError
from convscope.runs.folder import Run
from convscope.runs.live_files import Live, Snapshot
from convscope.runs.tensor_file import TensorFile
from convscope.zoo import ZOO, create_model
from convscope.zoo.table_file import is_table

JsonDict = dict[str, Any]
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


def read_config(path: Path) -> JsonDict:
    """The settings of the run at `path`; empty if they cannot be read. Do not change it."""
    return _config(path, stamp(path / "config.toml"))


@lru_cache(maxsize=1024)
def _config(path: Path, _stamp: Stamp) -> JsonDict:
    try:
        config = Run(path).read_config()
        json.dumps(config, default=str, ensure_ascii=False).encode()  # else no page can show it
    except (ConvscopeError, ValueError):
        return {}
    return config


def read_test(path: Path) -> JsonDict | None:
    """The test result of the run at `path`; None if it was not tested."""
    test = _test(path, stamp(path / "test.json"))
    return test if test and test.keys() >= _TEST else None


@lru_cache(maxsize=1024)
def _test(path: Path, _stamp: Stamp) -> JsonDict | None:
    with suppress(ConvscopeError, ValueError):
        test = finite(json.loads(Run(path).read("test.json")))
        return cast("JsonDict", test) if isinstance(test, dict) else None
    return None


def read_now(path: Path) -> JsonDict | None:
    """The last status that the training of the run at `path` wrote; None if it wrote none."""
    return _now(path, stamp(Live(path).folder / "now.json"))


@lru_cache(maxsize=1024)
def _now(path: Path, _stamp: Stamp) -> JsonDict | None:
    now = finite(Live(path).read_now())
    is_dated = now is not None and isinstance(now.get("updated_at"), int | float)
    return now if is_dated else None


def read_metrics(path: Path) -> list[JsonDict]:
    """The evaluations of the run at `path`; of more than `MOST`, the best and some in between."""
    return _metrics(path, stamp(path / "metrics.jsonl"))


@lru_cache(maxsize=256)
def _metrics(path: Path, _stamp: Stamp) -> list[JsonDict]:
    try:
        lines: list[Any] = Run(path).read_metrics()
    except (ConvscopeError, ValueError):
        return []
    return thinned([finite(line) for line in lines if isinstance(line, dict)])


def read_snapshot(path: Path, name: Snapshot) -> TensorFile | None:
    """A snapshot of the run at `path`; None if there is none. Do not change it."""
    return _snapshot(path, name, stamp(Live(path).folder / f"{name}.safetensors"))


@lru_cache(maxsize=16)
def _snapshot(path: Path, name: Snapshot, _stamp: Stamp) -> TensorFile | None:
    return Live(path).read_snapshot(name)


def thinned(lines: Sequence[JsonDict], *, most: int = MOST) -> list[JsonDict]:
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


def num_correct(test: Mapping[str, Any]) -> int:
    """The number of test images classified correctly."""
    return sum(row[place] for place, row in enumerate(test["confusion"]))


def best_top1(metrics: Sequence[Mapping[str, Any]]) -> float | None:
    """The validation accuracy of the best weights so far."""
    return next((line.get("val_top1") for line in reversed(metrics) if line.get("best")), None)


def card_of(path: Path) -> Card | None:
    """The card of the run at `path`, None where there is none to read."""
    return _card(path, stamp(path / "card.json"))


@lru_cache(maxsize=256)
def _card(path: Path, _stamp: Stamp) -> Card | None:
    try:
        return Run(path).read_card()
    except (ConvscopeError, ValueError):
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
