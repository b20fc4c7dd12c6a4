"""A contact sheet: activation maps of some convolutions, from edges to parts, as in the lecture."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from convscope.errors import RequestError
from convscope.explanation.recording import Recording
from convscope.features.colors import colorize
from convscope.features.ranking import mean_magnitude
from convscope.webapp.inspect.graph import GraphRow
from convscope.webapp.inspect.maps import volume_of

LECTURE = (1, 2, 4, 7, 10)
"""The convolutions that the lecture shows, counted from 1."""

_SIDE, _GAP, _TEXT = 128, 8, 22


def contact_sheet(
    recording: Recording,
    rows: Sequence[GraphRow],
    pixels: NDArray[np.uint8],
    *,
    convolutions: Sequence[int] = LECTURE,
    maps: int = 8,
) -> bytes:
    """A PNG: the image, and below it the strongest maps of each of the convolutions.

    Each row of maps has one color scale, orange below zero and blue above. Convolutions that the
    network does not have are left out. Raises RequestError if it has none of them.
    """
    layers = [row for row in rows if row.op == "conv" and row.shape[1] > 1]
    chosen = [(n, layers[n - 1]) for n in convolutions if 1 <= n <= len(layers)]
    if not chosen:
        raise RequestError("This network has none of the requested convolutions.")
    line_height = _SIDE + _TEXT + _GAP
    size = maps * (_SIDE + _GAP) + _GAP, (len(chosen) + 1) * line_height
    sheet = Image.new("RGB", size, "white")
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    sheet.paste(image.resize((_SIDE, _SIDE)), (_GAP, _GAP))
    for line, (number, row) in enumerate(chosen, start=1):
        _draw_line(sheet, line * line_height, f"convolution {number}", row, recording, maps)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _draw_line(
    sheet: Image.Image, top: int, title: str, row: GraphRow, recording: Recording, maps: int
) -> None:
    channels, height, width = row.shape
    text = f"{title}: {row.name}, {channels} maps of {height}x{width}"
    ImageDraw.Draw(sheet).text((_GAP, top), text, fill="black")
    volume = volume_of(recording, row)
    peak = float(np.nan_to_num(np.abs(volume)).max()) or 1.0
    for column, c in enumerate(np.argsort(-mean_magnitude(volume))[:maps]):
        image = Image.fromarray(colorize(volume[c] / peak))
        image = image.resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
        sheet.paste(image, (_GAP + column * (_SIDE + _GAP), top + _TEXT))
