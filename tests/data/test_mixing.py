"""Mixup and CutMix against loops over pixels, and what is drawn against its distribution."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from convscope.data.mixing import Box, Mix, Mixing, cutmix_box

SIZE = (6, 8)


def images(n=3, size=SIZE):
    return torch.from_numpy(np.random.default_rng(0).normal(size=(n, 3, *size)).astype(np.float32))


def mixed_by_loops(images, mix):
    """Each number by itself, from the definitions of the papers."""
    mixed = np.empty_like(images.numpy())
    for index in np.ndindex(mixed.shape):
        image, channel, row, column = index
        own, other = images[index], images[int(mix.partners[image]), channel, row, column]
        if mix.box is None:
            mixed[index] = mix.share * float(own) + (1 - mix.share) * float(other)
        else:
            box = mix.box
            inside = box.top <= row < box.bottom and box.left <= column < box.right
            mixed[index] = other if inside else own
    return torch.from_numpy(mixed)


@pytest.mark.parametrize("alphas", [(0.4, 0.0), (0.0, 1.0)])
def test_images_are_mixed_as_number_by_number(alphas):
    for batch in range(8):
        mix = Mixing(*alphas, 3, SIZE).draw(0, batch, 3)
        expected = mixed_by_loops(images(), mix)
        channels_last = images().contiguous(memory_format=torch.channels_last)
        for given in (images(), channels_last):
            torch.testing.assert_close(mix.images(given), expected, atol=1e-6, rtol=0)


def test_labels_are_mixed_as_by_hand():
    mix = Mix(0.75, np.array([1, 2, 0]))
    assert mix.targets(torch.tensor([0, 2, 0]), 3).tolist() == [
        [0.75, 0.0, 0.25],
        [0.25, 0.0, 0.75],
        [1.0, 0.0, 0.0],  # both are of class 0
    ]
    several = torch.tensor([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])  # of several classes each
    assert mix.targets(several, 2).tolist() == [[0.75, 1.0], [0.0, 0.75], [0.25, 0.25]]


@pytest.mark.parametrize(
    ("share", "center", "box"),
    [
        (0.75, (10, 10), Box(5, 15, 5, 15)),  # half of each side
        (0.75, (0, 19), Box(0, 5, 14, 20)),  # cut off in the corner
        (0.7, (10, 10), Box(5, 15, 5, 15)),  # 10.95: rounded down to 10
        (0.6, (10, 10), Box(4, 16, 4, 16)),  # 12.65: rounded down to 12
        (1.0, (10, 10), Box(10, 10, 10, 10)),
        (0.0, (10, 10), Box(0, 20, 0, 20)),
    ],
)
def test_the_box_of_cutmix(share, center, box):
    assert cutmix_box(share, (20, 20), center) == box


def test_the_share_of_cutmix_is_what_is_left_of_the_image():
    for batch in range(50):
        mix = Mixing(0.0, 1.0, 0, (20, 30)).draw(0, batch, 2)
        black_and_white = torch.stack([torch.zeros(1, 20, 30), torch.ones(1, 20, 30)])
        mix = Mix(mix.share, np.array([1, 0]), mix.box)
        own = 1 - mix.images(black_and_white)[0].mean().item()
        assert own == pytest.approx(mix.share, abs=1e-6)
        assert mix.targets(torch.tensor([0, 1]), 2)[0, 0].item() == pytest.approx(own, abs=1e-6)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_lambda_has_the_beta_distribution(alpha):
    mixing = Mixing(alpha, 0.0, 7, SIZE)
    shares = [mixing.draw(epoch, batch, 1).share for epoch in range(20) for batch in range(100)]
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_boxes_have_the_mean_area_of_uniform_centers():
    """Of a side s around a uniform center, s - s²/4 is left: on average 77/240 of the area."""
    mixing = Mixing(0.0, 1.0, 7, (1000, 1000))
    boxes = [mixing.draw(0, batch, 1).box for batch in range(2000)]
    areas = np.array([box.area for box in boxes]) / 1000**2
    assert abs(areas.mean() - 77 / 240) < 4 * areas.std() / math.sqrt(len(areas))
    centers = [box.top + box.bottom for box in boxes if box.top > 0 and box.bottom < 1000]
    assert abs(np.mean(centers) - 1000) < 4 * np.std(centers) / math.sqrt(len(centers))


def test_with_both_each_has_half_of_the_batches():
    mixing = Mixing(0.2, 1.0, 0, SIZE)
    pasted = sum(mixing.draw(0, batch, 2).box is not None for batch in range(1000))
    assert stats.binomtest(pasted, 1000).pvalue > 0.01


def test_partners_are_a_permutation_and_what_is_drawn_depends_on_seed_epoch_and_batch():
    def drawn(seed, epoch, batch):
        mix = Mixing(0.2, 0.0, seed, SIZE).draw(epoch, batch, 16)
        assert sorted(mix.partners) == list(range(16))
        return (mix.share, *mix.partners)

    places = [*itertools.product((0, 1, 2**62), (0, 1), (0, 1))]
    assert len({drawn(*place) for place in places}) == len(places)
    assert drawn(0, 1, 1) == drawn(0, 1, 1)
    order = np.random.default_rng([0, 0]).permutation(16)  # an epoch's order has other numbers
    assert tuple(order) != drawn(0, 0, 0)[1:]


def test_mixing_before_normalization_is_the_same():
    mean, std = 0.4, 0.2
    mix = Mix(0.3, np.array([1, 0]))
    raw = torch.rand(2, 1, 4, 4)
    torch.testing.assert_close(mix.images((raw - mean) / std), (mix.images(raw) - mean) / std)


def test_one_image_is_its_own_partner():
    mix = Mixing(0.2, 0.0, 0, SIZE).draw(0, 0, 1)
    torch.testing.assert_close(mix.images(images(1)), images(1))
    assert mix.targets(torch.tensor([1]), 2).tolist() == [[0.0, 1.0]]
    assert math.isfinite(mix.share)


def test_mixing_without_either_is_refused():
    with pytest.raises(ValueError, match="neither"):
        Mixing(0.0, 0.0, 0, SIZE).draw(0, 0, 1)
