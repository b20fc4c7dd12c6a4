"""RandAugment, TrivialAugment and random erasing, against torchvision's."""

import inspect

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest

from convscope.data.augmentation.draws import Draws
from convscope.data.augmentation.erasing import AREA, RATIO, Erasing, erased_boxes
from convscope.data.augmentation.geometry import warp
from convscope.data.augmentation.policies import (
    OPERATIONS,
    Choice,
    Policy,
    apply_colors,
    geometric_maps,
)
from tests.data.augmentation.pictures import apart, batch, picture

v2 = pytest.importorskip("torchvision.transforms.v2")

THEIRS = {
    "identity": "Identity", "shear-x": "ShearX", "shear-y": "ShearY", "translate-x": "TranslateX",
    "translate-y": "TranslateY", "rotate": "Rotate", "brightness": "Brightness", "color": "Color",
    "contrast": "Contrast", "sharpness": "Sharpness", "posterize": "Posterize",
    "solarize": "Solarize", "autocontrast": "AutoContrast", "equalize": "Equalize",
}  # fmt: skip
SIZE = (29, 40)


def their_strengths(space, name, levels):
    """The strengths of an operation at some magnitudes, in our units; and if they have signs."""
    magnitudes, signed = space[THEIRS[name]]
    found = magnitudes(31, *SIZE)
    strengths = np.zeros(1) if found is None else np.asarray(found, float)[levels]
    if name.startswith("translate"):  # as many whole pixels
        strengths = np.floor(strengths + 1e-3)
    return (255 * strengths if name == "solarize" else strengths), signed


@pytest.mark.parametrize("level", [0, 9, 17, 30, None])
def test_operations_and_magnitudes_are_those_of_torchvision(level):
    space = (v2.TrivialAugmentWide if level is None else v2.RandAugment)._AUGMENTATION_SPACE
    policy = Policy("trivial-augment") if level is None else Policy("rand-augment", level)
    levels = slice(None) if level is None else [level]
    expected = {name: their_strengths(space, name, levels) for name in OPERATIONS}
    assert {THEIRS[name] for name in OPERATIONS} == set(space)
    drawn = {name: [] for name in OPERATIONS}
    for [choice, *_] in policy.choices(Draws(0, 0, np.arange(3000)), SIZE):
        drawn[choice.operation].append(choice.strength)
    for name, (strengths, signed) in expected.items():
        found, known = np.abs(drawn[name]), np.unique(strengths.round(3))
        assert np.abs(found[:, None] - known).min(1).max() < 2e-3
        assert len(np.unique(found.round(3))) == len(known)
        assert (np.min(drawn[name]) < 0) == (signed and known.max() > 0)


def test_the_defaults_are_torchvisions():
    parameters = inspect.signature(v2.RandAugment).parameters
    assert parameters["magnitude"].default == Policy("rand-augment").magnitude
    assert parameters["num_ops"].default == Policy("rand-augment").num_ops
    assert parameters["num_magnitude_bins"].default == 31


STRENGTHS = {
    "identity": [0], "shear-x": [0.2, -0.3], "shear-y": [0.3, -0.1], "translate-x": [-7.0, 4.0],
    "translate-y": [5.0], "rotate": [25.0, -60.0], "brightness": [0.4, -0.9], "color": [0.9, -0.5],
    "contrast": [0.5, -0.9], "sharpness": [0.9, -0.9], "posterize": [8, 5, 2],
    "solarize": [0.0, 100.0, 255.0], "autocontrast": [0], "equalize": [0],
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_operation_is_that_of_torchvision(name, channels):
    mode = pytest.importorskip("torchvision.transforms").InterpolationMode.BILINEAR
    image = picture(channels=channels) // 2 + 30
    for strength in STRENGTHS[name]:
        chosen = [[Choice(name, strength)]]
        moved = warp(image[None], np.linalg.inv(geometric_maps(chosen, SIZE)), SIZE)
        made = apply_colors(moved, chosen)[0]
        geometric = name in OPERATIONS[1:6]
        theirs = v2.RandAugment()._apply_image_or_video_transform(
            image.permute(2, 0, 1).float() if geometric else image.permute(2, 0, 1),
            THEIRS[name],
            strength / 255 if name == "solarize" else strength,
            mode,
            {torch.Tensor: None},
        )
        assert apart(made, theirs.float().round().permute(1, 2, 0))[0] <= 1


def test_an_image_of_one_color_survives_every_table():
    flat = torch.full((1, 5, 5, 3), 7, dtype=torch.uint8)
    for name in ("autocontrast", "equalize", "sharpness"):
        assert torch.equal(apply_colors(flat, [[Choice(name)]]), flat)


def test_operations_are_drawn_evenly_and_independently():
    chosen = Policy("rand-augment").choices(Draws(0, 0, np.arange(7000)), SIZE)
    pairs = np.array([[OPERATIONS.index(each.operation) for each in row] for row in chosen])
    for column in pairs.T:
        assert chisquare(np.bincount(column, minlength=14)).pvalue > 0.001
    table = np.histogram2d(*pairs.T, bins=(14, 14))[0]
    assert chisquare(table.ravel()).pvalue > 0.001


def test_rectangles_are_drawn_as_torchvision_draws_them():
    size = (60, 50)
    torch.manual_seed(0)
    transform = v2.RandomErasing(p=1.0)
    assert (transform.scale, transform.ratio) == (AREA, RATIO)
    theirs = [transform.make_params([torch.zeros(3, *size)]) for _ in range(1500)]
    ours = np.array(erased_boxes(Draws(0, 0, np.arange(1500)), size))
    for column, key in enumerate("ijhw"):
        assert kstest(ours[:, column], [one[key] for one in theirs]).pvalue > 0.001


def test_a_rectangle_has_the_mean_color_and_the_rest_its_own():
    images = batch(200)
    made = Erasing(0.25, (1, 2, 3))(images, Draws(0, 0, np.arange(200)))
    changed = (made != images).any(-1)
    erased = changed.flatten(1).any(1)
    assert 0.15 < erased.float().mean() < 0.35
    assert (made[changed] == torch.tensor([1, 2, 3], dtype=torch.uint8)).all()
    assert torch.equal(made[~erased], images[~erased])
