"""`reading="fast"`: JPEGs of reduced size and PyTorch's kernel, against Pillow at full size."""

import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convscope.card import Card
from convscope.data.decode import LACKS_END, UnreadableImage, decode, decode_image
from convscope.data.depth import note_of, size_of
from convscope.data.fit import fit_image, jpeg_scale
from convscope.data.images import open_image
from convscope.data.pixel_digests import digest_image
from convscope.data.reduced import ReducedImage
from convscope.data.resize import resize_image
from convscope.data.samples import photograph
from tests.data.test_truncated import JPEGS, PICTURES, encoded

ORIENTATIONS = range(1, 9)
MODES = ("crop", "stretch", "letterbox", "pad")


def card(size: int | tuple[int, int] = 24, **changes: object) -> Card:
    fields = {
        "classes": ("a", "b"),
        "input_size": (size, size) if isinstance(size, int) else size,
        "in_channels": 3,
        "resize_mode": "crop",
        "reading": "fast",
        "mean": (0.0,) * changes.get("in_channels", 3),
        "std": (1.0,) * changes.get("in_channels", 3),
    }
    return Card(**fields | changes)


def read(source: bytes, card: Card) -> np.ndarray:
    return resize_image(decode_image(source, card), card).astype(float)


def read_whole(source: bytes, card: Card) -> np.ndarray:
    return read(source, replace(card, reading="whole"))


def blob(width: int, height: int) -> Image.Image:
    """A bright spot right of and below the center, on a gradient."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    spot = np.exp(-((x - 0.58) ** 2 + (y - 0.55) ** 2) / 0.02)
    return Image.fromarray((40 + 30 * x + 20 * y + 150 * spot).astype(np.uint8)).convert("RGB")


def center(pixels: np.ndarray) -> np.ndarray:
    """The center of mass (y, x) of what is brighter than the background, in pixels."""
    light = np.clip(pixels.mean(-1) - 100, 0, None)
    return np.array([(grid * light).sum() for grid in np.indices(light.shape)]) / light.sum()


@pytest.mark.parametrize(
    ("size", "side", "scale"),
    [
        ((4000, 3000), 224, 4), ((4000, 3000), 96, 8), ((3000, 4000), 96, 8), ((895, 2000), 224, 1),
        ((896, 2000), 224, 2), ((464, 696), 224, 1), ((20_000, 100), 32, 1), ((100, 900), 20, 2),
    ],
)  # fmt: skip
def test_a_jpeg_is_decoded_at_the_least_size_with_twice_the_resolution(size, side, scale):
    assert jpeg_scale(size, card(side)) == scale
    assert jpeg_scale(size, card(side, reading="whole")) == 1
    decoded = decode_image(encoded(Image.new("RGB", size), "JPEG"), card(side))
    assert size_of(decoded) == size
    assert getattr(decoded, "scale", 1) == scale


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_nothing_is_shifted_whatever_the_size_and_however_it_is_turned(orientation, mode):
    """The last pixels of a reduced image are partly outside of it, and come first once mirrored."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    for width, height in ((335, 265), (263, 337), (401, 250)):
        content = encoded(blob(width, height), "JPEG", quality=95, exif=exif)
        for side in (30, 14):
            asked = card((side, side + 2), resize_mode=mode)
            assert isinstance(decode_image(content, asked), ReducedImage)
            reduced, whole = read(content, asked), read_whole(content, asked)
            assert np.abs(center(reduced) - center(whole)).max() < 0.02
            assert np.abs(reduced - whole).mean() < 0.5


