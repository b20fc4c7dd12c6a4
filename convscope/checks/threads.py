"""Work in threads, part by part, in order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_T = TypeVar("_T")


def map_in_order(work: Callable[[int], _T], starts: Iterable[int]) -> Iterator[_T]:
    """The results of `work` for each of `starts`, of which a few per thread are computed ahead."""
    workers = min(32, os.cpu_count() or 1)
    coming = iter(starts)
    with ThreadPoolExecutor(workers, thread_name_prefix="convscope-check") as pool:
        pending: deque[Future[_T]] = deque(
            pool.submit(work, start) for start in islice(coming, 4 * workers)
        )
        try:
            while pending:
                yield pending.popleft().result()
                pending.extend(pool.submit(work, start) for start in islice(coming, 1))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
