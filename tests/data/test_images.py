"""Every way to hand over an image gives the pixels that its file gives."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from convscope.data.decode import UnreadableImage, decode
from convscope.data.depth import DeepImage
from convscope.data.images import list_images, name_image, open_image
from convscope.errors import RequestError

GRAY = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)
COLOR = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def opened(image: object) -> np.ndarray:
    decoded = open_image(image)  # pyright: ignore[reportArgumentType]
    assert isinstance(decoded, Image.Image)
    return np.asarray(decoded)


@pytest.mark.parametrize("pixels", [GRAY, COLOR])
def test_arrays_tensors_images_files_and_their_content_are_alike(
    tmp_path: Path, pixels: np.ndarray
):
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    first = pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None]
    with Image.open(path) as lazy, path.open("rb") as file:
        given = [
            path, str(path), path.read_bytes(), bytearray(path.read_bytes()), file, lazy,
            io.BytesIO(path.read_bytes()), pixels, pixels / 255, (pixels / 255).astype(np.float16),
            (pixels / 255).astype(np.float32), torch.from_numpy(first.copy()),
            torch.from_numpy(first / 255).requires_grad_(),
            torch.from_numpy(first / 255).to(torch.float32),
        ]  # fmt: skip
        for image in given:
            assert (opened(image) == pixels).all(), type(image)
        lazy.load()  # it was left open
    assert (opened(torch.from_numpy(GRAY)) == GRAY).all()
    assert (opened(GRAY[..., None]) == GRAY).all()
    assert (opened(GRAY > 99) == np.where(GRAY > 99, 255, 0)).all()


def test_a_half_precision_tensor_comes_as_near_as_it_can():
    far = opened(torch.from_numpy(GRAY / 255).to(torch.bfloat16)).astype(int) - GRAY
    assert np.abs(far).max() <= 1


def test_a_pil_image_is_treated_as_its_file_and_left_as_it_is(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.png"
    for image in (
        Image.fromarray(np.dstack([COLOR, GRAY])),
        Image.fromarray(COLOR).convert("P"),
        Image.fromarray(np.dstack([GRAY, GRAY[::-1]])),
        Image.fromarray(GRAY > 99),
        Image.fromarray(GRAY.astype(np.uint16) << 4),
    ):
        image.save(path, exif=exif)
        with Image.open(path) as lazy:
            before = dict(lazy.info)
            decoded = open_image(lazy)
            found = decoded.to_bytes() if isinstance(decoded, DeepImage) else decoded
            assert (np.asarray(found) == np.asarray(decode(path))).all(), image.mode
            assert dict(lazy.info) == before


def test_alpha_of_an_array_lies_on_white():
    clear = np.dstack([COLOR, np.zeros((5, 7), np.uint8)])
    assert (opened(clear) == 255).all()
    assert (opened(torch.from_numpy(clear.transpose(2, 0, 1).copy())) == 255).all()


@pytest.mark.parametrize("kind", [np.uint16, ">u2", np.int16, np.int32, np.int64, np.uint32])
def test_other_integers_are_deep(kind: type):
    deep = open_image((GRAY.astype(np.int64) << 4).astype(kind))
    assert isinstance(deep, DeepImage)
    assert (np.asarray(deep.to_bytes()) == GRAY).all()


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (COLOR / 1.0, r"has floats from \d+ to \d+, where 0 to 1 is expected: divide by 255"),
        (COLOR / 127.5 - 1, "undo its normalization"),
        (np.full((2, 2), np.nan), "not finite"),
        (torch.full((1, 2, 2), torch.inf), "not finite"),
        (np.zeros((3, 8, 8), np.uint8), r"array of shape 3x8x8; arrays have channels last"),
        (torch.zeros(8, 8, 3), r"tensor of shape 8x8x3; tensors have channels first"),
        (np.zeros((8, 8, 2), np.uint8), "2 channels, where 1, 3 or 4"),
        (torch.zeros(5, 8, 8), "5 channels, where 1, 3 or 4"),
        (np.zeros((2, 8, 8, 3), np.uint8), "a batch, not one image"),
        (np.zeros(8, np.uint8), "has shape 8, which is not an image"),
        (np.zeros((0, 8), np.uint8), "has no pixels"),
        (np.zeros((2, 2), complex), "elements of type complex128"),
        (np.zeros((2, 2, 4), np.uint16), "an alpha channel of uint16"),
        (b"", "is empty"),
        (io.StringIO("text"), "is of type StringIO, not an image"),
        (None, "is of type NoneType, not an image"),
    ],
)
def test_what_is_no_image_is_refused_in_its_own_words(image: object, reason: str):
    with pytest.raises(UnreadableImage, match=reason):
        open_image(image)  # pyright: ignore[reportArgumentType]


class Series:
    """What pandas' Series is: an iterable with `values`."""

    def __init__(self, values: list[object]) -> None:
        self.values = values

    def __iter__(self):
        return iter(self.values)


def test_one_image_and_many_are_told_apart(tmp_path: Path):
    for one in (
        "photo.png",
        tmp_path,
        b"..",
        GRAY,
        COLOR,
        torch.zeros(3, 5, 7),
        Image.new("L", (1, 1)),
    ):
        (only,) = list_images(one)
        assert only is one
    batch = np.stack([COLOR] * 4)
    assert len(list_images(batch)) == len(list_images(torch.zeros(4, 3, 5, 7))) == 4
    mixed = ["a.png", tmp_path, GRAY, batch, torch.zeros(2, 1, 5, 7)]
    assert len(list_images(mixed)) == 3 + 4 + 2
    for many in (("a", "b"), (name for name in "ab"), np.array(["a", "b"]), Series(["a", "b"])):
        assert [*map(str, list_images(many))] == ["a", "b"]
    assert list_images([]) == []
    for wrong in ({"a": 1}, 5, None):
        with pytest.raises(RequestError, match="Pass a path, a PIL image"):
            list_images(wrong)  # pyright: ignore[reportArgumentType]


def test_images_have_a_name(tmp_path: Path):
    Image.fromarray(GRAY).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as lazy:
        assert name_image(lazy, 3) == str(tmp_path / "a.png")
    assert name_image("b.png", 3) == "b.png"
    assert name_image(GRAY, 3) == "image 3"
    assert name_image(io.BytesIO(), 4) == "image 4"
