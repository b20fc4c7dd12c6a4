"""Bytes to a picture, by one set of rules for training, evaluation, prediction and serving alike.

- Formats: JPEG (and MPO), PNG, WebP, BMP, TIFF, GIF and PPM, told by content, not by name.
- An animation or a file of many pages is its first picture.
- The orientation that a camera notes in EXIF is applied: the result stands upright.
- Gray stays gray ("L"), everything else becomes "RGB": a palette becomes its colors; CMYK, YCbCr
  and LAB go through Pillow's conversion; one bit becomes 0 and 255.
- Transparency (an alpha channel, a transparent color) is laid on white.
- 16-bit channels keep their high byte, as Pillow does it for color. 12-bit TIFF keeps its 8 high
  bits. A gray TIFF whose zero is white is inverted.
- Floating-point pixels and integers wider than 16 bits are refused: their range is unknown.
- The size is read from the header, and more than MAX_PIXELS are refused before any is decoded.
- A file is refused when any of the picture's data is missing or was filled up with zeros.
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
MAX_BYTES = (
    1_000_000_000  # more than MAX_PIXELS of 16-bit color with alpha take without compression
)

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "PPM")  # MPO opens as JPEG

# What the formats' readers have been seen to raise on hostile bytes. `Exception` would also swallow
# what a signal handler raises.
HOSTILE = (
    OSError, SyntaxError, ValueError, LookupError, ArithmeticError, TypeError, AttributeError,
    AssertionError, NameError, BufferError, EOFError, MemoryError, RuntimeError, ImportError,
    struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip

STRANGERS = {
    b"%PDF-": "is a PDF document",
    b"PK\x03\x04": "is an archive",
    b"\x1f\x8b": "is an archive",
    b"Rar!": "is an archive",
    b"7z\xbc\xaf": "is an archive",
    b"version https://git-lfs": "is a Git LFS pointer",
}
"""Beginnings of files that are often found under an image's name."""

HEIF = {b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis"}

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation; 1 needs nothing."""

START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"  # markers of JPEG
ORIENTATION, BITS, PHOTOMETRIC = 0x0112, 258, 262  # tags of EXIF and TIFF


class UnreadableImage(Exception):
    """A file is not a picture that may be used; the text is a predicate: "is empty (0 bytes)"."""


def decode(source: Path | bytes) -> Image.Image:
    """Decode a picture completely: mode "L" or "RGB", upright, no file left open.

    Safe to call from many threads. Raises Unreadable, and nothing else, for whatever is wrong with
    the file or its bytes.
    """
    data = source if isinstance(source, bytes) else contents(source)
    _refuse_strangers(data)
    _refuse_zeros(data)
    try:
        with _quiet_pillow(), Image.open(BytesIO(data), formats=FORMATS) as image:
            _refuse_size(image.width * image.height)
            _scale_transparent(image)
            image.load()
            return _upright(image, _plain(image))
    except HOSTILE as error:
        raise _reason(error) from error


def contents(path: Path) -> bytes:
    """The bytes of a regular file of at most MAX_BYTES. Raises Unreadable."""
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):  # opening a FIFO would wait for ever
            raise UnreadableImage("is not a regular file")
        if status.st_size > MAX_BYTES:
            raise UnreadableImage(
                f"has {status.st_size:,} bytes; more than {MAX_BYTES:,} are refused"
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadableImage("does not exist") from error
    except PermissionError as error:
        raise UnreadableImage("may not be read (permission denied)") from error
    except (OSError, ValueError, MemoryError) as error:
        raise UnreadableImage(f"could not be read: {_words(error)}") from error


def _refuse_strangers(data: bytes) -> None:
    if not data:
        raise UnreadableImage("is empty (0 bytes)")
    head = data[:1024]
    if not head.strip(b"\0"):
        raise UnreadableImage("begins with nothing but zeros")
    if stranger := _stranger(head):
        raise UnreadableImage(f"{stranger}, not an image in {_known()}")


def _stranger(head: bytes) -> str | None:
    """What a file is by its beginning, where that is something known that is no picture."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<"):
        if b"<svg" in text:
            return "is an SVG drawing"
        if any(tag in text for tag in (b"<!doctype html", b"<html", b"<head", b"<body")):
            return "is an HTML page"
    if head[4:8] == b"ftyp" and head[8:12] in HEIF:
        return "is a HEIC or AVIF picture"
    if head[128:132] == b"DICM":
        return "is a DICOM file"
    return next((what for start, what in STRANGERS.items() if head.startswith(start)), None)


