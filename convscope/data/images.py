"""What people hand over as an image: a path, a file's content, a PIL image, an array, a tensor.

- Arrays are (height, width), or with 1, 3 or 4 channels last; tensors with channels first, as in
  PyTorch. A fourth channel is alpha.
- Bytes are 0..255, floats 0..1, booleans black and white. Other integers are deep images, scaled as
  16-bit files are; see `depth`.
- Everything else is as for files: the EXIF orientation of a PIL image is applied, transparency is
  composited on white.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard, Union, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.card import Card
from convscope.data.decode import decode_image, upright_image
from convscope.data.depth import DecodedImage, DeepImage
from convscope.data.pillow_settings import READER_ERRORS, quiet_pillow
from convscope.data.pixels import convert_pixels, to_l_or_rgb
from convscope.data.unreadable import UnreadableImage, reason_of, refuse_size
from convscope.errors import RequestError

if TYPE_CHECKING:
    import torch

ImageLike = Union[str, os.PathLike[str], bytes, Image.Image, NDArray[Any], "torch.Tensor"]
"""One image, as people have it; a str is the path of a file, bytes are the content of one."""

KINDS = "a path, a PIL image, an array (height, width[, channels]) or a tensor (channels, h, w)"
_CHANNELS = (1, 3, 4)
_TOLERANCE = 1e-3  # by which floats may leave 0..1, as resampled ones do by rounding


def open_image(image: ImageLike, card: Card | None = None) -> DecodedImage:
    """Decode an image, whatever it is: upright, on white, mode "L" or "RGB", or deep.

    A file is decoded as `card` says, see `decode_image`; what is decoded already is not reduced.
    The image that is handed over is not changed. Raises UnreadableImage, whose message is a
    predicate, for all that is wrong.
    """
    match image:
        case str() | os.PathLike():
            return decode_image(Path(image), card)
        case bytes():
            return decode_image(image, card)
        case Image.Image():
            return _from_pil(image)
        case _ if _is_tensor(image):
            return _from_tensor(image)
        case _:
            return _from_object(image, card)


def _is_tensor(image: object) -> "TypeGuard[torch.Tensor]":
    """Whether it is PyTorch's, which is imported if there is one."""
    torch: Any = sys.modules.get("torch")
    return torch is not None and isinstance(image, torch.Tensor)


def _from_object(image: Any, card: Card | None) -> DecodedImage:
    """From an array, of any library, or an open file."""
    if callable(read := getattr(image, "read", None)) and isinstance(content := read(), bytes):
        return decode_image(content, card)
    if isinstance(image, bytearray | memoryview):
        return decode_image(bytes(image), card)
    if hasattr(image, "__array__"):  # of NumPy, JAX, TensorFlow, Keras
        return _from_array(np.asarray(image))
    raise UnreadableImage(f"is of type {type(image).__name__}, not an image; pass {KINDS}")


def list_images(images: ImageLike | Iterable[ImageLike]) -> list[ImageLike]:
    """One image or many as a list: a str is one path; an array of 4 dimensions is many images.

    Lists, tuples, generators, arrays and pandas Series of images are many; they may be mixed. The
    images themselves are not looked at. Raises RequestError for what has no images to list.
    """
    handed: Any = images
    if isinstance(handed, dict | set | frozenset):
        raise RequestError(
            f"`images` is a {type(handed).__name__}. Pass {KINDS}, or a list of these."
        )
    if _is_many(images):
        listed: list[ImageLike] = []
        for item in cast("Iterable[Any]", images):
            is_batch = getattr(item, "ndim", 0) == 4
            listed += list(item) if is_batch else [item]
        return listed
    if handed is None or isinstance(handed, int | float | complex):
        raise RequestError(f"`images` is {handed!r}. Pass {KINDS}, or a list of these.")
    return [cast("ImageLike", images)]


def _is_many(images: Any) -> bool:
    if isinstance(images, np.ndarray) and images.dtype.kind in "OUST":
        return images.ndim > 0
    if isinstance(images, np.ndarray) or _is_tensor(images):
        return images.ndim == 4
    if isinstance(images, str | os.PathLike | bytes | bytearray | memoryview | Image.Image):
        return False
    if hasattr(images, "read"):
        return False
    return isinstance(images, Iterable)


