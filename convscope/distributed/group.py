"""The processes of a task, and what they compute together."""

import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from torch import Tensor

from convscope.errors import LostProcessError

if TYPE_CHECKING:
    from convscope.distributed.peers import Peers

_T = TypeVar("_T")
_GLOO = "/gloo/"  # in its errors, which have no type of their own
_PULSE = 1.0  # seconds between two signs of life
_BUCKET = 25 << 20  # bytes that are exchanged at a time, as DistributedDataParallel's


@dataclass(frozen=True)
class Group:
    """The processes that work on one task; a single one by default.

    Every method that exchanges anything has to be called by all of them, in the same order. Each
    waits for the others as long as the group's time limit. Raises LostProcessError, naming the
    missing ones; `doing` says at what, as in "at the gradients of step 3".

    Attributes:
        rank: the number of this one, from 0.
        size: how many there are.
        local_rank: its number among the `local_size` of this machine.
        process_group: PyTorch's; None for its default one.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    peers: "Peers | None" = None
    process_group: "torch.distributed.ProcessGroup | None" = None

    @property
    def is_first(self) -> bool:
        """Whether this process writes, and speaks for all."""
        return self.rank == 0

    def add_up(self, tensors: Iterable[Tensor], doing: str) -> None:
        """Replace each tensor by the sum of all processes' tensors in its place, the same bits
        everywhere.
        """
        for bucket in _buckets(tensors) if self.size > 1 else ():
            flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
            self._exchange(partial(torch.distributed.all_reduce, flat), doing)
            start = 0
            for tensor in bucket:
                tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
                start += tensor.numel()

    def largest(self, numbers: Sequence[float], doing: str) -> list[float]:
        """The largest of all processes' numbers in each place."""
        if self.size == 1:
            return list(numbers)
        values, largest = torch.tensor(numbers, dtype=torch.float64), torch.distributed.ReduceOp.MAX
        self._exchange(partial(torch.distributed.all_reduce, values, largest), doing)
        return [float(value) for value in values]

    def gathered(self, value: _T, doing: str) -> list[_T]:
        """Every process's value, by rank. It is pickled."""
        values = [value] * self.size
        if self.size > 1:
            self._exchange(partial(torch.distributed.all_gather_object, values, value), doing)
        return values

    def decided(self, decide: Callable[[], _T], doing: str) -> _T:
        """What rank 0 decides, for all. It is pickled."""
        values = [decide()] if self.is_first else []
        if self.size > 1:
            values = values or [cast("_T", None)]
            broadcast = torch.distributed.broadcast_object_list
            self._exchange(partial(broadcast, values, src=0), doing)
        return values[0]

    def wait(self, doing: str) -> None:
        """Wait until all processes are here."""
        self.decided(lambda: None, doing)

    def copy_from_first(self, tensors: Iterable[Tensor], doing: str) -> None:
        """Replace each tensor by that of rank 0."""
        for tensor in tensors if self.size > 1 else ():
            whole = tensor.contiguous()
            self._exchange(partial(torch.distributed.broadcast, whole, src=0), doing)
            tensor.copy_(whole)

    @contextmanager
    def turn(self, name: str, doing: str) -> Generator[Callable[[], None]]:
        """Do work that fills caches which the processes of a machine share: one first, then all.

        It ends when all have done it. What is yielded is to be called now and then: while somebody
        calls it, the others wait beyond the time limit.
        """
        if self.peers is None or self.size == 1:
            yield lambda: None
            return
        peers, first, told = self.peers, self.rank - self.local_rank, 0.0

        def go_on() -> None:
            nonlocal told
            if time.monotonic() - told > _PULSE:
                told = time.monotonic()
                peers.publish(f"{name}/at/{self.rank}", str(told))

        if self.rank != first:
            peers.wait_for(name, [first], doing)
        yield go_on
        peers.meet(name, doing)

    def lost(self, error: Exception, doing: str) -> LostProcessError | None:
        """Who is missing, if an error is of an exchange that PyTorch made amid other work."""
        is_exchange = isinstance(error, torch.distributed.DistError) or _GLOO in str(error)
        return self.peers.lost(error, doing) if is_exchange and self.peers else None

    @contextmanager
    def waiting(self, doing: str) -> Generator[None]:
        """Do nothing but wait for an exchange, which PyTorch makes by itself."""
        try:
            yield
        except RuntimeError as error:
            if self.peers is None:
                raise
            raise self.peers.lost(error, doing) from error

    def _exchange(self, operation: Callable[..., object], doing: str) -> None:
        with self.waiting(doing):
            operation(group=self.process_group)


ALONE = Group()
"""The group of a process that was started alone."""


def parts(n: int, size: int) -> list[slice]:
    """How a batch of n images is divided among `size` processes: in order, nearly equal.

    No part has a single image, for batch norm's sake, if there are two: the last parts of a small
    batch are empty.

    >>> [(part.start, part.stop) for part in parts(7, 3)]
    [(0, 3), (3, 5), (5, 7)]
    >>> [(part.start, part.stop) for part in parts(3, 2)]
    [(0, 3), (3, 3)]
    """
    filled = max(1, min(size, n // 2))
    bounds = [-(-n * number // filled) for number in range(filled + 1)] + [n] * (size - filled)
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def _buckets(tensors: Iterable[Tensor]) -> list[list[Tensor]]:
    """The tensors in groups of one type and device, each of about `_BUCKET` bytes, in order."""
    open_ones: dict[tuple[torch.dtype, torch.device], list[Tensor]] = defaultdict(list)
    closed: list[list[Tensor]] = []
    for tensor in tensors:
        kind = tensor.dtype, tensor.device
        open_ones[kind].append(tensor)
        if sum(one.nbytes for one in open_ones[kind]) >= _BUCKET:
            closed.append(open_ones.pop(kind))
    return [*closed, *open_ones.values()]
