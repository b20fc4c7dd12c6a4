"""The steps of a training in bounded memory: merged in pairs, with their extremes kept."""

import io
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray

MAX_BUCKETS = 1024
"""Buckets of a history at most."""

COLUMNS = (
    "first",  # the first step of the bucket, counted from 1
    "last",  # its last step so far
    "steps",  # the number of recorded steps in it
    "loss",  # sum over the steps of the mean losses of their batches, in nats
    "loss_low",
    "low_at",  # the step with the lowest loss
    "loss_high",
    "high_at",
    "num_correct",  # images classified correctly, before their step
    "num_images",
    "lr_low",
    "lr_high",
    "seconds",  # spent on the steps
)
_MAGIC = b"\x93NUMPY\x01\x00"
_INDEX = {name: index for index, name in enumerate(COLUMNS)}
_SUMS = [_INDEX[name] for name in ("steps", "loss", "num_correct", "num_images", "seconds")]


class StepHistory:
    """Loss, accuracy, learning rate and time of the steps, in buckets of equally many steps.

    A bucket of width w has the steps from a multiple of w plus 1 to the next multiple. When there
    are more than `max_buckets`, neighbors are merged and w doubles: memory, and the work of drawing
    the history, stay bounded, and the lowest and the highest loss keep their steps.

        >>> series = StepHistory(max_buckets=2)
        >>> for step, loss in enumerate([3.0, 1.0, 2.0, 4.0, 5.0], 1):
        ...     series.add(step, loss=loss, num_correct=0, num_images=1, lr=0.1, seconds=0.0)
        >>> series.width, series.column("loss_low").tolist(), series.column("high_at").tolist()
        (4, [1.0, 5.0], [4.0, 5.0])
    """

    def __init__(self, *, max_buckets: int = MAX_BUCKETS) -> None:
        self.max_buckets = max_buckets
        self.width = 1
        self.last = 0
        """The last recorded step; 0 before the first."""
        self._table = np.zeros((max_buckets + 1, len(COLUMNS)))
        self._used = 0
        self._open: list[float] = []  # the last row, while steps are added to it
        self._group = -1  # the number of its bucket

    def __len__(self) -> int:
        return self._used

    @property
    def table(self) -> NDArray[np.float64]:
        """(buckets, columns), the columns in the order of `COLUMNS`."""
        if self._used:
            self._table[self._used - 1] = self._open
        return self._table[: self._used]

    def column(self, name: str) -> NDArray[np.float64]:
        return self.table[:, _INDEX[name]]

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
        """Record a step, unless it was recorded before: a resumed training may repeat steps."""
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
        if self._used > self.max_buckets:
            self._table[self._used - 1] = row
            while self._used > self.max_buckets:
                self._halve()
            self._reopen()

    def _reopen(self) -> None:
        """Copy the last row from the table, to add to it."""
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
        file = io.BytesIO()
        np.save(file, self.table, allow_pickle=False)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, *, max_buckets: int = MAX_BUCKETS) -> "StepHistory":
        """The history of `to_bytes`. Raises ValueError for any other content."""
        if data[: len(_MAGIC)] != _MAGIC:
            raise ValueError("no .npy file of version 1.0")
        try:
            shape, _, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(data[len(_MAGIC) :]))
        except (SyntaxError, TokenError, TypeError, RecursionError) as error:
            raise ValueError(f"the header is damaged: {error}") from error
        if dtype != np.float64 or len(shape) != 2 or shape[1] != len(COLUMNS):
            raise ValueError(f"a table of {dtype} and shape {shape} is not a step history")
        if shape[0] > max_buckets:  # before any memory is taken for it
            raise ValueError("the table is too long")
        table = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        if not np.isfinite(table).all() or not _ascend(table[:, :2].ravel()):
            raise ValueError("its steps are out of order, or it has numbers that are not finite")
        history = cls(max_buckets=max_buckets)
        if len(table):
            history._adopt(table)
        return history

    def _adopt(self, table: NDArray[np.float64]) -> None:
        self._table[: len(table)] = table
        self._used = len(table)
        widest = int((table[:, 1] - table[:, 0]).max()) + 1
        self.width = 1 << (widest - 1).bit_length()
        self.last = int(table[-1, 1])
        self._reopen()


def _ascend(steps: NDArray[np.float64]) -> bool:
    """Whether the first and last steps of buckets (first, last, first, last ...) are in order."""
    gaps = np.diff(steps, prepend=0)
    return bool((gaps[::2] > 0).all() and (gaps[1::2] >= 0).all())


def _add(row: list[float], step: list[float]) -> None:
    """Add a step to a bucket; written out by column, because every step of a training does it."""
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


def _merged(earlier: NDArray[np.float64], later: NDArray[np.float64]) -> NDArray[np.float64]:
    """Merge neighboring rows."""
    both = earlier.copy()
    both[:, _INDEX["last"]] = later[:, _INDEX["last"]]
    both[:, _SUMS] += later[:, _SUMS]
    for value, step, is_better in (
        ("loss_low", "low_at", np.less),
        ("loss_high", "high_at", np.greater),
    ):
        wins = is_better(later[:, _INDEX[value]], earlier[:, _INDEX[value]])
        for name in (value, step):
            both[wins, _INDEX[name]] = later[wins, _INDEX[name]]
    both[:, _INDEX["lr_low"]] = np.minimum(earlier[:, _INDEX["lr_low"]], later[:, _INDEX["lr_low"]])
    both[:, _INDEX["lr_high"]] = np.maximum(
        earlier[:, _INDEX["lr_high"]], later[:, _INDEX["lr_high"]]
    )
    return both
