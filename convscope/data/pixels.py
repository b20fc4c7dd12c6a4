"""The pixels of an opened image: bytes in mode "L" or "RGB", or integers of more than 8 bits."""

import sys
from collections.abc import Mapping
from io import BytesIO
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.data.depth import DecodedImage, DeepImage, ValueRange, scale_to_bytes
from convscope.data.formats import FORMATS, jpeg2000_bits
from convscope.data.unreadable import PillowLimit, UnreadableImage

BITS, PHOTOMETRIC, STRIP_OFFSETS, STRIP_BYTES, PLANAR = 258, 262, 273, 279, 284  # tags of TIFF
EXTRA_SAMPLES, SAMPLE_FORMAT = 338, 339
MAX_SAMPLE, SMIN_SAMPLE, SMAX_SAMPLE = 281, 340, 341
UNSIGNED, SIGNED, BLACK_IS_ZERO, SEPARATE = 1, 2, 1, 2  # values of SAMPLE_FORMAT and others
_BYTE_SWAPPED = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
_SWAPPED_TWICE = {
    big: big.replace("B", "") for big in ("I;16BS", "I;32BS", "F;32BF") if sys.byteorder == "little"
}
"""Layouts of compressed big-endian TIFFs, which libtiff has turned to the machine's order, and what
they are then: Pillow 13.0 would turn them again."""

_HIGH_BYTES = "has 16 bits per channel, of which the 8 high ones are used"


def convert_pixels(image: Image.Image, content: bytes | None = None) -> DecodedImage:
    """The pixels of an image that was opened, from `content`, and not loaded; not yet upright.

    Pillow has no mode for color of 16 bits. Its bytes are read from `content` in two passes;
    without it, or where that is not possible, the high bytes are used, and noted in `info`.
    """
    codec, rawmode, maximum = _stored_layout(image)
    if content is not None:
        is_ppm = (codec, rawmode, maximum) == ("ppm", "RGB", 0xFFFF)
        wide = _wide_color(image, content, codec, "RGB;16B" if is_ppm else rawmode)
        if wide is not None:
            return _deep_color(image, wide, content)
    _scale_transparent(image, rawmode)
    if codec == "libtiff" and rawmode in _SWAPPED_TWICE:
        _set_layout(image, _SWAPPED_TWICE[rawmode])
    image.load()
    if image.mode == "F":
        return _from_floats(image)
    if image.mode.startswith("I"):
        return _deep_gray(image, content or b"", maximum)
    if _tags(image).get(SAMPLE_FORMAT, (UNSIGNED,))[0] == SIGNED:
        signed = np.asarray(image).view(np.int8)
        return Image.fromarray(scale_to_bytes(signed, (-128, 127)))
    if ";16" in rawmode or (image.format == "JPEG2000" and jpeg2000_bits(content or b"") > 8):
        image.info["note"] = _HIGH_BYTES
    return to_l_or_rgb(image)


def _stored_layout(image: Image.Image) -> tuple[str, str, int | None]:
    """What Pillow calls the codec and the layout of the stored bytes; a PNM's maxval, if any."""
    tiles = cast("list[Any]", getattr(image, "tile", []))
    if not tiles:
        return "", "", None
    codec, arguments = cast("str", tiles[0][0]), tiles[0][3]
    first, *others = (
        cast("tuple[Any, ...]", arguments) if isinstance(arguments, tuple) else (arguments,)
    )
    maximum = int(others[0]) if codec.startswith("ppm") and others else None
    return codec, first if isinstance(first, str) else "", maximum


def _set_layout(image: Image.Image, rawmode: str) -> None:
    opened = cast("Any", image)
    opened.tile = [tile._replace(args=(rawmode, *tile[3][1:])) for tile in opened.tile]


def _tags(image: Image.Image) -> dict[int, Any]:
    return cast("dict[int, Any]", getattr(image, "tag_v2", {}))


def _scale_transparent(image: Image.Image, rawmode: str) -> None:
    """Convert a PNG's transparent color from the bit depth of the file to that of the pixels."""
    match image.info.get("transparency"), rawmode:
        case int(gray), "L;2" | "L;4":
            image.info["transparency"] = gray * (85 if rawmode == "L;2" else 17)
        case (red, green, blue), "RGB;16B":
            image.info["transparency"] = (red >> 8, green >> 8, blue >> 8)
        case _:
            pass