def _refuse_zeros(data: bytes) -> None:
    """Refuse a JPEG that an interrupted copy left at full length: libjpeg would invent the rest."""
    is_jpeg, ends_in_zeros = data.startswith(b"\xff\xd8"), data.endswith(bytes(16))
    if is_jpeg and ends_in_zeros and data.rfind(END_OF_IMAGE) < data.rfind(START_OF_SCAN):
        raise UnreadableImage("is cut off: its end is nothing but zeros")


def _known() -> str:
    return "JPEG, PNG, WebP, BMP, TIFF, GIF or PPM"


def _refuse_size(pixels: int) -> None:
    if pixels < 1:
        raise UnreadableImage("has no pixels")
    if pixels > MAX_PIXELS:
        raise UnreadableImage(f"has {pixels:,} pixels; more than {MAX_PIXELS:,} are refused")


def _scale_transparent(image: Image.Image) -> None:
    """Bring a PNG's transparent color, which has the file's depth, to the depth of the pixels.

    Of 16-bit color that is the high byte: colors that share it become white together.
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
    """Say in words what a reader of a format meant."""
    text = _words(error)
    if isinstance(error, Image.DecompressionBombError) and (found := re.search(r"\d+", text)):
        return UnreadableImage(
            f"has {int(found[0]):,} pixels; more than {MAX_PIXELS:,} are refused"
        )
    if isinstance(error, Image.UnidentifiedImageError):
        return UnreadableImage(f"is not an image, or its beginning is damaged: not {_known()}")
    if isinstance(error, MemoryError):
        return UnreadableImage("needs more memory than there is")
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return UnreadableImage(f"is cut off: {text}")
    return UnreadableImage(f"is damaged: {text}")


def _words(error: BaseException) -> str:
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    line = " ".join(str(words).split())[:150]
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _plain(image: Image.Image) -> Image.Image:
    """The loaded picture in mode "L" or "RGB"."""
    mode = image.mode
    if mode == "F":
        raise UnreadableImage("has floating-point pixels; save it with 8 or 16 bits a channel")
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
    """White wherever a gray picture has the one value that its header calls transparent."""
    if not isinstance(transparent, int) or not 0 <= transparent <= 255:
        return image
    return image.point([255 if value == transparent else value for value in range(256)])


def _high_byte(image: Image.Image) -> Image.Image:
    """Gray of 16 bits (or 12, in a TIFF) to 8: the low bits are dropped."""
    tags = cast("dict[int, Any]", getattr(image, "tag_v2", {}))
    bits = tags.get(BITS, (16,))[0]
    pixels = np.asarray(image)
    low, high = int(pixels.min()), int(pixels.max())
    if bits > 16 or low < 0 or high > 0xFFFF:
        raise UnreadableImage(
            f"has integers of {bits} bits, from {low} to {high}; "
            "save it with 8 or 16 bits a channel"
        )
    gray = (pixels >> (bits - 8)).astype(np.uint8)
    if tags.get(PHOTOMETRIC) == 0:  # Pillow inverts 8 bits where zero is white, but not 16
        gray = 255 - gray
    if (transparent := image.info.get("transparency")) is not None:
        gray = np.where(pixels == transparent, np.uint8(255), gray)
    return Image.fromarray(gray)


def _upright(source: Image.Image, picture: Image.Image) -> Image.Image:
    """`picture` turned as the EXIF of `source` says; EXIF that cannot be read says nothing."""
    try:
        turn = UPRIGHT.get(source.getexif().get(ORIENTATION, 1))
    except HOSTILE:
        turn = None
    turned = picture.transpose(turn) if turn is not None else picture
    # A converted picture is its own; one that needed no conversion still hangs on the file.
    return turned.copy() if turned is source else turned


QUIET = ("ignore", None, Warning, re.compile(r"PIL\b"), 0)
"""An entry of `warnings.filters`: silence for what Pillow itself says about a file."""

_lock = threading.Lock()
_decoding = 0


@contextmanager
def _quiet_pillow() -> Generator[None]:
    """Silence Pillow's warnings while any thread decodes.

    `warnings.catch_warnings` saves and restores the whole list of filters, which threads undo for
    one another; here one entry is put in by the first and taken out by the last.
    """
    global _decoding  # noqa: PLW0603  the count is the process's, as the filters are
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
