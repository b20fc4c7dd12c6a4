"""Images of more than 8 bits: no gray is lost, and a whole data set shares one range."""

import io
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from convscope.card import Card
from convscope.data.decode import UnreadableImage, decode, decode_image
from convscope.data.depth import DeepImage, enclosing_range, scale_to_bytes
from convscope.data.folder import read_folder
from convscope.data.loading import load_images
from convscope.data.resize import resize_image
from tests.data.test_decode import chunk, encoded, png, rows, tiff

GRAYS = np.tile(np.arange(0, 256, 8, dtype=np.uint16), (32, 1))


def card(value_range: tuple[int, int] | None = None, channels: int = 1) -> Card:
    return Card(
        classes=("a", "b"),
        input_size=(8, 8),
        in_channels=1 if channels == 1 else 3,
        resize_mode="pad",
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        value_range=value_range,
    )


def tagged(array: NDArray[np.generic], **tags: float) -> bytes:
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in tags.items():
        directory[dict(most=281, smin=340, smax=341)[name]] = value
    return encoded(array, "TIFF", tiffinfo=directory)


def wide(image: bytes) -> DeepImage:
    deep = decode_image(image)
    assert isinstance(deep, DeepImage)
    return deep


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14, 16])
@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM", "JPEG2000"])
def test_no_gray_of_an_image_of_few_bits_is_lost(form: str, bits: int):
    data = encoded(GRAYS << (bits - 8), form)
    assert (np.asarray(decode(data)) == GRAYS).all()


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_no_color_of_16_bits_is_lost(bits: int):
    color = np.dstack([GRAYS, GRAYS.T, 255 - GRAYS]) << (bits - 8)
    big = color.astype(">u2")
    ppm = b"P6 32 32 65535\n" + big.tobytes()
    clear = np.full((32, 32, 1), 65535, ">u2")
    for data in (
        png(32, 32, 16, 2, rows(big)),
        png(32, 32, 16, 6, rows(np.dstack([big, clear]).astype(">u2"))),
        ppm,
    ):
        assert (wide(data).pixels == color).all()
        assert (np.asarray(decode(data)) == color >> (bits - 8)).all()
    gray = png(32, 32, 16, 4, rows(np.dstack([big[..., 0], clear]).astype(">u2")))
    assert (wide(gray).pixels == color[..., 0]).all()


def planar(color: NDArray[np.uint16], order: str) -> bytes:
    """An uncompressed TIFF with one plane per channel, by the specification."""
    height, width, channels = color.shape
    planes = color.transpose(2, 0, 1).astype(f"{order}u2").tobytes()
    size, at, end = height * width * 2, 8 + len(planes), 8 + len(planes) + 2 + 12 * 10 + 4
    extra = struct.pack(f"{order}3H", 16, 16, 16)
    extra += struct.pack(f"{order}3I", *(8 + size * plane for plane in range(channels)))
    extra += struct.pack(f"{order}3I", size, size, size)
    fields = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, end), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 3, end + 6), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 3, end + 18),
        (284, 3, 1, 2),
    ]  # fmt: skip
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    entries = b"".join(
        struct.pack(f"{order}HHIHH", tag, kind, count, value, 0)
        if kind == 3 and count == 1
        else struct.pack(f"{order}HHII", tag, kind, count, value)
        for tag, kind, count, value in fields
    )
    return start + planes + struct.pack(f"{order}H", 10) + entries + bytes(4) + extra


@pytest.mark.parametrize("order", ["<", ">"])
def test_planes_of_16_bits_are_read_as_written(order: str):
    color = np.random.default_rng(3).integers(0, 4096, (5, 7, 3), dtype=np.uint16)
    assert (wide(planar(color, order)).pixels == color).all()


def test_significant_bits_of_a_png_are_its_range_unless_it_was_scaled_up():
    def marked(values: NDArray[np.uint16]) -> bytes:
        return png(32, 32, 16, 0, rows(values.astype(">u2")), chunk(b"sBIT", b"\x0c"))

    dark = GRAYS << 2
    assert wide(marked(dark)).value_range == (0, 4095)
    assert (np.asarray(decode(marked(dark))) == dark >> 4).all()
    assert wide(marked(GRAYS << 8)).value_range == (0, 65535)
    assert (np.asarray(decode(marked(GRAYS << 8))) == GRAYS).all()


