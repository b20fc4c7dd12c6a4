"""TIFFs of every layout against the array that tifffile was given to write."""

import itertools
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convscope.data import tiff as tiff_module
from convscope.data.decode import UnreadableImage, decode, decode_image
from convscope.data.depth import DeepImage, note_of

tifffile = pytest.importorskip("tifffile", reason="the extra `medical` is not installed")
pytest.importorskip("imagecodecs", reason="the extra `medical` is not installed")

RANDOM = np.random.default_rng(20261129)
SIZE = (37, 29)
KINDS: dict[str, dict[str, Any]] = {
    "gray": {"photometric": "minisblack"},
    "white": {"photometric": "miniswhite"},
    "rgb": {"photometric": "rgb"},
    "planes": {"photometric": "rgb", "planarconfig": "separate"},
}
LAYOUTS: list[dict[str, Any]] = [{}, {"bigtiff": True}, {"byteorder": ">"}, {"tile": (16, 16)}]
COMPRESSIONS: list[dict[str, Any]] = [
    {}, {"compression": "zlib"}, {"compression": "lzw"}, {"compression": "zlib", "predictor": True},
]  # fmt: skip


def written(array: NDArray[Any], **options: Any) -> bytes:
    stream = BytesIO()
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def random_pixels(dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return RANDOM.random(shape).astype(kind)
    limits = np.iinfo(kind)
    high = 2**40 if kind.itemsize == 8 else limits.max
    return RANDOM.integers(limits.min, high, shape, dtype=kind, endpoint=True)


def expected(array: NDArray[Any], *, is_inverted: bool) -> NDArray[Any]:
    """Integers of more than 8 bits as they are, everything else as bytes."""
    if array.dtype.kind in "ui" and array.dtype.itemsize > 1:
        return array
    gray = array
    if array.dtype.kind == "f":
        gray = np.rint(array.astype(np.float64) * 255).astype(np.uint8)
    elif array.dtype == np.int8:
        gray = (array.astype(int) + 128).astype(np.uint8)
    return 255 - gray if is_inverted else gray


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "f2", "f4", "f8"])
def test_every_layout_gives_back_what_was_written(dtype: str):
    read = 0
    for (kind, colors), layout, compression in itertools.product(
        KINDS.items(), LAYOUTS, COMPRESSIONS
    ):
        array = random_pixels(dtype, SIZE if kind in ("gray", "white") else (*SIZE, 3))
        stored = array.transpose(2, 0, 1) if kind == "planes" else array
        try:
            data = written(stored, **colors, **layout, **compression)
        except (ValueError, NotImplementedError):  # no predictor for this type
            continue
        image = decode_image(data)
        pixels = image.pixels if isinstance(image, DeepImage) else np.asarray(image)
        wanted = expected(array, is_inverted=kind == "white")
        assert np.array_equal(pixels, wanted), (kind, layout, compression)
        assert not isinstance(image, DeepImage) or image.is_inverted == (kind == "white")
        assert note_of(image) == ""
        read += 1
    assert read >= 32


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("form", ["ome", "imagej", "pages"])
def test_three_channels_that_are_pages_become_red_green_and_blue(form: str, dtype: str):
    planes = random_pixels(dtype, (3, *SIZE))
    channels = {"axes": "CYX"}
    options = {
        "ome": {"ome": True, "metadata": {**channels, "Channel": {"Name": ["DAPI", "GFP", "RFP"]}}},
        "imagej": {"imagej": True, "metadata": channels},
        "pages": {"metadata": channels},
    }[form]
    image = decode_image(written(planes, photometric="minisblack", **options))
    pixels = image.pixels if isinstance(image, DeepImage) else np.asarray(image)
    wanted = expected(planes.transpose(1, 2, 0), is_inverted=False)
    assert np.array_equal(pixels, wanted)
    names = " (DAPI, GFP, RFP)" if form == "ome" else ""
    assert note_of(image) == f"has 3 channels{names}, taken as red, green and blue"


