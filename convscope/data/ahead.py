"""Open a named data set in a thread, while the process is busy with something else."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from convscope.data.dataset import Dataset
from convscope.data.source import NAMES, is_here, open_source
from convscope.errors import ConvscopeError


def open_ahead(data: str, *, data_dir: Path | None = None) -> Callable[[], Dataset | None]:
    """Begin to open a named data set that is on this machine; the result waits for it.

    The result returns None for any other data, and for those that cannot be opened: whoever opens
    them then, in due course, learns why. Nothing is downloaded.
    """
    if data not in NAMES or data == "digits":  # which is read in no time
        return lambda: None

    def opened() -> Dataset | None:
        with suppress(ConvscopeError, OSError, MemoryError):
            if is_here(data, data_dir=data_dir):
                return open_source(data, data_dir=data_dir)
        return None

    pool = ThreadPoolExecutor(1, thread_name_prefix="convscope-ahead")
    future = pool.submit(opened)
    pool.shutdown(wait=False)
    return future.result
