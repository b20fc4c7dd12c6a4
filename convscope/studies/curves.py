"""Curves of several networks as SVG: one axis each, and the names at the right ends."""

from collections.abc import Sequence
from itertools import pairwise

from convscope.words import escape_html

_WIDTH, _HEIGHT = 560, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 410, 16, 206


def curves(title: str, unit: str, lines: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Lines over 0, 1, 2 ..., each with its name; the vertical axis ends at 1.

    Classes `c0`, `c1` ... color them. `unit` is what the horizontal axis counts.
    """
    most = max(len(values) for _, values in lines) - 1
    low = min(0.9, *(min(values) for _, values in lines))
    low = max(-1.0, int(low * 10 - (low < 0)) / 10)

    def x(n: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * n / max(most, 1)

    def y(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (value - low) / (1 - low)

    parts = [f"<title>{escape_html(title)}</title>"]
    parts += [
        f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.2f}</text>'
        for tick in (low, (1 + low) / 2, 1.0)
    ]
    parts += [
        f'<text x="{x(n):.1f}" y="{_BOTTOM + 18}" text-anchor="middle">{n}</text>'
        for n in range(most + 1)
    ]
    parts.append(
        f'<text x="{x(most / 2):.1f}" y="{_BOTTOM + 38}" text-anchor="middle">{unit}</text>'
    )
    places = _apart([y(values[-1]) for _, values in lines])
    for number, ((name, values), place) in enumerate(zip(lines, places, strict=True)):
        points = " ".join(f"{x(n):.1f},{y(value):.1f}" for n, value in enumerate(values))
        parts.append(
            f'<polyline class="c{number}" points="{points}"/>'
            f'<line class="c{number} lead" x1="{_RIGHT}" x2="{_RIGHT + 14}" '
            f'y1="{y(values[-1]):.1f}" y2="{place:.1f}"/>'
            f'<text class="c{number}" x="{_RIGHT + 18}" y="{place + 4:.1f}">'
            f"{escape_html(name)}</text>"
        )
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{"".join(parts)}</svg>'


def _apart(places: Sequence[float], distance: float = 16.0) -> list[float]:
    """Places of names, moved so that none covers another, in the same order."""
    order = sorted(range(len(places)), key=lambda n: places[n])
    moved = list(places)
    for before, here in pairwise(order):
        moved[here] = max(moved[here], moved[before] + distance)
    excess = max(0.0, moved[order[-1]] - (_BOTTOM + 8)) if order else 0.0
    limit = _BOTTOM + 8
    for here in reversed(order):
        moved[here] = min(moved[here], limit) if excess else moved[here]
        limit = moved[here] - distance
    return moved
