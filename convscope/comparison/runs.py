"""Runs and networks side by side: results, costs, settings, and what is not comparable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convscope.comparison.comparability import caveats
from convscope.comparison.costs import closed_network, network_costs, summary_of_run
from convscope.comparison.settings import rates_by_hand, setting_rows
from convscope.errors import RequestError
from convscope.runs.index import JsonDict, num_correct, read_config, read_metrics, read_test
from convscope.runs.own_code import NO_CONSENT, Consent
from convscope.runs.step_table import COLUMNS, steps_of

FEWEST, MOST = 2, 8
"""How many runs and networks, counted together, can be compared."""


@dataclass(frozen=True)
class RunView:
    """A run to compare.

    Attributes:
        path: its folder.
        row: what a list of runs shows of it: name, title, state, epochs, parameters and so on.
        seconds: how long it has trained, as far as its status says.
        consent: what of its own code it may have imported.
    """

    path: Path
    row: Mapping[str, Any]
    seconds: float
    consent: Consent = NO_CONSENT


def compare_runs(runs: Sequence[RunView], networks: Mapping[str, str]) -> JsonDict:
    """Compare two to eight runs and networks: results, costs, settings, and caveats.

    `networks` maps each network's title to what it is built from. Raises RequestError for fewer or
    more, and for a network that cannot be built.
    """
    check_count(len(runs) + len(networks))
    rows, paths = [_run_row(run) for run in runs], [run.path for run in runs]
    closed = [sentence for run in runs if (sentence := closed_network(run.path, run.consent))]
    configs = [read_config(path) for path in paths]
    return {
        "runs": rows,
        "settings": setting_rows(configs, [rates_by_hand(path) for path in paths]) if runs else [],
        "networks": [network_costs(name, model) for name, model in networks.items()],
        "caveats": [*caveats(rows, paths), *closed],
    }


def check_count(count: int) -> None:
    """Raise RequestError for a number of runs and networks that cannot be compared."""
    if not FEWEST <= count <= MOST:
        raise RequestError(f"Choose {FEWEST} to {MOST} runs and networks to compare, not {count}.")


def _run_row(run: RunView) -> JsonDict:
    metrics, steps = read_metrics(run.path), steps_of(run.path)
    last = metrics[-1] if metrics else {}
    table = summary_of_run(run.path, run.consent)
    return {
        **run.row,
        "seconds": max(run.seconds, last.get("seconds") or 0.0),
        "images_per_second": _mean_speed(metrics),
        "parameters": table.parameters if table else run.row["parameters"],
        "multiply_adds": table.multiply_adds if table else None,
        "is_counted": table.is_counted if table else None,
        "test": _test_row(read_test(run.path)),
        "metrics": metrics,
        "series": steps and {"columns": COLUMNS, "rows": steps[1]},
    }


def _mean_speed(metrics: Sequence[JsonDict]) -> float | None:
    """Images per second over all epochs, which are equally long: the harmonic mean."""
    speeds = [speed for line in metrics if (speed := line.get("images_per_second"))]
    return len(speeds) / sum(1 / speed for speed in speeds) if speeds else None


def _test_row(test: JsonDict | None) -> JsonDict | None:
    if test is None:
        return None
    low, high = test["top1_interval"]
    correct, images = num_correct(test), test["images"]
    return {
        "top1": test["top1"],
        "low": low,
        "high": high,
        "num_correct": correct,
        "images": images,
        "map": test.get("map"),
        "kappa": test.get("kappa"),
    }
