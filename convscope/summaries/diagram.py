"""The output volumes of a network as an SVG drawing, to scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from convscope.summaries.markup import shape
from convscope.summaries.rows import Row

_TALLEST = 180.0  # px of the largest height or width of a map
_THICKEST = 90.0  # px of the most channels of a map, and
_THINNEST = 2.0  # of the fewest
_LONGEST = 180.0  # px of the most units of a dense layer
_SLANT = 0.4  # how much of a map's width goes to the right and up, as in a cabinet projection
_GAP = 34.0
_ROOM = 64.0  # px of words above and below
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
    tall: float
    wide: float

    @property
    def right(self) -> float:
        return self.left + self.thick + _SLANT * self.wide

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2

    def top(self, ground: float) -> float:
        """Where the highest edge lies, if the box stands on `ground`; y grows downwards."""
        return ground - self.tall - _SLANT * self.wide


def svg(title: str, image: Sequence[int], rows: Sequence[Row]) -> str:
    """Draw the volumes of `rows` from left to right, beginning with the image (c, h, w).

    All heights and widths have one scale, channels another, units of dense layers a third. A box
    stands for each row that changes the volume or that other rows than the next read; curves show
    what is carried past the next box.
    """
    given = Row(layer="input", type="input", map=tuple(image))
    boxes = _placed([given, *_drawn(rows)])
    tallest = max(box.tall + _SLANT * box.wide for box in boxes)
    ground = _ROOM + tallest + 30
    width, height = boxes[-1].right + _GAP, ground + _ROOM
    begin = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">'
    )
    parts = [
        begin,
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="{_GAP / 2:.0f}" y="24">{escape(title)}</text>',
        f'<text class="scales faint" x="{_GAP / 2:.0f}" y="42">{_SCALES}</text>',
        *_skips(boxes, rows, ground),
        *(_drawing(box, ground) for box in boxes),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _drawn(rows: Sequence[Row]) -> list[Row]:
    """Rows that are worth a box: those that ran and do not merely normalize or activate."""
    return [row for row in rows if row.map and _shapes(row)]


def _shapes(row: Row) -> bool:
    window = row.kernel is not None or row.filters is not None or "Pool" in row.type
    return window or len(row.inputs) > 1 or row.type.endswith("layers")


def _placed(rows: Sequence[Row]) -> list[_Box]:
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
            tall, *wide = (_TALLEST * length / side for length in row.map[1:])
            size = (thick, max(_THINNEST, tall), max(_THINNEST, *wide, 0))
        boxes.append(_Box(row, left, *size))
        left = max(boxes[-1].right, left + _words(row)) + _GAP
    return boxes


def _words(row: Row) -> float:
    """Px that the words below a box take."""
    return 6.5 * max(len(row.layer), len(shape(row.map)))


def _drawing(box: _Box, ground: float) -> str:
    row, x, t, h = box.row, box.left, box.thick, box.tall
    slant, top = _SLANT * box.wide, ground - box.tall
    words = {"input": row.type == "input", "dense": len(row.map) == 1, "pool": "Pool" in row.type}
    kind = next((word for word, true in words.items() if true), "conv")
    middle, told = box.middle, _told(row)
    return (
        f'<g class="{kind}"><title>{escape(f"{row.layer}: {told}")}</title>'
        f'<path class="front" d="M{x:.1f} {top:.1f}h{t:.1f}v{h:.1f}h{-t:.1f}z"/>'
        f'<path class="top" d="M{x:.1f} {top:.1f}l{slant:.1f} {-slant:.1f}h{t:.1f}'
        f'l{-slant:.1f} {slant:.1f}z"/>'
        f'<path class="side" d="M{x + t:.1f} {top:.1f}l{slant:.1f} {-slant:.1f}v{h:.1f}'
        f'l{-slant:.1f} {slant:.1f}z"/>'
        f'<text x="{middle:.1f}" y="{ground + 18:.1f}">{escape(row.layer)}</text>'
        f'<text class="faint" x="{middle:.1f}" y="{ground + 33:.1f}">{shape(row.map)}</text></g>'
    )


def _told(row: Row) -> str:
    words = [row.type, shape(row.map)]
    if row.kernel:
        words.append(f"{'x'.join(map(str, row.kernel))} windows")
    if row.parameters:
        words.append(f"{row.parameters:,} parameters")
    return ", ".join(words)


def _skips(boxes: Sequence[_Box], rows: Sequence[Row], ground: float) -> list[str]:
    """Curves above the boxes, for inputs that come from further back than the box before.

    What comes through a row without a box comes from the box that this row reads.
    """
    places = {box.row.layer: place for place, box in enumerate(boxes)}
    for row in rows:
        if row.layer not in places and row.inputs:
            places[row.layer] = places.get(row.inputs[0], 0)
    curves: list[str] = []
    for place, box in enumerate(boxes):
        for source in {places.get(name, 0) for name in box.row.inputs}:
            if source < place - 1:
                start = boxes[source]
                over = min(other.top(ground) for other in boxes[source : place + 1]) - 24
                curves.append(
                    f'<path class="skip" d="M{start.middle:.1f} {start.top(ground):.1f}'
                    f"C{start.middle:.1f} {over:.1f} {box.middle:.1f} {over:.1f} "
                    f'{box.middle:.1f} {box.top(ground):.1f}"/>'
                )
    return curves
