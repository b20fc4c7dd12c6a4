"""The lecture's 6x6 image under its 3x3 filter: every map that the lecture works out."""

import pytest
import torch
from torch.nn import functional as F

from convscope.arithmetic import Volume, convolution, pooling
from tests.reference.geometry import correlate, pool

IMAGE = """
    5 1 7 7 8 1
    7 2 5 7 8 1
    5 3 5 4 4 2
    4 4 3 3 2 1
    3 3 4 7 8 1
    5 7 8 2 3 1
"""
FILTER = """
    1 0 -1
    2 0 -2
    1 0 -1
"""


def numbers(table):
    return [[float(word) for word in row.split()] for row in table.strip().splitlines()]


def flipped(kernel):
    return [row[::-1] for row in kernel[::-1]]


def convolved(kernel, **words):
    """The map by torch, after the slow loop has said the same, and geometry its size."""
    image = torch.tensor(numbers(IMAGE))
    found = F.conv2d(image[None, None], torch.tensor(kernel)[None, None], **words)[0, 0].tolist()
    assert correlate(numbers(IMAGE), kernel, **words) == found
    size = convolution(Volume(1, 6, 6), 1, 3, **words).output
    assert (size.height, size.width) == (len(found), len(found[0]))
    return found


def test_the_filter_slides_over_the_image():
    told = "2 -17 -6 20 \n 3 -6 0 12 \n 1 -3 -1 12 \n -4 -2 -2 15"
    assert convolved(numbers(FILTER)) == numbers(told)


def test_the_first_three_windows_are_the_lectures():
    assert convolved(numbers(FILTER))[0][:3] == [2, -17, -6]


def test_a_stride_of_two_takes_every_other_window():
    assert convolved(numbers(FILTER), stride=2) == [[2, -6], [1, -1]]


def test_a_stride_of_two_never_reads_the_last_row_and_column():
    changed = torch.tensor(numbers(IMAGE))
    changed[-1] = changed[:, -1] = 99
    kernel = torch.tensor(numbers(FILTER))[None, None]
    assert F.conv2d(changed[None, None], kernel, stride=2)[0, 0].tolist() == [[2, -6], [1, -1]]


def test_a_padding_of_one_keeps_the_size():
    found = convolved(numbers(FILTER), padding=1)
    assert len(found) == 6
    assert found[0] == [-4, -2, -17, -5, 18, 24]
    assert found[-1] == [-17, -7, 6, 6, 8, 14]


def test_true_convolution_flips_the_filter_and_here_the_signs():
    """The lecture's formula is this one, its numbers are the correlation's."""
    told = "-2 17 6 -20 \n -3 6 0 -12 \n -1 3 1 -12 \n 4 2 2 -15"
    assert convolved(flipped(numbers(FILTER))) == numbers(told)


POOLS = [
    (max, lambda x: F.max_pool2d(x, 2), "7 7 8 \n 5 5 4 \n 7 8 8"),
    (min, lambda x: -F.max_pool2d(-x, 2), "1 5 1 \n 3 3 1 \n 3 2 1"),
    (
        lambda values: sum(values) / len(values),
        lambda x: F.avg_pool2d(x, 2),
        "3.75 6.5 4.5 \n 4 3.75 2.25 \n 4.5 5.25 3.25",
    ),
]


@pytest.mark.parametrize(("choose", "torchs", "told"), POOLS, ids=["max", "min", "average"])
def test_pooling_makes_one_number_of_four(choose, torchs, told):
    assert pool(numbers(IMAGE), 2, 2, choose) == numbers(told)
    assert torchs(torch.tensor(numbers(IMAGE))[None, None])[0, 0].tolist() == numbers(told)
    assert pooling(Volume(1, 6, 6), 2).output == Volume(1, 3, 3)
