"""The stored values of a DICOM image, decompressed by the same decoder on every machine.

pydicom takes whichever of its decoders is installed, and those of lossy JPEG differ in their last
bits. Here the transfer syntax decides: Pillow for JPEG baseline and JPEG 2000, imagecodecs for
lossless and 12-bit JPEG, JPEG-LS and what Pillow would cut to 8 bits, pydicom itself for the rest.
"""

from functools import cache
from typing import Any

from numpy.typing import NDArray

from convscope.data.medical_libraries import importing, library
from convscope.data.unreadable import UnreadableImage

_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99",
           "1.2.840.10008.1.2.2")  # fmt: skip
_BASELINE, _EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
_LOSSLESS = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
_JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_RLE = "1.2.840.10008.1.2.5"

_PILLOW, _IMAGECODECS, _PYDICOM = "Pillow", "imagecodecs", "pydicom"
_PLUGINS = {
    _PILLOW: ("pydicom.pixels.decoders.pillow", "_decode_frame"),
    _IMAGECODECS: ("convscope.data.dicom_codecs", "decode_frame"),
    _PYDICOM: ("pydicom.pixels.decoders.rle", "_decode_frame"),
}
_DECODERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_NATIVE, ()),
    _BASELINE: (_PILLOW,),
    _EXTENDED: (_PILLOW, _IMAGECODECS),
    **dict.fromkeys((*_LOSSLESS, *_JPEG_LS), (_IMAGECODECS,)),
    **dict.fromkeys(_JPEG_2000, (_PILLOW, _IMAGECODECS)),
    _RLE: (_PYDICOM,),
}
"""What decodes each transfer syntax, in the order in which they are tried."""


def decode_frame(data: Any) -> tuple[NDArray[Any], str]:
    """The values (h, w) or (h, w, 3) of a data set of pydicom with one frame, and what they are.

    That is "MONOCHROME1", "RGB", ...; luma and chroma have been converted to "RGB", which the data
    set does not say. Signed values are signed, bits beyond the stored ones are gone.

    Raises UnreadableImage for a transfer syntax that is not read, and whatever the decoders raise.
    """
    syntax = data.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        raise UnreadableImage("is a DICOM file that does not state its transfer syntax")
    if syntax not in _DECODERS:
        raise UnreadableImage(
            f"is a DICOM file compressed as {syntax.name}, which is not read; decompress it, for "
            "example by `gdcmconv --raw in.dcm out.dcm`"
        )
    pixels, stated = _decoder(syntax).as_array(data, index=0)
    return pixels, str(stated["photometric_interpretation"])


@cache
def _decoder(syntax: Any) -> Any:
    """A decoder of our own: those of pydicom are left as they are."""
    with importing:
        decoder = library("pydicom.pixels.decoders.base").Decoder(syntax)
        for name in _DECODERS[syntax]:
            decoder.add_plugin(name, _PLUGINS[name])
        return decoder
