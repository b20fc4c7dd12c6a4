"""Images of more than 8 bits per channel: which of their values become 0 and 255.

A file of 16 bits often holds 8, 10 or 12: X-rays, CT, industrial cameras. What it declares (PNG's
sBIT, TIFF's MaxSampleValue, SMinSampleValue and SMaxSampleValue) is its range. Where nothing is
declared, the range ends at the next power of two minus one above the largest value, 255 at least,
and begins at 0, or at a negative power of two. All deep images of a data set share one range, the
least that contains the range of each; it is kept in the card.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.data.reduced import ReducedImage
from convscope.data.unreadable import UnreadableImage

ValueRange = tuple[int, int]
"""The values that become black and white."""

_TURNS: dict[int, tuple[int, int, bool]] = {
    2: (1, -1, False), 3: (-1, -1, False), 4: (-1, 1, False), 5: (1, 1, True), 6: (-1, 1, True),
    7: (-1, -1, True), 8: (1, -1, True),
}  # fmt: skip
"""What undoes each EXIF orientation: steps along rows and columns, and whether they are swapped."""


@dataclass(frozen=True, eq=False)
class DeepImage:
    """An upright image of integers, not yet scaled to bytes.

    Attributes:
        pixels: (height, width) or (height, width, 3).
        declared: the range that its file declares, if it does and keeps to it.
        alpha: (height, width) bytes, or None; 0 is transparent.
        is_inverted: whether the smallest value is white.
        note: a predicate for the user, or "".
    """

    pixels: NDArray[Any]
    declared: ValueRange | None = None
    alpha: NDArray[np.uint8] | None = None
    is_inverted: bool = False
    note: str = ""

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), as of a PIL image."""
        return self.width, self.height

    @property
    def mode(self) -> str:
        return "L" if self.pixels.ndim == 2 else "RGB"

    @property
    def extremes(self) -> ValueRange:
        """The smallest and the largest value."""
        return int(self.pixels.min()), int(self.pixels.max())

    @property
    def value_range(self) -> ValueRange:
        """The range of this image, were it alone."""
        return self.declared or enclosing_range(*self.extremes)

    def upright(self, orientation: int) -> "DeepImage":
        """The image as its EXIF orientation says."""
        alpha = None if self.alpha is None else _turned(self.alpha, orientation)
        return replace(self, pixels=_turned(self.pixels, orientation), alpha=alpha)

    def to_bytes(self, value_range: ValueRange | None = None) -> Image.Image:
        """The image in mode "L" or "RGB", on white where it is transparent.

        `value_range` is that of the network's training images, or None for this image's own. Raises
        UnreadableImage for values outside it: clipped, they would mean something else.
        """
        low, high = self.extremes
        if value_range is not None and (low < value_range[0] or high > value_range[1]):
            raise UnreadableImage(
                f"has values from {low:,} to {high:,}, outside the range "
                f"{value_range[0]:,} to {value_range[1]:,} of the images that the network was "
                "trained on; scale it to that range"
            )
        scaled = scale_to_bytes(self.pixels, value_range or self.value_range)
        if self.is_inverted:
            scaled = 255 - scaled
        if self.alpha is not None:
            scaled = _on_white(scaled, self.alpha)
        return Image.fromarray(np.ascontiguousarray(scaled))


def _turned(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    rows, columns, is_swapped = _TURNS.get(orientation, (1, 1, False))
    turned = array[::rows, ::columns]
    return turned.swapaxes(0, 1) if is_swapped else turned


DecodedImage = Image.Image | NDArray[np.uint8] | ReducedImage | DeepImage
"""An upright image: bytes in mode "L" or "RGB", as an image of Pillow's or as an array (h, w[, 3]),
of a JPEG perhaps at a reduced size; or integers whose range is not decided yet."""


def to_bytes(image: DecodedImage, value_range: ValueRange | None = None) -> Image.Image:
    """The image in mode "L" or "RGB"; `value_range` concerns deep ones, see `DeepImage`."""
    match image:
        case Image.Image():
            return image
        case ReducedImage():
            return image.image
        case DeepImage():
            return image.to_bytes(value_range)
        case _:
            return Image.fromarray(image)


def size_of(image: DecodedImage) -> tuple[int, int]:
    """(width, height), of a reduced image those of its file."""
    return (image.shape[1], image.shape[0]) if isinstance(image, np.ndarray) else image.size


def is_gray(image: DecodedImage) -> bool:
    """Whether it has no color, by its file."""
    return image.ndim == 2 if isinstance(image, np.ndarray) else image.mode == "L"


def note_of(image: DecodedImage) -> str:
    """What is to say of an image, as a predicate: "is an animation, ..."; "" for most."""
    match image:
        case DeepImage():
            return image.note
        case Image.Image() | ReducedImage():
            return to_bytes(image).info.get("note", "")
        case _:
            return ""


def enclosing_range(low: int, high: int) -> ValueRange:
    """The range between powers of two that holds `low` to `high`.

    >>> enclosing_range(3, 3100), enclosing_range(-1000, 3071), enclosing_range(0, 20)
    ((0, 4095), (-1024, 4095), (0, 255))
    """
    start = -(1 << (-low - 1).bit_length()) if low < 0 else 0
    return start, max(255, (1 << max(high, 0).bit_length()) - 1)


def union_range(ranges: Iterable[ValueRange]) -> ValueRange:
    """The least range that contains all of these."""
    lows, highs = zip(*ranges, strict=True)
    return min(lows), max(highs)


def scale_to_bytes(pixels: NDArray[Any], value_range: ValueRange) -> NDArray[np.uint8]:
    """floor((value - low) · 256 / (high - low + 1)): the 8 high bits where the range is n bits.

    Ranges of fewer than 256 values are stretched: round((value - low) · 255 / (high - low)).
    """
    low, high = value_range
    count = high - low + 1
    values = pixels if low == 0 else pixels.astype(np.int64) - low
    if count >= 256 and count & (count - 1) == 0:
        return (values >> (count.bit_length() - 9)).astype(np.uint8)
    values = values.astype(np.int64)
    if count >= 256:
        return (values * 256 // count).astype(np.uint8)
    return np.rint(values * (255 / max(count - 1, 1))).astype(np.uint8)


def _on_white(values: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """round((value·alpha + 255·(255 - alpha)) / 255)."""
    weight = (alpha if values.ndim == 2 else alpha[..., None]).astype(np.uint32)
    return ((values * weight + 255 * (255 - weight) + 127) // 255).astype(np.uint8)
