"""A JPEG that was decoded at a fraction of its size."""

from dataclasses import dataclass
from typing import Literal

from PIL import Image

from convscope.data.orientation import SIDEWAYS

JpegScale = Literal[1, 2, 4, 8]
"""How many times smaller than its own size libjpeg decodes a JPEG, along each side."""

_MIRRORED = {
    2: (True, False), 3: (True, True), 4: (False, True), 6: (True, False), 7: (True, True),
    8: (False, True),
}  # fmt: skip
"""Whether turning an image upright reverses the direction of its x and y axes, by orientation."""


@dataclass(frozen=True, eq=False)
class ReducedImage:
    """An upright image whose pixels are `scale` by `scale` of the file's.

    Attributes:
        image: of ceil(width / scale) by ceil(height / scale) pixels, mode "L" or "RGB".
        stored_size: (width, height) of the file's image, before it was turned upright.
        scale: at which it was decoded.
        orientation: of its EXIF.
    """

    image: Image.Image
    stored_size: tuple[int, int]
    scale: JpegScale
    orientation: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the file's image, upright."""
        width, height = self.stored_size
        return (height, width) if self.orientation in SIDEWAYS else (width, height)

    @property
    def origin(self) -> tuple[float, float]:
        """Where in `image` the left upper corner lies: the last pixel of a row or column may be
        partly outside, and comes first where the image was mirrored.
        """
        mirrored = _MIRRORED.get(self.orientation, (False, False))
        x, y = (
            is_mirrored * (-size % self.scale) / self.scale
            for size, is_mirrored in zip(self.size, mirrored, strict=True)
        )
        return x, y

    @property
    def mode(self) -> str:
        return self.image.mode
