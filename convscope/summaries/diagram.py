"""The output volumes of a network as an SVG drawing, to scale."""

from collections.abc import Sequence
from dataclasses import dataclass

from convscope.summaries.markup import shape
from convscope.summaries.rows import Row
from convscope.words import escape_html

_TALLEST = 180.0  # px of the largest height or width of a map
_THICKEST = 90.0  # px of the map with the most channels
_THINNEST = 2.0  # px of any side, at least
_LONGEST = 180.0  # px of the longest dense layer
_SLANT = 0.4  # share of a map's width that goes to the right and up, as in a cabinet projection
_GAP = 34.0
_MARGIN = 64.0  # px for text above and below
_SCALES = "One scale for heights and widths, one for channels, one for units."
_STYLE = """
text { font: 11px system-ui, sans-serif; fill: #222; text-anchor: middle }
.title { font-size: 15px; text-anchor: start } .scales { text-anchor: start } .faint { fill: #666 }
.front { fill: #9ec5e8 } .top { fill: #c9e0f4 } .side { fill: #78a9d3 }
.pool .front { fill: #f2c79b } .pool .top { fill: #fae3cb } .pool .side { fill: #dba56c }
.dense .front { fill: #b9dfb0 } .dense .top { fill: #d8efd2 } .dense .side { fill: #92c486 }
.input .front { fill: #ddd } .input .top { fill: #eee } .input .side { fill: #bbb }
path, rect { stroke: #345; stroke-width: .6; stroke-linejoin: round }
.skip { fill: none; stroke: #a33; stroke-width: 1.2 }
@media (prefers-color-scheme: dark) {
  svg { background: #16181c } text { fill: #e4e6ea } .faint { fill: #9aa0a8 }
  path, rect { stroke: #cfd8e3 } .skip { stroke: #f08080 }
}
"""


@dataclass(frozen=True)
class _Box:
    """One volume on the page: its left edge, and its thickness, height and width in px."""

    row: Row
    left: float
    thick: float
    height: float
    width: float

    @property
    def right(self) -> float:
        return self.left + self.thick + _SLANT * self.width

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2

    def top(self, ground: float) -> float:
        """Where the highest edge lies, if the box stands on `ground`; y grows downwards."""
        return ground - self.height - _SLANT * self.width


def svg(title: str, image: Sequence[int], rows: Sequence[Row]) -> str:
    """Draw the volumes of `rows` from left to right, beginning with the image (c, h, w).

    Heights and widths share one scale, channels have another, units of dense layers a third. Each
    row that changes the volume or joins several gets a box; curves show skip connections.
    """
    image_row = Row(layer="input", type="input", map=tuple(image))
    boxes = _boxes([image_row, *_drawn(rows)])
    tallest = max(box.height + _SLANT * box.width for box in boxes)
    ground = _MARGIN + tallest + 30
    width, height = boxes[-1].right + _GAP, ground + _MARGIN
    begin = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape_html(title)}">'
    )
    parts = [
        begin,
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="{_GAP / 2:.0f}" y="24">{escape_html(title)}</text>',
        f'<text class="scales faint" x="{_GAP / 2:.0f}" y="42">{_SCALES}</text>',
        *_skips(boxes, rows, ground),
        *(_box_svg(box, ground) for box in boxes),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _drawn(rows: Sequence[Row]) -> list[Row]:
    """Rows that get a box: those that ran and do not only normalize or activate."""
    return [row for row in rows if row.map and _gets_box(row)]


def _gets_box(row: Row) -> bool:
    window = row.kernel is not None or row.filters is not None or "Pool" in row.type
    return window or len(row.inputs) > 1 or row.type.endswith("layers")


def _boxes(rows: Sequence[Row]) -> list[_Box]:
    maps = [row.map for row in rows if len(row.map) > 1]
    side = max((max(sides[1:]) for sides in maps), default=1)
    channels = max((sides[0] for sides in maps[1:]), default=1)
    units = max((row.map[0] for row in rows if len(row.map) == 1), default=1)
    boxes: list[_Box] = []
    left = _GAP
    for row in rows:
        if len(row.map) == 1:
            size = (8.0, max(_THINNEST, _LONGEST * row.map[0] / units), 8.0)
        else:
            thick = min(_THICKEST, max(_THINNEST, _THICKEST * row.map[0] / channels))
            height, *width = (_TALLEST * length / side for length in row.map[1:])
            size = (thick, max(_THINNEST, height), max(_THINNEST, *width, 0))
        boxes.append(_Box(row, left, *size))
        left = max(boxes[-1].right, left + _text_width(row)) + _GAP
    return boxes


def _text_width(row: Row) -> float:
    """Width in px of the text below a box."""
    return 6.5 * max(len(row.layer), len(shape(row.map)))


def _box_svg(box: _Box, ground: float) -> str:
    row, x, t, h = box.row, box.left, box.thick, box.height
    slant, top = _SLANT * box.width, ground - box.height
    styles = {"input": row.type == "input", "dense": len(row.map) == 1, "pool": "Pool" in row.type}
    style = next((name for name, applies in styles.items() if applies), "conv")
    middle, description = box.middle, _description(row)
    return (
        f'<g class="{style}"><title>{escape_html(f"{row.layer}: {description}")}</title>'
        f'<path class="front" d="M{x:.1f} {top:.1f}h{t:.1f}v{h:.1f}h{-t:.1f}z"/>'
        f'<path class="top" d="M{x:.1f} {top:.1f}l{slant:.1f} {-slant:.1f}h{t:.1f}'
        f'l{-slant:.1f} {slant:.1f}z"/>'
        f'<path class="side" d="M{x + t:.1f} {top:.1f}l{slant:.1f} {-slant:.1f}v{h:.1f}'
        f'l{-slant:.1f} {slant:.1f}z"/>'
        f'<text x="{middle:.1f}" y="{ground + 18:.1f}">{escape_html(row.layer)}</text>'
        f'<text class="faint" x="{middle:.1f}" y="{ground + 33:.1f}">{shape(row.map)}</text></g>'
    )


def _description(row: Row) -> str:
    parts = [row.type, shape(row.map)]
    if row.kernel:
        parts.append(f"{'x'.join(map(str, row.kernel))} windows")
    if row.parameters:
        parts.append(f"{row.parameters:,} parameters")
    return ", ".join(parts)


def _skips(boxes: Sequence[_Box], rows: Sequence[Row], ground: float) -> list[str]:
    """Curves above the boxes, for inputs from further back than the previous box.

    An input that passes through a row without a box comes from the box which that row reads.
    """
    positions = {box.row.layer: position for position, box in enumerate(boxes)}
    for row in rows:
        if row.layer not in positions and row.inputs:
            positions[row.layer] = positions.get(row.inputs[0], 0)
    curves: list[str] = []
    for position, box in enumerate(boxes):
        for source in {positions.get(name, 0) for name in box.row.inputs}:
            if source < position - 1:
                start = boxes[source]
                over = min(other.top(ground) for other in boxes[source : position + 1]) - 24
                curves.append(
                    f'<path class="skip" d="M{start.middle:.1f} {start.top(ground):.1f}'
                    f"C{start.middle:.1f} {over:.1f} {box.middle:.1f} {over:.1f} "
                    f'{box.middle:.1f} {box.top(ground):.1f}"/>'
                )
    return curves
