"""A plugin of pydicom: decode by imagecodecs what Pillow does not, or not to the last bit."""

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.medical_libraries import importing, library

_JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_LOSSLESS = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
_EXTENDED = "1.2.840.10008.1.2.4.51"
_END = b"\xff\xd9"  # of JPEG, JPEG-LS and JPEG 2000
_BOXES = 4096  # bytes, in which those before the code of JPEG 2000 are

DECODER_DEPENDENCIES = dict.fromkeys(
    (*_JPEG_LS, *_JPEG_2000, *_LOSSLESS, _EXTENDED), ("imagecodecs",)
)
"""What pydicom asks of a plugin."""


def is_available(uid: str) -> bool:
    """Whether a transfer syntax is decoded here."""
    return uid in DECODER_DEPENDENCIES and find_spec("imagecodecs") is not None


def decode_frame(src: bytes, runner: Any) -> bytes:
    """The decoded frame, its channels interleaved; `runner` is told what it holds."""
    size = frame_size(src)
    if size != (runner.rows, runner.columns):
        raise ValueError(f"the compressed frame is of size {size}, not as the header says")
    if not src.rstrip(b"\0\xff").endswith(_END):  # or what is missing would be invented
        raise ValueError("the compressed frame is truncated")
    pixels = _decode(src, runner.transfer_syntax)
    if pixels.size != runner.rows * runner.columns * runner.samples_per_pixel:
        raise ValueError(f"the compressed frame has the shape {pixels.shape}")
    runner.set_option("bits_allocated", 8 * pixels.dtype.itemsize)
    runner.set_option("planar_configuration", 0)
    if runner.photometric_interpretation in ("YBR_ICT", "YBR_RCT"):  # undone by the decoder
        runner.set_option("photometric_interpretation", "RGB")
    return pixels.tobytes()


def _decode(src: bytes, syntax: str) -> NDArray[Any]:
    if syntax in _JPEG_LS:
        name = "jpegls_decode"
    elif syntax in _JPEG_2000:
        name = "jpeg2k_decode"
    else:
        name = "jpegsof3_decode" if syntax in _LOSSLESS else "jpeg8_decode"
    with importing:  # a codec is imported when it is asked for
        decode = getattr(library("imagecodecs"), name)
    return decode(src)


def frame_size(code: bytes) -> tuple[int, int] | None:
    """(height, width) as the header of a JPEG, JPEG-LS or JPEG 2000 code states them."""
    start = code.find(b"\xff\x4f\xff\x51", 0, _BOXES)  # JPEG 2000, perhaps in boxes
    if start >= 0:
        right, bottom, left, top = np.frombuffer(code, ">u4", 4, start + 8).tolist()
        return bottom - top, right - left
    at = 2
    while at + 9 <= len(code) and code[at] == 0xFF:
        kind = code[at + 1]
        if kind == 0xFF:  # fill
            at += 1
        elif (0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC)) or kind == 0xF7:
            return int.from_bytes(code[at + 5 : at + 7]), int.from_bytes(code[at + 7 : at + 9])
        else:
            at += 2 + int.from_bytes(code[at + 2 : at + 4])
    return None
