"""Pictures with captions as a page or as one image file."""

import base64
import io
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from convscope.atomic import write_atomically
from convscope.errors import RequestError
from convscope.synthesis.panels import Panel
from convscope.words import escape_html, visible
from convscope.words.html_page import html_page

_CELL = 160  # pixels of a cell at least, by whole enlargements
_GAP, _FONT, _LINE = 10, 13, 17
_SMALLEST, _LARGEST = 168, 336  # pixels of the screen across a picture of the page


def check_path(path: str | Path | None) -> Path | None:
    """The file to write. Raises RequestError for another ending than .html and .png."""
    if path is None:
        return None
    path = Path(path).expanduser()
    if path.suffix.lower() not in (".html", ".png"):
        raise RequestError(f"`output`: {path} must end in .html (a page) or .png (one picture).")
    if not path.parent.is_dir():
        raise RequestError(f"`output`: the folder of {path} does not exist.")
    return path


def save_pictures(
    path: str | Path, title: str, about: Sequence[str], rows: Sequence[Sequence[Panel]]
) -> Path:
    """Write rows of panels; see `check_path`. Returns the path."""
    checked = check_path(path)
    assert checked is not None
    if checked.suffix.lower() == ".html":
        write_atomically(checked, _page(title, about, rows))
    else:
        content = io.BytesIO()
        _sheet(rows).save(content, "PNG")
        write_atomically(checked, content.getvalue())
    return checked


def _page(title: str, about: Sequence[str], rows: Sequence[Sequence[Panel]]) -> str:
    style = files("convscope.synthesis").joinpath("page.css").read_text("utf-8")
    header = "".join(f"<p>{escape_html(text)}</p>" for text in about if text)
    sides = [max(panel.pixels.shape) for row in rows for panel in row if panel.pixels is not None]
    side = min(max([_SMALLEST, *sides]), _LARGEST)
    groups = "".join(f'<div class="group">{"".join(map(_figure, panels))}</div>' for panels in rows)
    return html_page(
        title=title,
        style=style,
        header=header,
        main=f'<div class="groups" style="--side:{side}px">{groups}</div>',
    )


def _figure(panel: Panel) -> str:
    caption = panel.caption
    lines = "".join(f"<small>{escape_html(line)}</small>" for line in caption.lines if line)
    note = f"<em>{escape_html(caption.note)}</em>" if caption.note else ""
    picture = '<span class="none">no picture</span>'
    if panel.pixels is not None:
        small = ' class="pixels"' if max(panel.pixels.shape) <= 64 else ""
        picture = f'<img{small} src="{_data_url(panel.pixels)}" alt="{escape_html(caption.title)}">'
    return (
        f"<figure>{picture}<figcaption><b>{escape_html(caption.title)}</b>{lines}{note}"
        "</figcaption></figure>"
    )


def _data_url(pixels: NDArray[np.uint8]) -> str:
    content = io.BytesIO()
    _image(pixels).save(content, "PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def _image(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _sheet(rows: Sequence[Sequence[Panel]]) -> Image.Image:
    """All panels in one picture, about as wide as high, the panels of a row together."""
    width = max(map(len, rows))
    sides = [max(p.pixels.shape[:2]) for panels in rows for p in panels if p.pixels is not None]
    scale = max(1, _CELL // max(sides, default=_CELL))
    cell = max(_CELL, scale * max(sides, default=_CELL))
    text = 1 + max(len(p.caption.lines) for panels in rows for p in panels)
    across = max(1, round((len(rows) / width) ** 0.5))
    step = cell + _GAP, cell + _GAP + text * _LINE
    size = across * width * step[0] + _GAP, -(-len(rows) // across) * step[1] + _GAP
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT)
    for number, panels in enumerate(rows):
        for place, panel in enumerate(panels):
            left = _GAP + (number % across * width + place) * step[0]
            top = _GAP + number // across * step[1]
            if panel.pixels is not None:
                image = _image(panel.pixels).convert("RGB")
                size = image.width * scale, image.height * scale
                sheet.paste(image.resize(size, Image.Resampling.NEAREST), (left, top))
            else:
                draw.rectangle((left, top, left + cell, top + cell), outline="#999")
                draw.text((left + 6, top + 6), "no picture", "#555", font)
            lines = [panel.caption.title, *panel.caption.lines]
            for row, line in enumerate(lines):
                fitting = _fitting(visible(line), cell, draw, font)
                draw.text((left, top + cell + row * _LINE), fitting, "black", font)
    return sheet


def _fitting(text: str, width: int, draw: ImageDraw.ImageDraw, font: object) -> str:
    """The end of a text, as the end of a path says more, where it is too long for its cell."""
    shown = text
    while len(shown) > 2 and draw.textlength(shown, font) > width:  # pyright: ignore[reportArgumentType]
        shown = f"…{shown[2:]}"
    return shown
