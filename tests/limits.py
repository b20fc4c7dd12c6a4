"""Limits of memory for a process of its own, as `ulimit -v` sets them."""

import sys
from pathlib import Path

import pytest

needs_limits = pytest.mark.skipif(sys.platform != "linux", reason="limits are tested on Linux")


def limit_memory(more: int) -> None:
    """Let this process take `more` bytes of address space than it has, from now on."""
    import resource  # noqa: PLC0415 -- not on Windows

    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (has + more, resource.RLIM_INFINITY))
