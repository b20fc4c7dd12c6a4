"""`convscope.compare`: runs side by side, and which differences are more than noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from convscope.card import Card
from convscope.comparison.comparability import caveats
from convscope.comparison.costs import summary_of_run
from convscope.comparison.paired_tests import PairedTest, paired_tests, ranks
from convscope.comparison.settings import rates_by_hand, setting_rows
from convscope.comparison.speed import Speed, measure_speed
from convscope.errors import RequestError
from convscope.evaluation.evaluate import evaluate
from convscope.evaluation.figures import Figure
from convscope.evaluation.result import EvaluationResult
from convscope.models import OpenedModel
from convscope.reports.content import Report
from convscope.runs.folder import Run
from convscope.runs.index import read_config
from convscope.runs.own_code import Consent

_SEEDS = ("seed", "split_seed")
"""Settings in which repetitions of one training differ."""

_WHEREABOUTS = ("machine", "versions")


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs that are compared.

    Attributes:
        name: of its folder.
        result: of the evaluation of its own test images.
        multiply_adds: for one image; None where an operation's are not known.
        bytes: of the file of its weights.
        rank: 1, and one more for each other that is better by more than noise.
    """

    name: str
    result: EvaluationResult
    parameters: int
    multiply_adds: int | None
    bytes: int
    speed: Speed
    rank: int

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """Figures by name, with intervals."""
        return dict(Report.of(self.result).figures)

    @property
    def card(self) -> Card:
        assert self.result.opened is not None
        return self.result.opened.card


@dataclass(frozen=True)
class Repetitions:
    """Runs that differ in their seeds alone: the mean and the standard deviation of accuracy."""

    names: tuple[str, ...]
    mean: float
    std: float

    def describe(self) -> str:
        """In a sentence."""
        return (
            f"{', '.join(self.names)} differ in their seeds alone: accuracy {self.mean:.2%}, "
            f"standard deviation {100 * self.std:.2f} points over {len(self.names)} runs."
        )


@dataclass(frozen=True)
class RunComparison:
    """What `convscope.compare` returns.

    Attributes:
        runs: in the order in which they were named.
        settings: rows of the settings that differ: name, and a value for each run.
        tests: of each pair of runs that were tested on the same images.
        repetitions: runs that differ in their seeds alone.
        notes: sentences on what is not comparable.
    """

    runs: tuple[ComparedRun, ...]
    settings: tuple[Mapping[str, Any], ...]
    tests: tuple[PairedTest, ...]
    repetitions: tuple[Repetitions, ...]
    notes: tuple[str, ...]

    def verdicts(self) -> list[str]:
        """A sentence for each pair: by how much the second differs, and whether that is noise."""
        names = [run.name for run in self.runs]
        return [_verdict(test, names[test.first], names[test.second]) for test in self.tests]

    def to_dict(self) -> dict[str, Any]:
        """Values of JSON."""
        return {
            "runs": [
                {
                    "name": run.name,
                    "rank": run.rank if self.tests else None,
                    "figures": {name: each.to_dict() for name, each in run.figures.items()},
                    "parameters": run.parameters,
                    "multiply_adds": run.multiply_adds,
                    "bytes": run.bytes,
                    "images_per_second": [run.speed.slowest, run.speed.median, run.speed.fastest],
                }
                for run in self.runs
            ],
            "settings": [dict(row) for row in self.settings],
            "tests": [test.to_dict() for test in self.tests],
            "repetitions": [
                {"names": list(r.names), "mean": r.mean, "std": r.std} for r in self.repetitions
            ],
            "notes": list(self.notes),
        }


def compare(
    *runs: str | PathLike[str],
    trust: bool = False,
) -> RunComparison:
    """Compare trained runs: settings that differ, test figures with intervals, paired tests, costs.

    Each run is evaluated on its own test images. Where two have the same ones, they are compared
    image by image: McNemar's exact test for accuracy, a paired bootstrap for the mean F1; with
    groups, group by group. Runs that do not differ by more than noise have the same rank.

    Speed is measured here, in turn, in batches of 8 on the CPU. `trust` lets runs import code of
    their own.

    Raises RequestError for fewer than two runs, or the same one twice.
    """
    if len(runs) < 2:
        raise RequestError("Name two or more runs to compare.")
    opened = [Run.open(path) for path in runs]
    if len({run.path.resolve() for run in opened}) < len(opened):
        raise RequestError("A run is named twice. Name different runs.")
    for run in opened:
        if run.read_card().boxes is not None:
            raise RequestError(
                f"{run.path} finds objects, and runs are compared by the classes of whole images. "
                "`evaluate` says the average precision of each with its interval."
            )
    results = [evaluate(run.path, trust=trust) for run in opened]
    tests = paired_tests(results)
    networks = [result.opened for result in results if result.opened is not None]
    speeds = measure_speed(networks)
    names = _names([run.path for run in opened])
    configs = [read_config(run.path) for run in opened]
    compared = tuple(
        _compared(run, name, result, network, speed, rank, Consent(None, trust))
        for run, name, result, network, speed, rank in zip(
            opened, names, results, networks, speeds, ranks(len(opened), tests), strict=True
        )
    )
    by_hand = [rates_by_hand(run.path) for run in opened]
    rows = [row for row in setting_rows(configs, by_hand) if row["differs"]]
    facts = [{"name": name, "state": "done", "test": None} for name in names]
    return RunComparison(
        compared,
        tuple(rows),
        tuple(tests),
        tuple(_repetitions(compared, configs)),
        tuple(caveats(facts, [run.path for run in opened])),
    )


def _compared(
    run: Run,
    name: str,
    result: EvaluationResult,
    network: OpenedModel,
    speed: Speed,
    rank: int,
    consent: Consent,
) -> ComparedRun:
    summary = summary_of_run(run.path, consent)
    return ComparedRun(
        name,
        result,
        sum(weight.numel() for weight in network.net.parameters()),
        summary.multiply_adds if summary is not None and summary.is_counted else None,
        (run.path / "model.safetensors").stat().st_size,
        speed,
        rank,
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """The names of folders, with the folder above where two have one name."""
    names = [path.resolve().name for path in paths]
    if len(set(names)) == len(names):
        return names
    return [f"{path.resolve().parent.name}/{path.resolve().name}" for path in paths]


def _repetitions(
    runs: Sequence[ComparedRun], configs: Sequence[Mapping[str, Any]]
) -> list[Repetitions]:
    series: dict[str, list[ComparedRun]] = {}
    for run, config in zip(runs, configs, strict=True):
        rest = {k: v for k, v in config.items() if k not in (*_SEEDS, *_WHEREABOUTS)}
        series.setdefault(repr(sorted(rest.items())), []).append(run)
    return [
        Repetitions(
            tuple(run.name for run in members),
            fmean(run.result.top1 for run in members),
            stdev([run.result.top1 for run in members]),
        )
        for members in series.values()
        if len(members) > 1
    ]


def _verdict(test: PairedTest, first: str, second: str) -> str:
    change, (low, high) = test.accuracy.change, test.accuracy.interval
    how = "more" if change > 0 else "less"
    size = (
        f"{abs(100 * change):.2f} points {how} accurate than {first} (difference "
        f"{100 * change:+.2f}, 95% interval {100 * low:+.2f} to {100 * high:+.2f}; "
        f"p {test.chance:.2g})"
    )
    if not test.differs:
        return f"{second} and {first} do not differ by more than noise: {second} is {size}."
    return f"{second} differs from {first}: it is {size}."
