"""A map of the network's input is placed on the photograph where the network saw it."""

import numpy as np
import pytest
import torch
from PIL import Image

from convscope.attribution.photos import open_photo
from convscope.card import Card
from convscope.errors import RequestError

MODES = ["crop", "pad", "letterbox", "stretch"]


def _card(mode, size=(64, 64), resize_size=None):
    return Card(
        classes=("a", "b"), input_size=size, in_channels=3, resize_mode=mode, mean=(0, 0, 0),
        std=(1, 1, 1), resize_size=resize_size,
    )  # fmt: skip


@pytest.mark.parametrize("size", [(400, 300), (300, 400), (900, 1400), (50, 30), (64, 64)])
@pytest.mark.parametrize("mode", [*MODES, "256 before 224"])
def test_a_spot_in_the_photograph_is_found_again_where_it_was(tmp_path, mode, size):
    card = _card("crop", (56, 56), 64) if mode == "256 before 224" else _card(mode)
    width, height = size
    x, y = round(width * 0.55), round(height * 0.4)
    radius = max(2, min(size) // 20)
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[y - radius : y + radius, x - radius : x + radius] = 255
    Image.fromarray(pixels).save(tmp_path / "spot.png")
    photo = open_photo(tmp_path / "spot.png", card, "spot.png")
    seen = photo.input[0].mean(0).double().numpy()
    placed = np.nan_to_num(photo.place(seen, is_smooth=True))
    shown = photo.pixels.mean(2)
    pixel = max(photo.vertical.scale, photo.horizontal.scale)
    for axis in (0, 1):
        at = np.arange(shown.shape[axis]) + 0.5
        middles = [(image.sum(1 - axis) * at).sum() / image.sum() for image in (placed, shown)]
        assert middles[0] == pytest.approx(middles[1], abs=0.2 * pixel + 0.5)


@pytest.mark.parametrize(
    ("mode", "seen"), [("crop", 300 / 400), ("pad", 1), ("letterbox", 1), ("stretch", 1)]
)
def test_what_the_network_does_not_see_has_no_value(tmp_path, mode, seen):
    Image.new("RGB", (400, 300), "gray").save(tmp_path / "photo.png")
    photo = open_photo(tmp_path / "photo.png", _card(mode), "photo.png")
    placed = photo.place(np.ones((64, 64)), is_smooth=False)
    assert np.isfinite(placed).mean() == pytest.approx(seen, abs=0.01)
    assert np.isfinite(placed[150, 200])
    assert np.isnan(placed[150, 10]) == (mode == "crop")


def test_the_orientation_of_a_photograph_is_applied(tmp_path):
    image = Image.new("RGB", (40, 20), "black")
    image.putpixel((39, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    photo = open_photo(tmp_path / "turned.png", _card("stretch", (40, 20)), "turned.png")
    assert photo.pixels.shape == (320, 160, 3)
    assert photo.pixels[-4, -4].tolist() == [255, 255, 255]
    assert photo.input[0, 0, -1, -1] == 1


def test_a_tensor_is_what_the_network_is_fed_and_is_shown_as_the_card_scales_it():
    card = Card(
        classes=("a", "b"), input_size=(4, 4), in_channels=3, resize_mode="crop",
        mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5),
    )  # fmt: skip
    tensor = torch.full((3, 6, 8), -1.0)
    tensor[:, 0, 0] = 1
    photo = open_photo(tensor, card, "image 1")
    assert torch.equal(photo.input, tensor[None])
    assert photo.pixels[0, 0].tolist() == [255, 255, 255]
    assert photo.pixels[-1, -1].tolist() == [0, 0, 0]
    assert not photo.note
    assert "least value, black" in open_photo(tensor * 9, card, "image 1").note


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "no.png").write_bytes(b"no image")
    with pytest.raises(RequestError, match=r"^no.png "):
        open_photo(tmp_path / "no.png", _card("crop"), "no.png")
