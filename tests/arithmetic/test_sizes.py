"""Sizes, padding and coverage against windows laid down one by one, and against torch."""

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from convscope.arithmetic import (
    Window,
    describe_uncovered,
    output_size,
    padding_pair,
    same_padding,
    solve_for_window,
    uncovered,
)
from convscope.errors import RequestError
from tests.reference.geometry import cells_read, window_starts

small = st.integers(1, 6)
paddings = st.tuples(st.integers(0, 7), st.integers(0, 7))


@given(st.integers(1, 30), small, small, paddings, st.integers(1, 4), st.booleans())
def test_windows_are_counted_as_they_are_laid_down(size, kernel, stride, padding, dilation, ceil):
    before, after = padding
    slid = dict(stride=stride, dilation=dilation, ceil_mode=ceil)
    starts = window_starts(size, kernel, padding_before=before, padding_after=after, **slid)
    if not starts:
        with pytest.raises(RequestError, match="does not fit"):
            output_size(size, kernel, padding=padding, **slid)
        return
    assert output_size(size, kernel, padding=padding, **slid) == len(starts)
    read = cells_read(size, kernel, padding_before=before, padding_after=after, **slid)
    assert uncovered(size, kernel, padding=padding, **slid) == tuple(
        sorted(set(range(size)) - read)
    )


@given(st.integers(1, 30), small, small, st.integers(0, 3), st.integers(1, 3), st.booleans())
def test_pooling_counts_as_torch_does(size, kernel, stride, padding, dilation, ceil):
    assume(2 * padding <= kernel)
    layer = nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil)
    slid = dict(stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil)
    try:
        units = output_size(size, kernel, **slid)
    except RequestError:
        with pytest.raises(RuntimeError, match="too small"):
            layer(torch.zeros(1, 1, size, size, device="meta"))
    else:
        assert layer(torch.zeros(1, 1, size, size, device="meta")).shape[-1] == units


@given(st.integers(1, 40), small, small, st.integers(1, 3), st.booleans())
def test_same_makes_a_window_for_every_stride_begun(size, kernel, stride, dilation, ceil):
    slid = dict(stride=stride, padding="same", dilation=dilation)
    windows = len(range(0, size, stride))
    assert output_size(size, kernel, **slid, ceil_mode=ceil) == windows
    before, after = padding_pair(size, kernel, **slid)
    assert after - before in {0, 1}
    if before + after:  # with one cell less there would be too few windows
        starts = window_starts(
            size,
            kernel,
            stride=stride,
            padding_before=before,
            padding_after=after - 1,
            dilation=dilation,
        )
        assert len(starts) < windows


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 7])
def test_same_padding_puts_cells_where_torch_puts_them(kernel, dilation):
    one = torch.zeros(1, 1, 30)
    one[..., 15] = 1
    ours = nn.functional.pad(one, same_padding(kernel, dilation=dilation))
    weight = torch.arange(1.0, kernel + 1).reshape(1, 1, -1)
    theirs = nn.functional.conv1d(one, weight, padding="same", dilation=dilation)
    assert torch.equal(nn.functional.conv1d(ours, weight, dilation=dilation), theirs)
    assert padding_pair(30, kernel, padding="same", dilation=dilation) == same_padding(
        kernel, dilation=dilation
    )


def test_valid_is_no_padding():
    assert padding_pair(9, 3, padding="valid") == (0, 0)
    assert output_size(9, 3, padding="valid") == 7


@given(st.integers(1, 40), st.integers(1, 40))
def test_the_inverse_question_finds_every_window_and_no_other(size, output):
    found = {
        (window.kernel, window.stride, window.padding) for window in solve_for_window(size, output)
    }
    assert found == {
        (kernel, stride, padding)
        for kernel in range(1, 12)
        for stride in range(1, 5)
        for padding in range(6)
        if 2 * padding <= kernel
        and len(
            window_starts(
                size, kernel, stride=stride, padding_before=padding, padding_after=padding
            )
        )
        == output
    }


