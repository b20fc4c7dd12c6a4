"""Digests of decoded images: equal for equal pixels, whatever file or array they come from.

The pixels are those that `decode` returns: upright, and on white where they were transparent.
Color counts only where there is any: an image whose red, green and blue are equal is gray. Images
of more than 8 bits are compared by their integers, before these are scaled, and never equal one of
8 bits. JPEGs that were decoded at a reduced size are compared with each other only, by these pixels
and the size of the file's image: where they are equal, so is what the network gets.
"""

import math
from collections.abc import Iterator
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import ArrayImages, ConcatImages, ImageSource, SubsetImages
from convscope.data.depth import DecodedImage, DeepImage, to_bytes
from convscope.data.reduced import ReducedImage

SIZE = 16  # bytes
_INT32 = 2**31


def digest_image(image: DecodedImage) -> NDArray[np.uint8]:
    """(SIZE,) bytes for one decoded image; never only zeros, to all intents and purposes."""
    if isinstance(image, DeepImage):
        return _digest_deep(image)
    kind = f"1/{image.scale} of {image.size}" if isinstance(image, ReducedImage) else ""
    pixels = image if isinstance(image, np.ndarray) else np.asarray(to_bytes(image))
    return np.frombuffer(_digest(pixels, kind), np.uint8)


def digests_in_memory(images: ImageSource) -> NDArray[np.uint8]:
    """(n, SIZE) bytes for images that are arrays in memory. Raises TypeError for others."""
    match images:
        case ArrayImages():
            is_gray = images.pixels.ndim == 3
            digests = _gray_digests(images.pixels) if is_gray else map(_digest, images.pixels)
            return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, SIZE)
        case ConcatImages():
            return np.concatenate([digests_in_memory(part) for part in images.parts])
        case SubsetImages():
            return digests_in_memory(images.source)[images.indices]
        case _:
            raise TypeError(f"{type(images).__name__} are not arrays in memory")


def _digest(pixels: NDArray[np.uint8], kind: str = "") -> bytes:
    pixels = _without_needless_color(pixels)
    hasher = sha256(f"{kind}{pixels.shape}".encode())
    hasher.update(np.ascontiguousarray(pixels).data)
    return hasher.digest()[:SIZE]


def _gray_digests(pixels: NDArray[np.uint8]) -> Iterator[bytes]:
    """`_digest` of each image (h, w) of an array (n, h, w), in half the time."""
    kind, content = f"{pixels.shape[1:]}".encode(), np.ascontiguousarray(pixels).data.cast("B")
    size = math.prod(pixels.shape[1:])
    for start in range(0, len(content), size):
        yield sha256(kind + content[start : start + size]).digest()[:SIZE]


def _digest_deep(image: DeepImage) -> NDArray[np.uint8]:
    low, high = image.extremes
    fits = low >= -_INT32 and high < _INT32
    kind = f"deep{' inverted' * image.is_inverted}"
    digest = _digest(image.pixels.astype("<i4" if fits else "<i8"), kind)
    if image.alpha is not None and image.alpha.min() < 255:
        digest = _digest(image.alpha, digest.hex())
    return np.frombuffer(digest, np.uint8)


def _without_needless_color(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w) where all channels are equal, else (h, w, c) as it is."""
    if pixels.ndim == 2:
        return pixels
    for part in (pixels[0], pixels):  # a row decides for most photographs
        if not (part == part[..., :1]).all():
            return pixels
    return pixels[..., 0]
