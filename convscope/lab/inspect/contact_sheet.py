"""The lecture's picture: activation maps of some convolutions, from edges to parts."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from convscope.errors import RequestError
from convscope.explanation.recording import Recording
from convscope.lab.inspect.graph import GraphRow
from convscope.lab.inspect.maps import volume_of

LECTURE = (1, 2, 4, 7, 10)
"""Which convolutions the lecture shows, counted from 1."""

_SIDE, _GAP, _TEXT = 128, 8, 22
_NEGATIVE, _POSITIVE = (107, 47, 4), (7, 48, 94)  # the ends of the page's scale; zero is white


def contact_sheet(
    recording: Recording,
    rows: Sequence[GraphRow],
    pixels: NDArray[np.uint8],
    *,
    convolutions: Sequence[int] = LECTURE,
    maps: int = 8,
) -> bytes:
    """A PNG: the image, and under it for each of the convolutions its strongest maps.

    Values are colored by one scale for each row, orange below zero and blue above. Convolutions
    that the network has not are left out. Raises RequestError where it has none of them.
    """
    layers = [row for row in rows if row.op == "conv" and row.shape[1] > 1]
    chosen = [(n, layers[n - 1]) for n in convolutions if 1 <= n <= len(layers)]
    if not chosen:
        raise RequestError("This network has none of these convolutions with maps.")
    high = _SIDE + _TEXT + _GAP
    sheet = Image.new("RGB", (maps * (_SIDE + _GAP) + _GAP, (len(chosen) + 1) * high), "white")
    draw = ImageDraw.Draw(sheet)
    shown = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    sheet.paste(shown.resize((_SIDE, _SIDE)), (_GAP, _GAP))
    for line, (number, row) in enumerate(chosen, start=1):
        top = line * high
        draw.text((_GAP, top), f"convolution {number}: {row.name}, {_told(row)}", fill="black")
        volume = volume_of(recording, row)
        order = np.argsort(-np.nan_to_num(np.abs(volume)).mean(axis=(1, 2)))[:maps]
        peak = float(np.nan_to_num(np.abs(volume)).max()) or 1.0
        for place, c in enumerate(order):
            picture = Image.fromarray(colorize(volume[c] / peak))
            picture = picture.resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
            sheet.paste(picture, (_GAP + place * (_SIDE + _GAP), top + _TEXT))
    kept = io.BytesIO()
    sheet.save(kept, "PNG")
    return kept.getvalue()


def _told(row: GraphRow) -> str:
    channels, height, width = row.shape
    return f"{channels} maps of {height}x{width}"


def colorize(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values from -1 to 1 as colors (h, w, 3): white at zero, darker with the magnitude."""
    share = np.clip(np.abs(np.nan_to_num(values)), 0, 1)[..., None]
    ends = np.where(values[..., None] < 0, np.array(_NEGATIVE), np.array(_POSITIVE))
    return np.round(255 + (ends - 255) * share).astype(np.uint8)
