"""The device, the number of CPU threads, and memory."""

import ctypes
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch

from convscope.errors import RequestError


def choose_device(name: str) -> torch.device:
    """The device for "auto", "cpu", "cuda" or "mps". Raises RequestError if it is unavailable."""
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        return torch.device(next(device for device in ("cuda", "mps", "cpu") if available[device]))
    if name not in available:
        raise RequestError(f"Unknown device {name!r}. Choose auto, {', '.join(available)}.")
    if not available[name]:
        raise RequestError(f"PyTorch finds no {name} device on this machine. Try `device='auto'`.")
    return torch.device(name)


@contextmanager
def threads_set(threads: int | None) -> Generator[None]:
    """Compute with `threads` CPU threads; the number before is restored afterwards."""
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
    """Let this process reuse the memory of one step in the next; False if that is impossible.

    A step frees megabytes of activations. glibc returns them to the system, which clears every
    page before the next step gets it again: about 900 page faults per step for LeNet-5 with
    batches of 64. The setting lasts as long as the process, so only our own programs call this,
    never a library function.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # not Linux, or not glibc
        return False
    return all(mallopt(name, value) for name, value in _MALLOPT.items())


_MALLOPT = {-3: 32 << 20, -1: 1 << 30, -2: 64 << 20}
"""M_MMAP_THRESHOLD (its maximum), M_TRIM_THRESHOLD, M_TOP_PAD of glibc's malloc.h, in bytes."""
