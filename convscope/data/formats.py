"""The kinds of image files that are read, and what other files are, by their first bytes."""

import re
import zlib

from PIL import Image, features

FORMATS = (
    "JPEG", "PNG", "WEBP", "AVIF", "JPEG2000", "BMP", "DIB", "TIFF", "GIF", "PPM", "QOI", "PCX",
    "SGI", "DDS", "ICO",
)  # fmt: skip
"""Pillow's names; MPO opens as JPEG. None of these readers starts another program."""

FORMAT_NAMES = (
    "JPEG, PNG, WebP, AVIF, JPEG 2000, BMP, TIFF, GIF, PPM, TGA, QOI, PCX, SGI, DDS or ICO"
)

EXTENSIONS = frozenset(
    [
        "jpg", "jpeg", "jpe", "jfif", "mpo", "png", "apng", "webp", "avif", "jp2", "j2k", "j2c",
        "jpc", "jpf", "jpx", "bmp", "dib", "tif", "tiff", "gif", "ppm", "pgm", "pbm", "pnm", "pfm",
        "tga", "icb", "vda", "vst", "qoi", "pcx", "sgi", "rgb", "rgba", "bw", "dds", "ico", "dcm",
        "dicom", "ima",
    ]
)  # fmt: skip
"""Endings of image files, in lower case."""

INSTALL_MEDICAL = 'install what reads it: `pip install "convscope[medical]"`'

_TO_JPEG = "convert it to JPEG, for example by `magick {0} photo.jpg`"
CAMERA_RAW = (
    f"is a raw photo of a camera; {_TO_JPEG.format('photo.raw')} or in the camera's program"
)
_VIDEO = "is a video; take images from it, for example by `ffmpeg -i video.mp4 %05d.png`"
_HEIC = f"is a HEIC photo, as phones take them; {_TO_JPEG.format('photo.heic')}"
_OLD_AVIF = "is an AVIF image, which this Pillow does not read; update Pillow (11.3 or later)"
_OLD_JPEG2000 = "is a JPEG 2000 image, which this build of Pillow does not read; convert it to PNG"
_JPEG_XL = "is a JPEG XL image; convert it to PNG, for example by `djxl image.jxl image.png`"
_JPEG_XR = "is a JPEG XR image; convert it to PNG"
_ARCHIVE = "is an archive; unpack it first"
_NIFTI = "is a NIfTI volume; save its slices as PNG or TIFF"
_NUMPY = "is a NumPy array; load it with numpy.load and pass the array, or save it as PNG"
_PHOTOSHOP = "is a Photoshop document; export it as PNG"
_ARRAYS = "is a file of arrays; save its images as PNG or TIFF"
_TEXT = f"is a text file, not a {FORMAT_NAMES} image"

_STARTS: dict[bytes, str] = {
    b"%PDF-": "is a PDF document; export its pages as PNG",
    b"%!PS": "is a PostScript drawing; export it as PNG",
    b"\xc5\xd0\xd3\xc6": "is a PostScript drawing; export it as PNG",
    b"PK\x03\x04": _ARCHIVE,
    b"PK\x05\x06": _ARCHIVE,
    b"\x1f\x8b": _ARCHIVE,
    b"BZh": _ARCHIVE,
    b"\xfd7zXZ": _ARCHIVE,
    b"(\xb5/\xfd": _ARCHIVE,
    b"Rar!": _ARCHIVE,
    b"7z\xbc\xaf": _ARCHIVE,
    b"version https://git-lfs": "is a Git LFS pointer; fetch the file by `git lfs pull`",
    b"\xff\x0a": _JPEG_XL,
    b"\0\0\0\x0cJXL \r\n\x87\n": _JPEG_XL,
    b"II\xbc\x01": _JPEG_XR,
    b"8BPS": _PHOTOSHOP,
    b"gimp xcf": "is a GIMP document; export it as PNG",
    b"FUJIFILMCCD-RAW": CAMERA_RAW,
    b"IIRO": CAMERA_RAW,
    b"IIRS": CAMERA_RAW,
    b"MMOR": CAMERA_RAW,
    b"IIU\0": CAMERA_RAW,
    b"FOVb": CAMERA_RAW,
    b"\x93NUMPY": _NUMPY,
    b"\x89HDF": _ARRAYS,
    b"MATLAB 5.0": _ARRAYS,
    b"CDF\x01": _ARRAYS,
    b"CDF\x02": _ARRAYS,
    b"SIMPLE  =": "is a FITS image; save it as PNG or TIFF",
    b"NRRD0": "is an NRRD volume; save its slices as PNG or TIFF",
    b"ObjectType =": "is a MetaImage volume; save its slices as PNG or TIFF",
    b"v/1\x01": "is an OpenEXR image; save it as PNG or TIFF",
    b"#?RADIANCE": "is a Radiance HDR image; save it as PNG or TIFF",
    b"#?RGBE": "is a Radiance HDR image; save it as PNG or TIFF",
    b"\x1aE\xdf\xa3": _VIDEO,
    b"\0\0\1\xba": _VIDEO,
    b"\0\0\1\xb3": _VIDEO,
    b"FLV\x01": _VIDEO,
    b"AT&TFORM": "is a DjVu document; export its pages as PNG",
    b"PAR1": "is a Parquet table; save the images in it as files",
    b"SQLite format 3": "is a database, not an image",
    b"\xd7\xcd\xc6\x9a": "is a WMF drawing; export it as PNG",
}
"""What files are that begin like this."""