def name_image(image: ImageLike, index: int) -> str:
    """The path of an image that has one, else "image 0"."""
    if isinstance(image, str | os.PathLike):
        return os.fspath(image)
    name = getattr(image, "filename", None) or getattr(image, "name", None)
    return str(name) if isinstance(name, str | os.PathLike) and str(name) else f"image {index}"


def _from_pil(image: Image.Image) -> DecodedImage:
    refuse_size(image.width * image.height)
    try:
        with quiet_pillow():
            tile = getattr(image, "tile", None)
            rawmode = tile[0][3] if tile else None
            copy = image.copy()  # reads the file of an image that is still lazy
            transparent = copy.info.get("transparency")
            if isinstance(transparent, int) and rawmode in ("L;2", "L;4"):
                copy.info["transparency"] = transparent * (85 if rawmode == "L;2" else 17)
            copy.format = image.format
            is_deep = copy.mode == "F" or copy.mode.startswith("I")
            return upright_image(image, convert_pixels(copy) if is_deep else to_l_or_rgb(copy))
    except READER_ERRORS as error:
        raise reason_of(error) from error


def _from_tensor(tensor: "torch.Tensor") -> DecodedImage:
    """From (h, w) or (c, h, w)."""
    import torch  # noqa: PLC0415 -- it is imported already

    _check_shape(tensor, kind="a tensor", channels_at=0, remedy="tensor.permute(2, 0, 1)")
    tensor = tensor.permute(1, 2, 0) if tensor.ndim == 3 else tensor
    values = tensor.detach().cpu()
    if values.is_floating_point():
        values = values.to(torch.float64)
    return _from_array(values.numpy(force=True))


def _from_array(array: NDArray[Any]) -> DecodedImage:
    """From (h, w), (h, w, 1), (h, w, 3) or (h, w, 4)."""
    _check_shape(array, kind="an array", channels_at=-1, remedy="array.transpose(1, 2, 0)")
    refuse_size(array.shape[0] * array.shape[1])
    pixels = array[..., 0] if array.shape[2:] == (1,) else array
    if array.dtype.kind == "b":
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    elif array.dtype.kind == "f":
        pixels = _bytes_of_floats(pixels)
    elif array.dtype.kind not in "ui":
        raise UnreadableImage(f"has elements of type {array.dtype}; numbers are expected")
    if pixels.dtype == np.uint8:
        return to_l_or_rgb(Image.fromarray(np.ascontiguousarray(pixels)))
    if pixels.shape[2:] == (4,):
        raise UnreadableImage(
            f"has an alpha channel of {array.dtype}; pass the color alone, or bytes"
        )
    return DeepImage(pixels.astype(pixels.dtype.newbyteorder("=")))


def _check_shape(values: Any, *, kind: str, channels_at: int, remedy: str) -> None:
    """Raise UnreadableImage for all but (h, w) and 1, 3 or 4 channels first (0) or last (-1)."""
    if values.ndim not in (2, 3):
        what = "a batch, not one image" if values.ndim == 4 else "not an image"
        raise UnreadableImage(
            f"has shape {_shape(values)}, which is {what}; pass (height, width) and channels"
        )
    if values.ndim == 2:
        return
    channels, other_end = values.shape[channels_at], values.shape[-1 - channels_at]
    if channels in _CHANNELS:
        return
    if other_end in _CHANNELS:
        where = "first" if channels_at == 0 else "last"
        raise UnreadableImage(
            f"is {kind} of shape {_shape(values)}; {kind.split()[1]}s have channels {where}: "
            f"{remedy}"
        )
    raise UnreadableImage(
        f"has shape {_shape(values)}: {channels} channels, where 1, 3 or 4 (alpha) are expected; "
        "pass many images as a list"
    )


def _bytes_of_floats(values: NDArray[Any]) -> NDArray[np.uint8]:
    if not np.isfinite(values).all():
        raise UnreadableImage("has values that are not finite (NaN or infinite)")
    low, high = float(values.min()), float(values.max())
    if low < -_TOLERANCE or high > 1 + _TOLERANCE:
        remedy = (
            "divide by 255, or convert to uint8"
            if low >= 0 and high <= 255
            else "undo its normalization, so that black is 0 and white is 1"
        )
        raise UnreadableImage(
            f"has floats from {low:g} to {high:g}, where 0 to 1 is expected: {remedy}"
        )
    return np.rint(np.clip(values.astype(np.float64), 0, 1) * 255).astype(np.uint8)


def _shape(values: Any) -> str:
    return "x".join(map(str, values.shape)) or "()"
