"""A comparison as tables of text, a column for each run: figures and costs, settings."""

from convscope.comparison.api import RunComparison
from convscope.comparison.speed import Speed
from convscope.evaluation.figures import Figure
from convscope.evaluation.tables import Rows
from convscope.reports.content import SHARES


def comparison_rows(comparison: RunComparison) -> Rows:
    """A header and a row for each figure and cost. Runs of one rank do not differ by more than
    noise.
    """
    runs = comparison.runs
    names = [n for n in runs[0].figures if all(n in run.figures for run in runs)]
    return [
        ["", *(run.name for run in runs)],
        ["Rank", *(str(run.rank) if comparison.tests else "–" for run in runs)],
        *([name, *(_figure(name, run.figures[name]) for run in runs)] for name in names),
        ["Parameters", *(f"{run.parameters:,}" for run in runs)],
        ["Multiply-adds", *(_count(run.multiply_adds) for run in runs)],
        ["Images a second", *(_speed(run.speed) for run in runs)],
        ["Size on disk", *(f"{run.bytes / 1e6:.2f} MB" for run in runs)],
    ]


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _speed(speed: Speed) -> str:
    return f"{speed.median:,.0f} ({speed.slowest:,.0f} to {speed.fastest:,.0f})"


def setting_table(comparison: RunComparison) -> Rows:
    """A header and a row for each setting that differs; empty where none does."""
    if not comparison.settings:
        return []
    return [
        ["setting", *(run.name for run in comparison.runs)],
        *([str(row["name"]), *map(_text, row["values"])] for row in comparison.settings),
    ]


def _text(value: object) -> str:
    return "–" if value is None else str(value)


def _figure(name: str, figure: Figure) -> str:
    if not figure.is_defined:
        return "not defined"
    form = ".2%" if name in SHARES else ".4f"
    text = f"{figure.value:{form}}"
    if figure.interval is None:
        return text
    low, high = figure.interval
    return f"{text} ({low:{form}} to {high:{form}})"
