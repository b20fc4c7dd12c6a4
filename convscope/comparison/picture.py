"""Accuracy against cost as a picture, and the page of a comparison."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from convscope.comparison.api import RunComparison
from convscope.comparison.tables import comparison_rows, setting_table
from convscope.evaluation.gallery import style
from convscope.evaluation.result import EvaluationResult
from convscope.evaluation.tables import Rows
from convscope.reports.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, figure, y_axis
from convscope.words import escape_html
from convscope.words.html_page import html_page

_ROOM = 0.12  # of the width, left and right of the points


@dataclass(frozen=True)
class CostChart:
    """A point for each run: its accuracy with the 95% interval, by a cost on a logarithmic axis."""

    title: str
    points: Sequence[tuple[str, float, float, float, float]]
    """Name, cost, accuracy and its interval."""

    @property
    def label(self) -> str:
        return f"{self.title}: {', '.join(name for name, *_ in self.points)}"

    def draw(self) -> str:
        if not self.points:
            return ""
        y, grid = y_axis(
            min(low for *_, low, _ in self.points), max(p[4] for p in self.points), percent=True
        )
        logs = [math.log10(cost) for _, cost, *_ in self.points]
        first, span = min(logs), max(max(logs) - min(logs), 1e-9)
        width = WIDTH - LEFT - RIGHT

        def x(cost: float) -> float:
            share = (math.log10(cost) - first) / span if span > 1e-9 else 0.5
            return LEFT + width * (_ROOM + (1 - 2 * _ROOM) * share)

        ends = {min(self.points, key=lambda p: p[1])[1], max(self.points, key=lambda p: p[1])[1]}
        below = "".join(
            f'<text x="{x(cost):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">'
            f"{_count(cost)}</text>"
            for cost in ends
        )
        marks = "".join(
            f'<g class="s{number % 6}"><polyline points="{x(cost):.1f},{y(low):.1f} '
            f'{x(cost):.1f},{y(high):.1f}"/><circle cx="{x(cost):.1f}" cy="{y(value):.1f}" r="4"/>'
            f'<text x="{x(cost) + 7:.1f}" y="{y(value) + 4:.1f}"><title>{escape_html(name)}</title>'
            f"{number + 1}</text></g>"
            for number, (name, cost, value, low, high) in enumerate(self.points)
        )
        line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{TOP}" y2="{TOP}"/>'
        return f"{grid}{line}{below}{marks}"


def cost_charts(comparison: RunComparison) -> list[CostChart]:
    """Accuracy by parameters, by multiply-adds and by the time of an image."""
    costs = {
        "Accuracy by parameters": [run.parameters for run in comparison.runs],
        "Accuracy by multiply-adds": [run.multiply_adds for run in comparison.runs],
        "Accuracy by microseconds for an image": [1e6 / r.speed.median for r in comparison.runs],
    }
    return [
        CostChart(
            title,
            [
                (run.name, float(cost), run.result.top1, *_interval(run.result))
                for run, cost in zip(comparison.runs, values, strict=True)
                if cost
            ],
        )
        for title, values in costs.items()
    ]


def comparison_page(comparison: RunComparison) -> str:
    """One HTML page, which requests nothing."""
    names = "".join(f"<li>{escape_html(run.name)}</li>" for run in comparison.runs)
    said = [*comparison.verdicts(), *(r.describe() for r in comparison.repetitions)]
    items = "".join(f"<li>{escape_html(text)}</li>" for text in (*said, *comparison.notes))
    charts = "".join(map(figure, cost_charts(comparison)))
    settings = setting_table(comparison)
    main = (
        f"<section><h2>Differences</h2><ul class='doubts'>{items}</ul></section>"
        f"<section><h2>Runs</h2>{_table(comparison_rows(comparison))}</section>"
        "<section><h2>Accuracy and cost</h2><p>The numbers are those of the list above.</p>"
        f'<div class="charts">{charts}</div></section>'
        f"{_section('Settings that differ', settings)}"
    )
    own = files("convscope.reports").joinpath("report.css").read_text("utf-8")
    title = f"{len(comparison.runs)} runs compared"
    return html_page(title=title, style=style() + own, header=f"<ol>{names}</ol>", main=main)


def _section(title: str, rows: Rows) -> str:
    return f"<section><h2>{title}</h2>{_table(rows)}</section>" if rows else ""


def _interval(result: EvaluationResult) -> tuple[float, float]:
    found = result.details.topk["top1_error"].interval
    return (result.top1, result.top1) if found is None else (1 - found[1], 1 - found[0])


def _count(number: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {letter}"
    return f"{number:.3g}"


def _table(rows: Rows) -> str:
    head, *body = rows
    lines = "".join(
        f"<tr><th>{escape_html(row[0])}</th>"
        f"{''.join(f'<td>{escape_html(cell)}</td>' for cell in row[1:])}</tr>"
        for row in body
    )
    heads = f"<th>{escape_html(head[0])}</th>" + "".join(
        f"<td>{escape_html(cell)}</td>" for cell in head[1:]
    )
    return (
        f'<div class="wide"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )
