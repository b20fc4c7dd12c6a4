"""The steps of a training in bounded memory: merged pair by pair, their extremes kept."""

import io

import numpy as np
from numpy.typing import NDArray

MOST = 1024
"""Buckets that a series has at most."""

COLUMNS = (
    "first",  # number of the bucket's first step, counted from 1
    "last",  # of its last step so far
    "steps",  # how many of them were told
    "loss",  # sum over the steps of the batches' mean losses, in nats
    "loss_low",
    "low_at",  # the step that had it
    "loss_high",
    "high_at",
    "num_correct",  # images classified correctly, before their step
    "num_images",
    "lr_low",
    "lr_high",
    "seconds",  # spent in the steps
)
_AT = {name: place for place, name in enumerate(COLUMNS)}
_SUMS = [_AT[name] for name in ("steps", "loss", "num_correct", "num_images", "seconds")]


class StepHistory:
    """What every step told, in buckets of equally many steps.

    A bucket of width w holds the steps from a multiple of w plus 1 to the next multiple. When there
    are more than `most`, neighbors are merged and w doubles: memory and the page's work stay the
    same however long a training lasts, and the lowest and the highest loss stay where they were.

        >>> series = StepHistory(most=2)
        >>> for step, loss in enumerate([3.0, 1.0, 2.0, 4.0, 5.0], 1):
        ...     series.add(step, loss=loss, num_correct=0, num_images=1, lr=0.1, seconds=0.0)
        >>> series.width, series.column("loss_low").tolist(), series.column("high_at").tolist()
        (4, [1.0, 5.0], [4.0, 5.0])
    """

    def __init__(self, *, most: int = MOST) -> None:
        self.most = most
        self.width = 1
        self.last = 0
        """The last step that was told; 0 before the first."""
        self._table = np.zeros((most + 1, len(COLUMNS)))
        self._used = 0
        self._open: list[float] = []  # the last row while steps are still added to it
        self._group = -1  # which stretch of `width` steps that row stands for

    def __len__(self) -> int:
        return self._used

    @property
    def table(self) -> NDArray[np.float64]:
        """(buckets, columns), the columns in the order of `COLUMNS`."""
        if self._used:
            self._table[self._used - 1] = self._open
        return self._table[: self._used]

    def column(self, name: str) -> NDArray[np.float64]:
        return self.table[:, _AT[name]]

    def add(
        self,
        step: int,
        *,
        loss: float,
        num_correct: int,
        num_images: int,
        lr: float,
        seconds: float,
    ) -> None:
        """Tell of a step. One that was told before, which a resumed training repeats, is kept."""
        if step <= self.last:
            return
        self.last = step
        row = [
            step,
            step,
            1,
            loss,
            loss,
            step,
            loss,
            step,
            num_correct,
            num_images,
            lr,
            lr,
            seconds,
        ]
        group = (step - 1) // self.width
        if group == self._group:
            _add(self._open, row)
            return
        if self._used:
            self._table[self._used - 1] = self._open
        self._used += 1
        self._open, self._group = row, group
        if self._used > self.most:
            self._table[self._used - 1] = row
            while self._used > self.most:
                self._halve()
            self._reopen()

    def _reopen(self) -> None:
        """Take the last row out of the table, to add to it."""
        self._open = self._table[self._used - 1].tolist()
        self._group = (int(self._open[0]) - 1) // self.width

    def _halve(self) -> None:
        self.width *= 2
        table = self._table[: self._used]
        groups = ((table[:, 0] - 1) // self.width).astype(int)
        firsts = np.flatnonzero(np.diff(groups, prepend=-1))
        pairs = np.diff(np.append(firsts, len(table))) == 2
        halved = table[firsts].copy()
        halved[pairs] = _merged(table[firsts[pairs]], table[firsts[pairs] + 1])
        self._table[: len(halved)] = halved
        self._used = len(halved)

    def to_bytes(self) -> bytes:
        """The table as an .npy file."""
        kept = io.BytesIO()
        np.save(kept, self.table, allow_pickle=False)
        return kept.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, *, most: int = MOST) -> "StepHistory":
        """What `to_bytes` wrote. Raises ValueError for anything else."""
        table = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        if table.dtype != np.float64 or table.ndim != 2 or table.shape[1] != len(COLUMNS):
            raise ValueError(f"a table of {table.dtype} and shape {table.shape} is no series")
        if len(table) > most or not np.isfinite(table).all() or not _ascend(table[:, :2].ravel()):
            raise ValueError("the table is no series: too long, or its steps are out of order")
        series = cls(most=most)
        if len(table):
            series._take(table)
        return series

    def _take(self, table: NDArray[np.float64]) -> None:
        self._table[: len(table)] = table
        self._used = len(table)
        widest = int((table[:, 1] - table[:, 0]).max()) + 1
        self.width = 1 << (widest - 1).bit_length()
        self.last = int(table[-1, 1])
        self._reopen()


def _ascend(steps: NDArray[np.float64]) -> bool:
    """Whether the ends of buckets (first, last, first, last ...) are steps in their order."""
    gaps = np.diff(steps, prepend=0)
    return bool((gaps[::2] > 0).all() and (gaps[1::2] >= 0).all())


def _add(row: list[float], step: list[float]) -> None:
    """One more step in a bucket; by hand, for it is done at every step of a training."""
    row[1] = step[1]
    row[2] += 1
    row[3] += step[3]
    if step[4] < row[4]:
        row[4], row[5] = step[4], step[5]
    if step[6] > row[6]:
        row[6], row[7] = step[6], step[7]
    row[8] += step[8]
    row[9] += step[9]
    row[10] = min(row[10], step[10])
    row[11] = max(row[11], step[11])
    row[12] += step[12]


def _merged(one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of neighbors made one each; the later ones are `two`."""
    both = one.copy()
    both[:, _AT["last"]] = two[:, _AT["last"]]
    both[:, _SUMS] += two[:, _SUMS]
    for value, place, better in (
        ("loss_low", "low_at", np.less),
        ("loss_high", "high_at", np.greater),
    ):
        wins = better(two[:, _AT[value]], one[:, _AT[value]])
        for name in (value, place):
            both[wins, _AT[name]] = two[wins, _AT[name]]
    both[:, _AT["lr_low"]] = np.minimum(one[:, _AT["lr_low"]], two[:, _AT["lr_low"]])
    both[:, _AT["lr_high"]] = np.maximum(one[:, _AT["lr_high"]], two[:, _AT["lr_high"]])
    return both
