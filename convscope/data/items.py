"""Images that another object holds and hands out one at a time."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from convscope.card import Card
from convscope.data.depth import DecodedImage, DeepImage, to_bytes
from convscope.data.images import open_image
from convscope.data.pixel_arrays import PixelRange, as_array, channels_last, without_alpha
from convscope.data.reduced import ReducedImage
from convscope.data.unreadable import UnreadableImage
from convscope.errors import ConvscopeError, RequestError


@dataclass(frozen=True)
class NumberedKeys:
    """Keys of positions: `train/00017`."""

    prefix: str

    def __call__(self, index: int) -> str:
        return f"{self.prefix}{index:05d}"


@dataclass(frozen=True, eq=False)
class ItemImages:
    """Images that `read_item` returns: PIL images, paths, arrays (h, w[, c]), tensors (c, h, w).

    One thread at a time reads, for the object may have a file open; any number convert.

    Attributes:
        count: of the images.
        read_item: the image at an index.
        get_key: the key of the image at an index.
        pixel_range: what the values of arrays and tensors mean.
    """

    count: int
    read_item: Callable[[int], Any]
    get_key: Callable[[int], str]
    pixel_range: PixelRange
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __len__(self) -> int:
        return self.count

    def key(self, index: int) -> str:
        return self.get_key(index)

    def image(self, index: int, card: Card | None = None) -> DecodedImage:
        return open_item(self._item(index), self.pixel_range, card)

    def _item(self, index: int) -> Any:
        try:
            with self._lock:
                return self.read_item(index)
        except (ConvscopeError, UnreadableImage):
            raise
        except Exception as error:  # whatever the code of others raises
            raise UnreadableImage(f"raised {type(error).__name__}: {error}") from error

    def read(self, index: int, card: Card | None = None) -> tuple[DecodedImage, bytes]:
        item = self._item(index)
        image = open_item(item, self.pixel_range, card)
        # The digest is that of all pixels: it does not depend on the card.
        whole = open_item(item, self.pixel_range) if isinstance(image, ReducedImage) else image
        pixels = np.ascontiguousarray(
            whole.pixels if isinstance(whole, DeepImage) else to_bytes(whole)
        )
        hasher = blake2b(f"{pixels.dtype} {pixels.shape}".encode(), digest_size=16)
        hasher.update(pixels.data)
        return image, hasher.digest()


def open_item(item: Any, pixel_range: PixelRange, card: Card | None = None) -> DecodedImage:
    """One image, upright. Raises UnreadableImage with the reason."""
    if isinstance(item, Image.Image | str | Path | bytes):
        return open_image(item, card)
    try:
        pixels = item_array(item)
        if pixel_range.is_deep and pixels.shape[2:] in ((), (3,)):
            return DeepImage(pixels.astype(np.int64))
        converted = pixel_range.to_bytes(pixels)
    except (RequestError, ValueError, TypeError) as error:
        raise UnreadableImage(str(error)) from error
    return Image.fromarray(without_alpha(converted) if converted.ndim == 3 else converted)


def item_array(item: Any) -> NDArray[Any]:
    """The pixels of an array or tensor: (h, w) or (h, w, c). Raises RequestError for others."""
    array = as_array(item)
    if array.ndim == 2:
        return array
    is_tensor = isinstance(item, Tensor)
    return channels_last(array[None], is_tensor=is_tensor, where="The image")[0]


def pixel_range_of(items: Iterable[Any], *, where: str) -> PixelRange:
    """The range of the arrays and tensors among some items.

    Raises RequestError for items that are not images.
    """
    arrays: list[NDArray[Any]] = []
    for item in items:
        if isinstance(item, Image.Image | str | Path | bytes):
            continue
        array = item_array(item)
        if array.dtype.kind not in "biuf":
            raise RequestError(
                f"{where}: {type(item).__name__} is not an image. Pass PIL images, arrays (height, "
                "width[, channels]) or tensors (channels, height, width)."
            )
        arrays.append(array)
    return PixelRange(arrays, where=where)
