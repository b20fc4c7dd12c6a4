"""What must not be compared between runs, and whether their tests show a difference."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

from convscope.data.split import read_splits
from convscope.errors import ConvscopeError
from convscope.runs.folder import Run
from convscope.runs.index import Stamp, read_config, stamp
from convscope.runs.status import ACTIVE


def caveats(runs: Sequence[Mapping[str, Any]], paths: Sequence[Path]) -> list[str]:
    """Sentences on what is not comparable between runs, and on whether their intervals overlap.

    `runs` are rows of a comparison, see `compare_runs`; `paths` are their folders.
    """
    names = [run["name"] for run in runs]
    configs = [read_config(path) for path in paths]
    fingerprints = [config.get("dataset", {}).get("fingerprint") for config in configs]
    test_images = [_test_images(path, stamp(path / "splits.csv")) for path in paths]
    sentences: list[str] = []
    if len(set(fingerprints)) > 1:
        data = [c.get("dataset", {}).get("name") or "other data" for c in configs]
        sentences.append(
            f"The data differ ({_grouped(names, data)}): results on one say nothing about another."
        )
    elif len(set(test_images)) > 1:
        sentences.append(
            "The runs were tested on different images of the same data; see the split seed."
        )
    metrics = [str(config.get("metric")) for config in configs]
    if len(set(metrics)) > 1:
        sentences.append(
            f"The best weights were chosen by different metrics ({_grouped(names, metrics)})."
        )
    sentences += [_unfinished(run) for run in runs if run["state"] != "done"]
    tests = list(zip(fingerprints, test_images, strict=True))
    return sentences + _overlaps(runs, lambda a, b: tests[a] == tests[b])


def _grouped(names: Sequence[str], values: Sequence[str]) -> str:
    """`a and b: digits; c: mnist`."""
    members: dict[str, list[str]] = {}
    for name, value in zip(names, values, strict=True):
        members.setdefault(value, []).append(name)
    return "; ".join(f"{' and '.join(group)}: {value}" for value, group in members.items())


def _unfinished(run: Mapping[str, Any]) -> str:
    if run["state"] in ACTIVE:
        return f"{run['name']} has not finished: its results will change."
    state = "failed" if run["state"] == "failed" else f"was {run['state']}"
    return f"{run['name']} {state} after epoch {run['epochs']} and was not tested."


@lru_cache(maxsize=64)
def _test_images(path: Path, _stamp: Stamp) -> str | None:
    """A digest of the names of a run's test images."""
    try:
        splits = read_splits(Run(path).read("splits.csv"))
    except ConvscopeError:
        return None
    keys = sorted(key for key, (_, split) in splits.items() if split == "test")
    return hashlib.sha256("\0".join(keys).encode("utf-8", "surrogateescape")).hexdigest()


def _overlaps(
    runs: Sequence[Mapping[str, Any]], is_comparable: Callable[[int, int], bool]
) -> list[str]:
    """For runs tested on the same images, whether their 95% intervals overlap."""
    tested = [index for index, run in enumerate(runs) if run["test"]]
    pairs = [pair for pair in combinations(tested, 2) if is_comparable(*pair)]
    close = [pair for pair in pairs if _overlap(*(runs[index]["test"] for index in pair))]
    if len(pairs) == 1:
        if close:
            return ["The intervals overlap: these tests do not show a difference."]
        return ["The intervals do not overlap: the results differ significantly."]
    if not close:
        return ["No two intervals overlap: all results differ significantly."] if pairs else []
    if len(close) == len(pairs):
        return ["All intervals overlap: these tests do not show a difference."]
    listed = "; ".join(" and ".join(runs[index]["name"] for index in pair) for pair in close)
    return [f"These intervals overlap, so the tests do not show a difference: {listed}."]


def _overlap(a: Mapping[str, float], b: Mapping[str, float]) -> bool:
    return a["low"] <= b["high"] and b["low"] <= a["high"]
