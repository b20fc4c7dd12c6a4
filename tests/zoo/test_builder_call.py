"""A builder is called by what its signature says, whatever it calls the arguments."""

from functools import partial

import pytest
from torch import nn

from convscope.errors import NetworkError, RequestError
from convscope.zoo.builder_call import call_builder


class Made(nn.Module):
    def __init__(self, **arguments):
        super().__init__()
        self.arguments = arguments


def plain(num_classes, in_channels=3, input_size=(32, 32)):
    return Made(num_classes=num_classes, in_channels=in_channels, input_size=input_size)


def other_words(n_classes=10, in_chans=3, img_size=224):
    return Made(n_classes=n_classes, in_chans=in_chans, img_size=img_size)


def passed_on(*, pretrained=False, **kwargs):
    return only_timms_words(pretrained=pretrained, **kwargs)


def only_timms_words(*, pretrained, num_classes=1000, in_chans=3):
    return Made(pretrained=pretrained, num_classes=num_classes, in_chans=in_chans)


def takes_nothing_of_it(**kwargs):
    return no_words(**kwargs)


def no_words(depth=3):
    return Made(depth=depth)


def wide(num_classes, channels=64):
    return Made(num_classes=num_classes, channels=channels)


def of_shape(num_labels: int, input_shape=(3, 64, 64), channels=1):
    return Made(num_labels=num_labels, input_shape=input_shape, channels=channels)


def one_side(num_classes, image_size):
    return Made(num_classes=num_classes, image_size=image_size)


@pytest.mark.parametrize(
    ("builder", "arguments"),
    [
        (plain, dict(num_classes=4, in_channels=1, input_size=(48, 48))),
        (other_words, dict(n_classes=4, in_chans=1, img_size=48)),
        (partial(other_words, img_size=96), dict(n_classes=4, in_chans=1, img_size=48)),
        (passed_on, dict(pretrained=False, num_classes=4, in_chans=1)),
        (takes_nothing_of_it, dict(depth=3)),
        (no_words, dict(depth=3)),
        (wide, dict(num_classes=4, channels=64)),
        (of_shape, dict(num_labels=4, input_shape=(3, 48, 48), channels=1)),
        (one_side, dict(num_classes=4, image_size=48)),
    ],
)
def test_the_arguments_arrive_under_the_builders_own_names(builder, arguments):
    net = call_builder(builder, "mine", num_classes=4, in_channels=1, input_size=(48, 48))
    assert net.arguments == arguments


def test_a_size_that_is_no_square_stays_height_and_width():
    net = call_builder(one_side, "mine", num_classes=4, in_channels=1, input_size=(48, 64))
    assert net.arguments["image_size"] == (48, 64)


def needs_more(num_classes, backbone):
    raise AssertionError(num_classes, backbone)


def fails(num_classes):
    raise KeyError(f"no file at hand for {num_classes}")


def refuses(num_classes, in_channels):
    raise TypeError(f"{in_channels} channels are too many for {num_classes}")


@pytest.mark.parametrize(
    ("builder", "error", "said"),
    [
        (needs_more, RequestError, "requires arguments that convscope does not know: backbone"),
        (fails, NetworkError, r"called with \(num_classes=4\): KeyError: 'no file at hand for 4'"),
        (refuses, NetworkError, r"in_channels=1\): TypeError: 1 channels are too many"),
        (lambda num_classes: Made, NetworkError, "returned the class Made; return an instance"),
        (lambda: None, NetworkError, "of type NoneType"),
    ],
)
def test_what_a_builder_does_wrong_is_told_as_its_own(builder, error, said):
    with pytest.raises(error, match=said):
        call_builder(builder, "mine", num_classes=4, in_channels=1, input_size=None)


def test_a_required_argument_that_is_not_given_is_asked_for():
    with pytest.raises(RequestError, match=r"mine requires num_classes\. Give `num_classes`"):
        call_builder(plain, "mine", num_classes=None, in_channels=None, input_size=None)
