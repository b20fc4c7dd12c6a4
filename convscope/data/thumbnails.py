"""Small copies of images for pages, as text that is part of the page."""

import base64
import io

from PIL import Image

from convscope.card import Card
from convscope.data.dataset import ImageSource
from convscope.data.depth import to_bytes

READ_FAST = Card(
    classes=("a", "b"), input_size=(128, 128), in_channels=3, resize_mode="crop", reading="fast",
    mean=(0.0,) * 3, std=(1.0,) * 3,
)  # fmt: skip
"""As which images are decoded that are looked at: JPEGs keep twice this resolution at least."""

SMALL = 64
"""Pixels of the longer side, up to which every pixel is shown."""


def read_thumbnail(images: ImageSource, index: int, side: int) -> Image.Image:
    """An image for a page, its longer side at most `side`. Raises UnreadableImage."""
    image = to_bytes(images.image(index, READ_FAST)).copy()
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    return image


def data_url(image: Image.Image) -> str:
    """The image in the page: a JPEG, or a PNG where it is so small that every pixel is seen."""
    file = io.BytesIO()
    kind = "PNG" if max(image.size) <= SMALL else "JPEG"
    image.save(file, kind, **({"quality": 80} if kind == "JPEG" else {}))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
