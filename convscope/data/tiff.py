"""TIFFs that Pillow does not read, or of which it would show a part: by tifffile.

- Channels that are pages or planes (OME-TIFF, ImageJ) are red, green and blue if there are three,
  which is noted. Any other number, and slices, times and other pages, are refused by their names.
- Integers of more than 8 bits are deep images, floating point is scaled, and ranges that the tags
  state count, as for other TIFFs; see `pixels`.
"""

import logging
import re
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.data.depth import DecodedImage, DeepImage, scale_to_bytes
from convscope.data.formats import INSTALL_MEDICAL
from convscope.data.medical_libraries import library
from convscope.data.orientation import ORIENTATION, UPRIGHT
from convscope.data.pillow_settings import READER_ERRORS
from convscope.data.pixels import declared_range, floats_to_bytes
from convscope.data.unreadable import UnreadableImage, reason_of, refuse_size

_AXES = {"Z": "slices", "T": "times", "C": "channels", "S": "samples"}
_GRAY = ("MINISBLACK", "MINISWHITE")
_ALPHA = (1, 2)  # kinds of extra samples
_ORDERS: dict[str, Literal["little", "big"]] = {"<": "little", ">": "big"}
_SHOWN = 6  # names of channels


def decode_tiff(data: bytes, reason: str) -> DecodedImage:
    """The image of a TIFF, upright; `reason` says why Pillow does not read it.

    Raises UnreadableImage, with that reason where tifffile is not installed.
    """
    try:
        tifffile = _library()
    except ImportError as error:
        raise UnreadableImage(f"{reason}; or {INSTALL_MEDICAL}") from error
    try:
        # Other files, which OME-TIFF may name, are not opened.
        with tifffile.TiffFile(BytesIO(data), _multifile=False) as file:
            return _image(file, data, reason)
    except (*READER_ERRORS, tifffile.TiffFileError) as error:
        raise reason_of(error) from error


def _library() -> Any:
    """tifffile, which is not to write on the screen what it finds in a file."""
    tifffile = library("tifffile")
    logger = logging.getLogger("tifffile")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return tifffile


def _image(file: Any, data: bytes, reason: str) -> DecodedImage:
    pictures = [one for one in file.series if not _is_part(one.keyframe)]
    if len(pictures) != 1:
        raise UnreadableImage(reason)
    series = pictures[0]
    page = series.keyframe
    _refuse_cut(file, series, data)
    refuse_size(page.imagewidth * page.imagelength)
    sizes = {
        axis: size
        for axis, size in zip(series.axes, series.shape, strict=True)
        if size > 1 or axis in "YX"
    }
    if page.imagedepth == 1 and not set(sizes) <= {*"YX", *_AXES}:
        raise UnreadableImage(reason)
    if page.imagedepth > 1 or not set(sizes) <= set("YXSC") or {"S", "C"} <= set(sizes):
        counts = ", ".join(
            f"{size} {_AXES.get(axis, 'pages')}" for axis, size in sizes.items() if axis not in "YX"
        )
        raise UnreadableImage(f"has {counts}; save the one that you mean as a file of its own")
    channels = sizes.get("C", 1)
    names = _channel_names(file)
    if channels not in (1, 3):
        raise UnreadableImage(
            f"has {channels} channels{names}, where 1 or 3 are expected; save the one that you "
            "mean, or three as RGB"
        )
    if sizes.get("S", 1) > 4:
        raise UnreadableImage(f"has {sizes['S']} channels, where 1 to 4 are expected")
    pixels = _channels_last(series)
    note = f"has 3 channels{names}, taken as red, green and blue" if channels == 3 else ""
    return _upright(_converted(pixels, page, note), page)


def _refuse_cut(file: Any, series: Any, data: bytes) -> None:
    """Refuse what tifffile would fill up: a tag that cannot be read, pixels beyond the end."""
    size = file.tiff.tagnosize
    for page in series.pages:
        if page is None:
            raise UnreadableImage("is damaged: a page is missing")
        whole = page.keyframe
        stated = int.from_bytes(data[whole.offset : whole.offset + size], _ORDERS[file.byteorder])
        ends = [
            start + count
            for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)
        ]
        if (
            len(whole.tags) != stated
            or not ends
            or max(ends) > len(data)
            or 0 in page.databytecounts
        ):
            raise UnreadableImage("is truncated: pixels or tags are missing")


def _is_part(page: Any) -> bool:
    """Whether a page is a preview or a mask of another."""
    return bool(page.subfiletype & 5)


