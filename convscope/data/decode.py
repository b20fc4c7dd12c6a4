"""Decode image files, by the same rules for training, evaluation, prediction and serving.

- Formats: JPEG (and MPO), PNG, WebP, BMP, TIFF, GIF and PPM, recognized by content, not by name.
- Of an animation or a file with several pages, the first frame is used.
- The EXIF orientation is applied, so the result is upright.
- Grayscale stays grayscale ("L"), everything else becomes "RGB": palettes are resolved; CMYK,
  YCbCr and LAB are converted by Pillow; 1-bit images become 0 and 255.
- Transparency (an alpha channel or a transparent color) is composited on white.
- 16-bit channels keep the high byte, as Pillow does for color; a 12-bit TIFF keeps its 8 high
  bits. A grayscale TIFF in which zero is white is inverted.
- Floating-point pixels and integers of more than 16 bits are refused, as their range is unknown.
- The size is read from the header; more than MAX_PIXELS are refused before decoding.
- A file is refused if any image data is missing or was replaced by zeros.
"""

import re
import struct
import threading
import warnings
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from stat import S_ISREG
from typing import Any, cast

import numpy as np
from PIL import Image

MAX_PIXELS = 100_000_000
MAX_BYTES = 1_000_000_000  # more than MAX_PIXELS of 16-bit RGBA take without compression

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "PPM")  # MPO opens as JPEG
_FORMAT_NAMES = "JPEG, PNG, WebP, BMP, TIFF, GIF or PPM"

# What Pillow's readers have been seen to raise on malformed files. `Exception` would also swallow
# what a signal handler raises.
READER_ERRORS = (
    OSError, SyntaxError, ValueError, LookupError, ArithmeticError, TypeError, AttributeError,
    AssertionError, NameError, BufferError, EOFError, MemoryError, RuntimeError, ImportError,
    struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip

OTHER_FORMATS = {
    b"%PDF-": "is a PDF document",
    b"PK\x03\x04": "is an archive",
    b"\x1f\x8b": "is an archive",
    b"Rar!": "is an archive",
    b"7z\xbc\xaf": "is an archive",
    b"version https://git-lfs": "is a Git LFS pointer",
}
"""First bytes of other files that often have the name of an image."""

HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis"}

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that undoes each EXIF orientation; 1 is upright."""

START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"  # markers of JPEG
ORIENTATION, BITS, PHOTOMETRIC = 0x0112, 258, 262  # tags of EXIF and TIFF


class UnreadableImage(Exception):
    """A file that is not a usable image; the message is a predicate, as "is empty (0 bytes)"."""


def decode(source: Path | bytes) -> Image.Image:
    """Decode an image completely: mode "L" or "RGB", upright, no file left open.

    Safe to call from many threads. Raises Unreadable, and nothing else, for whatever is wrong with
    the file or its bytes.
    """
    data = source if isinstance(source, bytes) else read_file(source)
    _refuse_other_formats(data)
    _refuse_zero_tail(data)
    try:
        with _quiet_pillow(), Image.open(BytesIO(data), formats=FORMATS) as image:
            _refuse_size(image.width * image.height)
            _scale_transparent(image)
            image.load()
            return _upright(image, _to_l_or_rgb(image))
    except READER_ERRORS as error:
        raise _reason(error) from error


def read_file(path: Path) -> bytes:
    """The bytes of a regular file of at most MAX_BYTES. Raises UnreadableImage."""
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):  # opening a FIFO would block forever
            raise UnreadableImage("is not a regular file")
        if status.st_size > MAX_BYTES:
            raise UnreadableImage(
                f"has {status.st_size:,} bytes; more than {MAX_BYTES:,} are refused"
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadableImage("does not exist") from error
    except PermissionError as error:
        raise UnreadableImage("cannot be read (permission denied)") from error
    except (OSError, ValueError, MemoryError) as error:
        raise UnreadableImage(f"could not be read: {_error_text(error)}") from error


def _refuse_other_formats(data: bytes) -> None:
    if not data:
        raise UnreadableImage("is empty (0 bytes)")
    head = data[:1024]
    if not head.strip(b"\0"):
        raise UnreadableImage("starts with nothing but zeros")
    if other := _other_format(head):
        raise UnreadableImage(f"{other}, not a {_FORMAT_NAMES} image")


def _other_format(head: bytes) -> str | None:
    """What a file is by its first bytes, if these are of a known format that is not supported."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<"):
        if b"<svg" in text:
            return "is an SVG drawing"
        if any(tag in text for tag in (b"<!doctype html", b"<html", b"<head", b"<body")):
            return "is an HTML page"
    if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS:
        return "is a HEIC or AVIF image"
    if head[128:132] == b"DICM":
        return "is a DICOM file"
    return next((what for start, what in OTHER_FORMATS.items() if head.startswith(start)), None)


