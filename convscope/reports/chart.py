"""Line charts as SVG in the page's light and dark colors, readable without color."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

_WIDTH, _HEIGHT = 400, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 72, 14, 34


def curves(title: str, series: Mapping[str, Sequence[float]], *, percent: bool = False) -> str:
    """An SVG with one line per series over epochs 1, 2, 3 ..., each labeled at its end.

    `percent` writes 0.975 as 97.5%. Empty series are left out.
    """
    lines = {name: values for name, values in series.items() if len(values)}
    if not lines:
        return ""
    epochs = max(len(values) for values in lines.values())
    ticks = _ticks(min(map(min, lines.values())), max(map(max, lines.values())))
    low, high = ticks[0], ticks[-1]

    def x(epoch: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (epoch - 1) / max(epochs - 1, 1)

    def y(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - value) / (high - low)

    grid = "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(t):.1f}" y2="{y(t):.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{y(t) + 4:.1f}" text-anchor="end">'
        f"{_number(t, ticks, percent=percent)}</text>"
        for t in ticks
    )
    below = "".join(
        f'<text x="{x(epoch):.1f}" y="{_HEIGHT - 12}" text-anchor="middle">{epoch}</text>'
        for epoch in _epoch_ticks(epochs)
    )
    ends = _spread_labels([y(values[-1]) for values in lines.values()])
    drawn: list[str] = []
    for number, ((name, values), end) in enumerate(zip(lines.items(), ends, strict=True)):
        points = " ".join(f"{x(e):.1f},{y(v):.1f}" for e, v in enumerate(values, start=1))
        dot = (
            f'<circle cx="{x(1):.1f}" cy="{y(values[0]):.1f}" r="2.5"/>' if len(values) == 1 else ""
        )
        drawn.append(
            f'<g class="s{number}"><polyline points="{points}"/>{dot}'
            f'<text x="{x(len(values)) + 6:.1f}" y="{end + 4:.1f}">{escape(name)}</text></g>'
        )
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'role="img" aria-label="{escape(title)} over {epochs} epochs">'
        f"{grid}{below}{''.join(drawn)}</svg></figure>"
    )


def _ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers that span the range."""
    span = high - low or abs(high) or 1.0
    rough = span / 4
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


def _epoch_ticks(epochs: int) -> list[int]:
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**9) if epochs / s <= 8)
    return sorted({1, *range(step, epochs + 1, step)} - ({step - step + 2} if step > 2 else set()))


def _spread_labels(positions: Sequence[float], gap: float = 15) -> list[float]:
    """The positions of labels, moved down where two would overlap."""
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    moved = list(positions)
    for above, here in pairwise(order):
        moved[here] = max(moved[here], moved[above] + gap)
    return moved