def _channel_names(file: Any) -> str:
    """The names of channels that OME-TIFF or ImageJ state, in parentheses with a space before."""
    names: list[str] = []
    if file.is_ome:
        names = re.findall(r'<Channel\b[^>]*?\bName="([^"]*)"', file.ome_metadata or "")
    elif file.is_imagej:
        stated: Any = file.imagej_metadata or {}
        names = [*map(str, stated.get("Labels", []))]
    shown = ", ".join(names[:_SHOWN])
    return f" ({shown}{', ...' if len(names) > _SHOWN else ''})" if shown else ""


def _channels_last(series: Any) -> NDArray[Any]:
    """(h, w) or (h, w, c)."""
    pixels = series.asarray()
    axes = [axis for axis, size in zip(series.axes, series.shape, strict=True) if size > 1]
    pixels = pixels.reshape([size for size in series.shape if size > 1])
    for axis in "YX":  # an image of one row or column
        if axis not in axes:
            axes.insert(0, axis)
            pixels = pixels[None]
    order = [axes.index("Y"), axes.index("X"), *(i for i, a in enumerate(axes) if a in "SC")]
    return np.ascontiguousarray(pixels.transpose(order))


def _converted(pixels: NDArray[Any], page: Any, note: str) -> DecodedImage:
    photometric = page.photometric.name
    if photometric not in (*_GRAY, "RGB") and not (photometric == "YCBCR" and page.is_jfif):
        raise UnreadableImage(f"is a TIFF whose colors are {photometric}; save it as RGB")
    color, alpha, extra = _without_extra(pixels, page)
    tags = {tag.code: tag.value for tag in page.tags.values()}
    scaled = _bytes_of(color, page.bitspersample, tags)
    if scaled is None and color.dtype.kind not in "ui":
        raise UnreadableImage(f"has pixels of the type {color.dtype}, which are not read")
    if scaled is None:
        color = color.astype(color.dtype.newbyteorder("="))
        declared = declared_range(tags, int(color.min()), int(color.max()))
    else:
        color, declared = scaled, (0, 255)
    is_inverted = photometric == "MINISWHITE"
    deep = DeepImage(color, declared, _alpha_bytes(alpha), is_inverted, note or extra)
    if scaled is None:
        return deep
    image = deep.to_bytes()
    image.info["note"] = deep.note
    return image


def _bytes_of(color: NDArray[Any], bits: int, tags: Mapping[int, Any]) -> NDArray[np.uint8] | None:
    """Bytes of floating point, and of integers of a stated depth below 16; None for others."""
    if color.dtype.kind == "f":
        return floats_to_bytes(color, tags)
    if color.dtype.kind == "b":
        return color.astype(np.uint8) * np.uint8(255)
    if color.dtype == np.int8:
        return scale_to_bytes(color, (-128, 127))
    if color.dtype.kind == "u" and bits < 16:
        return scale_to_bytes(color, (0, (1 << bits) - 1))
    return None


def _without_extra(
    pixels: NDArray[Any], page: Any
) -> tuple[NDArray[Any], NDArray[Any] | None, str]:
    """Gray or color, its alpha channel, and what is said of other channels."""
    colors = 3 if page.photometric.name in ("RGB", "YCBCR") else 1
    if pixels.ndim == 2 or pixels.shape[2] == colors or (pixels.shape[2] == 3 and colors == 1):
        is_gray = pixels.ndim == 3 and pixels.shape[2] == 1
        return (pixels[..., 0] if is_gray else pixels), None, ""
    if pixels.shape[2] < colors:
        raise UnreadableImage(f"has {pixels.shape[2]} channels, where {colors} are expected")
    extra = tuple(int(kind) for kind in page.extrasamples)
    color = pixels[..., :colors] if colors > 1 else pixels[..., 0]
    if len(extra) == 1 and extra[0] in _ALPHA:
        return color, pixels[..., colors], ""
    used = "red, green and blue are" if colors > 1 else "the first is"
    return color, None, f"has {pixels.shape[2]} channels, of which {used} used"


def _alpha_bytes(alpha: NDArray[Any] | None) -> NDArray[np.uint8] | None:
    if alpha is None or alpha.dtype == np.uint8:
        return alpha
    if alpha.dtype.kind == "f":
        return np.rint(np.clip(alpha, 0, 1) * 255).astype(np.uint8)
    return scale_to_bytes(alpha, (0, int(np.iinfo(alpha.dtype).max)))


def _upright(image: DecodedImage, page: Any) -> DecodedImage:
    tag = page.tags.get(ORIENTATION)
    orientation = int(tag.value) if tag is not None else 1
    if isinstance(image, DeepImage):
        return image.upright(orientation)
    turn = UPRIGHT.get(orientation)
    if turn is None or not isinstance(image, Image.Image):
        return image
    turned = image.transpose(turn)
    turned.info.update(image.info)
    return turned
