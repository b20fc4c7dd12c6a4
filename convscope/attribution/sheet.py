"""The panels as one PNG: a row for each image, or several where there are many methods."""

import textwrap
from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from convscope.attribution.coloring import color_bar
from convscope.attribution.figure import Panel, Pictures, panels
from convscope.words import visible

_CELL, _GAP, _BAR, _LINE, _FONT = 300, 16, 12, 17, 12
_COLUMNS = 4
_LETTERS = 46  # of a line below an image
_INK, _PALE = (25, 25, 30), (95, 95, 105)


def sheet(found: Pictures) -> bytes:
    """The picture as the content of a PNG file."""
    rows: list[Sequence[Panel]] = []
    for image in found.images:
        row = panels(image)
        rows += [row[start : start + _COLUMNS] for start in range(0, len(row), _COLUMNS)]
    drawn = [_row(row) for row in rows]
    width = max(row.width for row in drawn)
    canvas = Image.new("RGB", (width, sum(row.height for row in drawn)), "white")
    top = 0
    for row in drawn:
        canvas.paste(row, (0, top))
        top += row.height
    content = BytesIO()
    canvas.save(content, "PNG")
    return content.getvalue()


def _row(row: Sequence[Panel]) -> Image.Image:
    images = [_fitted(panel) for panel in row]
    tallest = max(image.height for image in images)
    texts = [[part for line in panel.lines for part in _wrapped(line)] for panel in row]
    below = max(2 * _LINE * (panel.scale is not None) + _BAR + _LINE * len(text)
                for panel, text in zip(row, texts, strict=True))  # fmt: skip
    titles = [_wrapped(panel.title) for panel in row]
    head = _LINE * max(map(len, titles)) + 6
    canvas = Image.new(
        "RGB", (len(row) * (_CELL + _GAP) + _GAP, head + tallest + below + 3 * _GAP), "white"
    )
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(_FONT)
    for number, (panel, image, title, lines) in enumerate(
        zip(row, images, titles, texts, strict=True)
    ):
        left, top = _GAP + number * (_CELL + _GAP), _GAP
        for line in title:
            draw.text((left, top), line, _INK, ImageFont.load_default(_FONT + 1))
            top += _LINE
        top = _GAP + head
        canvas.paste(image, (left, top))
        top += tallest + 6
        if panel.scale is not None:
            top = _scale(canvas, panel, left, top)
        for line in lines:
            draw.text((left, top), line, _PALE, font)
            top += _LINE
    return canvas


def _scale(canvas: Image.Image, panel: Panel, left: int, top: int) -> int:
    """Draw the color bar, and return where the next line begins."""
    scale = panel.scale
    if scale is None:
        return top
    bar = color_bar(_CELL, _BAR, is_signed=scale.is_signed)
    canvas.paste(Image.fromarray(bar), (left, top))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(_FONT)
    top += _BAR + 2
    for text, anchor, at in (
        (scale.low, "la", 0), (scale.middle, "ma", _CELL // 2), (scale.high, "ra", _CELL)
    ):  # fmt: skip
        draw.text((left + at, top), text, _INK, font, anchor=anchor)
    top += _LINE
    meaning = "red for, blue against" if scale.is_signed else "no sign"
    draw.text((left, top), f"{scale.unit}; {meaning}", _INK, font)
    return top + _LINE


def _fitted(panel: Panel) -> Image.Image:
    image = Image.fromarray(panel.pixels)
    factor = _CELL / max(image.size)
    width, height = (max(1, round(side * factor)) for side in image.size)
    how = Image.Resampling.NEAREST if factor > 1 else Image.Resampling.LANCZOS
    return image.resize((width, height), how)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(visible(text), _LETTERS) or [""]