@pytest.mark.parametrize(
    ("axes", "shape", "reason"),
    [
        ("CYX", (2, 8, 9), r"has 2 channels \(a, b\), where 1 or 3 are expected"),
        ("CYX", (5, 8, 9), r"has 5 channels \(a, b, c, d, e\), where 1 or 3 are expected"),
        ("ZYX", (4, 8, 9), "has 4 slices; save the one that you mean"),
        ("TZCYX", (2, 4, 3, 8, 9), "has 2 times, 4 slices, 3 channels; save the one"),
    ],
)
def test_other_channels_slices_and_times_are_refused_by_name(
    axes: str, shape: tuple[int, ...], reason: str
):
    names = list("abcde")[: shape[-3]]
    data = written(
        np.zeros(shape, "u2"), ome=True, photometric="minisblack",
        metadata={"axes": axes, "Channel": {"Name": names}} if "C" in axes else {"axes": axes},
    )  # fmt: skip
    with pytest.raises(UnreadableImage, match=reason):
        decode(data)


def test_pages_of_unlike_pictures_are_refused():
    stream = BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(np.zeros((8, 9), "u1"), photometric="minisblack")
        writer.write(np.zeros((4, 5), "u1"), photometric="minisblack")
    with pytest.raises(UnreadableImage, match="has 2 pages"):
        decode(stream.getvalue())


def test_a_preview_is_not_a_page():
    stream, pixels = BytesIO(), random_pixels("u2", (3, *SIZE))
    with tifffile.TiffWriter(stream) as writer:
        options = {"photometric": "rgb", "planarconfig": "separate", "compression": "zlib"}
        writer.write(pixels, **options)
        writer.write(pixels[:, ::2, ::2], subfiletype=1, **options)
    image = decode_image(stream.getvalue())
    assert isinstance(image, DeepImage)
    assert np.array_equal(image.pixels, pixels.transpose(1, 2, 0))


def test_alpha_orientation_and_stated_ranges_count_as_for_other_tiffs():
    planes = np.stack([np.full((2, 3), value, "u2") for value in (0, 500, 1000, 0)])
    planes[3, :, 0] = 65535
    options = {"photometric": "rgb", "planarconfig": "separate", "compression": "zlib"}
    clear = written(
        planes, extrasamples=["unassalpha"], extratags=[(281, 3, 4, (1000,) * 4, True)], **options
    )
    assert np.asarray(decode(clear))[0].tolist() == [[0, 127, 255], [255] * 3, [255] * 3]
    turned = written(planes[:3], extratags=[(274, 3, 1, 6, True)], **options)
    assert decode(turned).size == (2, 3)
    stated = written(
        np.array([[-1, 0, 3]], "f2"), photometric="minisblack",
        extratags=[(340, 11, 1, -1.0, True), (341, 11, 1, 3.0, True)],
    )  # fmt: skip
    assert np.asarray(decode(stated)).tolist() == [[0, 64, 255]]


def test_what_is_too_large_or_cut_off_or_of_complex_numbers_is_refused():
    planes = random_pixels("u2", (3, *SIZE))
    data = written(planes, photometric="rgb", planarconfig="separate", compression="zlib")
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(UnreadableImage):
            decode(data[: int(len(data) * share)])
    with pytest.raises(UnreadableImage, match="of the type complex64"):
        decode(written(np.zeros(SIZE, "c8"), photometric="minisblack"))
    huge = bytearray(written(np.zeros((2, 2), "f2"), photometric="minisblack"))
    for tag in (256, 257):
        at = huge.find(tag.to_bytes(2, "little") + b"\4\0\1\0\0\0")
        huge[at + 8 : at + 12] = (60_000).to_bytes(4, "little")
    with pytest.raises(UnreadableImage, match="3,600,000,000 pixels; more than 100,000,000"):
        decode(bytes(huge))


def test_without_the_extra_the_reason_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(tiff_module, "library", missing)
    data = written(np.zeros((2, *SIZE), "u2"), photometric="minisblack")
    with pytest.raises(UnreadableImage, match=r"has 2 pages.*; or .*convscope\[medical\]"):
        decode(data)
