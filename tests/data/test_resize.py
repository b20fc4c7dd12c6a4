"""Scaling to a shorter side and cutting the center out, in one step, against torchvision's two."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

from convscope.card import Card
from convscope.data.resize import resize_array, resize_image

IMAGENET = Card(
    classes=("a", "b"),
    input_size=(224, 224),
    in_channels=3,
    resize_mode="crop",
    resize_size=256,
    mean=(0.0,) * 3,
    std=(1.0,) * 3,
)


def photograph(height: int, width: int) -> Image.Image:
    """Shapes at every scale, with noise: hard edges show half a pixel of shift."""
    random = np.random.default_rng(height * 10_000 + width)
    rows, columns = np.mgrid[:height, :width]
    waves = np.stack([np.sin(rows / s) * np.cos(columns / s) for s in (3.0, 17.0, 90.0)], -1)
    pixels = 128 + 100 * np.sign(waves) + random.normal(0, 8, waves.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def two_steps(image: Image.Image, card: Card) -> np.ndarray:
    mode = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
    scaled = v2.Resize(card.resize_size, interpolation=mode[card.interpolation])(image)
    return np.asarray(v2.CenterCrop(card.input_size)(scaled)).astype(int)


def difference(image: Image.Image, card: Card) -> np.ndarray:
    return np.abs(resize_image(image, card).astype(int) - two_steps(image, card))


# Pillow rounds to bytes between its passes, and which comes first depends on the sizes asked for.
@pytest.mark.parametrize(("interpolation", "most"), [("bilinear", 1), ("bicubic", 6)])
@pytest.mark.parametrize("size", [(375, 500), (500, 333), (256, 256), (224, 224), (90, 61)])
def test_one_step_is_torchvisions_two_but_for_the_rounding_between_passes(
    size, interpolation, most
):
    off = difference(photograph(*size), replace(IMAGENET, interpolation=interpolation))
    assert off.max() <= most
    assert off.mean() < 0.3


@pytest.mark.parametrize("size", [(1200, 1600), (2448, 3264), (3000, 800)])
def test_a_large_image_is_averaged_first_and_stays_within_a_few_levels(size):
    off = difference(photograph(*size), IMAGENET)
    assert off.max() <= 6
    assert off.mean() < 0.8


def test_the_resize_and_the_interpolation_each_matter():
    image = photograph(375, 500)
    kept = resize_image(image, IMAGENET).astype(int)
    for other in (
        replace(IMAGENET, resize_size=None),
        replace(IMAGENET, resize_size=257),
        replace(IMAGENET, interpolation="bicubic"),
    ):
        assert np.abs(kept - resize_image(image, other)).mean() > 1


@given(
    st.tuples(st.integers(1, 80), st.integers(1, 80)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.one_of(st.none(), st.integers(0, 20)),
)
def test_any_image_comes_to_the_size(image, size, more):
    card = replace(
        IMAGENET, input_size=size, resize_size=None if more is None else max(size) + more
    )
    pixels = np.full((*image, 3), 77, np.uint8)
    assert (resize_image(Image.fromarray(pixels), card) == np.full((*size, 3), 77)).all()


def test_images_in_memory_that_need_scaling_are_not_taken_as_they_are():
    pixels = np.zeros((2, 224, 224, 3), np.uint8)
    assert resize_array(pixels, IMAGENET) is None
    assert resize_array(pixels, replace(IMAGENET, resize_size=None)) is not None
