"""The chart of ILSVRC's winners, as SVG, PNG and a page: one layout, three ways to draw it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from convscope.words import escape_html
from convscope.words.html_page import html_page

_WIDTH, _HEIGHT = 820, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 24, 64, 74
_TEXT = 13
_COLORS = {"bar": "#4f7cac", "own": "#ea6a2a", "quiet": "#6b7280", "ink": "#1c1e21",
           "grid": "#d9dbdf", "human": "#a01f5c"}  # fmt: skip
_PAGE = """
:root { color-scheme: light dark; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; background: #fbfbf9; color: #1c1e21; }
header, main { max-width: 960px; margin: 0 auto; padding: 12px 20px; }
svg { width: 100%; height: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 4px 12px 4px 0; vertical-align: top; }
tr { border-top: 1px solid #8884; }
td:nth-child(2) { text-align: right; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; } td:nth-child(3) { overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { body { background: #15171a; color: #e8e8e4; } }
"""


@dataclass(frozen=True)
class Bar:
    """One bar: what stands below it (a year), its name, an error (a share), and its interval."""

    label: str
    name: str
    error: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Rectangle:
    color: str
    box: tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class _Text:
    color: str
    at: tuple[float, float]  # of the baseline
    text: str
    anchor: Literal["start", "middle", "end"] = "middle"
    size: int = _TEXT


_Shape = _Rectangle | _Text


def _shapes(title: str, bars: Sequence[Bar], human: float) -> list[_Shape]:
    """The chart in pixels, what is behind first."""
    highest = max(bar.interval[1] if bar.interval else bar.error for bar in bars)
    tick = 0.05 if highest <= 0.4 else 0.2
    ticks = [tick * number for number in range(round(highest / tick + 0.5) + 1)]
    bottom, height = _HEIGHT - _BOTTOM, _HEIGHT - _TOP - _BOTTOM

    def y(error: float) -> float:
        return bottom - height * error / ticks[-1]

    step = (_WIDTH - _LEFT - _RIGHT) / len(bars)
    shapes: list[_Shape] = [_Text("ink", (_LEFT, 28), title, "start", 17)]
    for value in ticks:
        shapes.append(_Rectangle("grid", (_LEFT, y(value), _WIDTH - _RIGHT, y(value) + 1)))
        shapes.append(_Text("quiet", (_LEFT - 8, y(value) + 5), f"{value:.0%}", "end"))
    for number, bar in enumerate(bars):
        middle = _LEFT + step * (number + 0.5)
        color = "own" if bar.interval else "bar"
        half = min(step * 0.32, 40)
        shapes.append(_Rectangle(color, (middle - half, y(bar.error), middle + half, bottom)))
        top = y(bar.error)
        if bar.interval is not None:
            low, high = map(y, bar.interval)
            top = min(top, high)
            shapes.append(_Rectangle("ink", (middle - 1, high, middle + 1, low)))
            shapes += [_Rectangle("ink", (middle - 6, at - 1, middle + 6, at + 1))
                       for at in (low, high)]  # fmt: skip
        shapes.append(_Text("ink", (middle, top - 7), f"{bar.error * 100:.3g}"))
        shapes.append(_Text("ink", (middle, bottom + 20), bar.label))
        letters = max(4, int(step / 5.8))
        shapes.append(_Text("quiet", (middle, bottom + 38), _cut(bar.name, letters), size=12))
    line = y(human)
    shapes += [
        _Rectangle("human", (start, line - 1, min(start + 7, _WIDTH - _RIGHT), line + 1))
        for start in range(_LEFT, _WIDTH - _RIGHT, 12)
    ]
    said = f"dashed: a person, {human:.1%}"
    shapes.append(_Text("human", (_WIDTH - _RIGHT, _TOP - 12), said, "end"))
    under = "top-5 error in percent; the orange bar is your own, with its 95% interval"
    shapes.append(
        _Text("quiet", (_LEFT, _HEIGHT - 10),
              under if any(bar.interval for bar in bars) else under.partition(";")[0], "start")
    )  # fmt: skip
    return sorted(shapes, key=lambda shape: isinstance(shape, _Text))  # texts are in front


def _cut(name: str, letters: int) -> str:
    return name if len(name) <= letters else f"{name[: letters - 1]}…"


def history_svg(title: str, bars: Sequence[Bar], human: float) -> str:
    """The chart on white."""
    parts: list[str] = []
    for shape in _shapes(title, bars, human):
        color = _COLORS[shape.color]
        if isinstance(shape, _Text):
            x, y = shape.at
            parts.append(
                f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" font-size="{shape.size}" '
                f'text-anchor="{shape.anchor}" paint-order="stroke" stroke="#fff" stroke-width="4">'
                f"{escape_html(shape.text)}</text>"
            )
            continue
        left, top, right, bottom = shape.box
        parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
            f'height="{bottom - top:.1f}" fill="{color}"/>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" role="img" font-family="system-ui,sans-serif">'
        f"<title>{escape_html(title)}</title>"
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def history_png(title: str, bars: Sequence[Bar], human: float, *, scale: int = 2) -> bytes:
    """The chart on white, at twice its size in pixels."""
    image = Image.new("RGB", (_WIDTH * scale, _HEIGHT * scale), "white")
    draw = ImageDraw.Draw(image)
    anchors = {"start": "ls", "middle": "ms", "end": "rs"}
    for shape in _shapes(title, bars, human):
        color = _COLORS[shape.color]
        if isinstance(shape, _Text):
            x, y = shape.at
            face = ImageFont.load_default(shape.size * scale)
            anchor = anchors[shape.anchor]
            draw.text((x * scale, y * scale), shape.text, color, face, anchor,
                      stroke_width=2 * scale, stroke_fill="white")  # fmt: skip
            continue
        left, top, right, bottom = (round(side * scale) for side in shape.box)
        draw.rectangle((left, top, right - 1, max(bottom - 1, top)), color)
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return content.getvalue()


def history_page(
    title: str,
    bars: Sequence[Bar],
    human: float,
    notes: Sequence[str],
    sources: Sequence[tuple[str, float, str]],
) -> str:
    """The chart with its sources, as a page by itself."""
    rows = "".join(
        f"<tr><th>{escape_html(year)}</th><td>{error:.2%}</td><td>{escape_html(source)}</td></tr>"
        for year, error, source in sources
    )
    told = "".join(f"<p>{escape_html(note)}</p>" for note in notes)
    table = f'<div class="wide"><table><tbody>{rows}</tbody></table></div>'
    main = f"{history_svg(title, bars, human)}{told}<h2>Sources</h2>{table}"
    return html_page(title=title, style=_PAGE, header="", main=main)