def _wide_color(
    image: Image.Image, content: bytes, codec: str, rawmode: str
) -> NDArray[np.uint16] | None:
    """Color, or gray with alpha, of 16 bits: (h, w, channels); None for any other image."""
    tags = _tags(image)
    if tags.get(PLANAR) == SEPARATE and tags.get(BITS, ())[1:] and 16 in tags[BITS]:
        if codec == "raw" and STRIP_OFFSETS in tags:
            return _planes(image, content)
        raise PillowLimit(
            "is a TIFF with 16 bits and one plane per channel, of which Pillow does not read all "
            "bits; save it with its channels interleaved"
        )
    if rawmode == "LA;16B":  # four bytes, read as four channels
        pairs = _load_as(content, "RGBA")
        return _joined(pairs[..., 0::2], pairs[..., 1::2])
    kind, _, order = rawmode.partition(";16")
    if kind not in ("RGB", "RGBA", "RGBX") or order not in _BYTE_SWAPPED:
        return None
    low = _load_as(content, f"{kind};16{_BYTE_SWAPPED[order]}")
    return _joined(_load_as(content, rawmode), low)


def _joined(high: NDArray[np.uint8], low: NDArray[np.uint8]) -> NDArray[np.uint16]:
    return (high.astype(np.uint16) << np.uint16(8)) | low


def _load_as(content: bytes, rawmode: str) -> NDArray[np.uint8]:
    """The image with its bytes laid out as `rawmode` says: ";16L" and ";16B" keep one of two."""
    with Image.open(BytesIO(content), formats=FORMATS) as image:
        opened = cast("Any", image)
        tiles: list[Any] = []
        for tile in opened.tile:
            if tile[0] == "ppm":
                tiles.append(tile._replace(codec_name="raw", args=(rawmode, 0, 1)))
            elif isinstance(tile[3], tuple):
                tiles.append(tile._replace(args=(rawmode, *tile[3][1:])))
            else:
                tiles.append(tile._replace(args=rawmode))
        opened.tile = tiles
        image.load()
        return np.asarray(image)


def _planes(image: Image.Image, content: bytes) -> NDArray[np.uint16]:
    """An uncompressed TIFF of 16 bits with one plane per channel, which Pillow misreads."""
    tags = _tags(image)
    strips = zip(tags.get(STRIP_OFFSETS, ()), tags.get(STRIP_BYTES, ()), strict=True)
    data = b"".join(content[start : start + count] for start, count in strips)
    order = "<u2" if content.startswith(b"II") else ">u2"
    shape = (len(tags[BITS]), image.height, image.width)
    return np.frombuffer(data, order).reshape(shape).transpose(1, 2, 0).astype(np.uint16)


def _deep_color(image: Image.Image, pixels: NDArray[np.uint16], content: bytes) -> DeepImage:
    """Color of 16 bits, or gray with alpha, as it was read by `_wide_color`."""
    channels = pixels.shape[2]
    color = pixels[..., 0] if channels < 3 else pixels[..., :3]
    low, high = int(color.min()), int(color.max())
    declared = _declared(image, content, low, high)
    alpha = None
    extra = _tags(image).get(EXTRA_SAMPLES, (2,))
    if channels in (2, 4) and 0 not in extra:
        last = pixels[..., -1]
        is_small = declared is not None and int(last.max()) <= declared[1]
        alpha = scale_to_bytes(last, declared if declared and is_small else (0, 0xFFFF))
    elif isinstance(transparent := image.info.get("transparency"), tuple):
        alpha = np.where((color == transparent).all(-1), np.uint8(0), np.uint8(255))
    return DeepImage(color, declared, alpha, note=image.info.get("note", ""))


def _deep_gray(image: Image.Image, content: bytes, maximum: int | None) -> DecodedImage:
    """Grayscale of more than 8 bits. `maximum` is a PGM's, if Pillow scaled it to 16 bits."""
    tags = _tags(image)
    bits = tags.get(BITS, (16,))[0]
    pixels = np.asarray(image)
    if bits == 32 and tags.get(SAMPLE_FORMAT, (UNSIGNED,))[0] == UNSIGNED:
        pixels = pixels.astype(np.int32).view(np.uint32).astype(np.int64)
    low, high = int(pixels.min()), int(pixels.max())
    fixed: ValueRange | None = None
    if bits < 16:
        fixed = _declared(image, content, low, high) or (0, (1 << bits) - 1)
    elif maximum is not None and maximum < 0xFFFF:
        fixed = (0, 0xFFFF)
    elif image.format == "JPEG2000" and jpeg2000_bits(content) < 16:
        fixed = (0, 0xFFFF)  # Pillow scaled it
    alpha = None
    if (transparent := image.info.get("transparency")) is not None:
        alpha = np.where(pixels == transparent, np.uint8(0), np.uint8(255))
    deep = DeepImage(
        pixels,
        fixed or _declared(image, content, low, high),
        alpha,
        # Pillow inverts 8 bits itself, but not 16.
        is_inverted=tags.get(PHOTOMETRIC, BLACK_IS_ZERO) != BLACK_IS_ZERO,
        note=image.info.get("note", ""),
    )
    return deep.to_bytes() if fixed else deep


