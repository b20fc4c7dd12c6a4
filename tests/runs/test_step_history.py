"""No extreme and no sum is lost, whatever the steps and however few the buckets."""

import io
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.runs.step_history import COLUMNS, StepHistory


@st.composite
def step_lists(draw):
    """Steps in order, with gaps; their numbers are eighths, whose sums are exact."""
    gaps = draw(st.lists(st.integers(1, 4) | st.just(1), min_size=1, max_size=60))
    steps = np.cumsum(gaps)
    eighths = st.integers(0, 40).map(lambda n: n / 8)
    return [
        dict(
            step=int(step),
            loss=draw(eighths),
            num_correct=draw(st.integers(0, 9)),
            num_images=draw(st.integers(1, 9)),
            lr=draw(eighths),
            seconds=draw(eighths),
        )
        for step in steps
    ]


def record(history, steps):
    for step in steps:
        history.add(step["step"], **{name: step[name] for name in step if name != "step"})


def bucket_of(steps):
    """A row by numpy, from the steps themselves."""
    loss, lr = (np.array([step[name] for step in steps]) for name in ("loss", "lr"))
    numbers = [step["step"] for step in steps]
    sums = {
        name: sum(step[name] for step in steps) for name in ("num_correct", "num_images", "seconds")
    }
    return {
        **dict(first=numbers[0], last=numbers[-1], steps=len(steps), loss=loss.sum()),
        **dict(loss_low=loss.min(), low_at=numbers[loss.argmin()]),
        **dict(loss_high=loss.max(), high_at=numbers[loss.argmax()]),
        **dict(lr_low=lr.min(), lr_high=lr.max()),
        **sums,
    }


def assert_matches(history, steps, max_buckets):
    assert 1 <= len(history) <= max_buckets
    assert history.last == steps[-1]["step"]
    groups = itertools.groupby(steps, lambda step: (step["step"] - 1) // history.width)
    expected = [bucket_of(list(group)) for _, group in groups]
    assert history.table.tolist() == [[row[name] for name in COLUMNS] for row in expected]


@given(step_lists(), st.integers(1, 9))
def test_each_bucket_is_what_numpy_makes_of_its_steps(steps, max_buckets):
    history = StepHistory(max_buckets=max_buckets)
    for count, step in enumerate(steps, 1):
        record(history, [step])
        assert_matches(history, steps[:count], max_buckets)


@given(step_lists(), st.integers(1, 9), st.data())
def test_a_history_that_was_read_back_counts_no_step_twice(steps, max_buckets, data):
    kept = data.draw(st.integers(1, len(steps)), label="steps before the end of the process")
    saved = data.draw(st.integers(0, kept), label="steps of the state from which it goes on")
    before = StepHistory(max_buckets=max_buckets)
    record(before, steps[:kept])
    history = StepHistory.from_bytes(before.to_bytes(), max_buckets=max_buckets)
    assert history.table.tolist() == before.table.tolist()
    record(history, steps[saved:])
    assert len(history) <= max_buckets
    expected = bucket_of(steps)
    for name in ("steps", "loss", "num_correct", "num_images", "seconds"):
        assert history.column(name).sum() == expected[name]
    lowest, highest = history.column("loss_low").argmin(), history.column("loss_high").argmax()
    assert history.column("low_at")[lowest] == expected["low_at"]
    assert history.column("high_at")[highest] == expected["high_at"]


def test_buckets_are_no_wider_than_they_must_be():
    """Without gaps the width is the least power of two that leaves at most `max_buckets`."""
    history = StepHistory(max_buckets=16)
    for step in range(1, 100_001):
        history.add(step, loss=1.0, num_correct=0, num_images=1, lr=0.1, seconds=0.0)
        least = next(2**power for power in range(30) if -(-step // 2**power) <= 16)
        assert history.width == least
    assert len(history) == -(-100_000 // history.width)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def rows(*ends):
    table = np.zeros((len(ends), len(COLUMNS)))
    table[:, :2] = ends
    return table


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 a zip",
        b"\x93NUMPY",
        npy(rows((1, 1)))[:-8],
        npy(np.zeros(13)),
        npy(np.zeros((2, 12))),
        npy(rows((1, 1)).astype("float32")),
        npy(rows((1, np.inf))),
        npy(rows((1, 1)) * np.nan),
        npy(rows((0, 1))),
        npy(rows((3, 2))),
        npy(rows((1, 4), (4, 5))),
        npy(np.zeros((2, 13), dtype="U4")),
        npy(rows(*((n, n) for n in range(1, 1026)))),
    ],
)
def test_what_is_no_series_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011 -- the words are numpy's or ours
        StepHistory.from_bytes(data)


def test_an_empty_series_is_one():
    assert len(StepHistory.from_bytes(StepHistory().to_bytes())) == 0
    assert StepHistory().last == 0
