"""Where everything of a sheet is drawn, in pixels: for PNG and SVG alike."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageFont

from convscope.features.sheets.raster import raster
from convscope.features.sheets.sheet import Row, Scale, Section, Sheet, Tile
from convscope.words import visible

MARGIN, GAP = 24, 12
_TITLE, _HEADING, _TEXT, CAPTION = 20, 16, 13, 12  # sizes of letters
_INK, _QUIET = "#1c1e21", "#5d636b"


@dataclass(frozen=True)
class Text:
    """A line of text; `y` is the top of its letters."""

    x: int
    y: int
    text: str
    size: int
    color: str


@dataclass(frozen=True)
class Picture:
    """An image with its upper left corner at (x, y), perhaps in a frame, and what it shows."""

    x: int
    y: int
    image: Image.Image
    alt: str
    is_marked: bool


@dataclass(frozen=True)
class Drawing:
    """A sheet that is laid out."""

    width: int
    height: int
    items: tuple[Text | Picture, ...]


def lay_out(sheet: Sheet) -> Drawing:
    """Lay out a sheet. Captions are cut to the width of their tile, texts are wrapped."""
    most = max((len(row.tiles) for part in sheet.sections for row in part.rows), default=1)
    columns = max(min(most, sheet.columns), 6 if sheet.tile < 160 else 4)
    width = 2 * MARGIN + columns * (sheet.tile + GAP) - GAP
    page = _Page(width, sheet.tile, columns)
    page.paragraph(sheet.title, _TITLE, _INK)
    for line in sheet.lines:
        page.paragraph(line, _TEXT, _QUIET)
    for section in sheet.sections:
        page.section(section)
    return Drawing(width, page.y + MARGIN, tuple(page.items))


class _Page:
    def __init__(self, width: int, tile: int, columns: int) -> None:
        self.width, self.tile, self.columns = width, tile, columns
        self.y = MARGIN
        self.items: list[Text | Picture] = []

    def paragraph(self, text: str, size: int, color: str) -> None:
        for line in wrapped(visible(text), size, self.width - 2 * MARGIN):
            self.items.append(Text(MARGIN, self.y, line, size, color))
            self.y += round(size * 1.4)
        self.y += 2

    def section(self, section: Section) -> None:
        self.y += 22
        self.paragraph(section.title, _HEADING, _INK)
        if section.text:
            self.paragraph(section.text, _TEXT, _QUIET)
        if section.scale is not None:
            self.scale(section.scale)
        for row in section.rows:
            self.row(row)

    def scale(self, scale: Scale) -> None:
        bar = Image.fromarray(scale.pixels).resize((160, 12), Image.Resampling.NEAREST)
        x = MARGIN + round(text_width(scale.low, CAPTION)) + 6
        self.items.append(Text(MARGIN, self.y, scale.low, CAPTION, _INK))
        self.items.append(Picture(x, self.y + 1, bar, scale.text, is_marked=False))
        rest = f"{scale.high}   {scale.text}"
        left = self.width - MARGIN - (x + 168)
        first, *more = wrapped(rest, CAPTION, left)
        self.items.append(Text(x + 168, self.y, first, CAPTION, _INK))
        for line in more:
            self.y += 17
            self.items.append(Text(x + 168, self.y, line, CAPTION, _INK))
        self.y += 24

    def row(self, row: Row) -> None:
        if row.title:
            self.y += 6
            self.paragraph(row.title, _TEXT, _INK)
        if row.text:
            self.paragraph(row.text, CAPTION, _QUIET)
        self.y += 4
        for start in range(0, len(row.tiles), self.columns):
            self.tiles(row.tiles[start : start + self.columns])

    def tiles(self, tiles: Sequence[Tile]) -> None:
        images = [raster(tile, self.tile) for tile in tiles]
        height = max(image.height for image in images)
        for column, (tile, image) in enumerate(zip(tiles, images, strict=True)):
            x = MARGIN + column * (self.tile + GAP)
            self.items.append(Picture(x, self.y, image, tile.alt, tile.is_marked))
            for number, line in enumerate((tile.title, *tile.lines)):
                y, color = self.y + height + 4 + 16 * number, _QUIET if number else _INK
                text = shortened(visible(line), CAPTION, self.tile)
                self.items.append(Text(x, y, text, CAPTION, color))
        lines = max(1 + len(tile.lines) for tile in tiles)
        self.y += height + 4 + 16 * lines + GAP


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def text_width(text: str, size: int) -> float:
    """The width of a text in pixels."""
    return font(size).getlength(text)


def wrapped(text: str, size: int, width: float) -> list[str]:
    """A text in lines of at most this width; a word that is longer has a line of its own, cut."""
    lines, line = list[str](), ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and text_width(longer, size) > width:
            lines.append(line)
            longer = word
        line = longer
    return [shortened(own, size, width) for own in (*lines, line)]


def shortened(text: str, size: int, width: float) -> str:
    """A text with an ellipsis in its middle where it would be wider.

    >>> short = shortened("a/very/long/name/of/a/file.png", 12, 100)
    >>> short[:4], short[-4:]
    ('a/ve', '.png')
    """
    if text_width(text, size) <= width:
        return text
    kept = bisect_right(
        range(1, len(text)), width, key=lambda count: text_width(_cut(text, count), size)
    )
    return _cut(text, kept)


def _cut(text: str, count: int) -> str:
    """The first and last letters of a text, `count` in all, around an ellipsis."""
    return f"{text[: count // 2]}\u2026{text[len(text) - (count - count // 2) :]}"
