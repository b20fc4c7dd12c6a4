"""Where numbers are computed: the device, the threads of a CPU, and the memory it works in."""

import ctypes
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch

from convscope.errors import RequestError


def choose_device(wanted: str) -> torch.device:
    """The device "auto", "cpu", "cuda" or "mps". Raises RequestError for one that is not there."""
    have = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if wanted == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if have[name]))
    if wanted not in have:
        raise RequestError(f"There is no device {wanted!r}; known are auto, {', '.join(have)}.")
    if not have[wanted]:
        raise RequestError(f"PyTorch finds no {wanted} on this machine. Try `device='auto'`.")
    return torch.device(wanted)


@contextmanager
def threads_set(threads: int | None) -> Generator[None]:
    """Compute with so many CPU threads; after, as many as before."""
    before = torch.get_num_threads()
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        yield
    finally:
        torch.set_num_threads(before)


def free_memory(root: Path = Path("/")) -> int:
    """Bytes that can be allocated without swapping, by the system and by a container's limit.

    A container may use `memory.max` bytes of which `memory.current` are in use (cgroup v2). `root`
    is where proc and sys lie. Where the system does not say, 4 GiB are assumed.
    """
    free = 4 << 30
    meminfo = root / "proc" / "meminfo"
    if meminfo.exists():
        fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
        free = int(fields["MemAvailable"].split()[0]) * 1024
    limit, used = (root / "sys/fs/cgroup" / name for name in ("memory.max", "memory.current"))
    if limit.exists() and (maximum := limit.read_text().strip()) != "max":
        free = min(free, int(maximum) - int(used.read_text()))
    return max(free, 0)


def keep_freed_memory() -> bool:
    """Let this process reuse the memory of a step in the next; whether that could be arranged.

    A step frees megabytes of activations. The C library of Linux gives them back to the system,
    which clears every page before the next step gets it again: some 900 page faults a step for
    LeNet-5 in batches of 64. The setting lasts as long as the process, so only programs of our
    own make it, not functions that are called from another's.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # not Linux, or not glibc
        return False
    return all(mallopt(name, value) for name, value in _MALLOPT.items())


_MALLOPT = {-3: 32 << 20, -1: 1 << 30, -2: 64 << 20}
"""M_MMAP_THRESHOLD, at its most; M_TRIM_THRESHOLD; M_TOP_PAD: malloc.h of glibc, in bytes."""
