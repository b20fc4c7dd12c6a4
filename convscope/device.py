"""Where numbers are computed: the device, and the threads of a CPU."""

from collections.abc import Generator
from contextlib import contextmanager

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
        raise RequestError(f"PyTorch finds no {wanted} on this machine. Try --device auto.")
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
