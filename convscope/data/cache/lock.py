"""One process at a time writes into a folder of decoded images; others wait while it does."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import filelock

_PAUSE = 0.2  # seconds between attempts
_STALLED = 60.0  # seconds in which nothing is written, after which the writer is not waited for


def lock_folder(
    folder: Path, *, on_wait: Callable[[], None] = lambda: None
) -> filelock.BaseFileLock | None:
    """The lock of a folder, which its process's end releases in any case.

    While another process holds it and writes, it is waited for; `on_wait` is called once. None: it
    has not written for a minute. Raises OSError if the folder cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    written, since, has_waited = -1, time.monotonic(), False
    while True:
        with suppress(filelock.Timeout):
            lock.acquire()
            return lock
        if not has_waited:
            on_wait()
            has_waited = True
        if (size := _size(folder)) != written:
            written, since = size, time.monotonic()
        elif time.monotonic() - since > _STALLED:
            return None
        time.sleep(_PAUSE)


def _size(folder: Path) -> int:
    """The bytes of all files of a folder."""
    total = 0
    for path in folder.iterdir():
        with suppress(OSError):
            total += path.stat().st_size
    return total
