"""Whatever the steps and however few the buckets: no extreme and no sum is lost."""

import io
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.runs.step_history import COLUMNS, StepHistory


@st.composite
def told(draw):
    """Steps in their order, with gaps; eighths, whose sums are exact."""
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


def tell(series, steps):
    for one in steps:
        series.add(one["step"], **{name: one[name] for name in one if name != "step"})


def bucket_of(steps):
    """A row by numpy, from the steps themselves."""
    loss, lr = (np.array([one[name] for one in steps]) for name in ("loss", "lr"))
    numbers = [one["step"] for one in steps]
    sums = {
        name: sum(one[name] for one in steps) for name in ("num_correct", "num_images", "seconds")
    }
    return {
        **dict(first=numbers[0], last=numbers[-1], steps=len(steps), loss=loss.sum()),
        **dict(loss_low=loss.min(), low_at=numbers[loss.argmin()]),
        **dict(loss_high=loss.max(), high_at=numbers[loss.argmax()]),
        **dict(lr_low=lr.min(), lr_high=lr.max()),
        **sums,
    }


def assert_tells(series, steps, most):
    assert 1 <= len(series) <= most
    assert series.last == steps[-1]["step"]
    groups = itertools.groupby(steps, lambda one: (one["step"] - 1) // series.width)
    expected = [bucket_of(list(group)) for _, group in groups]
    assert series.table.tolist() == [[row[name] for name in COLUMNS] for row in expected]


@given(told(), st.integers(1, 9))
def test_each_bucket_is_what_numpy_makes_of_its_steps(steps, most):
    series = StepHistory(max_buckets=most)
    for count, one in enumerate(steps, 1):
        tell(series, [one])
        assert_tells(series, steps[:count], most)


@given(told(), st.integers(1, 9), st.data())
def test_a_series_that_was_written_and_read_goes_on_and_counts_no_step_twice(steps, most, data):
    kept = data.draw(st.integers(1, len(steps)), label="steps before the end of the process")
    saved = data.draw(st.integers(0, kept), label="steps of the state from which it goes on")
    before = StepHistory(max_buckets=most)
    tell(before, steps[:kept])
    series = StepHistory.from_bytes(before.to_bytes(), max_buckets=most)
    assert series.table.tolist() == before.table.tolist()
    tell(series, steps[saved:])
    assert len(series) <= most
    whole = bucket_of(steps)
    for name in ("steps", "loss", "num_correct", "num_images", "seconds"):
        assert series.column(name).sum() == whole[name]
    lowest, highest = series.column("loss_low").argmin(), series.column("loss_high").argmax()
    assert series.column("low_at")[lowest] == whole["low_at"]
    assert series.column("high_at")[highest] == whole["high_at"]


def test_buckets_are_no_wider_than_they_must_be():
    """Without gaps the width is the least power of two that leaves at most `most` buckets."""
    series = StepHistory(max_buckets=16)
    for step in range(1, 100_001):
        series.add(step, loss=1.0, num_correct=0, num_images=1, lr=0.1, seconds=0.0)
        least = next(2**power for power in range(30) if -(-step // 2**power) <= 16)
        assert series.width == least
    assert len(series) == -(-100_000 // series.width)


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
