"""The picture of a tile at the size at which it is shown."""

import base64
import io

import numpy as np
from PIL import Image

from convscope.features.sheets.sheet import Pixels, Tile

_STRIPES = np.array([[150, 150, 150], [190, 190, 190]], np.uint8)
_STRIPE = 4  # pixels of its width
_SMALL = 6_000  # bytes, up to which a PNG is kept


def raster(tile: Tile, side: int) -> Image.Image:
    """The tile's picture, its longer side at most `side`: whole multiples of small pictures.

    What lies outside of an image is striped in two grays.
    """
    height, width = tile.pixels.shape[:2]
    longest = max(height, width)
    if longest * 2 <= side:
        factor = side // longest
        size, method = (width * factor, height * factor), Image.Resampling.NEAREST
    else:
        scale = min(side / longest, 1)
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        method = Image.Resampling.LANCZOS
    image = Image.fromarray(tile.pixels).resize(size, method)
    if tile.outside is None or not tile.outside.any():
        return image
    mask = Image.fromarray(tile.outside.astype(np.uint8) * 255)
    mask = mask.resize(size, Image.Resampling.NEAREST)
    image.paste(Image.fromarray(_striped(size[1], size[0])), (0, 0), mask)
    return image


def _striped(height: int, width: int) -> Pixels:
    rows, columns = np.ogrid[:height, :width]
    return _STRIPES[(rows + columns) // _STRIPE % 2]


def data_url(image: Image.Image) -> str:
    """An image inside a page: a PNG, or a JPEG where that is much smaller."""
    kind, content = _encoded(image, "PNG")
    if len(content) > _SMALL:
        kind, content = min(((kind, content), _encoded(image, "JPEG")), key=lambda one: len(one[1]))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(content).decode()}"


def _encoded(image: Image.Image, kind: str) -> tuple[str, bytes]:
    file = io.BytesIO()
    image.save(file, kind, **({"quality": 85} if kind == "JPEG" else {}))
    return kind, file.getvalue()
