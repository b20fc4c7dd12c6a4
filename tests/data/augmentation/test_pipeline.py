"""What a training image becomes depends on (seed, epoch, index) alone, whatever else is done."""

import random

import numpy as np
import pytest
import torch
from torch.nn.functional import pad

from convscope.data.augment import augment, crop_and_flip_params
from convscope.data.augmentation.color import ColorJitter, principal_colors
from convscope.data.augmentation.draws import Draws
from convscope.data.augmentation.erasing import Erasing
from convscope.data.augmentation.geometry import Affine
from convscope.data.augmentation.own_function import OwnFunction
from convscope.data.augmentation.pipeline import Augmentation
from convscope.data.augmentation.policies import Policy
from convscope.data.resized_crops import ResizedCrops, ScaledCrops
from convscope.errors import RequestError
from tests.data.augmentation.pictures import apart, batch, picture

N = 11
EVERYTHING = dict(
    vertical_flip=0.5,
    affine=Affine(20, 0.1, (0.8, 1.2), 5),
    color=ColorJitter(0.4, 0.4, 0.4, 0.1, 0.1, principal_colors([batch(3)])),
    policy=Policy("rand-augment"),
    function=OwnFunction(lambda image: (image + torch.randint(9, image.shape)).byte(), "noise"),
    erasing=Erasing(0.5, (1, 2, 3)),
)


@pytest.mark.parametrize("kind", ["none", "crop", "crop-flip"])
@pytest.mark.parametrize("name", [*EVERYTHING, "all"])
def test_other_batches_give_the_same_bytes(kind, name):
    how = EVERYTHING if name == "all" else {name: EVERYTHING[name]}
    images, augmentation = batch(N), Augmentation(kind, 3, 5, **how)
    before = images.clone()
    whole = augmentation(images, np.arange(N), epoch=4)
    assert torch.equal(images, before)
    assert (whole.shape, whole.dtype) == (images.shape, images.dtype)
    assert not torch.equal(
        whole, augment(images, np.arange(N), kind=kind, padding=3, seed=5, epoch=4)
    )
    for piece in ([3], [8, 1, 2], list(range(N))[::-1]):
        alone = augmentation(images[piece], np.array(piece), epoch=4)
        assert torch.equal(alone, whole[piece])
    for other in (Augmentation(kind, 3, 6, **how), augmentation):
        epoch = 4 if other is not augmentation else 5
        assert not torch.equal(other(images, np.arange(N), epoch=epoch), whole)


@pytest.mark.parametrize(
    "crops", [ResizedCrops((16, 20), (0.2, 1), (0.7, 1.4)), ScaledCrops((16, 20), (20, 28))]
)
def test_other_batches_of_windows_give_the_same_bytes(crops):
    images = [picture(24 + k, 30, seed=k).numpy() for k in range(N)]
    augmentation = Augmentation("resized-crop-flip", 0, 5, crops, **EVERYTHING)
    whole = augmentation.cut(images, np.arange(N), epoch=4)
    for piece in ([3], [8, 1, 2]):
        alone = augmentation.cut([images[k] for k in piece], np.array(piece), epoch=4)
        assert torch.equal(alone, whole[piece])


def test_without_more_the_old_kinds_keep_their_bytes():
    images, indices = batch(N), np.arange(N)
    for kind in ("none", "crop", "crop-flip"):
        augmentation = Augmentation(kind, 2, 1)
        assert augmentation.only_shifts
        old = augment(images, indices, kind=kind, padding=2, seed=1, epoch=2)
        assert torch.equal(augmentation(images, indices, epoch=2), old)
    for name, value in EVERYTHING.items():
        assert not Augmentation("crop", 2, 1, **{name: value}).only_shifts


def test_a_mirrored_border_is_pytorchs_also_where_images_are_turned():
    images, indices, still = batch(N), np.arange(N), Affine(zoom=(1.0, 1.0 + 1e-9))
    planes = images.permute(0, 3, 1, 2).float()
    padded = pad(planes, (3, 3, 3, 3), mode="reflect").permute(0, 2, 3, 1).byte()
    corners, _ = crop_and_flip_params(indices, kind="crop", padding=3, seed=1, epoch=2)
    height, width = images.shape[1:3]
    expected = torch.stack(
        [
            image[y : y + height, x : x + width]
            for image, (y, x) in zip(padded, corners, strict=True)
        ]
    )
    made = Augmentation("crop", 3, 1, border_mode="reflect")
    assert torch.equal(made(images, indices, epoch=2), expected)
    turned = Augmentation("crop", 3, 1, border_mode="reflect", affine=still)
    assert apart(turned(images, indices, epoch=2), expected)[0] <= 1


@pytest.mark.parametrize("kind", ["crop", "crop-flip"])
def test_shifts_that_are_part_of_a_warp_are_the_same_shifts(kind):
    images, indices, still = batch(N), np.arange(N), Affine(zoom=(1.0, 1.0 + 1e-9))
    plain, warped = (Augmentation(kind, 3, 1, affine=affine) for affine in (None, still))
    one, other = (each(images, indices, epoch=2) for each in (plain, warped))
    assert apart(one, other)[0] <= 1
    assert not torch.equal(one, images)


