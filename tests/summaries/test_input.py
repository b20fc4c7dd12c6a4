"""The image of a summary, in every form that people write it."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import convscope
from convscope.errors import RequestError


def conv(axes, channels=2):
    layer = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
    return layer(channels, 3, 3)


@pytest.mark.parametrize(
    ("axes", "size", "image"),
    [
        (1, 9, (2, 9)),
        (1, (9,), (2, 9)),
        (1, (2, 9), (2, 9)),
        (1, (1, 2, 9), (2, 9)),
        (2, 9, (2, 9, 9)),
        (2, (8, 9), (2, 8, 9)),
        (2, [8, 9], (2, 8, 9)),
        (2, (2, 8, 9), (2, 8, 9)),
        (2, (5, 2, 8, 9), (2, 8, 9)),
        (2, [(5, 2, 8, 9)], (2, 8, 9)),
        (2, torch.Size((2, 8, 9)), (2, 8, 9)),
        (2, np.int64(9), (2, 9, 9)),
        (3, 9, (2, 9, 9, 9)),
        (3, (7, 8, 9), (2, 7, 8, 9)),
        (3, (2, 7, 8, 9), (2, 7, 8, 9)),
        (3, (1, 2, 7, 8, 9), (2, 7, 8, 9)),
        (1, None, (2, 224)),
        (2, None, (2, 224, 224)),
        (3, None, (2, 64, 64, 64)),
    ],
)
def test_a_size_is_read_by_the_axes_of_the_first_convolution(axes, size, image):
    net = conv(axes)
    found = convscope.summary(net, size)
    assert found.input == image
    assert found.rows[0].map == (3, *(side - 2 for side in image[1:]))
    assert found == convscope.summary(net, input_size=size) == convscope.summary(net, input=size)


@pytest.mark.parametrize(
    ("axes", "shape", "image"),
    [
        (1, (4, 2, 9), (2, 9)),
        (1, (2, 9), (2, 9)),
        (2, (4, 2, 8, 9), (2, 8, 9)),
        (2, (2, 8, 9), (2, 8, 9)),
        (3, (1, 2, 7, 8, 9), (2, 7, 8, 9)),
    ],
)
def test_the_image_may_be_a_tensor_or_a_batch(axes, shape, image):
    net, data = conv(axes), torch.zeros(shape, dtype=torch.float64)
    found = convscope.summary(net, input_data=data)
    assert found.input == image
    assert found == convscope.summary(net, input=data) == convscope.summary(net, image)


def test_a_network_by_name_takes_every_form_of_a_size():
    small = convscope.summary("lenet5", (3, 36, 40))
    assert small.input == (3, 36, 40)
    assert small == convscope.summary("lenet5", (36, 40), in_channels=3)
    assert small == convscope.summary("lenet5", (1, 3, 36, 40))
    assert small == convscope.summary("lenet5", input_data=torch.zeros(2, 3, 36, 40))
    assert convscope.summary("lenet5", 36).input == (1, 36, 36)


class SpaceToDepth(nn.Module):
    """Pixels move to channels, or back, before the first convolution."""

    def __init__(self, function, channels):
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(channels, 4, 3)

    def forward(self, x):
        return self.conv(self.function(x))


def focus(x):
    return torch.cat([x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)], 1)


@pytest.mark.parametrize(
    ("function", "first", "channels"),
    [
        (lambda x: x, 5, 5),
        (focus, 12, 3),
        (lambda x: F.pixel_unshuffle(x, 2), 12, 3),
        (lambda x: F.pixel_unshuffle(x, 4), 16, 1),
        (lambda x: F.pixel_unshuffle(x, 2), 20, 5),
        (lambda x: F.pixel_shuffle(x, 2), 3, 12),
        (lambda x: x.repeat(1, 3, 1, 1), 3, 1),
        (lambda x: 0.3 * x[:, 0:1] + 0.6 * x[:, 1:2] + 0.1 * x[:, 2:3], 1, 3),
    ],
)
def test_channels_that_are_not_given_are_tried(function, first, channels):
    found = convscope.summary(SpaceToDepth(function, first), 16)
    assert found.input == (channels, 16, 16)
    assert found.title == f"SpaceToDepth on 16x16x{channels}"


def test_a_second_of_sound_and_a_video_are_tried_where_the_first_size_is_too_small():
    sound = nn.Sequential(nn.Conv1d(1, 2, 400, 160), nn.Conv1d(2, 2, 3))
    video = nn.Sequential(nn.Conv3d(3, 2, 1), nn.AvgPool3d((2, 112, 112)))
    assert convscope.summary(sound).input == (1, 16_000)
    assert convscope.summary(video).input == (3, 16, 224, 224)


def test_the_size_that_a_network_of_timm_states_is_tried_first():
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    net.pretrained_cfg = {"input_size": (3, 40, 50)}
    assert convscope.summary(net).input == (3, 40, 50)
    assert convscope.summary(net, 30).input == (3, 30, 30)
    assert convscope.summary(nn.Sequential(nn.Conv2d(1, 4, 3))).input == (1, 224, 224)


def test_a_network_without_convolutions_takes_a_vector_or_an_image():
    dense = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    assert convscope.summary(dense, (1, 12)).input == (12,)
    assert convscope.summary(dense, (2, 2)).input == (3, 2, 2)
    assert convscope.summary(dense, (3, 4)).input == (1, 3, 4)
    words = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 2))
    found = convscope.summary(words, input_data=torch.zeros(1, 7, dtype=torch.long))
    assert [row.parameters for row in found.rows] == [36, 10]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_size": "224"}, "`input_size` must be a number, .* not '224'"),
        ({"input_size": (8, 2.5)}, r"not \(8, 2.5\)"),
        ({"input_size": True}, "not True"),
        ({"input_size": ()}, r"not \(\)"),
        ({"input_size": (0, 8)}, "numbers of at least 1"),
        ({"input_size": (1, 1, 3, 8, 8)}, "Conv2d takes images of 2 axes, so `input_size` must be"),
        ({"input_size": (8,)}, r"\(height, width\), \(channels, height, width\)"),
        ({"input_size": (3, 8, 8), "in_channels": 2}, "3 channels and `in_channels` 2"),
        ({"input_data": torch.zeros(1, 3, 8, 8), "in_channels": 2}, "3 channels"),
        ({"input_data": (3, 8, 8)}, "`input_data` must be a tensor, not of type tuple"),
        ({"input_data": torch.zeros(3)}, "holds no image"),
        ({"input_data": torch.zeros(0, 3, 8, 8)}, "holds no image"),
        ({"input_size": 8, "input_data": torch.zeros(1, 3, 8, 8)}, "Give one of"),
        ({"num_classes": 3}, "leave out `num_classes`"),
        ({"in_channels": 0}, "`in_channels` must be at least 1"),
        ({"input_size": (3, 2, 2)}, "Conv2d cannot take an image of 2x2x3"),
    ],
)
def test_what_is_no_image_is_refused_in_a_sentence(arguments, message):
    with pytest.raises(RequestError, match=message):
        convscope.summary(nn.Conv2d(3, 4, 3), **arguments)


def test_the_classes_and_the_image_of_a_run_are_its_own(digits_run):
    for arguments in ({"input_size": 32}, {"num_classes": 3}, {"in_channels": 1}):
        with pytest.raises(RequestError, match="whose classes and image are known"):
            convscope.summary(str(digits_run), **arguments)
