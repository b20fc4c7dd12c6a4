"""What a sheet shows: sections of rows of tiles, each a picture with a caption."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Tile:
    """A picture with a caption.

    Attributes:
        pixels: (h, w, 3) bytes; small ones are enlarged so that each pixel is a square.
        title: the first line of its caption.
        lines: further lines.
        outside: (h, w), where there is no image: it is drawn as stripes. None: nowhere.
        alt: what the picture shows, for those who do not see it.
        is_marked: whether it has a frame.
    """

    pixels: Pixels
    title: str
    lines: tuple[str, ...] = ()
    outside: NDArray[np.bool_] | None = None
    alt: str = ""
    is_marked: bool = False


@dataclass(frozen=True)
class Row:
    """Tiles side by side, below a title and a text; both may be empty."""

    tiles: tuple[Tile, ...]
    title: str = ""
    text: str = ""


@dataclass(frozen=True)
class Scale:
    """A scale of colors: `pixels` (1, w, 3) from `low` to `high`, and what it is of."""

    pixels: Pixels
    low: str
    high: str
    text: str


@dataclass(frozen=True)
class Section:
    """Rows below a heading and a text, with the scale of their colors."""

    title: str
    rows: tuple[Row, ...]
    text: str = ""
    scale: Scale | None = None


@dataclass(frozen=True)
class Sheet:
    """Sections below a title and lines of text.

    Attributes:
        tile: the width of a tile in pixels of the screen.
        columns: at most so many tiles side by side in PNG and SVG.
    """

    title: str
    lines: tuple[str, ...]
    sections: tuple[Section, ...]
    tile: int = 112
    columns: int = 9