@pytest.mark.parametrize(
    ("size", "output", "window"),
    [
        (27, 13, Window(3, 2, 0)),  # AlexNet's overlapping pools
        (227, 55, Window(11, 4, 0)),  # and its first layer
        (32, 28, Window(5, 1, 0)),  # LeNet-5's first layer
        (28, 14, Window(2, 2, 0)),  # and its subsampling
        (224, 224, Window(1, 1, 0)),
    ],
)
def test_the_simplest_window_comes_first(size, output, window):
    assert solve_for_window(size, output)[0] == window


def test_windows_that_leave_cells_unread_come_last():
    skips = [
        bool(uncovered(27, w.kernel, stride=w.stride, padding=w.padding))
        for w in solve_for_window(27, 13)
    ]
    assert skips == sorted(skips)
    assert any(skips)


def test_bounds_of_the_inverse_question_can_be_set():
    assert solve_for_window(256, 1, kernels=[256], strides=[1]) == [Window(256, 1, 0)]


WORDS = [
    (([5], [5], 6, 6), "the last row and column are never read"),
    (([5], [], 6, 6), "the last row is never read"),
    (([4, 5], [], 6, 6), "the last 2 rows are never read"),
    (([4, 5], [8], 6, 9), "the last 2 rows and the last column are never read"),
    (([0, 1], [0, 1], 9, 9), "the first 2 rows and columns are never read"),
    (([], [3], 9, 9), "column 3 (counted from 0) is never read"),
    (([0, 3], [], 9, 9), "rows 0 and 3 (counted from 0) are never read"),
    (([8], [7, 8], 9, 9), "the last row and the last 2 columns are never read"),
    (([3], [3], 9, 9), "row and column 3 (counted from 0) are never read"),
    (([3, 7], [3, 7], 9, 9), "rows and columns 3 and 7 (counted from 0) are never read"),
    (([3, 7], [8], 9, 9), "rows 3 and 7 (counted from 0) and the last column are never read"),
    (
        (range(2, 60, 3), [], 60, 60),
        "rows 2, 5, 8, 11, 14, 17 and 14 more (counted from 0) are never read",
    ),
    (([], [], 9, 9), ""),
]


@pytest.mark.parametrize(("unread", "words"), WORDS, ids=lambda value: str(value)[:40])
def test_unread_cells_are_told_in_words(unread, words):
    rows, columns, height, width = unread
    assert describe_uncovered(rows, columns, height=height, width=width) == words


NONSENSE = [
    (dict(size=0), "size is 0"),
    (dict(kernel=0), "kernel is 0"),
    (dict(stride=0), "stride is 0"),
    (dict(dilation=-1), "dilation is -1"),
    (dict(padding=-1), "padding is -1"),
    (dict(padding=(2, -3)), "padding is -3"),
    (dict(padding="full"), "Unknown padding 'full'"),
]


@pytest.mark.parametrize(("words", "told"), NONSENSE, ids=str)
def test_nonsense_is_refused_by_name(words, told):
    with pytest.raises(RequestError, match=told):
        output_size(**{"size": 7, "kernel": 3, **words})


@given(st.integers(1, 9), st.integers(2, 9), st.integers(0, 3), st.integers(1, 3))
def test_the_remedies_that_are_told_help(size, kernel, padding, dilation):
    slid = dict(padding=padding, dilation=dilation)
    assume(
        not window_starts(
            size, kernel, padding_before=padding, padding_after=padding, dilation=dilation
        )
    )
    with pytest.raises(RequestError) as refused:
        output_size(size, kernel, **slid)
    words = str(refused.value).replace(",", "").split()
    wider = int(words[words.index("Pad") + 2])
    smaller = int(words[words.index("less.") - 2])
    assert output_size(size, kernel, padding=wider, dilation=dilation) >= 1
    with pytest.raises(RequestError):
        output_size(size, kernel, padding=wider - 1, dilation=dilation)
    assert output_size(size, smaller, **slid) >= 1
    with pytest.raises(RequestError):
        output_size(size, smaller + 1, **slid)
