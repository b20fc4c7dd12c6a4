"""DICOM images: stored values, rescaled, windowed and turned to bytes as a viewer shows them.

- Grayscale is rescaled (slope and intercept, or the modality LUT). Then the card's window decides
  what is black and white, if it has one; else the file's own: its VOI LUT, or its first window.
  Without any, 8 bits are as they are, and more are a deep image; see `depth`.
- MONOCHROME1, whose smallest value is white, is inverted.
- Pixels of the padding value are outside the picture: black, and of no effect on a range.
- Palettes, luma and chroma become RGB. Overlays are not drawn.
- A file of several frames is refused: which of them is meant is not known.

Only what is needed for this is read of a header: no name, no date of birth.
"""

import sys
from collections.abc import Sequence
from io import BytesIO
from typing import Any, cast
from zlib import decompressobj

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.card import Card
from convscope.data.depth import DecodedImage, DeepImage, scale_to_bytes
from convscope.data.dicom_frames import decode_frame
from convscope.data.dicom_luts import look_up, palette_of
from convscope.data.formats import INSTALL_MEDICAL
from convscope.data.medical_libraries import library
from convscope.data.pillow_settings import READER_ERRORS, quiet_pillow, strict_pillow
from convscope.data.unreadable import UnreadableImage, reason_of, refuse_size
from convscope.data.windows import Function, Window

_PALETTE = [
    f"{segmented}{color}PaletteColorLookupTable{part}"
    for color in ("Red", "Green", "Blue")
    for segmented, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
]
_TAGS = [
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns",
    "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "VOILUTSequence", "WindowCenter",
    "WindowWidth", "VOILUTFunction", "PresentationLUTShape", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "PixelData", "FloatPixelData", "DoubleFloatPixelData",
    "ExtendedOffsetTable", "ExtendedOffsetTableLengths", *_PALETTE,
]  # fmt: skip
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_HEAD, _MAGIC, _META = 2048, slice(128, 132), 144  # META: behind the length of the meta group
_MAX_INFLATED = 400_000_000  # bytes: those of MAX_PIXELS of 32 bits
_ALL_FAILED = "all available plugins:"
_MIN_SPAN = 1024  # fractions from which on rounding costs at most an eighth of a level of 255

_FUNCTIONS: dict[str, Function] = {"LINEAR_EXACT": "LINEAR_EXACT", "SIGMOID": "SIGMOID"}


def is_dicom(data: bytes) -> bool:
    """Whether a file's content begins as DICOM does."""
    return data[_MAGIC] == b"DICM"


def decode_dicom(data: bytes, card: Card | None = None) -> DecodedImage:
    """The image of a DICOM file; `card` may have a window for all of them.

    An image that was windowed by its file has the window in `info`. Raises UnreadableImage.
    """
    try:
        with quiet_pillow(), strict_pillow():
            header = read_header(data, _TAGS)
            _refuse_unusable(header)
            stored, photometric = decode_frame(header)
            return _image(header, stored, photometric, None if card is None else card.window)
    except (*READER_ERRORS, *pydicom_errors()) as error:
        raise _reason(error) from error


def pydicom_errors() -> tuple[type[Exception], ...]:
    """Errors of pydicom that are of no usual kind; none before it is imported."""
    errors: Any = sys.modules.get("pydicom.errors")
    return () if errors is None else (errors.InvalidDicomError, errors.BytesLengthException)


def _reason(error: BaseException) -> UnreadableImage:
    if isinstance(error, pydicom_errors()):  # their texts have bytes of the header, and so of names
        return UnreadableImage("is damaged: its header cannot be parsed")
    if "less than expected" in (text := str(error)):
        return UnreadableImage("is truncated: pixels are missing at its end")
    if _ALL_FAILED in text:
        why = " ".join(text.partition(_ALL_FAILED)[2].split())
        return UnreadableImage(f"has pixels that cannot be decompressed: {why[:150]}")
    return reason_of(error)


def read_header(data: bytes, tags: Sequence[str], *, has_pixels: bool = True) -> Any:
    """The data set of pydicom with these elements of a DICOM file, and no others.

    Raises UnreadableImage without pydicom, and for a file that inflates to too much; else whatever
    pydicom raises.
    """
    try:
        pydicom = library("pydicom")
    except ImportError as error:
        raise UnreadableImage(f"is a DICOM file; {INSTALL_MEDICAL}") from error
    if _DEFLATED in data[:_HEAD]:
        _refuse_inflated(data)
    return pydicom.dcmread(
        BytesIO(data), specific_tags=list(tags), stop_before_pixels=not has_pixels
    )


def _refuse_inflated(data: bytes) -> None:
    """Refuse a deflated data set that is larger than any image."""
    inflater, size = decompressobj(-15), 0
    rest = data[_META + int.from_bytes(data[140:_META], "little") :]
    while rest and not inflater.eof:
        size += len(inflater.decompress(rest, 1 << 20))
        rest = inflater.unconsumed_tail
        if size > _MAX_INFLATED:
            raise UnreadableImage(f"inflates to more than {_MAX_INFLATED:,} bytes")


