"""Decode JPEGs with simplejpeg, where it is installed: Pillow's library with less around it.

It never changes a bit: what was not compared with Pillow is left to Pillow, and so is everything
where their versions of libjpeg-turbo differ.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_SCAN, _FIRST_APP, _LAST_APP = 0xDA, 0xE0, 0xEF
_TABLES = (0xC4, 0xDB, 0xDD, 0xFE)  # Huffman codes, quantization, restarts; and comments
_JFIF = b"JFIF\0"
_GRAY, _COLORS = b"\x11", (b"\x11\x11\x11", b"\x21\x11\x11", b"\x22\x11\x11")
"""Sampling factors of the components: 4:4:4, 4:2:2 and 4:2:0."""


@dataclass(frozen=True)
class Frame:
    """What the header of a JPEG says.

    Attributes:
        size: (width, height).
        mode: "L" or "RGB".
        is_plain: whether it has no metadata but JFIF's, hence no orientation.
    """

    size: tuple[int, int]
    mode: str
    is_plain: bool


def read_frame(jpeg: bytes) -> Frame | None:
    """The header of a JPEG of a kind that was compared with Pillow; None for all others."""
    if not jpeg.startswith(b"\xff\xd8\xff"):
        return None
    at, frame, is_plain = 2, None, True
    while at + 4 < len(jpeg) and jpeg[at] == 0xFF:
        kind, end = jpeg[at + 1], at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        if kind == _SCAN:
            return frame and Frame(*frame, is_plain)
        if kind in (_BASELINE, _EXTENDED, _PROGRESSIVE) and frame is None:
            frame = _size_and_mode(jpeg[at + 4 : end])
            if frame is None:
                return None
        elif _FIRST_APP <= kind <= _LAST_APP:
            is_plain = is_plain and kind == _FIRST_APP and jpeg[at + 4 : at + 9] == _JFIF
        elif kind not in _TABLES:
            return None
        at = end
    return None


def _size_and_mode(segment: bytes) -> tuple[tuple[int, int], str] | None:
    """Of a frame's header: precision, height, width, and the components with their sampling."""
    height, width = int.from_bytes(segment[1:3]), int.from_bytes(segment[3:5])
    sampling = segment[7::3]
    mode = "L" if sampling == _GRAY else "RGB" if sampling in _COLORS else None
    is_usual = segment[:1] == b"\x08" and len(segment) == 6 + 3 * len(sampling)
    return ((width, height), mode) if mode and is_usual and height and width else None


def decode_frame(jpeg: bytes, frame: Frame) -> NDArray[np.uint8] | None:
    """The pixels (h, w) or (h, w, 3); None for what Pillow should decode or refuse."""
    decode = _decoder()
    if decode is None:
        return None
    try:
        pixels = decode(jpeg, "GRAY" if frame.mode == "L" else "RGB")
    except (ValueError, RuntimeError, TypeError, OverflowError):  # also for mere warnings
        return None
    shape = (*frame.size[::-1], *(() if frame.mode == "L" else (3,)))
    return pixels.reshape(shape) if pixels.size == np.prod(shape) else None


def is_used() -> bool:
    """Whether simplejpeg is installed, and decodes as Pillow does."""
    return _decoder() is not None


@cache
def _decoder() -> Callable[[bytes, str], NDArray[np.uint8]] | None:
    try:
        decode: Callable[[bytes, str], Any] = import_module("simplejpeg").decode_jpeg
    except (ImportError, AttributeError):
        return None
    return decode if all(_is_alike(decode, trial) for trial in _trials()) else None


def _trials() -> list[bytes]:
    """A small image in each sampling, with sharp edges of color, where decoders differ."""
    rows, columns = np.mgrid[:37, :51]
    pixels = np.stack([rows * 97, columns * 61, rows * columns * 29], -1).astype(np.uint8)
    files = [BytesIO() for _ in _COLORS]
    for file, sampling in zip(files, ("4:4:4", "4:2:2", "4:2:0"), strict=True):
        Image.fromarray(pixels).save(file, "JPEG", quality=90, subsampling=sampling)
    return [file.getvalue() for file in files]


def _is_alike(decode: Callable[[bytes, str], Any], jpeg: bytes) -> bool:
    try:
        with Image.open(BytesIO(jpeg), formats=("JPEG",)) as image:
            return np.array_equal(np.asarray(image), decode(jpeg, "RGB"))
    except (ValueError, RuntimeError, TypeError):
        return False