def _declared(image: Image.Image, content: bytes, low: int, high: int) -> ValueRange | None:
    """The range that a file states for its integers, if the values keep to it.

    PNG's sBIT is meant for samples that were scaled to the full 16 bits, and many programs store
    them unscaled. They are unscaled where all of a file keep below the stated depth.
    """
    if image.format == "PNG":
        bits = _significant_bits(content)
        return None if bits is None else (0, (1 << bits) - 1 if high < 1 << bits else 0xFFFF)
    return declared_range(_tags(image), low, high)


def declared_range(tags: Mapping[int, Any], low: int, high: int) -> ValueRange | None:
    """The range of integers by the tags of a TIFF, if `low` and `high` are in it."""
    start = _number(tags.get(SMIN_SAMPLE), min, 0)
    stop = _number(tags.get(SMAX_SAMPLE, tags.get(MAX_SAMPLE)), max, 0)
    is_kept = start <= low and high <= stop and start < stop
    return (int(start), int(stop)) if is_kept else None


def _number(value: Any, choose: Any, default: float) -> float:
    """The one number of a tag that has a number for each channel."""
    if value is None:
        return default
    return choose(value) if isinstance(value, tuple) else value


def _significant_bits(content: bytes) -> int | None:
    """The bits per sample that a PNG's sBIT chunk declares, or None."""
    at = 8
    while (kind := content[at + 4 : at + 8]) and kind != b"IDAT":
        size = int.from_bytes(content[at : at + 4])
        if kind == b"sBIT":
            color = content[at + 8 : at + 8 + (1 if size < 3 else 3)]  # alpha is last
            return bits if 1 <= (bits := max(color, default=0)) <= 16 else None
        at += size + 12
    return None


def _from_floats(image: Image.Image) -> Image.Image:
    scaled = floats_to_bytes(np.asarray(image), _tags(image))
    is_inverted = _tags(image).get(PHOTOMETRIC, BLACK_IS_ZERO) == 0
    return Image.fromarray(255 - scaled if is_inverted else scaled)


def floats_to_bytes(values: NDArray[Any], tags: Mapping[int, Any]) -> NDArray[np.uint8]:
    """Floating-point pixels, scaled from the range that the tags of a TIFF state, or from 0..1."""
    pixels = values.astype(np.float64)
    if not np.isfinite(pixels).all():
        raise UnreadableImage("has floating-point pixels that are not finite (NaN or infinite)")
    low, high = float(pixels.min()), float(pixels.max())
    start = float(_number(tags.get(SMIN_SAMPLE), min, 0))
    stop = float(_number(tags.get(SMAX_SAMPLE), max, 1))
    if not (start <= low and high <= stop and start < stop):
        raise UnreadableImage(
            f"has floating-point values from {low:g} to {high:g} and states no range that holds "
            "them; scale them to 0..1, or save it with 8 or 16 bits per channel"
        )
    return np.rint((pixels - start) / (stop - start) * 255).astype(np.uint8)


def to_l_or_rgb(image: Image.Image) -> Image.Image:
    """A loaded image of 8 bits or fewer in mode "L" or "RGB"."""
    mode = image.mode
    if mode == "1":
        image = image.convert("L")
    if mode in {"1", "L"}:
        return _white_where(image, image.info.get("transparency"))
    if mode == "La":
        image = image.convert("LA")
    if image.mode == "LA":
        return _on_white(image, "L")
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"), "RGB")
    return image if mode == "RGB" else image.convert("RGB")


def _on_white(image: Image.Image, mode: str) -> Image.Image:
    """round((value·alpha + 255·(255 - alpha)) / 255) for every channel."""
    white = Image.new(mode, image.size, "white")
    white.paste(image.convert(mode), mask=image.getchannel("A"))
    return white


def _white_where(image: Image.Image, transparent: object) -> Image.Image:
    """White wherever a grayscale image has the value that its header declares transparent."""
    if not isinstance(transparent, int) or not 0 <= transparent <= 255:
        return image
    return image.point([255 if value == transparent else value for value in range(256)])
