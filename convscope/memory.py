"""The memory that is left to this process, by the system, a container and `ulimit`."""

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_UNKNOWN = 4 << 30  # bytes that are assumed where the system does not say
_ERRORS = (
    "out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory",
    "bad_alloc", "failed to allocate",
    "could not create a memory", "could not create a primitive", "could not execute a primitive",
)  # fmt: skip


@dataclass(frozen=True)
class Available:
    """Bytes that are left by one limit, and its name.

    Attributes:
        is_enforced: whether asking for more fails, instead of ending the process.
    """

    bytes: int
    limit: str
    is_enforced: bool = False


def free_memory(root: Path = Path("/")) -> int:
    """Bytes that can be allocated without swapping; the least that any limit leaves.

    `root` is where proc and sys lie. Where the system does not say, 4 GiB are assumed.
    """
    return least_available(root).bytes


def least_available(root: Path = Path("/")) -> Available:
    """The limit that leaves the least, of those of the system, of containers and of `ulimit`.

    A container may use `memory.max` bytes of which `memory.current` are in use (cgroup v2), or
    `memory.limit_in_bytes` and `memory.usage_in_bytes` (v1).
    """
    found = [*_system(root), *_containers(root), *_limits(root)]
    least = min(found, key=lambda one: one.bytes, default=Available(_UNKNOWN, "assumed"))
    return Available(max(least.bytes, 0), least.limit, least.is_enforced)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, PyTorch, oneDNN or CUDA says that memory was lacking."""
    if isinstance(error, MemoryError):
        return True
    message = str(error).lower()
    return isinstance(error, RuntimeError) and any(phrase in message for phrase in _ERRORS)


def release_memory() -> None:
    """Give what was freed back to the system, as far as the C library can."""
    gc.collect()
    with suppress(OSError, AttributeError):  # not Linux, or not glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _system(root: Path) -> Iterator[Available]:
    meminfo = root / "proc" / "meminfo"
    if not meminfo.exists():
        return
    fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
    with suppress(KeyError):  # a kernel before 3.14
        free = int(fields["MemAvailable"].split()[0]) * 1024
        yield Available(free, "free on this machine")


def _containers(root: Path) -> Iterator[Available]:
    sys = root / "sys" / "fs" / "cgroup"
    names = ("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")
    for group in {sys, sys / "memory", *_own_groups(root, sys)}:
        for limit, used in names:
            with suppress(OSError, ValueError):  # not there, or "max"
                maximum = int((group / limit).read_text())
                left = maximum - int((group / used).read_text()) + _cached(group)
                yield Available(left, "left in this container or group (cgroup)")


def _own_groups(root: Path, sys: Path) -> Iterator[Path]:
    """The folders of the groups that this process is in, and of those around them."""
    with suppress(OSError):
        for line in (root / "proc" / "self" / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            top = sys / "memory" if "memory" in controllers.split(",") else sys
            inner = top / path.strip("/")
            yield from (one for one in (inner, *inner.parents) if one.is_relative_to(sys))


def _cached(group: Path) -> int:
    """Bytes of files that the system would drop first."""
    with suppress(OSError, ValueError):
        fields = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return int(fields.get("total_inactive_file", fields.get("inactive_file", 0)))
    return 0


def _limits(root: Path) -> Iterator[Available]:
    """What `ulimit -v` and `ulimit -d` leave."""
    try:
        import resource  # noqa: PLC0415 -- not on Windows

        pages = [int(word) for word in (root / "proc/self/statm").read_text().split()]
    except (ImportError, OSError):
        return
    sizes = {"RLIMIT_AS": ("ulimit -v", pages[0]), "RLIMIT_DATA": ("ulimit -d", pages[5])}
    for name, (words, count) in sizes.items():
        limit = resource.getrlimit(getattr(resource, name))[0]
        if limit != resource.RLIM_INFINITY:
            left = limit - count * os.sysconf("SC_PAGE_SIZE")
            yield Available(left, f"left by `{words}`", is_enforced=True)
