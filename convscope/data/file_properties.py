"""What the header of an image file says of its source: size, camera, format, compression, metadata.

Nothing is decoded: a thousand photographs take about a second.
"""

import math
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from PIL import Image, JpegImagePlugin

from convscope.data.dataset import ImageSource, file_of
from convscope.data.dicom_headers import open_file, read_header, text_of
from convscope.data.formats import FORMATS
from convscope.data.orientation import ORIENTATION, SIDEWAYS
from convscope.data.pillow_settings import READER_ERRORS, quiet_pillow

PROPERTIES = (
    "size", "resolution", "aspect ratio", "camera", "software", "format", "channels",
    "compression", "metadata",
)  # fmt: skip
"""The names of the properties, as they follow "the ... of an image"."""

NONE = "none stated"

_MAKE, _MODEL, _SOFTWARE = 0x010F, 0x0110, 0x0131  # tags of EXIF
_METADATA = {
    "exif": "EXIF", "icc_profile": "color profile", "xmp": "XMP", "XML:com.adobe.xmp": "XMP",
    "photoshop": "IPTC", "comment": "comment", "Comment": "comment",
}  # fmt: skip
_DICOM = (
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "PhotometricInterpretation",
    "BitsStored", "Rows", "Columns",
)  # fmt: skip
_CHUNK = 64  # images that a thread takes at once
_BROADLY = 4  # steps of the aspect ratio in a doubling; two of the resolution

# The table of libjpeg's quality 50 for brightness: ITU-T T.81, Annex K.1.
_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_SAMPLING = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


def read_properties(
    images: ImageSource, indices: Iterable[int], *, workers: int = 4
) -> dict[int, Mapping[str, str]]:
    """The properties of the images that are files, by index; those that cannot be read are left
    out.
    """
    chosen = list(indices)

    def read(start: int) -> list[tuple[int, Mapping[str, str]]]:
        with quiet_pillow():
            return [
                (index, properties)
                for index in chosen[start : start + _CHUNK]
                if (properties := _of_image(images, index)) is not None
            ]

    with ThreadPoolExecutor(workers, thread_name_prefix="convscope-headers") as pool:
        chunks = pool.map(read, range(0, len(chosen), _CHUNK))
        return dict(pair for chunk in chunks for pair in chunk)


def _of_image(images: ImageSource, index: int) -> Mapping[str, str] | None:
    file = file_of(images, index)
    if file is None:
        return None
    try:
        with closing(open_file(file)) as stream, Image.open(stream, formats=FORMATS) as image:
            return properties_of(image)
    except READER_ERRORS:
        return _of_dicom(file)


def _of_dicom(file: Path | bytes) -> Mapping[str, str] | None:
    header = read_header(file, _DICOM)
    if header is None or not header.get("Columns") or not header.get("Rows"):
        return None
    make, model, software, photometric, bits = (text_of(header, keyword) for keyword in _DICOM[:5])
    return {
        **_shape(int(header.Columns), int(header.Rows)),
        "camera": f"{make} {model}".strip() or NONE,
        "software": software or NONE,
        "format": "DICOM",
        "channels": f"{photometric} of {bits} bits",
        "compression": str(header.file_meta.TransferSyntaxUID.name),
        "metadata": "none",
    }


def properties_of(image: Image.Image) -> Mapping[str, str]:
    """The properties of an image that was opened and not decoded, by their names in PROPERTIES."""
    exif = _exif(image)
    width, height = image.size
    if exif.get(ORIENTATION) in SIDEWAYS:
        width, height = height, width
    camera = " ".join(text for tag in (_MAKE, _MODEL) if (text := _text(exif.get(tag))))
    return {
        **_shape(width, height),
        "camera": camera or NONE,
        "software": _text(exif.get(_SOFTWARE)) or NONE,
        "format": image.format or NONE,
        "channels": _channels(image),
        "compression": _compression(image),
        "metadata": ", ".join(sorted(_kinds_of_metadata(image))) or "none",
    }


def _shape(width: int, height: int) -> Mapping[str, str]:
    return {
        "size": f"{width}x{height}",
        "resolution": f"a shorter side of about {_rounded(min(width, height), 2):.0f}",
        "aspect ratio": f"about {_rounded(width / height, _BROADLY):.2f}:1",
    }


def _exif(image: Image.Image) -> Mapping[int, Any]:
    """EXIF, where it can be read without decoding, as that of a PNG before its pixels."""
    return image.getexif() if "exif" in image.info or image.format == "TIFF" else {}


def _text(value: object) -> str:
    return " ".join(value.replace("\0", " ").split()) if isinstance(value, str) else ""


def _rounded(value: float, steps: int) -> float:
    """The nearest power of two to the `steps`-th root."""
    return 2 ** (round(math.log2(value) * steps) / steps)


def _channels(image: Image.Image) -> str:
    """The mode, and where the file has more bits than it the file's, as in "RGB;16B"."""
    tile: list[Any] = getattr(image, "tile", None) or []
    raw = str(tile[0][3]) if tile and len(tile[0]) > 3 else ""
    return raw if ";16" in raw else image.mode


def _compression(image: Image.Image) -> str:
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        sampling = _SAMPLING.get(JpegImagePlugin.get_sampling(image), "")
        return f"quality {_quality(image)} {sampling}".strip()
    kind: object = image.info.get("compression", "")
    return kind if isinstance(kind, str) and kind else image.format or NONE


def _quality(image: JpegImagePlugin.JpegImageFile) -> int:
    """The quality at which libjpeg has tables most like those of the file: the inverse of its
    `jpeg_quality_scaling`, by the sums of the tables.
    """
    table = image.quantization.get(0)
    scale = 100 * sum(table) / sum(_LUMINANCE) if table else 100
    return round(5000 / scale if scale > 100 else 100 - scale / 2)


def _kinds_of_metadata(image: Image.Image) -> set[str]:
    return {kind for key, kind in _METADATA.items() if image.info.get(key)}
