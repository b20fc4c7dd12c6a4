"""The steps of a run as rows of numbers for a chart; read again only when the file has changed."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from convscope.runs.index import Stamp, stamp
from convscope.runs.live_files import Live

COLUMNS = (
    *("first", "last", "loss", "loss_low", "low_at", "loss_high", "high_at"),
    *("top1", "lr", "images_per_second", "seconds"),
)
"""A row stands for the steps first to last: their mean loss, the extremes and the steps that had
them, the share of their images classified correctly, the largest learning rate, and images per
second of the time spent in steps, and that time."""

Row = list[float | None]

_INTEGERS = {COLUMNS.index(name) for name in ("first", "last", "low_at", "high_at")}


def steps_of(path: Path) -> tuple[int, list[Row]] | None:
    """The steps of the run at `path`: how many one row stands for, and rows as in `COLUMNS`.

    None if the run has none. Numbers have seven digits; None stands for those that are not finite.
    """
    return _steps(path, stamp(Live(path).folder / "steps.npy"))


@lru_cache(maxsize=64)
def _steps(path: Path, _stamp: Stamp) -> tuple[int, list[Row]] | None:
    series = Live(path).read_step_history()
    if series is None or not len(series):
        return None
    column = series.column
    with np.errstate(all="ignore"):  # a quotient that is not finite becomes None
        columns = (
            column("first"),
            column("last"),
            column("loss") / column("steps"),
            column("loss_low"),
            column("low_at"),
            column("loss_high"),
            column("high_at"),
            column("num_correct") / column("num_images"),
            column("lr_high"),
            column("num_images") / column("seconds"),
            column("seconds"),
        )
    rows = np.stack(columns, 1)
    return series.width, [
        [_number(value, integer=index in _INTEGERS) for index, value in enumerate(row)]
        for row in rows.tolist()
    ]


def _number(value: float, *, integer: bool) -> float | None:
    if not np.isfinite(value):
        return None
    return int(value) if integer else float(f"{value:.7g}")
