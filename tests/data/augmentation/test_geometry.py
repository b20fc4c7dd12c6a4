"""One resampling for rotation, translation, zoom, shear, flips and crops."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from convscope.data.augmentation.draws import Draws
from convscope.data.augmentation.geometry import (
    Affine,
    affine_maps,
    flips,
    warp,
    warp_window,
    windows,
)
from tests.data.augmentation.pictures import apart, batch, picture

CASES = [  # angle and shear in degrees, zoom, pixels to the right and down
    (0, 0, 1.0, (0, 0)),
    (90, 0, 1.0, (0, 0)),
    (-37, 0, 1.0, (3, -5)),
    (170, 12, 0.8, (-2, 1)),
    (0, -20, 1.3, (0.5, 0.25)),
]


def maps(angle, shear, zoom, shift):
    return affine_maps(
        angle=np.radians([angle]),
        zoom=zoom,
        lean_x=math.tan(math.radians(shear)),
        right=shift[0],
        down=shift[1],
    )


def slow_warp(image, inverse, size):
    """Bilinear interpolation by loops, black outside."""
    height, width, channels = image.shape
    out = np.zeros((*size, channels), np.uint8)
    for row in range(size[0]):
        for column in range(size[1]):
            middle = (column + 0.5 - size[1] / 2, row + 0.5 - size[0] / 2, 1.0)
            x = float(inverse[0] @ middle) + width / 2 - 0.5
            y = float(inverse[1] @ middle) + height / 2 - 0.5
            left, top = math.floor(x), math.floor(y)
            total = np.zeros(channels)
            for down, across in ((0, 0), (0, 1), (1, 0), (1, 1)):
                if 0 <= top + down < height and 0 <= left + across < width:
                    weight = (1 - abs(y - top - down)) * (1 - abs(x - left - across))
                    total += weight * np.asarray(image[top + down, left + across], float)
            out[row, column] = np.rint(total)
    return out


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_warp_is_what_loops_make(case, channels):
    image, inverse = picture(13, 17, channels), np.linalg.inv(maps(*case))
    made = warp(image[None], inverse, (11, 15))[0]
    far, mean = apart(made, slow_warp(image, inverse[0], (11, 15)))
    assert far <= 1
    assert mean < 0.01


@pytest.mark.parametrize("case", CASES)
def test_a_map_is_that_of_torchvision(case):
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    mode = pytest.importorskip("torchvision.transforms").InterpolationMode.BILINEAR
    image, (angle, shear, zoom, shift) = picture(), case
    theirs = functional.affine(
        image.permute(2, 0, 1).float(), angle=angle, translate=list(shift), scale=zoom,
        shear=[shear, 0.0], interpolation=mode,
    )  # fmt: skip
    made = warp(image[None], np.linalg.inv(maps(*case)), (29, 40))[0]
    assert apart(made, theirs.round().permute(1, 2, 0))[0] <= 1


def test_what_is_not_moved_keeps_its_bytes():
    images = batch(5)
    still = np.tile(np.eye(3), (5, 1, 1))
    assert torch.equal(warp(images, still, (29, 40)), images)
    mirrored = flips(np.ones(5, bool), np.ones(5, bool))
    assert torch.equal(warp(images, mirrored, (29, 40)), images.flip(1, 2))
    boxes = np.tile([3.0, -2.0, 29.0, 40.0], (5, 1))
    shifted = warp(images, windows(boxes, np.tile([29, 40], (5, 1)), (29, 40)), (29, 40))
    assert torch.equal(shifted[:, :-3, 2:], images[:, 3:, :-2])
    assert not shifted[:, -3:].any()
    assert not shifted[:, :, :2].any()


def test_a_window_behind_no_map_is_the_window():
    image = picture(60, 80)
    box = np.array([10.0, 20.0, 30.0, 40.0])
    made = warp_window(image, np.eye(3)[None], box, (30, 40))
    assert torch.equal(made, image[10:40, 20:60])


def test_a_window_that_is_reduced_is_averaged():
    """Of a pattern of black and white pixels, a third of the size is gray, not noise."""
    image = torch.zeros(90, 90, 1, dtype=torch.uint8)
    image[::2, ::2] = image[1::2, 1::2] = 254
    made = warp_window(image, np.eye(3)[None], np.array([0.0, 0.0, 90.0, 90.0]), (30, 30))
    assert apart(made[1:-1, 1:-1], 127)[0] <= 8


def test_parameters_are_uniform_in_their_ranges():
    affine = Affine(rotation=90, translation=0.1, zoom=(0.5, 2.0), shear=10)
    drawn = affine.maps(Draws(1, 2, np.arange(5000)), (100, 200))
    turned = np.degrees(np.arctan2(drawn[:, 1, 0], drawn[:, 0, 0]))
    zoom = np.hypot(drawn[:, 0, 0], drawn[:, 1, 0])
    upright = np.linalg.inv(Affine(rotation=90).maps(Draws(1, 2, np.arange(5000)), (100, 200)))
    lean = -np.degrees(np.arctan((upright @ drawn)[:, 0, 1] / zoom))
    for values, low, high in (
        (turned, -90, 90),
        (zoom, 0.5, 2.0),
        (lean, -10, 10),
        (drawn[:, 0, 2], -20, 20),
        (drawn[:, 1, 2], -10, 10),
    ):
        assert kstest(values, "uniform", (low, high - low)).pvalue > 0.001
    together = np.corrcoef([turned, zoom, lean, drawn[:, 0, 2], drawn[:, 1, 2]])
    assert np.abs(together - np.eye(5)).max() < 0.06
