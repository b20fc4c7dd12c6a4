"""Decode image files, by the same rules for training, evaluation, prediction and serving.

- Formats: those of `FORMATS`, recognized by content, not by name.
- Of an animation, the first frame is used, and this is noted. TIFFs of several pages are refused:
  which of them is meant, or whether they are channels, is not known.
- The EXIF orientation is applied, so the result is upright.
- Grayscale stays grayscale ("L"), everything else becomes "RGB": palettes are resolved; CMYK,
  YCbCr and LAB are converted by Pillow; 1-bit images become 0 and 255.
- Transparency (an alpha channel or a transparent color) is composited on white.
- Integers of more than 8 bits are scaled by a range that the whole data set shares; see `depth`.
  Where the format itself states fewer bits than it stores (PGM's maxval, a TIFF of 12 bits), that
  is the range. Floating-point pixels are scaled by the range that a TIFF states, or from 0..1.
- A grayscale TIFF in which zero is white is inverted.
- The size is read from the header; more than MAX_PIXELS are refused before decoding.
- A file whose end is missing is used if all of its pixels are there, and this is noted. It is
  refused if any pixel is missing or was replaced by zeros.
"""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from PIL import Image

from convscope.card import Card
from convscope.data.depth import DecodedImage, DeepImage, ValueRange, to_bytes
from convscope.data.dicom import decode_dicom, is_dicom
from convscope.data.formats import (
    CAMERA_RAW,
    FORMATS,
    describe_unidentified,
    is_camera_raw,
    is_tiff,
    looks_like_tga,
    other_format,
)
from convscope.data.jpeg import decode_plain, decode_stored, reduce_jpeg
from convscope.data.jpeg_end import completions, lacks_end
from convscope.data.orientation import UPRIGHT, orientation_of
from convscope.data.pillow_settings import READER_ERRORS, quiet_pillow, strict_pillow
from convscope.data.pixels import BITS, EXTRA_SAMPLES, convert_pixels
from convscope.data.reduced import ReducedImage
from convscope.data.tiff import decode_tiff
from convscope.data.unreadable import (
    PillowLimit,
    UnreadableImage,
    error_text,
    pixel_limit,
    reason_of,
    refuse_size,
)
from convscope.regular_files import NotRegularError, TooLargeError, read_regular

Unreadable = UnreadableImage
"""The earlier name, which programs outside use."""

SLOW_FORMATS = frozenset(["QOI"])  # Pillow reads them in Python, 10 microseconds a pixel
MAX_SLOW_PIXELS = 4_000_000
MAX_BYTES = 1_000_000_000  # more than MAX_PIXELS of 16-bit RGBA take without compression

LACKS_END = "lacks its end, but none of its pixels"
SUBFILE_TYPE, OLD_SUBFILE_TYPE = 254, 255  # tags of TIFF
_PAGES = 100  # of a TIFF that are looked at
_HEAD = 2048  # bytes by which a file is recognized


def decode(source: Path | bytes, *, value_range: ValueRange | None = None) -> Image.Image:
    """Decode an image completely: mode "L" or "RGB", upright, no file left open.

    An image of more than 8 bits is scaled by `value_range`, or by its own range if that is None.

    Safe to call from many threads. Raises UnreadableImage, and nothing else, for whatever is wrong
    with the file or its bytes.
    """
    return to_bytes(decode_image(source), value_range)


def decode_image(source: Path | bytes, card: Card | None = None) -> DecodedImage:
    """`decode` that leaves an image of more than 8 bits unscaled, for the data set to decide.

    It is decoded as `card` says, at a reduced size perhaps; without one at its own size.
    """
    data = source if isinstance(source, bytes) else read_file(source)
    if is_dicom(data):
        return decode_dicom(data, card)
    _refuse_other_formats(data)
    _refuse_zero_tail(data)
    if not lacks_end(data):
        pixels = None if card is None else decode_plain(data, card, max_pixels=pixel_limit())
        return _decode_content(data, card) if pixels is None else pixels
    completed = completions(data) or ()
    whole = _decode_alike(completed, None)
    image = whole if card is None else _decode_alike(completed, card)
    to_bytes(image).info.setdefault("note", LACKS_END)
    return image


def _decode_alike(completed: Sequence[bytes], card: Card | None) -> DecodedImage:
    """Decode a file that was completed in several ways, if all have the same pixels."""
    images = [_decode_content(content, card) for content in completed]
    if len({to_bytes(image).tobytes() for image in images}) != 1:
        raise UnreadableImage("is truncated: pixels are missing at its end")
    return images[0]


