"""What every unit sees, against sets of pixels and against torch's own layers."""

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from convscope.arithmetic import Support
from convscope.errors import RequestError
from tests.reference.geometry import Pixels


def boxes(support):
    return [support[unit] for unit in range(len(support))]


def seen(function, pixels):
    """The boxes of a function (n, 1, pixels) -> (n, 1, units) of torch with no negative weight.

    Row p of the answer to an image with a single one, at pixel p, is above 0 where p is seen.
    """
    answers = function(torch.eye(pixels)[:, None])[:, 0] > 0
    found = (column.nonzero().flatten().tolist() for column in answers.T)
    return [(places[0], places[-1] + 1) if places else None for places in found]


windows = st.fixed_dictionaries(
    dict(
        kernel=st.integers(1, 5),
        stride=st.integers(1, 4),
        padding_before=st.integers(0, 6),
        padding_after=st.integers(0, 6),
        dilation=st.integers(1, 3),
    )
)
transposes = st.fixed_dictionaries(
    dict(
        kernel=st.integers(1, 4),
        stride=st.integers(1, 3),
        padding=st.integers(0, 3),
        dilation=st.integers(1, 3),
    )
)
steps = st.one_of(
    st.tuples(st.just("window"), windows),
    st.tuples(st.just("transposed"), transposes),
    st.tuples(st.just("adaptive"), st.fixed_dictionaries(dict(output=st.integers(1, 12)))),
)


@settings(max_examples=300)
@given(st.integers(1, 25), st.lists(steps, min_size=1, max_size=4))
def test_a_chain_sees_what_the_sets_of_pixels_hold(length, chain):
    support, pixels = Support.image(length), Pixels.image(length)
    for name, words in chain:
        pixels = getattr(pixels, name)(**words)
        assume(pixels.units)
        support = getattr(support, name)(**words)
        assert boxes(support) == pixels.boxes()


@settings(suppress_health_check=[HealthCheck.filter_too_much])  # most pairs differ in their units
@given(st.integers(6, 20), windows, windows)
def test_branches_meet_as_the_sets_of_pixels_do(length, one, other):
    both = [Pixels.image(length).window(**words) for words in (one, other)]
    assume(both[0].units and len(both[0].units) == len(both[1].units))
    ours = [Support.image(length).window(**words) for words in (one, other)]
    assert boxes(ours[0].union(ours[1])) == both[0].union(both[1]).boxes()


@given(windows, st.integers(8, 30))
def test_a_convolution_sees_what_torchs_does(words, length):
    weight = torch.ones(1, 1, words["kernel"])
    assume(
        length + words["padding_before"] + words["padding_after"]
        > words["dilation"] * (words["kernel"] - 1)
    )

    def convolve(images):
        padded = F.pad(images, (words["padding_before"], words["padding_after"]))
        return F.conv1d(padded, weight, stride=words["stride"], dilation=words["dilation"])

    assert boxes(Support.image(length).window(**words)) == seen(convolve, length)


@given(st.integers(1, 30), st.integers(1, 5), st.integers(1, 5), st.integers(0, 2))
def test_pooling_that_rounds_up_sees_what_torchs_does(length, kernel, stride, padding):
    assume(2 * padding <= kernel <= length + 2 * padding)

    def pool(images):
        return F.avg_pool1d(images, kernel, stride, padding, ceil_mode=True)

    theirs = seen(pool, length)
    ours = Support.image(length).window(
        kernel, stride=stride, padding_before=padding, padding_after=padding, output=len(theirs)
    )
    assert boxes(ours) == theirs


@given(transposes, st.integers(0, 2), st.integers(1, 12))
def test_a_transposed_convolution_sees_what_torchs_does(words, extra, length):
    assume(extra < max(words["stride"], words["dilation"]))
    spread = (length - 1) * words["stride"] + words["dilation"] * (words["kernel"] - 1) + 1
    assume(spread + extra > 2 * words["padding"])
    weight = torch.ones(1, 1, words["kernel"])
    others = {name: value for name, value in words.items() if name != "kernel"}

    def convolve(images):
        return F.conv_transpose1d(images, weight, output_padding=extra, **others)

    ours = Support.image(length).transposed(**words, output_padding=extra)
    assert boxes(ours) == seen(convolve, length)


@given(st.integers(1, 20), st.integers(1, 25))
def test_adaptive_pooling_sees_what_torchs_does(length, output):
    ours = Support.image(length).adaptive(output)
    assert boxes(ours) == seen(lambda images: F.adaptive_avg_pool1d(images, output), length)


@given(st.integers(1, 9), st.integers(1, 4))
def test_nearest_upsampling_sees_what_torchs_does(length, factor):
    ours = Support.image(length).repeat(factor)
    assert boxes(ours) == seen(lambda images: F.interpolate(images, scale_factor=factor), length)


@given(st.integers(1, 9), st.integers(-4, 4), st.integers(-4, 4))
def test_padding_and_cropping_see_what_torchs_do(length, before, after):
    assume(length + min(before, 0) + min(after, 0) > 0)
    ours = Support.image(length).pad(before, after)
    assert boxes(ours) == seen(lambda images: F.pad(images, (before, after)), length)


def test_padding_by_reflection_is_spelled_with_take():
    ours = Support.image(5).take([2, 1, *range(5), 3])
    assert boxes(ours) == seen(lambda images: F.pad(images, (2, 1), mode="reflect"), 5)


def test_taking_a_unit_that_is_not_there_sees_nothing():
    assert boxes(Support.image(3).take([-1, 0, 2, 3])) == [None, (0, 1), (2, 3), None]


@given(st.integers(0, 9), *[st.none() | st.integers(-9, 9)] * 2, st.none() | st.integers(1, 3))
def test_a_slice_is_pythons(length, start, stop, step):
    image = Support.image(length)
    assert boxes(image.slice(start, stop, step)) == boxes(image)[start:stop:step]


def test_cat_and_all_and_a_single_unit_that_meets_many():
    image = Support.image(6)
    joined = image.slice(4).cat([image.slice(0, 1), image.pad(0, 1).slice(6)])
    assert boxes(joined) == [(4, 5), (5, 6), (0, 1), None]
    assert boxes(image.slice(1, 3).all()) == [(1, 3)]
    scaled = image.slice(2, 5).union(image.slice(4).all())
    assert boxes(scaled) == [(2, 6), (3, 6), (4, 6)]
    assert image.slice(4).all().union(image.slice(2, 5)) == scaled


def test_taps_in_the_padding_see_nothing_so_a_border_field_has_a_gap_less():
    """A dilated kernel over the border starts at its first tap inside, not at the border."""
    assert Support.image(9).window(3, dilation=2, padding_before=3)[0] == (1, 2)


def test_what_cannot_meet_is_refused():
    image = Support.image(6)
    with pytest.raises(RequestError, match="6 and 3 units"):
        image.union(image.slice(3))
    with pytest.raises(RequestError, match="6 and 7 pixels"):
        image.union(Support.image(7))
    with pytest.raises(RequestError, match="6 and 7 pixels"):
        image.cat([Support.image(7)])


def test_a_thousand_layers_of_four_thousand_units_widen_by_two_pixels_each():
    support = Support.image(4096)
    for _ in range(1000):
        support = support.window(3, padding_before=1, padding_after=1)
    assert (support[0], support[2000], support[4095]) == ((0, 1001), (1000, 3001), (3095, 4096))