@pytest.mark.parametrize("name", ["flower", "palace"])
def test_a_photograph_of_12_megapixels_is_as_near_to_the_exact_filter_as_one_read_whole(name):
    """That is a quarter of a level, for at full size Pillow averages blocks of pixels first."""
    large = photograph(name).resize((4243, 2828), Image.Resampling.BICUBIC)
    content = encoded(large, "JPEG", quality=90)
    for side in (224, 96):
        asked = card(side)
        assert isinstance(decode_image(content, asked), ReducedImage)
        reduced, whole = read(content, asked), read_whole(content, asked)
        box = fit_image(large.size, asked).box
        exact = decode(content).resize((side, side), Image.Resampling.BILINEAR, box)
        off = np.abs(reduced - exact).mean()
        assert off <= 0.25
        assert off <= 1.15 * np.abs(whole - exact).mean()
        assert np.abs(reduced - whole).mean() <= 0.265
        assert np.abs(reduced - whole).max() <= 4


def test_torchvisions_resize_and_crop_finds_its_box_in_a_reduced_image():
    content = encoded(blob(801, 603), "JPEG", quality=95)
    asked = card(56, resize_size=64)
    assert isinstance(decode_image(content, asked), ReducedImage)
    assert np.abs(read(content, asked) - read_whole(content, asked)).mean() < 0.4


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
@pytest.mark.parametrize("kind", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_jpeg_is_reduced(kind, options, channels):
    if kind != "RGB" and "subsampling" in options:
        options = {"quality": 98}
    content = encoded(blob(401, 251).convert(kind), "JPEG", **options)
    asked = card(28, in_channels=channels)
    decoded = decode_image(content, asked)
    assert isinstance(decoded, ReducedImage)
    assert decoded.mode == ("L" if kind == "L" else "RGB")
    assert np.abs(read(content, asked) - read_whole(content, asked)).mean() < 0.5


def test_a_multi_picture_jpeg_is_reduced():
    first, second = blob(401, 251), blob(40, 30)
    content = encoded(first, "MPO", save_all=True, append_images=[second])
    asked = card(28)
    assert isinstance(decode_image(content, asked), ReducedImage)
    assert np.abs(read(content, asked) - read_whole(content, asked)).mean() < 0.5


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
@pytest.mark.parametrize("picture", PICTURES)
def test_what_is_refused_is_refused_at_a_reduced_size_too(picture, options):
    """Pixels are missing also where those that are looked at are there."""
    whole, asked = encoded(PICTURES[picture], "JPEG", **options), card(2)
    pixels = np.asarray(decode_image(whole, asked).image)
    outcomes = []
    for cut in [*range(60), *range(60, len(whole), max(1, len(whole) // 40))]:
        for content in (whole[: len(whole) - cut], whole[: len(whole) - cut] + bytes(64)):
            try:
                expected = note_of(decode_image(content))
            except UnreadableImage as error:
                with pytest.raises(UnreadableImage, match=re.escape(str(error))):
                    decode_image(content, asked)
                continue
            decoded = decode_image(content, asked)
            assert np.array_equal(decoded.image, pixels)
            assert note_of(decoded) == expected
            outcomes.append(expected)
    assert {LACKS_END, ""} <= {*outcomes}


def test_other_formats_are_read_whole_and_handed_over_images_too():
    image, asked = blob(401, 251), card(20)
    content = encoded(image, "PNG")
    assert np.array_equal(decode_image(content, asked), decode(content))
    jpeg = encoded(image, "JPEG")
    assert isinstance(open_image(jpeg, asked), ReducedImage)
    assert isinstance(open_image(BytesIO(jpeg), asked), ReducedImage)
    assert size_of(open_image(Image.open(BytesIO(jpeg)), asked)) == (401, 251)


def digest(content: bytes, asked: Card | None) -> bytes:
    return digest_image(decode_image(content, asked)).tobytes()


def test_copies_of_a_reduced_jpeg_are_known_by_its_pixels_and_its_size():
    image, asked = blob(401, 251), card(20)
    jpeg = encoded(image, "JPEG")
    with_comment = jpeg[:2] + b"\xff\xfe\x00\x07hello" + jpeg[2:]
    assert digest(jpeg, asked) == digest(with_comment, asked)
    others = [
        encoded(image, "JPEG", quality=30),
        encoded(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "JPEG"),
        encoded(decode(jpeg), "PNG"),
    ]
    flat = [encoded(Image.new("RGB", (width, 251)), "JPEG") for width in (400, 399)]
    digests = {digest(content, asked) for content in (jpeg, *others, *flat)}
    assert len(digests) == 6
    assert digest(jpeg, asked) != digest(jpeg, None) == digest(others[2], None)


def noise(width: int, height: int, kind: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(kind)


@pytest.mark.parametrize("kind", ["L", "RGB"])
@pytest.mark.parametrize("mode", ["stretch", "letterbox", "pad"])
@given(sides=st.tuples(*[st.integers(1, 90)] * 2), size=st.tuples(*[st.integers(1, 40)] * 2))
def test_pytorchs_kernel_is_pillows_within_two_levels_of_noise(mode, kind, sides, size):
    """Where it reads the same pixels: a crop is widened to whole ones. One level in photographs."""
    image, asked = noise(*sides, kind), card(size, resize_mode=mode)
    fast, whole = (resize_image(image, replace(asked, reading=way)) for way in ("fast", "whole"))
    assert np.abs(fast.astype(int) - whole).max() <= 2


@pytest.mark.parametrize("kind", ["L", "RGB"])
@given(sides=st.tuples(*[st.integers(1, 90)] * 2), size=st.tuples(*[st.integers(1, 40)] * 2))
def test_a_crop_is_what_pillow_makes_of_the_least_whole_pixels_around_it(kind, sides, size):
    image, asked = noise(*sides, kind), card(size)
    fit = fit_image(sides, asked)
    whole = fit.of_whole_pixels().box
    assert all(abs(a - b) < 1 for a, b in zip(fit.box, whole, strict=True))
    if min(fit.factors) < 1 or max(fit.factors) >= 6:
        return
    expected = image.crop(whole).resize(size[::-1], Image.Resampling.BILINEAR).convert("RGB")
    assert np.abs(resize_image(image, asked).astype(int) - np.asarray(expected)).max() <= 2


@pytest.mark.parametrize("mode", ["stretch", "letterbox", "pad"])
def test_in_photographs_pytorchs_kernel_is_pillows_within_one_level(mode):
    for image in (photograph("palace"), photograph("flower").convert("L")):
        for side in (427, 224, 140, 108):
            ways = [card(side, resize_mode=mode, reading=way) for way in ("fast", "whole")]
            fast, whole = (resize_image(image, way).astype(int) for way in ways)
            assert 0 < np.abs(fast - whole).max() <= 1


@pytest.mark.parametrize("size", [(531, 354), (697, 464), (354, 531), (333, 250)])
def test_a_mirrored_image_is_read_as_the_mirror_image(size):
    """So the center of what is cropped is the image's, also where a half pixel is left over."""
    image, asked = photograph("palace").resize(size), card((100, 90))
    read_image = resize_image(image, asked).astype(int)
    for turn, axis in ((Image.Transpose.FLIP_LEFT_RIGHT, 1), (Image.Transpose.FLIP_TOP_BOTTOM, 0)):
        mirrored = np.flip(resize_image(image.transpose(turn), asked), axis)
        assert np.abs(read_image - mirrored).max() <= 1


def test_arrays_of_pixels_are_read_as_images_are():
    for image in (photograph("palace"), photograph("flower").convert("L")):
        for channels in (1, 3):
            for mode in MODES:
                for side in (32, 200, (500, 700), (427, 640)):
                    asked = card(side, in_channels=channels, resize_mode=mode)
                    expected = resize_image(image, asked)
                    assert np.array_equal(resize_image(np.asarray(image), asked), expected)


def test_bicubic_is_pillows():
    image = photograph("palace")
    ways = [card(99, reading=way, interpolation="bicubic") for way in ("fast", "whole")]
    assert np.array_equal(*(resize_image(image, way) for way in ways))
