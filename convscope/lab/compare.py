"""Runs and networks side by side: results, costs, settings, and what does not compare."""

import csv
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

from convscope.errors import ConvscopeError, RequestError, nearest
from convscope.lab.jobs.events import COLUMNS, steps_of
from convscope.lab.jobs.form import setting_group_names, setting_helps
from convscope.lab.jobs.jobs import ALIVE, Trainings
from convscope.runs import index as facts
from convscope.runs.index import Stamp, Words, stamp
from convscope.summaries.api import summary
from convscope.summaries.table import Summary
from convscope.training.config import TrainConfig
from convscope.zoo import ZOO

FEWEST, MOST = 2, 8
"""Runs and networks, counted together, that are compared."""

_BYTES = 4  # of a number in float32
_SHORT = 12  # digits of a fingerprint that are shown
_FACTS = (
    ("dataset", "name", "data set", "Data", "What the data are called."),
    ("dataset", "fingerprint", "fingerprint", "Data", "Of every picture, its name and its class."),
    ("dataset", "train", "training pictures", "Data", "How many."),
    ("dataset", "val", "validation pictures", "Data", "How many."),
    ("dataset", "test", "test pictures", "Data", "How many."),
    ("machine", "device", "computed on", "Machine", "What the setting device came to."),
    ("machine", "threads", "threads used", "Machine", "What the setting threads came to."),
    ("machine", "cpu", "instructions", "Machine", "Those of the processor for whole vectors."),
    ("versions", "convscope", "convscope", "Versions", ""),
    ("versions", "torch", "torch", "Versions", ""),
    ("versions", "numpy", "numpy", "Versions", ""),
    ("versions", "pillow", "pillow", "Versions", ""),
    ("versions", "python", "python", "Versions", ""),
)
"""Facts of a run's config: their table and name there, what they are called here, group, help."""


def compared(trainings: Trainings, runs: Sequence[str], networks: Sequence[str]) -> dict[str, Any]:
    """Two to eight runs and networks, all that is known of them, and what does not compare.

    Raises RequestError for another number of them and for unknown names.
    """
    runs, networks = list(dict.fromkeys(runs)), list(dict.fromkeys(networks))
    if not FEWEST <= len(runs) + len(networks) <= MOST:
        raise RequestError(
            f"{FEWEST} to {MOST} runs and networks are compared, not {len(runs) + len(networks)}."
        )
    found = [_run(trainings, name) for name in runs]
    paths = [trainings.path(name) for name in runs]
    return {
        "runs": found,
        "settings": setting_rows([facts.read_config(path) for path in paths]) if runs else [],
        "networks": [network_told(name, trainings.given.models) for name in networks],
        "sentences": sentences(found, paths),
    }


def _run(trainings: Trainings, name: str) -> Words:
    path = trainings.path(name)
    line, now = trainings.line(name, path), trainings.state(name, path).now or {}
    metrics, steps = facts.read_metrics(path), steps_of(path)
    last = metrics[-1] if metrics else {}
    size = _summary_of_run(path, stamp(path / "config.toml"))
    return {
        **line,
        "seconds": max(now.get("seconds") or 0.0, last.get("seconds") or 0.0),
        "images_per_second": _speed(metrics),
        "parameters": size.parameters if size else line["parameters"],
        "multiply_adds": size.multiply_adds if size else None,
        "test": _test(facts.read_test(path)),
        "metrics": metrics,
        "series": steps and {"columns": COLUMNS, "rows": steps[1]},
    }


def _speed(metrics: Sequence[Words]) -> float | None:
    """Images per second over all epochs, which are equally long: the harmonic mean."""
    speeds = [speed for line in metrics if (speed := line.get("images_per_second"))]
    return len(speeds) / sum(1 / speed for speed in speeds) if speeds else None


def _test(test: Words | None) -> Words | None:
    if test is None:
        return None
    low, high = test["top1_interval"]
    hits = facts.test_hits(test)
    return {"top1": test["top1"], "low": low, "high": high, "hits": hits, "images": test["images"]}


@lru_cache(maxsize=64)
def _summary_of_run(path: Path, _stamp: Stamp) -> Summary | None:
    """The table of a run's network, which needs no weights; None where it cannot be built."""
    with suppress(ConvscopeError, OSError, KeyError):
        return summary(path)
    return None


def network_told(name: str, models: Mapping[str, str]) -> Words:
    """What a network costs, trained or not.

    `layers` are those with weights that are multiplied: convolutional, locally connected and dense
    ones, projections on shortcuts too. `memory` is the bytes of all maps of one image in float32.
    """
    if name not in ZOO and name not in models:
        raise RequestError(
            f"This lab has no network {name!r}.{nearest(name, [*ZOO, *models])} A layer table or "
            "module:attr is given to it with `convscope lab NETWORK`."
        )
    model = models.get(name, name)
    found = _summary(model, stamp(Path(model)))
    return {
        "name": name,
        "title": name,
        "parameters": found.parameters,
        "multiply_adds": found.multiply_adds,
        "layers": sum(row.parameters > 0 and row.multiply_adds > 0 for row in found.rows),
        "size": "×".join(map(str, found.input)),
        "memory": _BYTES * found.units,
    }


