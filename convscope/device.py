"""The device, its precision, the number of CPU threads, and how memory is reused."""

import ctypes
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from convscope.errors import RequestError

if TYPE_CHECKING:
    import torch

Precision = Literal["float32", "bf16", "fp16"]
"""The numbers that a training step computes in."""


def parse_device(name: str) -> tuple[str, int | None]:
    """The kind and the number of "auto", "cpu", "mps", "cuda", "gpu", "1" or "cuda:1".

    Raises RequestError for what is none of these.

        >>> parse_device("auto"), parse_device("1"), parse_device("cuda:0")
        (('auto', None), ('cuda', 1), ('cuda', 0))
    """
    word = str(name).strip().lower()
    if "," in word:
        raise RequestError(f"The work is done on one device, not on {word}. Choose one of them.")
    found = re.fullmatch(r"(auto|cpu)|(cuda|gpu|mps)?:?(\d+)|(cuda|gpu|mps)", word)
    if not found:
        raise RequestError(
            f"Unknown device {name!r}. Choose auto, cpu, cuda, mps, or a GPU's number, as cuda:1."
        )
    plain, kind, number, alone = found.groups()
    return plain or kind or alone or "cuda", None if number is None else int(number)


def choose_device(name: str) -> "torch.device":
    """The device for "auto", "cpu", "mps", "cuda", "gpu", or the number of a GPU, as 1 or "cuda:1".

    "auto" is cuda, else mps, else cpu; "gpu" is cuda, else mps.

    Raises RequestError for an unknown name and for a device that is not there.
    """
    import torch  # noqa: PLC0415 -- not for the name of a device

    kind, number = parse_device(name)
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if kind in {"auto", "gpu"}:
        known = ("cuda", "mps", "cpu") if kind == "auto" else ("cuda", "mps")
        kind = next((device for device in known if available[device]), "cuda")
    if not available[kind]:
        raise RequestError(f"PyTorch finds no {kind} device on this machine. Try `device='auto'`.")
    if number is None:
        return torch.device(kind)
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if number >= count:
        raise RequestError(
            f"There is no device {kind}:{number}; PyTorch finds {count}, counted from {kind}:0."
        )
    return torch.device(kind, number)


@contextmanager
def threads_set(threads: int | None) -> Generator[None]:
    """Compute with `threads` CPU threads; the number before is restored afterwards."""
    import torch  # noqa: PLC0415

    before = torch.get_num_threads()
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed_memory() -> bool:
    """Let this process reuse the memory of one step in the next; False if that is impossible.

    A step frees megabytes of activations. glibc returns them to the system, which clears every
    page before the next step gets it again: about 900 page faults per step for LeNet-5 with
    batches of 64. The setting lasts as long as the process, so only our own programs call this,
    never a library function.
    """
    return _set_malloc({-3: 32 << 20, -1: 1 << 30, -2: 64 << 20})


def share_one_heap() -> bool:
    """Have all threads of this process allocate from one heap; False if that is impossible.

    By default glibc gives each thread heaps of its own, and what a thread that decodes images
    freed there is of no use to the others: 10 to 20 MB with two threads and photographs. Called
    before there are threads, and as `keep_freed_memory` by our own programs alone.
    """
    return _set_malloc({-8: 1})


def _set_malloc(settings: Mapping[int, int]) -> bool:
    """By number of glibc's malloc.h: -1 M_TRIM_THRESHOLD, -2 M_TOP_PAD, -3 M_MMAP_THRESHOLD (up to
    32 MB), all in bytes; -8 M_ARENA_MAX.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # not Linux, or not glibc
        return False
    return all(mallopt(name, value) for name, value in settings.items())