def test_a_tiffs_stated_range_is_taken_where_its_values_keep_to_it():
    assert wide(tagged(GRAYS << 2, most=4095)).value_range == (0, 4095)
    assert wide(tagged(GRAYS << 2, most=1000)).value_range == (0, 1000)
    assert wide(tagged(GRAYS << 2, most=900)).value_range == (0, 1023)
    thousand = np.asarray(decode(tagged(np.array([[0, 500, 1000]], np.uint16), most=1000)))
    assert thousand.tolist() == [[0, 127, 255]]


@pytest.mark.parametrize(
    ("maximum", "white", "middle"), [(1000, 1000, 128), (4095, 4095, 127), (65535, 4095, 127)]
)
def test_a_pgms_maximum_is_white(maximum: int, white: int, middle: int):
    values = np.array([0, white // 2, white], ">u2")
    data = f"P5 3 1 {maximum}\n".encode() + values.tobytes()
    assert np.asarray(decode(data)).tolist() == [[0, middle, 255]]


def test_signed_integers_reach_from_one_power_of_two_to_another():
    values = np.array([-1024, -1, 0, 3071], "<i2")
    deep = wide(tiff(4, 16, values.tobytes(), form=2))
    assert deep.pixels.tolist() == [[-1024, -1, 0, 3071]]
    assert deep.value_range == (-1024, 4095)
    assert np.asarray(deep.to_bytes()).tolist() == [[0, 51, 51, 204]]
    small = np.asarray(decode(tiff(3, 8, np.array([-128, 0, 127], "i1").tobytes(), form=2)))
    assert small.tolist() == [[0, 128, 255]]


@pytest.mark.parametrize(("kind", "form"), [("<u4", 1), ("<i4", 2)])
def test_integers_of_32_bits_are_read(kind: str, form: int):
    values = np.array([0, 5, 70_000, (1 << 31) - 1], kind)
    deep = wide(tiff(4, 32, values.tobytes(), form=form))
    assert deep.pixels.tolist() == [values.tolist()]
    if form == 1:
        large = np.array([0, (1 << 32) - 1], kind)
        assert np.asarray(decode(tiff(2, 32, large.tobytes()))).tolist() == [[0, 255]]


def test_floats_are_scaled_from_0_to_1_or_from_their_stated_range():
    values = np.array([[0, 0.5, 1]], np.float32)
    assert np.asarray(decode(encoded(values, "TIFF"))).tolist() == [[0, 128, 255]]
    stated = tagged(values * 300 - 100, smin=-100.0, smax=200.0)
    assert np.asarray(decode(stated)).tolist() == [[0, 128, 255]]
    with pytest.raises(UnreadableImage, match=r"from -100 to 200 and states no range"):
        decode(encoded(values * 300 - 100, "TIFF"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_images_are_turned_as_others(orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    values = np.arange(6, dtype=np.uint16).reshape(2, 3) * 40
    deep = decode(encoded(values << 4, "PNG", exif=exif))
    assert (
        np.asarray(deep) == np.asarray(decode(encoded(values.astype(np.uint8), "PNG", exif=exif)))
    ).all()


def test_transparent_deep_images_lie_on_white():
    values = np.array([[100, 200, 300, 4095]], ">u2")
    clear = png(4, 1, 16, 0, rows(values), chunk(b"tRNS", struct.pack(">H", 200)))
    assert np.asarray(decode(clear)).tolist() == [[6, 255, 18, 255]]
    alpha = np.dstack([values, np.array([[0, 65535, 32896, 65535]])]).astype(">u2")
    assert np.asarray(decode(png(4, 1, 16, 4, rows(alpha)))).tolist() == [[255, 12, 136, 255]]


def test_ranges_are_powers_of_two_that_hold_the_values():
    assert enclosing_range(0, 0) == (0, 255)
    assert enclosing_range(0, 4095) == (0, 4095)
    assert enclosing_range(0, 4096) == (0, 8191)
    assert enclosing_range(-1, -1) == (-1, 255)
    assert enclosing_range(-1025, 7) == (-2048, 255)
    values = np.arange(-3, 1021)
    slow = [int((v + 3) * 256 // 1024) for v in values.tolist()]
    assert scale_to_bytes(values, (-3, 1020)).tolist() == slow


@pytest.fixture
def deep_folder(tmp_path: Path) -> Path:
    """Two dark images of 8 bits in 16, one of 12 bits, and one of 8 bits."""
    for name, value in (("a/0", 60), ("a/1", 200), ("b/0", 4000)):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8), value, np.uint16)).save(path)
    Image.fromarray(np.full((8, 8), 77, np.uint8)).save(tmp_path / "b" / "1.png")
    return tmp_path


@pytest.mark.parametrize("cache_fraction", [0.5, 0])
def test_all_deep_images_of_a_data_set_share_one_range(deep_folder: Path, cache_fraction: float):
    loaded = load_images(read_folder(deep_folder), card(), cache_fraction=cache_fraction)
    assert loaded.value_range == (0, 4095)
    (batch,) = loaded.batch_source.batches([np.arange(4)])
    assert batch[:, 0, 0, 0].tolist() == [60 >> 4, 200 >> 4, 4000 >> 4, 77]
    assert any(
        "3 images are stored with more than 8 bits" in text for text in loaded.dataset.warnings
    )
    again = load_images(read_folder(deep_folder), card(loaded.value_range))
    assert not any("8 bits" in text for text in again.dataset.warnings)
    (same,) = again.batch_source.batches([np.arange(4)])
    assert torch.equal(batch, same)


def test_images_without_depth_give_no_range(image_folder: Path):
    assert load_images(read_folder(image_folder), card()).value_range is None


def test_one_bright_pixel_that_blackens_the_rest_is_reported(deep_folder: Path):
    spoiled = np.full((8, 8), 200, np.uint16)
    spoiled[0, 0] = 65535
    Image.fromarray(spoiled).save(deep_folder / "a" / "1.png")
    Image.fromarray(np.full((8, 8), 300, np.uint16)).save(deep_folder / "b" / "0.png")
    texts = load_images(read_folder(deep_folder), card()).dataset.warnings
    assert any("They are almost black" in t and "a/1.png reaches 65,535" in t for t in texts)


def test_a_smaller_range_that_some_declare_is_reported(deep_folder: Path):
    (deep_folder / "a" / "0.png").write_bytes(tagged(np.full((8, 8), 60, np.uint16), most=255))
    texts = load_images(read_folder(deep_folder), card()).dataset.warnings
    assert any("1 of them declare another range, as a/0.png 0 to 255" in t for t in texts)


def test_values_outside_the_cards_range_are_refused_by_name():
    image = decode_image(encoded(np.full((8, 8), 5000, np.uint16), "PNG"))
    assert resize_image(image, card((0, 8191)))[0, 0, 0] == 5000 >> 5
    with pytest.raises(UnreadableImage, match="outside the range 0 to 4,095"):
        resize_image(image, card((0, 4095)))


def test_a_card_keeps_its_range_and_one_without_keeps_the_high_byte():
    text = card((-1024, 4095)).to_json()
    assert Card.from_json(text).value_range == (-1024, 4095)
    assert Card.from_json(card().to_json()) == card()
    old = json.loads(text)
    del old["value_range"]
    before = Card.from_json(json.dumps(old))
    image = decode_image(encoded(np.full((8, 8), 0x1234, np.uint16), "PNG"))
    assert resize_image(image, before)[0, 0, 0] == 0x12
    assert replace(before, value_range=None) == card()


def test_what_is_lost_of_an_image_is_noted(tmp_path: Path):
    for name in ("a/0", "a/1", "b/0"):
        path = tmp_path / f"{name}.gif"
        path.parent.mkdir(exist_ok=True)
        frames = [Image.new("L", (8, 8), value) for value in (9, 99)]
        frames[0].save(path, save_all=True, append_images=frames[1:])
    stream = io.BytesIO()
    Image.new("RGBX", (8, 8)).save(stream, "TIFF")
    (tmp_path / "b" / "1.tif").write_bytes(stream.getvalue())
    texts = load_images(read_folder(tmp_path), card()).dataset.warnings
    assert any(
        "3 images are like a/0.gif, which is an animation, of which the first" in t for t in texts
    )
    assert any("b/1.tif has 4 channels, of which red, green and blue are used" in t for t in texts)