_WITHIN: tuple[tuple[int, bytes, str], ...] = (
    (8, b"CR\x02", CAMERA_RAW),
    (6, b"HEAPCCDR", CAMERA_RAW),
    (8, b"AVI ", _VIDEO),
    (8, b"WAVE", "is a sound, not an image"),
)
"""(offset, bytes, what a file with them is)."""

_HEIF_BRANDS = frozenset(
    ["heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "msf1", "mif2"]
)
_RAW_BRANDS = frozenset(["crx"])
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JPEG2000_STARTS = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")


def other_format(head: bytes) -> str | None:
    """What a file is, as a predicate, if its first bytes are not those of an image we read."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<") and (what := _markup(text)):
        return what
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if found := next((what for at, word, what in _WITHIN if head[at:].startswith(word)), None):
        return found
    if _is_nifti(head):
        return _NIFTI
    if head.startswith(_JPEG2000_STARTS) and not features.check("jpg_2000"):
        return _OLD_JPEG2000
    return next((what for start, what in _STARTS.items() if head.startswith(start)), None)


def _markup(text: bytes) -> str | None:
    if b"<svg" in text:
        return "is an SVG drawing; export it as PNG"
    if any(tag in text for tag in (b"<!doctype html", b"<html", b"<head", b"<body")):
        return "is an HTML page, not an image: its download failed"
    return None


def _iso_media(head: bytes) -> str | None:
    """What an ISO media file is; None for AVIF, if it can be read."""
    size = int.from_bytes(head[:4])
    brands = {head[at : at + 4].decode("latin-1").strip() for at in (8, *range(16, size, 4))}
    if brands & {"avif", "avis"}:
        return None if features.check("avif") else _OLD_AVIF
    if brands & _HEIF_BRANDS:
        return _HEIC
    return CAMERA_RAW if brands & _RAW_BRANDS else _VIDEO


def _is_nifti(head: bytes) -> bool:
    if head.startswith(b"\x1f\x8b"):
        try:
            head = zlib.decompressobj(31).decompress(head, 400)
        except zlib.error:
            return False
    return head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0")


def is_tiff(head: bytes) -> bool:
    """Whether a file's content begins as TIFF does."""
    return head.startswith(_TIFF_STARTS)


def describe_unidentified(head: bytes) -> str:
    """What a file is, as a predicate, that no reader took for an image."""
    if is_tiff(head):
        return (
            "is a TIFF whose channels or bits Pillow does not read, or is damaged; save it as PNG, "
            "or as TIFF with one or three channels"
        )
    sample = head.removeprefix(b"\xef\xbb\xbf")
    if sample.strip() and re.fullmatch(rb"[\t\n\r\f\x20-\x7e\x80-\xff]*", sample):
        try:
            sample[: len(sample) - 3].decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            return _TEXT
    return f"is not a {FORMAT_NAMES} image, or its header is damaged"


_IMAGE_STARTS = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"qoif", b"DDS ", *_TIFF_STARTS,
    *_JPEG2000_STARTS,
)  # fmt: skip


HEAD = 132
"""Bytes of a file that `starts_like_image` looks at."""


def starts_like_image(head: bytes) -> bool:
    """Whether a file without an ending begins with the signature of a format that is read."""
    return (
        head.startswith(_IMAGE_STARTS)
        or head[128:] == b"DICM"
        or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and b"avif" in head[8:])
        or (head.startswith(b"BM") and head[6:10] == bytes(4))
        or re.match(rb"P[1-6]\s+[\d#]", head) is not None
    )


def looks_like_tga(head: bytes) -> bool:
    """Whether a file may be TGA, which has no signature: every byte of the header is possible."""
    return (
        len(head) >= 18
        and head[1] <= 1
        and head[2] in (1, 2, 3, 9, 10, 11)
        and head[16] in (8, 15, 16, 24, 32)
        and any(head[12:14])
        and any(head[14:16])
    )


def jpeg2000_bits(data: bytes) -> int:
    """The bits per sample of a JPEG 2000 file's first component, 8 if they are not found."""
    start = data.find(b"\xff\x4f\xff\x51")
    at = start + 42  # behind SOC, SIZ, its length, capabilities, eight sizes, number of components
    return (data[at] & 0x7F) + 1 if start >= 0 and at < len(data) else 8


def is_camera_raw(image: Image.Image) -> bool:
    """Whether an opened TIFF is a camera's raw file, whose first image is only a thumbnail."""
    tags = getattr(image, "tag_v2", {})
    return 50706 in tags or (tags.get(254, 0) & 1 == 1 and 330 in tags)