def _refuse_unusable(header: Any) -> None:
    if "Rows" not in header or "Columns" not in header:
        raise UnreadableImage("is a DICOM file without an image")
    if not any(name in header for name in _PIXELS):
        raise UnreadableImage("has no pixels: it is only the header of an image, or is cut off")
    stated = str(header.get("NumberOfFrames") or 1)
    if not stated.isdecimal():
        raise UnreadableImage(f"is damaged: its number of frames is {stated!r}")
    if int(stated) > 1:
        raise UnreadableImage(
            f"has {int(stated):,} frames, which may be slices, phases or a film; save the frame "
            "that you mean as a file of its own"
        )
    refuse_size(int(header.Rows) * int(header.Columns))


def _image(
    header: Any, stored: NDArray[Any], photometric: str, window: tuple[float, float] | None
) -> DecodedImage:
    if photometric in ("MONOCHROME1", "MONOCHROME2"):
        return _gray(header, stored, window)
    if photometric == "PALETTE COLOR":
        return Image.fromarray(palette_of(header, stored))
    if photometric != "RGB":
        raise UnreadableImage(
            f"is a DICOM file whose colors are {photometric}, which is not read; save it as RGB"
        )
    if int(header.BitsStored) > 8 or stored.dtype != np.uint8:
        return DeepImage(stored)
    return Image.fromarray(stored)


def _gray(
    header: Any, stored: NDArray[Any], card_window: tuple[float, float] | None
) -> DecodedImage:
    """Rescaled, windowed, and inverted where the smallest value is white."""
    outside = _padding(header, stored)
    shape = header.get("PresentationLUTShape")
    is_inverted = header.PhotometricInterpretation == "MONOCHROME1" or shape == "INVERSE"
    values = _rescaled(header, stored)
    own = _own_window(header)
    lut = _module(header, "FrameVOILUTSequence").get("VOILUTSequence")
    if card_window is not None:
        gray = Window(*card_window).to_bytes(values)
    elif lut:
        gray = scale_to_bytes(*look_up(header, lut[0], values))
    elif own is not None:
        gray = own.to_bytes(values)
    elif values is stored and int(header.BitsStored) <= 8 and stored.dtype == np.uint8:
        gray = scale_to_bytes(stored, (0, (1 << int(header.BitsStored)) - 1))
    else:
        return _deep(_whole(values), outside, is_inverted=is_inverted)
    gray = 255 - gray if is_inverted else gray
    if outside is not None:
        gray[outside] = 0
    image = Image.fromarray(gray)
    if card_window is None and (lut or own is not None):
        image.info["window"] = "a lookup table" if lut else str(own)
    return image


def _deep(
    values: NDArray[np.integer[Any]], outside: NDArray[np.bool_] | None, *, is_inverted: bool
) -> DeepImage:
    """Padding becomes the darkest value of the picture, so that it does not widen its range."""
    if outside is not None:
        inside = values[~outside]
        values = np.where(outside, inside.max() if is_inverted else inside.min(), values)
    return DeepImage(values, is_inverted=is_inverted)


def _padding(header: Any, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Where there is no picture; None if it is everywhere, or nowhere."""
    value = header.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = header.get("PixelPaddingRangeLimit")
    low, high = sorted((value, limit if isinstance(limit, int) else value))
    outside = (stored >= low) & (stored <= high)
    return outside if outside.any() and not outside.all() else None


def _rescaled(header: Any, stored: NDArray[Any]) -> NDArray[Any]:
    """Values in the modality's units: Hounsfield units of CT. `stored` itself if they are these."""
    stated = _module(header, "PixelValueTransformationSequence")
    if lut := stated.get("ModalityLUTSequence"):
        return look_up(header, lut[0], stored)[0]
    slope, intercept = _number(stated, "RescaleSlope"), _number(stated, "RescaleIntercept")
    if slope is None or intercept is None or (slope, intercept) == (1, 0):
        return stored
    if slope.is_integer() and intercept.is_integer() and stored.dtype.kind in "iu":
        return stored.astype(np.int64) * int(slope) + int(intercept)
    return stored.astype(np.float64) * slope + intercept


def _whole(values: NDArray[Any]) -> NDArray[Any]:
    """Integers, rounded if that costs nearly nothing; UnreadableImage if it costs much."""
    if values.dtype.kind in "iu":
        return values
    if not np.isfinite(values).all():
        raise UnreadableImage("has values that are not finite (NaN or infinite)")
    low, high = float(values.min()), float(values.max())
    if high - low < _MIN_SPAN and not (values == np.rint(values)).all():
        raise UnreadableImage(
            f"has fractions from {low:g} to {high:g} and states no window; state one for all "
            "images by `window`, as center/width"
        )
    return np.rint(values).astype(np.int64)


def _own_window(header: Any) -> Window | None:
    """The first window of a file, if it is one that DICOM allows."""
    stated = _module(header, "FrameVOILUTSequence")
    center, width = _number(stated, "WindowCenter"), _number(stated, "WindowWidth")
    if center is None or width is None:
        return None
    function = _FUNCTIONS.get(str(stated.get("VOILUTFunction", "")).strip(), "LINEAR")
    window = Window(center, width, function)
    return window if window.is_valid else None


def _number(stated: Any, name: str) -> float | None:
    """A number, or the first of several; None where there is none."""
    value = stated.get(name)
    if isinstance(value, Sequence) and not isinstance(value, str):
        values = cast("Sequence[Any]", value)
        value = values[0] if values else None
    return None if value is None or value == "" else float(value)


def _module(header: Any, sequence: str) -> Any:
    """Where elements of one kind are: in the data set, or in its functional groups."""
    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        items: Any = header.get(groups)
        inner: Any = items[0].get(sequence) if items else None
        if inner:
            return inner[0]
    return header