def _decode_content(data: bytes, card: Card | None) -> DecodedImage:
    try:
        with quiet_pillow(), strict_pillow(), _open(data) as image:
            is_slow = image.format in SLOW_FORMATS
            refuse_size(image.width * image.height, MAX_SLOW_PIXELS if is_slow else pixel_limit())
            if is_camera_raw(image):
                raise UnreadableImage(CAMERA_RAW)
            _note_frames(image)
            _note_end(image, data)
            size, scale = image.size, 1 if card is None else reduce_jpeg(image, card)
            pixels = decode_stored(image, data, card) if scale == 1 else None
            converted = convert_pixels(image, data) if pixels is None else Image.fromarray(pixels)
            decoded = upright_image(image, converted)
            if scale == 1:
                return decoded
            return ReducedImage(to_bytes(decoded), size, scale, orientation_of(image))
    except Image.UnidentifiedImageError as error:
        reason = describe_unidentified(data[:_HEAD])
        if is_tiff(data):
            return decode_tiff(data, reason)
        raise UnreadableImage(reason) from error
    except PillowLimit as limit:
        return decode_tiff(data, str(limit))
    except READER_ERRORS as error:
        raise reason_of(error) from error


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except Image.UnidentifiedImageError:
        if not looks_like_tga(data):
            raise
        return Image.open(BytesIO(data), formats=("TGA",))


def read_file(path: Path) -> bytes:
    """The bytes of a regular file of at most MAX_BYTES. Raises UnreadableImage."""
    try:
        return read_regular(path, limit=MAX_BYTES)
    except IsADirectoryError as error:
        raise UnreadableImage("is a folder, and one image is wanted") from error
    except NotRegularError as error:
        raise UnreadableImage(f"is {error.kind}, not a file") from error
    except TooLargeError as error:
        raise UnreadableImage(
            f"has {error.size:,} bytes; more than {MAX_BYTES:,} are refused"
        ) from error
    except FileNotFoundError as error:
        raise UnreadableImage("does not exist") from error
    except PermissionError as error:
        raise UnreadableImage("cannot be read (permission denied)") from error
    except (OSError, ValueError, MemoryError) as error:
        raise UnreadableImage(f"could not be read: {error_text(error)}") from error


def _refuse_other_formats(data: bytes) -> None:
    if not data:
        raise UnreadableImage("is empty (0 bytes)")
    head = data[:_HEAD]
    if not head.strip(b"\0"):
        raise UnreadableImage("starts with nothing but zeros")
    if other := other_format(head):
        raise UnreadableImage(other)


def _refuse_zero_tail(data: bytes) -> None:
    """Refuse a JPEG of full length whose copy was interrupted: libjpeg would invent the rest."""
    if data.endswith(bytes(16)) and lacks_end(data):
        raise UnreadableImage("is truncated: it ends in zeros")


def _note_frames(image: Image.Image) -> None:
    """Note an animation or further channels in `info`; refuse a TIFF of several pages."""
    tags = cast("dict[int, Any]", getattr(image, "tag_v2", {}))
    if image.format == "TIFF":
        pages = _count_pages(image)
        if pages > 1:
            raise PillowLimit(
                f"has {pages} pages, which may be channels, slices or scans; save the page that "
                "you mean as a file of its own, or three channels as RGB"
            )
        if 0 in tags.get(EXTRA_SAMPLES, ()):
            channels = len(tags.get(BITS, ()))
            used = "red, green and blue are" if channels > 3 else "the first is"
            image.info["note"] = f"has {channels} channels, of which {used} used"
    elif image.format != "MPO" and _is_animated(image):
        image.info["note"] = "is an animation, of which the first frame is used"


def _note_end(image: Image.Image, data: bytes) -> None:
    """Note a PNG or GIF that lacks its end, if there is nothing else to note."""
    is_cut_png = image.format == "PNG" and data.rfind(b"IEND") < 0
    if is_cut_png or (image.format == "GIF" and not data.rstrip(b"\0").endswith(b";")):
        image.info.setdefault("note", LACKS_END)


def _is_animated(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except READER_ERRORS:  # a frame behind the first is damaged
        return True


def _count_pages(image: Image.Image) -> int:
    """The pages of a TIFF that are images of their own, not previews or masks."""
    count = min(getattr(image, "n_frames", 1), _PAGES)
    if count == 1:
        return 1
    pages = 0
    for page in range(count):
        try:
            image.seek(page)
        except READER_ERRORS:
            pages += 1
            continue
        tags = cast("dict[int, Any]", getattr(image, "tag_v2", {}))
        is_part = tags.get(SUBFILE_TYPE, 0) & 5 or tags.get(OLD_SUBFILE_TYPE) == 2
        pages += 0 if page and is_part else 1
    image.seek(0)
    return pages


def upright_image(original: Image.Image, converted: DecodedImage) -> DecodedImage:
    """`converted`, turned upright by the EXIF orientation of `original`, if it can be read."""
    orientation = orientation_of(original)
    if isinstance(converted, DeepImage):
        return converted.upright(orientation)
    turn = UPRIGHT.get(orientation)
    converted = to_bytes(converted)
    upright = converted.transpose(turn) if turn is not None else converted
    # An image that needed neither conversion nor turning still refers to the open file. That of a
    # JPEG is its content, and no further frames are read from it.
    upright = upright.copy() if upright is original and original.format != "JPEG" else upright
    if "note" in original.info:
        upright.info["note"] = original.info["note"]
    return upright