def _refuse_zero_tail(data: bytes) -> None:
    """Refuse a JPEG of full length whose copy was interrupted: libjpeg would invent the rest."""
    is_jpeg, ends_in_zeros = data.startswith(b"\xff\xd8"), data.endswith(bytes(16))
    if is_jpeg and ends_in_zeros and data.rfind(END_OF_IMAGE) < data.rfind(START_OF_SCAN):
        raise UnreadableImage("is truncated: it ends in zeros")


def _refuse_size(pixels: int) -> None:
    if pixels < 1:
        raise UnreadableImage("has no pixels")
    if pixels > MAX_PIXELS:
        raise UnreadableImage(f"has {pixels:,} pixels; more than {MAX_PIXELS:,} are refused")


def _scale_transparent(image: Image.Image) -> None:
    """Convert a PNG's transparent color from the bit depth of the file to that of the pixels.

    Of 16-bit color this is the high byte, so colors that share it all become white.
    """
    tiles: list[Any] = getattr(image, "tile", [])
    rawmode = tiles[0][3] if tiles else None
    match image.info.get("transparency"), rawmode:
        case int(gray), "L;2" | "L;4":
            image.info["transparency"] = gray * (85 if rawmode == "L;2" else 17)
        case (red, green, blue), "RGB;16B":
            image.info["transparency"] = (red >> 8, green >> 8, blue >> 8)
        case _:
            pass


def _reason(error: BaseException) -> UnreadableImage:
    """The reason in words for what a reader raised."""
    text = _error_text(error)
    if isinstance(error, Image.DecompressionBombError) and (match := re.search(r"\d+", text)):
        return UnreadableImage(
            f"has {int(match[0]):,} pixels; more than {MAX_PIXELS:,} are refused"
        )
    if isinstance(error, Image.UnidentifiedImageError):
        return UnreadableImage(f"is not a {_FORMAT_NAMES} image, or its header is damaged")
    if isinstance(error, MemoryError):
        return UnreadableImage("needs more memory than is free")
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return UnreadableImage(f"is truncated: {text}")
    return UnreadableImage(f"is damaged: {text}")


def _error_text(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    line = " ".join(str(text).split())[:150]
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _to_l_or_rgb(image: Image.Image) -> Image.Image:
    """The loaded image in mode "L" or "RGB"."""
    mode = image.mode
    if mode == "F":
        raise UnreadableImage("has floating-point pixels; save it with 8 or 16 bits per channel")
    if mode.startswith("I"):
        return _high_byte(image)
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


def _high_byte(image: Image.Image) -> Image.Image:
    """Convert grayscale of 16 bits (12 in some TIFFs) to 8 by dropping the low bits."""
    tags = cast("dict[int, Any]", getattr(image, "tag_v2", {}))
    bits = tags.get(BITS, (16,))[0]
    pixels = np.asarray(image)
    low, high = int(pixels.min()), int(pixels.max())
    if bits > 16 or low < 0 or high > 0xFFFF:
        raise UnreadableImage(
            f"has integers of {bits} bits, from {low} to {high}; "
            "save it with 8 or 16 bits per channel"
        )
    gray = (pixels >> (bits - 8)).astype(np.uint8)
    if tags.get(PHOTOMETRIC) == 0:  # zero is white; Pillow inverts 8 bits itself, but not 16
        gray = 255 - gray
    if (transparent := image.info.get("transparency")) is not None:
        gray = np.where(pixels == transparent, np.uint8(255), gray)
    return Image.fromarray(gray)


def _upright(original: Image.Image, converted: Image.Image) -> Image.Image:
    """`converted`, turned upright by the EXIF orientation of `original`, if it can be read."""
    try:
        turn = UPRIGHT.get(original.getexif().get(ORIENTATION, 1))
    except READER_ERRORS:
        turn = None
    upright = converted.transpose(turn) if turn is not None else converted
    # An image that needed neither conversion nor turning still refers to the open file.
    return upright.copy() if upright is original else upright


QUIET = ("ignore", None, Warning, re.compile(r"PIL\b"), 0)
"""An entry of `warnings.filters` that silences Pillow's own warnings about a file."""

_lock = threading.Lock()
_decoding = 0


@contextmanager
def _quiet_pillow() -> Generator[None]:
    """Silence Pillow's warnings while any thread decodes.

    `warnings.catch_warnings` is not thread-safe: it saves and restores the whole list of filters.
    Here the first thread adds one entry and the last removes it.
    """
    global _decoding  # noqa: PLW0603  one count per process, like the filters
    with _lock:
        _decoding += 1
        filters = cast("list[Any]", warnings.filters)
        if QUIET not in filters:
            filters.insert(0, QUIET)
    try:
        yield
    finally:
        with _lock:
            _decoding -= 1
            filters = cast("list[Any]", warnings.filters)
            if not _decoding and QUIET in filters:
                filters.remove(QUIET)