def test_the_number_of_mirrored_images_is_asked_for():
    images, indices = batch(1).expand(2000, -1, -1, -1), np.arange(2000)
    for across, down in ((0.5, 0.0), (0.1, 0.9), (0.0, 0.3)):
        made = Augmentation("none", 0, 0, horizontal_flip=across, vertical_flip=down)
        shown = made(images, indices, epoch=0)
        mirrored = {
            (x, y): (shown == images.flip([d for d, f in ((2, x), (1, y)) if f])).flatten(1).all(1)
            for x in (False, True)
            for y in (False, True)
        }
        assert sum(one.sum() for one in mirrored.values()) == 2000
        assert (mirrored[True, False] | mirrored[True, True]).float().mean() == pytest.approx(
            across, abs=0.035
        )
        assert (mirrored[False, True] | mirrored[True, True]).float().mean() == pytest.approx(
            down, abs=0.035
        )


def test_an_upside_down_image_is_warped_like_others():
    """Mirroring twice is turning by half a turn, whichever code does it."""
    images = batch(N)
    turned = Augmentation(
        "none", 0, 0, horizontal_flip=1.0, vertical_flip=1.0, affine=Affine(0, 0, (1.5, 1.5))
    )
    upright = Augmentation("none", 0, 0, affine=Affine(0, 0, (1.5, 1.5)))
    one, other = (each(images, np.arange(N), epoch=0) for each in (turned, upright))
    assert apart(one.flip(1, 2), other)[0] <= 1


def test_alexnets_crops_are_the_images_own_pixels():
    """227 out of an image that is kept at 256: nothing is scaled."""
    image = picture(25, 31)
    crops = ScaledCrops((22, 22), (25, 25))
    corners = set()
    for index in range(400):
        [window] = Augmentation("scaled-crop", 0, 0, crops).cut(
            [image.numpy()], np.array([index]), epoch=0
        )
        top, left, height, width = crops.boxes(
            np.array([[25, 31]]), np.array([index]), seed=0, epoch=0
        )[0]
        assert (height, width) == (22, 22)
        assert torch.equal(window, image[top : top + 22, left : left + 22])
        corners.add((int(top), int(left)))
    assert len(corners) == 4 * 10


def test_the_scales_of_vggs_crops_are_uniform():
    crops, sizes = ScaledCrops((224, 224), (256, 512)), np.tile([600, 512], (4000, 1))
    boxes = crops.boxes(sizes, np.arange(4000), seed=0, epoch=0)
    assert (boxes[:, 2] == boxes[:, 3]).all()
    shorter = 224 * 512 / boxes[:, 2]
    counts = np.histogram(shorter, bins=8, range=(256, 512))[0]
    assert counts.min() > 400
    assert (boxes[:, :2] + boxes[:, 2:] <= sizes).all()


def seeds_of(image):
    numbers = (torch.randint(256, ()), np.random.randint(256), random.randrange(256))  # noqa: NPY002
    return torch.full_like(image, 0).index_put(
        (torch.zeros(3, dtype=torch.long), torch.zeros(3, dtype=torch.long), torch.arange(3)),
        torch.tensor([int(number) for number in numbers], dtype=torch.uint8),
    )


def test_a_function_has_its_own_random_numbers_and_leaves_no_trace():
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    function = OwnFunction(seeds_of, "seeds_of")
    whole = function(batch(N), Draws(0, 0, np.arange(N)))
    assert len({tuple(row.tolist()) for row in whole[:, 0, :3, 0]}) == N
    again = function(batch(N)[[7]], Draws(0, 0, np.array([7])))
    assert torch.equal(again, whole[[7]])
    with pytest.raises(RequestError):
        OwnFunction(lambda _: 1 / 0, "broken")(batch(1), Draws(0, 0, np.arange(1)))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()  # noqa: NPY002
    assert random.getstate() == states[2]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda image: 1 / 0,
            r"mine failed on an image, .* of shape \(3, 29, 40\): ZeroDiv",
        ),
        (lambda image: image.numpy(), "mine returned ndarray, not a tensor"),
        (
            lambda image: image / 255,
            r"mine returned float32 of shape \(3, 29, 40\). It must",
        ),
        (lambda image: image[:, 1:], r"mine returned uint8 of shape \(3, 28, 40\)"),
    ],
)
def test_what_a_function_does_wrong_is_said_by_its_name(function, message):
    with pytest.raises(RequestError, match=message):
        OwnFunction(function, "mine")(batch(1), Draws(0, 0, np.arange(1)))


def test_transforms_of_torchvision_are_functions():
    v2 = pytest.importorskip("torchvision.transforms.v2")
    transform = v2.Compose([v2.RandomHorizontalFlip(), v2.RandomRotation(30), v2.RandAugment()])
    augmentation = Augmentation("none", 0, 0, function=OwnFunction(transform, "Compose"))
    images = batch(N)
    whole = augmentation(images, np.arange(N), epoch=0)
    assert torch.equal(augmentation(images[[5]], np.array([5]), epoch=0), whole[[5]])
    assert not torch.equal(whole, images)
