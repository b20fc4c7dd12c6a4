"""Shares of a score, added up over regions of the image."""

import numpy as np
import pytest

from convscope.attribution.layer_methods import hires_cam
from convscope.attribution.pixel_methods import gradient_x_input
from convscope.attribution.regions import largest, regions
from tests.attribution.networks import Residual, image, randomize, subject_of


@pytest.mark.parametrize("size", [8, 15, 5])
@pytest.mark.parametrize("method", [gradient_x_input, lambda subject: hires_cam(subject, "bn2")])
def test_regions_tile_the_image_and_add_up_to_the_map(method, size):
    subject = subject_of(randomize(Residual()), image(3, size), other=3)
    raw = method(subject)
    found = regions(raw, (size, size))
    covered = np.zeros((size, size), int)
    for region in found:
        covered[region.top : region.bottom, region.left : region.right] += 1
    assert (covered == 1).all()
    assert sum(region.share for region in found) == pytest.approx(raw.shares.map)
    total = sum(region.share for region in found) + sum(raw.shares.others.values())
    assert total == pytest.approx(raw.shares.score)


def test_a_block_has_the_sum_of_its_pixels():
    subject = subject_of(randomize(Residual()), image(3, 14))
    raw = gradient_x_input(subject)
    found = regions(raw, (14, 14))
    assert len(found) == 49
    second = found[8]
    assert (second.top, second.left, second.bottom, second.right) == (2, 2, 4, 4)
    assert second.share == pytest.approx(raw.values[2:4, 2:4].sum())
    shares = [region.share for region in largest(found, 3)]
    assert shares == sorted((region.share for region in found), reverse=True)[:3]
