"""Decoding against images built by hand, by the formats' own specifications."""

import gzip
import io
import os
import struct
import threading
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from convscope.data import tiff as tiff_module
from convscope.data.decode import MAX_BYTES, UnreadableImage, decode, read_file
from convscope.data.unreadable import MAX_PIXELS

RANDOM = np.random.default_rng(20261122)
COLORS = RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8)
SMOOTH = np.asarray(Image.fromarray(COLORS[:5, :6]).resize((96, 80), Image.Resampling.BICUBIC))


def encoded(content: Image.Image | NDArray[np.generic], form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image = content if isinstance(content, Image.Image) else Image.fromarray(content)
    image.save(stream, form, **options)
    return stream.getvalue()


def pixels(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(decode(data))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, color: int, rows: bytes, *more: bytes) -> bytes:
    """A PNG: rows with their filter bytes, and chunks that stand before them."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = [
        chunk(b"IHDR", header),
        *more,
        chunk(b"IDAT", zlib.compress(rows)),
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def rows(array: NDArray[np.generic]) -> bytes:
    return b"".join(b"\0" + line.tobytes() for line in array)


def tiff(width: int, bits: int, data: bytes, *, photometric: int = 1, form: int = 1) -> bytes:
    """A gray, uncompressed TIFF of one row; `form` is 1 unsigned, 2 signed, 3 floating."""
    offset = 8 + len(data)
    short, long = 3, 4
    tags = [
        (256, long, width), (257, long, 1), (258, short, bits), (259, short, 1),
        (262, short, photometric), (273, long, 8), (277, short, 1), (278, long, 1),
        (279, long, len(data)), (339, short, form),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", offset) + data + directory


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}), ("BMP", {}), ("TIFF", {}), ("PPM", {}), ("WEBP", {"lossless": True}),
        ("JPEG2000", {}), ("QOI", {}), ("TGA", {}), ("TGA", {"compression": "tga_rle"}),
        ("PCX", {}), ("SGI", {}), ("DDS", {}), ("ICO", {"sizes": [(30, 20)]}),
    ],
)  # fmt: skip
def test_lossless_formats_give_back_every_pixel(form: str, options: dict[str, bool]):
    image = decode(encoded(COLORS, form, **options))
    assert image.mode == "RGB"
    assert (np.asarray(image) == COLORS).all()


@pytest.mark.parametrize("form", ["JPEG", "MPO", "WEBP", "AVIF"])
def test_lossy_formats_come_near(form: str):
    far = np.abs(pixels(encoded(SMOOTH, form, quality=95)).astype(int) - SMOOTH)
    assert far.mean() < 4


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_gives_the_same_upright_image(form: str, orientation: int):
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :16], upright[16:, 32:, 0], upright[16:, :16, 2] = 255, 200, 90
    # What EXIF calls the 0th row and column of the stored image, undone: a table of numpy's own.
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 8: np.rot90(upright, -1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {
        "JPEG": {"quality": 100, "subsampling": 0},
        "AVIF": {"quality": 100, "subsampling": "4:4:4"},
        "WEBP": {"lossless": True},
    }.get(form, {})
    data = encoded(np.ascontiguousarray(stored), form, exif=exif, **options)
    far = np.abs(pixels(data).astype(int) - upright)
    assert far.max() <= (3 if form in ("JPEG", "AVIF") else 0)


def test_an_orientation_of_nonsense_says_nothing():
    exif = Image.Exif()
    exif[0x0112] = 77
    assert (pixels(encoded(COLORS, "PNG", exif=exif)) == COLORS).all()
    assert (pixels(encoded(COLORS, "PNG", exif=b"Exif\0\0garbage")) == COLORS).all()


def test_gray_stays_gray_and_one_bit_becomes_black_and_white():
    gray = COLORS[..., 0]
    assert decode(encoded(gray, "PNG")).mode == "L"
    assert (pixels(encoded(gray, "PNG")) == gray).all()
    bits = png(8, 1, 1, 0, b"\0\xa5")
    assert decode(bits).mode == "L"
    assert pixels(bits).tolist() == [[255, 0, 255, 0, 0, 255, 0, 255]]


def test_a_palette_becomes_exactly_its_colors():
    palette = RANDOM.integers(0, 256, (256, 3), dtype=np.uint8)
    places = RANDOM.integers(0, 256, (9, 7), dtype=np.uint8)
    data = png(7, 9, 8, 3, rows(places), chunk(b"PLTE", palette.tobytes()))
    assert (pixels(data) == palette[places]).all()


def on_white(color: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    a = alpha[..., None].astype(float) / 255
    return np.rint(color * a + 255 * (1 - a)).astype(np.uint8)


def test_alpha_is_laid_on_white_by_the_formula():
    alpha = RANDOM.integers(0, 256, COLORS.shape[:2], dtype=np.uint8)
    data = png(30, 20, 8, 6, rows(np.dstack([COLORS, alpha])))
    far = pixels(data).astype(int) - on_white(COLORS, alpha)
    assert np.abs(far).max() <= 1  # rounding of halves
    gray = png(30, 20, 8, 4, rows(np.dstack([COLORS[..., :1], alpha])))
    assert decode(gray).mode == "L"
    far = pixels(gray).astype(int) - on_white(COLORS[..., :1], alpha)[..., 0]
    assert np.abs(far).max() <= 1


def test_a_transparent_color_becomes_white_and_no_other():
    for array, color in ((COLORS, 2), (COLORS[..., 0], 0)):
        chosen = array[3, 4]
        data = png(
            30,
            20,
            8,
            color,
            rows(array),
            chunk(b"tRNS", np.atleast_1d(chosen).astype(">u2").tobytes()),
        )
        same = (array == chosen).all(-1) if array.ndim == 3 else array == chosen
        assert (pixels(data)[same] == 255).all()
        assert (pixels(data)[~same] == array[~same]).all()


def test_transparent_palette_entries_become_white():
    palette = chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60]))
    data = png(2, 1, 8, 3, b"\0\0\1", palette, chunk(b"tRNS", bytes([0])))
    assert pixels(data).tolist() == [[[255, 255, 255], [40, 50, 60]]]
    half = png(2, 1, 8, 3, b"\0\0\1", palette, chunk(b"tRNS", bytes([51, 255])))
    assert pixels(half).tolist() == [[[206, 208, 210], [40, 50, 60]]]  # (10 + 4·255) / 5 ...


def test_a_transparent_gray_of_four_bits_is_found_at_eight():
    data = png(4, 1, 4, 0, b"\0\x05\x5f", chunk(b"tRNS", struct.pack(">H", 5)))
    assert pixels(data).tolist() == [[0, 255, 255, 255]]


def test_sixteen_bits_keep_the_high_byte_exactly():
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    high = (every >> 8).astype(np.uint8)
    for data in (png(256, 256, 16, 0, rows(every.astype(">u2"))), encoded(every, "TIFF")):
        assert decode(data).mode == "L"
        assert (pixels(data) == high).all()
    clear = chunk(b"tRNS", struct.pack(">H", 300))
    assert (
        pixels(png(256, 256, 16, 0, rows(every.astype(">u2")), clear))
        == np.where(every == 300, 255, high)
    ).all()
    color = RANDOM.integers(0, 65536, (6, 5, 3), dtype=np.uint16)
    data = png(5, 6, 16, 2, rows(color.astype(">u2")))
    assert (pixels(data) == color >> 8).all()
    chosen = chunk(b"tRNS", color[2, 3].astype(">u2").tobytes())
    assert pixels(png(5, 6, 16, 2, rows(color.astype(">u2")), chosen))[2, 3].tolist() == [255] * 3


def test_a_pgm_of_sixteen_bits_keeps_the_high_byte():
    values = np.array([0, 255, 256, 65535], ">u2")
    assert pixels(b"P5 4 1 65535\n" + values.tobytes()).tolist() == [[0, 0, 1, 255]]


def test_deep_tiffs_are_read_by_their_own_depth_and_sense():
    values = np.array([0, 255, 256, 65535], "<u2").tobytes()
    assert pixels(tiff(4, 16, values)).tolist() == [[0, 0, 1, 255]]
    assert pixels(tiff(4, 16, values, photometric=0)).tolist() == [[255, 255, 254, 0]]
    assert pixels(tiff(2, 12, bytes([0xFF, 0xF1, 0x23]))).tolist() == [[0xFF, 0x12]]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (tiff(2, 32, np.array([0, 5], "<f4").tobytes(), form=3), "floating-point"),
        (tiff(2, 32, np.array([0, np.nan], "<f4").tobytes(), form=3), "not finite"),
    ],
)
def test_pixels_of_unknown_range_are_refused(data: bytes, reason: str):
    with pytest.raises(UnreadableImage, match=reason):
        decode(data)


def test_cmyk_comes_near_the_colors_it_was_made_of():
    cmyk = Image.fromarray(SMOOTH).convert("CMYK")
    for data in (encoded(cmyk, "TIFF"), encoded(cmyk, "JPEG", quality=95)):
        assert decode(data).mode == "RGB"
        assert np.abs(pixels(data).astype(int) - SMOOTH).mean() < 5


@pytest.mark.parametrize("mode", ["YCbCr", "LAB", "PA"])
def test_other_modes_become_colors(mode: str):
    image = Image.fromarray(SMOOTH)
    image = image.convert("P").convert("PA") if mode == "PA" else image.convert(mode)
    assert decode(encoded(image, "TIFF")).mode == "RGB"


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_is_its_first_image_and_noted(form: str):
    red, blue = (Image.new("RGB", (8, 8), color) for color in ("red", "blue"))
    options = {"lossless": True} if form == "WEBP" else {}
    data = encoded(red, form, save_all=True, append_images=[blue], **options)
    image = decode(data)
    assert np.abs(np.asarray(image).astype(int) - [255, 0, 0]).max() < 5
    assert image.info["note"] == "is an animation, of which the first frame is used"
    assert "note" not in decode(encoded(red, form)).info


def test_an_image_of_one_pixel_is_valid():
    assert pixels(encoded(np.array([[7]], np.uint8), "PNG")).tolist() == [[7]]


@pytest.mark.parametrize("array", [COLORS, COLORS[..., 0]])
def test_the_result_is_free_of_its_file(tmp_path: Path, array: NDArray[np.uint8]):
    path = tmp_path / "a.bmp"
    path.write_bytes(encoded(array, "BMP"))
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if descriptors.is_dir() else None
    image = decode(path)
    path.unlink()
    assert type(image) is Image.Image
    assert (np.asarray(image) == array).all()
    if before is not None:
        assert len(list(descriptors.iterdir())) == before


SAMPLES = {
    "jpeg": encoded(SMOOTH, "JPEG"),
    "progressive": encoded(SMOOTH, "JPEG", progressive=True),
    "cmyk": encoded(Image.fromarray(SMOOTH).convert("CMYK"), "JPEG"),
    "png": encoded(SMOOTH, "PNG"),
    "palette": encoded(Image.fromarray(SMOOTH).convert("P"), "PNG"),
    "webp": encoded(SMOOTH, "WEBP"),
    "webp lossless": encoded(SMOOTH, "WEBP", lossless=True),
    "bmp": encoded(SMOOTH, "BMP"),
    "gif": encoded(SMOOTH, "GIF"),
    "ppm": encoded(SMOOTH, "PPM"),
    "tiff": encoded(SMOOTH, "TIFF"),
    "tiff lzw": encoded(SMOOTH, "TIFF", compression="tiff_lzw"),
    "avif": encoded(SMOOTH, "AVIF"),
    "jpeg 2000": encoded(SMOOTH, "JPEG2000", quality_layers=[20], irreversible=True),
    "qoi": encoded(COLORS[:9, :9], "QOI"),
    "tga": encoded(SMOOTH, "TGA"),
    "tiff deflate": encoded(SMOOTH, "TIFF", compression="tiff_adobe_deflate"),
}
TRAILER = {
    "jpeg": 4,
    "progressive": 4,
    "cmyk": 4,
    "png": 24,
    "palette": 24,
    "gif": 2,
    "qoi": 8,
    "tga": 26,
}  # checksums and what says "end", behind the data; see test_truncated


FLIPS = {"avif": 50, "qoi": 50}
"""Where fewer are tried: libavif scales to whatever size a header claims, QOI is read in Python."""


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_cut_anywhere_is_refused(name: str):
    data = SAMPLES[name]
    decode(data)
    for size in np.linspace(0, len(data) - 1 - TRAILER.get(name, 0), 50).astype(int):
        with pytest.raises(UnreadableImage):
            decode(data[:size])


def test_a_jpeg_filled_up_with_zeros_is_refused():
    data = encoded(COLORS, "JPEG", quality=95)
    filled = [data[:size].ljust(len(data), b"\0") for size in range(900, len(data) - 20, 10)]
    for spoiled in filled:
        with pytest.raises(UnreadableImage):
            decode(spoiled)
    Image.open(io.BytesIO(filled[0])).load()  # Pillow alone would invent what is missing
    assert (pixels(data + bytes(64)) == pixels(data)).all()  # padding behind the end is harmless


@pytest.mark.parametrize("name", SAMPLES)
def test_random_flips_raise_nothing_but_unreadable(name: str):
    random = np.random.default_rng(len(name))
    for turn in range(FLIPS.get(name, 1000)):
        data = bytearray(SAMPLES[name])
        end = min(len(data), 200) if turn % 2 else len(data)  # headers are where the danger is
        for place in random.integers(0, end, random.integers(1, 6)):
            data[place] = random.integers(0, 256)
        with suppress(UnreadableImage):
            assert decode(bytes(data)).mode in {"L", "RGB"}


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("png", png(60_000, 60_000, 8, 2, b"")),
        ("gif", b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0) + b",\0\0\0\0"
            + struct.pack("<HHB", 60_000, 60_000, 0) + b"\x02\x02\x4c\x01\0;"),
        ("ppm", b"P6 60000 60000 255\n"),
        ("bmp", b"BM" + struct.pack("<IHHI", 54, 0, 0, 54)
            + struct.pack("<IiiHHIIiiII", 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)),
    ],
)  # fmt: skip
def test_a_bomb_is_refused_from_its_header(form: str, data: bytes):
    decode(SAMPLES[form])  # the reader is loaded
    tracemalloc.start()
    with pytest.raises(
        UnreadableImage, match=r"has 3,600,000,000 pixels; more than 100,000,000 are"
    ):
        decode(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1_000_000


def test_a_format_that_is_read_slowly_has_a_lower_limit():
    header = b"qoif" + struct.pack(">IIBB", 3000, 3000, 3, 0)
    with pytest.raises(UnreadableImage, match=r"9,000,000 pixels; more than 4,000,000 are refused"):
        decode(header + b"\xfd" * 200)


def test_the_limit_holds_between_pillows_own_two():
    for width in (10_001, 15_000):  # Pillow warns from 89 million pixels, and refuses from 179
        with pytest.raises(UnreadableImage, match=f"has {width * 10_000:,} pixels"):
            decode(png(width, 10_000, 8, 0, b""))
    assert MAX_PIXELS == 100_000_000


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (bytes(5000), "starts with nothing but zeros"),
        (b"<!DOCTYPE html><html>", "is an HTML page"),
        (b"\n <html lang=en>", "is an HTML page"),
        (b"<?xml version='1.0'?>\n<!-- made by hand --><svg xmlns='...'>", "is an SVG drawing"),
        (b"%PDF-1.7", "is a PDF document"),
        (b"PK\x03\x04....", "is an archive"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "is a HEIC photo"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic", "is a HEIC photo"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "is a raw photo"),
        (b"II*\0\x10\0\0\0CR\2\0", "is a raw photo"),
        (b"FUJIFILMCCD-RAW 0201", "is a raw photo"),
        (b"\0\0\0\x18ftypisom\0\0\2\0", "is a video; .*ffmpeg"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0", "is a video"),
        (b"RIFF\1\2\3\4AVI LIST", "is a video"),
        (b"\x1aE\xdf\xa3\1\0", "is a video"),
        (b"\xff\n\xfa\x1f", "is a JPEG XL image; .*djxl"),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0", "is a JPEG XL image"),
        (b"8BPS\0\1", "is a Photoshop document"),
        (b"\x93NUMPY\1\0v\0{'descr'", "is a NumPy array; load it with numpy.load"),
        (b"\x89HDF\r\n\x1a\n", "is a file of arrays"),
        (b"SIMPLE  =                    T", "is a FITS image"),
        (b"\x5c\1\0\0" + bytes(340) + b"n+1\0", "is a NIfTI volume"),
        (gzip.compress(b"\x5c\1\0\0" + bytes(340) + b"n+1\0", mtime=0), "is a NIfTI volume"),
        (gzip.compress(bytes(999), mtime=0), "is an archive"),
        (bytes(128) + b"DICM", "is a DICOM file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"<!---->" * 300, "is a text file, not a JPEG, PNG, .* image"),
        (b" " * 5000, "is not a JPEG, PNG, .* image"),
        (b"just words", "is a text file, not a JPEG, PNG, .* image"),
        (b"\x03\x00\x91binary", "is not a JPEG, PNG, .* image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is a PostScript drawing"),
    ],
)
def test_what_is_no_image_is_told_apart(data: bytes, reason: str):
    with pytest.raises(UnreadableImage, match=reason):
        decode(data)


def camera_raw(*tags: tuple[int, int, int, int]) -> bytes:
    """A TIFF as cameras write it: a small preview, and where the raw data are."""
    small = [
        (256, 4, 1, 2), (257, 4, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, 1, 2),
    ]  # fmt: skip
    fields = sorted([*small, *tags])
    entries = b"".join(struct.pack("<HHII", *entry) for entry in fields)
    start = b"II*\0" + struct.pack("<I", 10) + b"\5\6"
    return start + struct.pack("<H", len(fields)) + entries + bytes(4)


def test_the_preview_in_a_raw_photo_is_not_taken_for_the_photo():
    decode(camera_raw())
    for tags in ([(50706, 1, 4, 0x401)], [(254, 4, 1, 1), (330, 4, 1, 8)]):  # DNG, NEF
        with pytest.raises(UnreadableImage, match="is a raw photo of a camera"):
            decode(camera_raw(*tags))


def test_pages_of_a_tiff_are_counted_but_for_previews():
    gray = Image.fromarray(COLORS[..., 0])
    pages = encoded(gray, "TIFF", save_all=True, append_images=[gray, gray])
    with pytest.raises(UnreadableImage, match="has 3 pages, which may be channels"):
        decode(pages)
    small = gray.resize((3, 2))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    with_preview = encoded(gray, "TIFF", save_all=True, append_images=[small])
    assert Image.open(io.BytesIO(with_preview)).n_frames == 2
    assert (pixels(with_preview) == COLORS[..., 0]).all()


def test_a_tiff_that_pillow_cannot_lay_out_is_told_as_that(monkeypatch: pytest.MonkeyPatch):
    def missing() -> Any:
        raise ImportError

    monkeypatch.setattr(tiff_module, "_library", missing)
    half = tiff(2, 16, np.array([0, 1], "<f2").tobytes(), form=3)
    with pytest.raises(UnreadableImage, match="is a TIFF whose channels or bits Pillow does not"):
        decode(half)


def test_a_phones_second_picture_is_no_animation():
    red, blue = (Image.new("RGB", (8, 8), color) for color in ("red", "blue"))
    image = decode(encoded(red, "MPO", save_all=True, append_images=[blue]))
    assert "note" not in image.info
    assert np.abs(np.asarray(image).astype(int) - [254, 0, 0]).max() <= 1


def test_only_regular_files_are_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo.png")
    with pytest.raises(UnreadableImage, match="is a folder, and one image is wanted"):
        decode(tmp_path)
    for path in (tmp_path / "fifo.png", Path("/dev/zero")):
        with pytest.raises(UnreadableImage, match=r"is a (pipe|device).*, not a file"):
            decode(path)
    with pytest.raises(UnreadableImage, match="does not exist"):
        decode(tmp_path / "absent.png")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UnreadableImage, match="could not be read"):
        decode(tmp_path / "loop")


def test_a_file_of_gigabytes_is_not_even_read(tmp_path: Path):
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # sparse: it takes no room
    with pytest.raises(UnreadableImage, match=r"has 1,000,000,001 bytes"):
        read_file(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file_is_unreadable(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_bytes(SAMPLES["png"])
    path.chmod(0)
    with pytest.raises(UnreadableImage, match="permission denied"):
        decode(path)


WARNED = encoded(SMOOTH, "TIFF").replace(struct.pack("<HH", 256, 3), struct.pack("<HH", 256, 99), 1)
NOISY = tiff(4, 8, b"abcd")[:-4] + b"\x01"  # a chain to a directory that is truncated


def test_pillows_warnings_go_nowhere_and_the_filters_stay(recwarn: pytest.WarningsRecorder):
    before = list(warnings.filters)
    palette = chunk(b"PLTE", bytes(6))
    large = png(9_500, 9_500, 8, 0, b"")  # Pillow would warn of a possible bomb
    for data in (large, WARNED, NOISY, png(1, 1, 8, 3, b"\0\0", palette, chunk(b"tRNS", b"\5\6"))):
        with suppress(UnreadableImage):
            decode(data)
    assert not recwarn.list
    assert warnings.filters == before


def test_many_threads_decode_alike_and_leave_the_filters():
    before = list(warnings.filters)
    wanted = {name: np.asarray(decode(data)) for name, data in SAMPLES.items()}
    barrier = threading.Barrier(8)

    def work(_: int) -> bool:
        barrier.wait(timeout=10)
        return all(
            (np.asarray(decode(data)) == wanted[name]).all()
            for _ in range(5)
            for name, data in SAMPLES.items()
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert warnings.filters == before
