"""The panels as one SVG: texts that can be selected, and images inside."""

import textwrap
from collections.abc import Sequence

from convscope.attribution.coloring import color_bar
from convscope.attribution.figure import Panel, Pictures, panels
from convscope.attribution.page import data_url
from convscope.words import escape_html

_CELL, _GAP, _BAR, _LINE = 300, 16, 12, 17
_COLUMNS, _LETTERS = 4, 46


def svg(found: Pictures) -> str:
    """The picture as SVG."""
    rows: list[Sequence[Panel]] = []
    for image in found.images:
        row = panels(image)
        rows += [row[start : start + _COLUMNS] for start in range(0, len(row), _COLUMNS)]
    parts: list[str] = []
    top = 0.0
    for row in rows:
        drawn, height = _row(row, top)
        parts.append(drawn)
        top += height
    width = max(map(len, rows)) * (_CELL + _GAP) + _GAP
    title = escape_html(f"What {found.model} looks at")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top:.0f}" '
        f'width="{width}" height="{top:.0f}" role="img" '
        f'font-family="system-ui,sans-serif" font-size="12"><title>{title}</title>'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _row(row: Sequence[Panel], top: float) -> tuple[str, float]:
    """A row of panels from `top` on, and its height."""
    heights = [_CELL * panel.pixels.shape[0] / max(panel.pixels.shape[:2]) for panel in row]
    titles = [textwrap.wrap(panel.title, _LETTERS) for panel in row]
    head = _GAP + _LINE * max(map(len, titles)) + 6
    parts: list[str] = []
    lowest = 0.0
    for number, (panel, title) in enumerate(zip(row, titles, strict=True)):
        left = _GAP + number * (_CELL + _GAP)
        for place, line in enumerate(title):
            parts.append(_text(left, top + _GAP + _LINE * (place + 0.7), line, weight="600"))
        width = _CELL * panel.pixels.shape[1] / max(panel.pixels.shape[:2])
        parts.append(
            f'<image x="{left}" y="{top + head:.1f}" width="{width:.1f}" '
            f'height="{heights[number]:.1f}" href="{data_url(panel.pixels)}" '
            f'style="image-rendering:pixelated"><title>{escape_html(panel.title)}</title></image>'
        )
        below = top + head + max(heights) + 6
        drawn, below = _below(panel, left, below)
        parts.append(drawn)
        lowest = max(lowest, below)
    return "".join(parts), lowest + _GAP - top


def _below(panel: Panel, left: float, top: float) -> tuple[str, float]:
    parts: list[str] = []
    scale = panel.scale
    if scale is not None:
        bar = data_url(color_bar(_CELL, _BAR, is_signed=scale.is_signed))
        parts.append(
            f'<image x="{left}" y="{top:.1f}" width="{_CELL}" height="{_BAR}" href="{bar}" '
            f'preserveAspectRatio="none"><title>{escape_html(scale.text)}</title></image>'
        )
        top += _BAR + _LINE * 0.8
        ends = (("start", scale.low), ("middle", scale.middle), ("end", scale.high))
        for place, (anchor, text) in enumerate(ends):
            parts.append(_text(left + _CELL * place / 2, top, text, anchor=anchor))
        meaning = "red for, blue against" if scale.is_signed else "no sign"
        top += _LINE
        parts.append(_text(left, top, f"{scale.unit}; {meaning}"))
        top += 4
    for line in (part for text in panel.lines for part in textwrap.wrap(text, _LETTERS)):
        top += _LINE
        parts.append(_text(left, top - 4, line, fill="#5d5d69"))
    return "".join(parts), top


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    fill: str = "#1c1c22",
    weight: str = "400",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" '
        f'font-weight="{weight}">{escape_html(text)}</text>'
    )
