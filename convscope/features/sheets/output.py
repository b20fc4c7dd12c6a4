"""A sheet as PNG, SVG or HTML."""

import io
from collections.abc import Sequence
from importlib.resources import files

from PIL import Image, ImageDraw

from convscope.features.sheets.layout import CAPTION, Picture, Text, font, lay_out, shortened
from convscope.features.sheets.raster import data_url, raster
from convscope.features.sheets.sheet import Row, Scale, Section, Sheet, Tile
from convscope.words import escape_html, visible
from convscope.words.html_page import html_page

_PAPER, _FRAME, _EDGE = "#ffffff", "#1f5fcf", "#dcdcd6"
_LIMIT = 30_000  # pixels of a side of a PNG


def to_png(sheet: Sheet) -> bytes:
    """The sheet on white."""
    drawing = lay_out(sheet)
    image = Image.new("RGB", (drawing.width, min(drawing.height, _LIMIT)), _PAPER)
    draw = ImageDraw.Draw(image)
    for item in drawing.items:
        if isinstance(item, Text):
            draw.text((item.x, item.y), item.text, fill=item.color, font=font(item.size))
            continue
        image.paste(item.image, (item.x, item.y))
        draw.rectangle(_frame(item), outline=_FRAME if item.is_marked else _EDGE)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _frame(item: Picture) -> tuple[int, int, int, int]:
    return item.x - 1, item.y - 1, item.x + item.image.width, item.y + item.image.height


def to_svg(sheet: Sheet) -> str:
    """The sheet on white, as a picture of vectors with the tiles inside."""
    drawing = lay_out(sheet)
    body = "".join(map(_svg_item, drawing.items))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{drawing.width}" '
        f'height="{drawing.height}" viewBox="0 0 {drawing.width} {drawing.height}" '
        f'font-family="Arial, Helvetica, sans-serif" role="img">'
        f"<title>{escape_html(sheet.title)}</title>"
        f'<rect width="100%" height="100%" fill="{_PAPER}"/>{body}</svg>\n'
    )


def _svg_item(item: Text | Picture) -> str:
    if isinstance(item, Text):
        baseline = item.y + round(item.size * 0.95)
        return (
            f'<text x="{item.x}" y="{baseline}" font-size="{item.size}" fill="{item.color}" '
            f'xml:space="preserve">{escape_html(item.text)}</text>'
        )
    width, height = item.image.size
    left, top, right, bottom = _frame(item)
    color = _FRAME if item.is_marked else _EDGE
    frame = (
        f'<rect x="{left + 0.5}" y="{top + 0.5}" width="{right - left}" '
        f'height="{bottom - top}" fill="none" stroke="{color}"/>'
    )
    return (
        f'<image x="{item.x}" y="{item.y}" width="{width}" height="{height}" '
        f'href="{data_url(item.image)}"><title>{escape_html(item.alt)}</title></image>{frame}'
    )


def to_html(sheet: Sheet) -> str:
    """The sheet as a page that needs no other file, light or dark as the reader has it."""
    style = files("convscope.features.sheets").joinpath("sheet.css").read_text("utf-8")
    style = style.replace("TILE", f"{sheet.tile}px")
    lines = "".join(f"<p>{escape_html(line)}</p>" for line in sheet.lines)
    contents = _contents(sheet.sections)
    main = "".join(
        _section(section, number, sheet.tile) for number, section in enumerate(sheet.sections)
    )
    return html_page(title=sheet.title, style=style, header=lines + contents, main=main)


def _contents(sections: Sequence[Section]) -> str:
    if len(sections) < 3:
        return ""
    links = " ".join(
        f'<a href="#s{number}">{escape_html(section.title)}</a>'
        for number, section in enumerate(sections)
    )
    return f'<nav aria-label="Layers">{links}</nav>'


def _section(section: Section, number: int, tile: int) -> str:
    text = f"<p>{escape_html(section.text)}</p>" if section.text else ""
    scale = "" if section.scale is None else _scale(section.scale)
    rows = "".join(_row(row, tile) for row in section.rows)
    heading = f"<h2>{escape_html(section.title)}</h2>"
    return f'<section id="s{number}">{heading}{text}{scale}{rows}</section>'


def _scale(scale: Scale) -> str:
    bar = Image.fromarray(scale.pixels).resize((160, 12), Image.Resampling.NEAREST)
    return (
        f'<p class="scale"><span>{escape_html(scale.low)}</span> <img src="{data_url(bar)}" alt="" '
        f'width="160" height="12"> <span>{escape_html(scale.high)}</span> '
        f"{escape_html(scale.text)}</p>"
    )


def _row(row: Row, tile: int) -> str:
    title = f"<h3>{escape_html(row.title)}</h3>" if row.title else ""
    text = f'<p class="detail">{escape_html(row.text)}</p>' if row.text else ""
    tiles = "".join(_figure(own, tile) for own in row.tiles)
    return f'<div class="row">{title}{text}<div class="tiles">{tiles}</div></div>'


def _fitting(line: str, width: int) -> str:
    """A line of a caption, cut in its middle: the end of a file's name says more."""
    return escape_html(shortened(visible(line), CAPTION, width))


def _figure(tile: Tile, side: int) -> str:
    image = raster(tile, side)
    lines = "".join(
        f'<small title="{escape_html(line)}">{_fitting(line, side)}</small>' for line in tile.lines
    )
    marked = ' class="marked"' if tile.is_marked else ""
    return (
        f'<figure{marked}><img src="{data_url(image)}" alt="{escape_html(tile.alt or tile.title)}" '
        f'width="{image.width}" height="{image.height}" loading="lazy">'
        f"<figcaption><b>{escape_html(tile.title)}</b>{lines}</figcaption></figure>"
    )
