"""The map as a page: pan, zoom, and every image under the pointer; it requests nothing."""

import base64
import io
import math
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.features.embedding.result import EmbeddingResult, Neighbors
from convscope.words import escape_html
from convscope.words.json_text import to_json

_THUMBNAIL = 40  # pixels of a side in the sheet


def page(result: EmbeddingResult) -> str:
    """The page as HTML."""
    folder = files("convscope.features.embedding")
    style, script = (folder.joinpath(f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    title = f"Map of images at {result.layer} of {result.model}"
    lines = "".join(f"<p>{escape_html(line)}</p>" for line in result.lines)
    rows = "".join(_neighbors(result, each) for each in result.neighbors)
    section = f"<section><h2>Nearest images</h2>{rows}</section>" if rows else ""
    inline = "'unsafe-inline'"
    policy = f"default-src 'none'; img-src data:; style-src {inline}; script-src {inline}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{escape_html(title)}</title><style>{style}</style></head><body>"
        f"<header><h1>{escape_html(title)}</h1>{lines}</header><main>"
        '<div class="map"><canvas tabindex="0" role="img" aria-label="Map of the images; the table '
        'beside this page lists them"></canvas><div class="tools">'
        '<button id="in" title="Zoom in">+</button><button id="out" title="Zoom out">−</button>'
        '<button id="all">All</button><label><input type="checkbox" id="thumbs"> thumbnails</label>'
        '<label><input type="checkbox" id="wrong"> mistakes only</label>'
        f"{_chooser(result)}</div>"
        '<div id="card" hidden></div></div><div id="legend"></div>'
        '<p class="how">Drag to move, scroll or pinch to zoom; a click on a class hides or shows '
        "its images. A ring marks an image that is predicted wrong, in the color of what was "
        f"predicted.</p>{section}</main>"
        f'<script type="application/json" id="data">{_data(result)}</script>'
        f"<script>{script}</script></body></html>\n"
    )


def _chooser(result: EmbeddingResult) -> str:
    """The list of labels by which the map may be colored, where an image may have several."""
    options = "".join(
        f"<option{' selected' * (each.name == result.label)}>{escape_html(each.name)}</option>"
        for each in result.colors
    )
    return f'<label>colored by <select id="label">{options}</select></label>' if options else ""


def _data(result: EmbeddingResult) -> str:
    """Points, names and the sheet of thumbnails for the script."""
    low, high = result.points.min(0), result.points.max(0)
    scaled = (result.points - low) / max(float((high - low).max()), 1e-12)
    columns = math.ceil(math.sqrt(len(scaled)))
    content = {
        "x": [round(float(number), 5) for number in scaled[:, 0]],
        "y": [round(float(number), 5) for number in scaled[:, 1]],
        "names": list(result.names),
        "labels": result.labels.tolist(),
        "predicted": result.predicted.tolist(),
        "classes": list(result.classes),
        "truths": list(result.truths) if result.colors else None,
        "answers": list(result.answers) if result.colors else None,
        "colors": [
            {
                "name": each.name,
                "classes": each.classes,
                "labels": each.labels.tolist(),
                "predicted": each.predicted.tolist(),
            }
            for each in result.colors
        ],
        "side": _THUMBNAIL,
        "columns": columns,
        "sheet": _sheet(result, columns),
    }
    return to_json(content).replace("<", "\\u003c")


def _sheet(result: EmbeddingResult, columns: int) -> str:
    rows = -(-len(result.pixels) // columns)
    sheet = Image.new("RGB", (columns * _THUMBNAIL, rows * _THUMBNAIL))
    for number, pixels in enumerate(result.pixels):
        row, column = divmod(number, columns)
        thumbnail = _image(pixels).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BILINEAR)
        sheet.paste(thumbnail, (column * _THUMBNAIL, row * _THUMBNAIL))
    content = io.BytesIO()
    sheet.save(content, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


def _image(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _neighbors(result: EmbeddingResult, each: Neighbors) -> str:
    first = _figure(each.pixels, each.image, f"predicted {each.predicted}", "")
    others = "".join(
        _figure(
            result.pixels[index],
            result.names[index],
            result.truths[index],
            f"distance {distance:.3g}",
        )
        for index, distance in zip(each.indices, each.distances, strict=True)
    )
    return f'<div class="row">{first}<span>nearest</span>{others}</div>'


def _figure(pixels: NDArray[np.uint8], name: str, title: str, line: str) -> str:
    content = io.BytesIO()
    _image(pixels).save(content, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
    small = ' class="pixels"' if max(pixels.shape) <= 64 else ""
    lines = "".join(f"<small>{escape_html(text)}</small>" for text in (line, name) if text)
    return (
        f'<figure><img{small} src="{url}" alt=""><figcaption><b>{escape_html(title)}</b>{lines}'
        "</figcaption></figure>"
    )