@lru_cache(maxsize=128)
def _summary(model: str, _stamp: Stamp) -> Summary:
    return summary(model)


def setting_rows(configs: Sequence[Mapping[str, Any]]) -> list[Words]:
    """Every setting, and facts of data and machine, with a value for each config.

    Those that differ come first. A value is None where it was left open or is not told.
    """
    helps, groups, plain = setting_helps(), setting_group_names(), TrainConfig().to_dict()
    rows = [_row("data", "Data", "What was trained on.", [c.get("data") for c in configs])]
    for name, told in helps.items():
        values = [config.get(name, plain.get(name)) if config else None for config in configs]
        rows.append(_row(name, groups[name], told, values))
    for table, name, title, group, told in _FACTS:
        values = [config.get(table, {}).get(name) for config in configs]
        if name == "fingerprint":
            values = [value and str(value)[:_SHORT] for value in values]
        rows.append(_row(title, group, told, values))
    return sorted(rows, key=lambda row: not row["differs"])


def _row(name: str, group: str, told: str, values: Sequence[Any]) -> Words:
    differs = any(value != values[0] for value in values)
    values = [facts.finite(value) for value in values]
    return {"name": name, "group": group, "help": told, "values": values, "differs": differs}


def sentences(runs: Sequence[Words], paths: Sequence[Path]) -> list[str]:
    """What does not compare, and whether the tests tell the runs apart."""
    found: list[str] = []
    names = [run["name"] for run in runs]
    configs = [facts.read_config(path) for path in paths]
    prints = [config.get("dataset", {}).get("fingerprint") for config in configs]
    tests = [_tested_on(path, stamp(path / "splits.csv")) for path in paths]
    if len(set(prints)) > 1:
        told = _grouped(names, [c.get("dataset", {}).get("name") or "other data" for c in configs])
        found.append(f"The data differ ({told}): what was measured on one says nothing of another.")
    elif len(set(tests)) > 1:
        found.append("The runs were tested on other images of the same data; see the split seed.")
    metrics = [str(config.get("metric")) for config in configs]
    if len(set(metrics)) > 1:
        found.append(
            f"The best weights were chosen by other measures ({_grouped(names, metrics)})."
        )
    found += [_unfinished(run) for run in runs if run["state"] != "done"]
    same = list(zip(prints, tests, strict=True))
    return [*filter(None, found), *_overlaps(runs, lambda one, two: same[one] == same[two])]


def _grouped(names: Sequence[str], values: Sequence[str]) -> str:
    """`a and b: digits; c: mnist`."""
    members: dict[str, list[str]] = {}
    for name, value in zip(names, values, strict=True):
        members.setdefault(value, []).append(name)
    return "; ".join(f"{' and '.join(several)}: {value}" for value, several in members.items())


def _unfinished(run: Words) -> str:
    if run["state"] in ALIVE:
        return f"{run['name']} is not at its end: its figures will change."
    word = "failed" if run["state"] == "failed" else f"was {run['state']}"
    return f"{run['name']} {word} after epoch {run['epochs']} and was not tested."


@lru_cache(maxsize=64)
def _tested_on(path: Path, _stamp: Stamp) -> str | None:
    """A digest of which pictures the run set aside for its test."""
    try:
        text = (path / "splits.csv").read_text("utf-8", "surrogateescape")
        rows = csv.DictReader(io.StringIO(text, newline=""))
        keys = sorted(str(row["key"]) for row in rows if row["split"] == "test")
    except (OSError, csv.Error, KeyError):
        return None
    return hashlib.sha256("\0".join(keys).encode("utf-8", "surrogateescape")).hexdigest()


def _overlaps(runs: Sequence[Words], comparable: Callable[[int, int], bool]) -> list[str]:
    """For runs tested on the same images, whether their 95% intervals overlap."""
    tested = [place for place, run in enumerate(runs) if run["test"]]
    pairs = [pair for pair in combinations(tested, 2) if comparable(*pair)]
    close = [pair for pair in pairs if _overlap(*(runs[place]["test"] for place in pair))]
    if len(pairs) == 1:
        if close:
            return ["The intervals overlap: these tests do not tell the two apart."]
        return ["The intervals do not overlap: the tests tell the two apart."]
    if not close:
        return ["No two intervals overlap: the tests tell the runs apart."] if pairs else []
    if len(close) == len(pairs):
        return ["All intervals overlap: these tests do not tell the runs apart."]
    told = "; ".join(" and ".join(runs[place]["name"] for place in pair) for pair in close)
    return [f"The intervals overlap, and the tests do not tell apart: {told}."]


def _overlap(one: Words, two: Words) -> bool:
    return one["low"] <= two["high"] and two["low"] <= one["high"]
