"""Colors as one linear map, against torchvision, colorsys and numpy."""

import colorsys

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from convscope.data.augmentation.color import ColorJitter, principal_colors, recolor
from convscope.data.augmentation.draws import Draws
from tests.data.augmentation.pictures import apart, batch, picture

NAMES = {"brightness": "brightness", "contrast": "contrast", "saturation": "saturation"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("factor", [0.0, 0.6, 1.0, 1.7])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_factor_is_that_of_torchvision(name, factor, channels):
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    image = picture(channels=channels)
    theirs = getattr(functional, f"adjust_{name}")(image.permute(2, 0, 1), factor)
    made = recolor(image[None], **{name: np.array([factor])})[0]
    assert apart(made, theirs.permute(1, 2, 0))[0] <= 1


@pytest.mark.parametrize("turn", [-0.3, 0.05, 0.5])
def test_hue_is_turned_in_yiq(turn):
    """colorsys rounds the coefficients to two digits."""
    image = picture(9, 11)
    angle = 2 * np.pi * turn
    expected = np.zeros(image.shape)
    for place in np.ndindex(9, 11):
        y, i, q = colorsys.rgb_to_yiq(*(image[place].double().numpy() / 255))
        turned = (i * np.cos(angle) - q * np.sin(angle), i * np.sin(angle) + q * np.cos(angle))
        expected[place] = np.clip(colorsys.yiq_to_rgb(y, *turned), 0, 1)
    made = recolor(image[None], hue=np.array([turn]))[0]
    far, mean = apart(made, 255 * expected)
    assert far <= 6
    assert mean < 1.5
    luma = [0.299, 0.587, 0.114]
    inside = ((made > 0) & (made < 255)).all(-1).numpy()
    assert apart(made.numpy()[inside] @ luma, image.numpy()[inside] @ luma)[0] < 1


def test_the_order_does_not_matter_and_one_pass_is_as_good_as_four():
    """Where nothing is clamped, all at once differs from one after the other by rounding alone."""
    image = (picture() // 3 + 80)[None]
    factors = {"brightness": 1.1, "contrast": 0.8, "saturation": 0.7, "hue": 0.1}
    numbers = {name: np.array([value]) for name, value in factors.items()}
    at_once = recolor(image, **numbers)
    for order in (list(numbers), list(numbers)[::-1]):
        step = image
        for name in order:
            step = recolor(step, **{name: numbers[name]})
        assert apart(at_once, step)[0] <= 3


def test_principal_colors_are_numpys_and_gray_has_one():
    images = batch(6)
    pixels = images.reshape(-1, 3).double().numpy() / 255
    found = principal_colors([images[:2], images[2:]])
    values, vectors = np.linalg.eigh(np.cov(pixels.T, bias=True))
    for row, value, vector in zip(found.rows, values, vectors.T, strict=True):
        assert np.linalg.norm(row) == pytest.approx(value, rel=1e-6)
        assert abs(row @ vector) == pytest.approx(value, rel=1e-6)
    assert np.array_equal(found.rows, principal_colors([images]).rows)
    gray = principal_colors([images[..., :1]])
    assert gray.rows[0, 0] == pytest.approx(pixels[:, 0].var())


def test_a_shift_along_the_principal_colors_is_the_papers():
    """Krizhevsky et al.: [p1 p2 p3][a1 l1, a2 l2, a3 l3], the a from N(0, 0.1)."""
    found = principal_colors([batch(6)])
    flat = torch.full((4000, 2, 2, 3), 128, dtype=torch.uint8)
    jitter = ColorJitter(pca=1.0, principal=found)
    made = jitter(flat, Draws(0, 0, np.arange(4000))).numpy().astype(float)
    assert (made == made[:, :1, :1]).all()
    moved = (made[:, 0, 0] - 128) / 255
    unclamped = (np.abs(moved) < 0.45).all(1)
    assert unclamped.mean() > 0.99
    expected = found.rows.T @ found.rows  # the covariance of the sum of a·row, each a N(0, 1)
    assert np.abs(np.cov(moved.T) - expected).max() < 0.05 * np.abs(expected).max()


def test_factors_are_uniform_and_normal_numbers_normal():
    draws = Draws(3, 4, np.arange(5000))
    gray = torch.full((5000, 1, 1, 3), 100, dtype=torch.uint8)
    bright = ColorJitter(brightness=0.4)(gray, draws)[:, 0, 0, 0].numpy() / 100
    assert kstest(bright + draws.unit(90)[:, 0] / 100, "uniform", (0.595, 0.81)).pvalue > 0.001
    assert kstest(draws.normal(44, 3).ravel(), "norm").pvalue > 0.001


def test_an_images_colors_depend_on_nothing_but_its_numbers():
    images, jitter = batch(9), ColorJitter(0.4, 0.4, 0.4, 0.1, 0.1, principal_colors([batch(3)]))
    whole = jitter(images, Draws(1, 1, np.arange(9)))
    for piece in ([0], [4, 2], list(range(8, -1, -1))):
        assert torch.equal(jitter(images[piece], Draws(1, 1, np.array(piece))), whole[piece])
