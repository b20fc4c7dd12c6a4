"""Threads that decode and read images, and how far they may run ahead."""

from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from typing import TypeVar

from convscope.data.dataset import ImageSource
from convscope.errors import WorkError

PREFETCH = 4  # batches at most that are read ahead of the one in use
AHEAD = 32 << 20  # bytes at most of the images that are read ahead, if each worker has one
_TIMEOUT = 300.0  # seconds to wait for images before the disk is taken for gone

_T = TypeVar("_T")


@contextmanager
def decoding_pool(workers: int) -> Generator[ThreadPoolExecutor]:
    """A pool whose threads are not awaited at the end: one may hang on a disk that is gone."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="convscope-decode")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def wait_for(future: "Future[_T]", images: ImageSource, index: int) -> _T:
    """The result of a task on images, of which the one at `index` is named if it does not come.

    Raises WorkError after five minutes.
    """
    try:
        return future.result(timeout=_TIMEOUT)
    except FutureTimeoutError as error:
        raise WorkError(
            f"No image could be read for {_TIMEOUT:.0f} s, near {images.key(index)}. "
            "Is its disk or network share still there?"
        ) from error
