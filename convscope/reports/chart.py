"""Line charts as SVG in the page's light and dark colors, readable without color."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from convscope.errors import RequestError
from convscope.words import escape_html

WIDTH, HEIGHT = 400, 230
_SMALLEST = 1e-300  # span of values whose ticks can be told apart
_GAP = 16  # between charts in one file
LEFT, RIGHT, TOP, BOTTOM = 54, 72, 14, 34


STYLE = """
.convscope-charts { display: flex; flex-wrap: wrap; gap: 16px; }
.convscope-charts figure { flex: 1 1 300px; max-width: 460px; margin: 0; }
.convscope-charts figcaption { font-size: 13px; opacity: 0.75; }
.convscope-charts svg { width: 100%; height: auto; display: block; }
.convscope-chart text { font: 12px system-ui, sans-serif; fill: currentColor; opacity: 0.75; }
.convscope-chart .grid { stroke: currentColor; opacity: 0.15; }
.convscope-chart polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.convscope-chart .s0 polyline { stroke: #3b82f6; }
.convscope-chart .s0 :is(text, circle) { fill: #3b82f6; opacity: 1; }
.convscope-chart .s1 polyline { stroke: #ea6a2a; stroke-dasharray: 6 3; }
.convscope-chart .s1 :is(text, circle) { fill: #ea6a2a; opacity: 1; }
.convscope-chart .raw { fill: #3b82f6; opacity: 0.3; }
.convscope-chart .mark line { stroke: currentColor; stroke-dasharray: 3 3; opacity: 0.75; }
"""
"""For charts outside of the report: they take the text color of the page around them."""


class Drawing(Protocol):
    """What `Charts` show side by side."""

    @property
    def title(self) -> str: ...

    @property
    def label(self) -> str:
        """What it shows, for those who cannot see it."""
        ...

    def draw(self) -> str:
        """What is inside of an SVG of `WIDTH` by `HEIGHT`; empty where there is nothing to see."""
        ...


@dataclass(frozen=True)
class Chart:
    """One chart: a line per series over epochs 1, 2, 3 ..., each labeled at its end.

    Values that are None or not finite are left out.

    Attributes:
        percent: whether 0.975 is written as 97.5%.
        first: the epoch of the first value.
    """

    title: str
    series: Mapping[str, Sequence[float | None]]
    percent: bool = False
    first: int = 1

    @property
    def label(self) -> str:
        return f"{self.title} over {max(map(len, self.series.values()), default=0)} epochs"

    def draw(self) -> str:
        points = _points(self.series, self.first)
        return _drawing(points, percent=self.percent) if points else ""


class Charts:
    """Charts side by side. A notebook shows them; `save` writes them to a file."""

    def __init__(self, *charts: Drawing) -> None:
        self.charts = [chart for chart in charts if chart.draw()]

    @property
    def html(self) -> str:
        """The charts for a page that has `STYLE`."""
        figures = "".join(map(figure, self.charts))
        return f'<div class="convscope-charts convscope-chart">{figures}</div>'

    @property
    def svg(self) -> str:
        """The charts as one SVG file, on white."""
        parts = "".join(
            f'<g transform="translate({number * (WIDTH + _GAP)} 0)"><text x="{LEFT}" y="16">'
            f'{escape_html(chart.title)}</text><g transform="translate(0 18)">'
            f"{chart.draw()}</g></g>"
            for number, chart in enumerate(self.charts)
        )
        width, height = len(self.charts) * (WIDTH + _GAP), HEIGHT + 20
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" class="convscope-chart"><style>{STYLE}</style>'
            f'<rect width="{width}" height="{height}" fill="#fff"/>{parts}</svg>\n'
        )

    def save(self, path: str | Path) -> None:
        """Write the charts to an SVG file, which browsers, Word and Inkscape open.

        Raises RequestError for another ending than .svg.
        """
        check_svg(path)
        Path(path).write_text(self.svg, "utf-8")

    def _repr_html_(self) -> str:
        return f"<style>{STYLE}</style>{self.html}"

    def __repr__(self) -> str:
        titles = ", ".join(chart.title for chart in self.charts)
        return f"Charts of {titles}: a notebook shows them, .save('curves.svg') writes them"


def check_svg(path: str | Path) -> None:
    """Raise RequestError for a file whose name does not end in .svg."""
    if Path(path).suffix.lower() != ".svg":
        raise RequestError(
            f"{path}: charts are saved as SVG; name a file that ends in .svg. For others plot the "
            "numbers of the result with matplotlib."
        )


def figure(chart: Drawing) -> str:
    """A figure with the SVG of a chart; empty where there is nothing to see."""
    drawn = chart.draw()
    if not drawn:
        return ""
    return (
        f"<figure><figcaption>{escape_html(chart.title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape_html(chart.label)}">{drawn}</svg></figure>'
    )


def _points(
    series: Mapping[str, Sequence[float | None]], first: int
) -> dict[str, list[tuple[int, float]]]:
    """Epoch and value of the points of each series that can be drawn; no empty series."""
    points = {
        name: [(e, v) for e, v in enumerate(values, first) if v is not None and math.isfinite(v)]
        for name, values in series.items()
    }
    return {name: line for name, line in points.items() if line}


def _drawing(lines: Mapping[str, Sequence[tuple[int, float]]], *, percent: bool) -> str:
    """What is inside of the SVG."""
    first = min(epoch for points in lines.values() for epoch, _ in points)
    epochs = max(epoch for points in lines.values() for epoch, _ in points)
    values = [value for points in lines.values() for _, value in points]
    y, grid = y_axis(min(values), max(values), percent=percent)

    def x(epoch: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (epoch - first) / max(epochs - first, 1)

    below = "".join(
        f'<text x="{x(epoch):.1f}" y="{HEIGHT - 12}" text-anchor="middle">{epoch}</text>'
        for epoch in _epoch_ticks(first, epochs)
    )
    ends = _spread_labels([y(line[-1][1]) for line in lines.values()])
    drawn: list[str] = []
    for number, ((name, line), end) in enumerate(zip(lines.items(), ends, strict=True)):
        points = " ".join(f"{x(e):.1f},{y(v):.1f}" for e, v in line)
        at, value = line[-1]
        dot = f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="2.5"/>' if len(line) == 1 else ""
        drawn.append(
            f'<g class="s{number}"><polyline points="{points}"/>{dot}'
            f'<text x="{x(at) + 6:.1f}" y="{end + 4:.1f}">{escape_html(name)}</text></g>'
        )
    return f"{grid}{below}{''.join(drawn)}"


def y_axis(
    low: float, high: float, *, percent: bool = False
) -> tuple[Callable[[float], float], str]:
    """Where a value is drawn, on an axis that spans a range; and the axis with its grid."""
    ticks = _ticks(low, high)
    low, high = ticks[0], ticks[-1]

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    grid = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(t):.1f}" y2="{y(t):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y(t) + 4:.1f}" text-anchor="end">'
        f"{_number(t, ticks, percent=percent)}</text>"
        for t in ticks
    )
    return y, grid


def _ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers that span the range."""
    largest = max(abs(low), abs(high))
    rough = max(high - low, 1e-9 * largest, _SMALLEST) / 4 if high > low else (largest or 1.0) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * unit for unit in (1, 2, 2.5, 5, 10) if power * unit >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _number(value: float, ticks: Sequence[float], *, percent: bool) -> str:
    scale = 100 if percent else 1
    step = (ticks[1] - ticks[0]) * scale
    decimals = max(
        0,
        math.ceil(-math.log10(step) - 1e-9) + (step * 10 ** -math.floor(math.log10(step)) % 1 > 0),
    )
    return f"{value * scale:.{decimals}f}{'%' if percent else ''}"


def _epoch_ticks(first: int, last: int) -> list[int]:
    count = last - first + 1
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**9) if count / s <= 8)
    return sorted({first, *(e for e in range(step, last + 1, step) if e >= first + step / 2)})


def _spread_labels(positions: Sequence[float], gap: float = 15) -> list[float]:
    """The positions of labels, moved down where two would overlap."""
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    moved = list(positions)
    for above, here in pairwise(order):
        moved[here] = max(moved[here], moved[above] + gap)
    return moved
