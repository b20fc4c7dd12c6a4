"""Limits of memory for a process of its own, as `ulimit -v` sets them."""

import ctypes
import sys
from pathlib import Path

import pytest

_ARENA_MAX = -8  # of mallopt(3), in glibc

needs_limits = pytest.mark.skipif(sys.platform != "linux", reason="limits are tested on Linux")


def limit_memory(more: int) -> None:
    """Let this process take `more` bytes of address space than it has, from now on.

    Threads share one arena of the C library: each would set 64 MB of addresses aside for its own.
    """
    import resource  # noqa: PLC0415 -- not on Windows

    ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (has + more, resource.RLIM_INFINITY))
