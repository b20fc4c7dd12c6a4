"""The tensors of a pass as they were when they were recorded, whatever overwrites them later."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import getstate, setstate
from typing import Any

import numpy as np
import torch
from torch import Tensor


class RetainedTensors:
    """Tensors by their number in the pass, each kept once and copied only before a mutation."""

    def __init__(self, should_retain: Callable[[int, Tensor], bool]) -> None:
        self.tensors: dict[int, Tensor] = {}
        self._should_retain = should_retain
        self._sharing: dict[int, list[int]] = {}  # by storage
        self._fresh: list[int] = []  # not yet among those

    def retain(self, number: int, tensor: Tensor) -> None:
        if number not in self.tensors and self._should_retain(number, tensor):
            self.tensors[number] = tensor.detach()  # which does not follow a new `data`
            self._fresh.append(number)

    def before_mutation(self, tensor: Tensor) -> None:
        """Move retained tensors that share the storage of this one to a copy of it."""
        for number in self._fresh:
            self._sharing.setdefault(storage_id(self.tensors[number]), []).append(number)
        self._fresh.clear()
        numbers = self._sharing.pop(storage_id(tensor), ())
        if not numbers:
            return
        if storage_id(tensor) < 0 or tensor.is_quantized:
            self.tensors |= {number: self.tensors[number].clone() for number in numbers}
            return
        kept = tensor.untyped_storage().clone()
        for number in numbers:
            old = self.tensors[number]
            layout = old.storage_offset(), old.size(), old.stride()
            empty = torch.empty(0, dtype=old.dtype, device=old.device)
            self.tensors[number] = empty.set_(kept, *layout)
        self._sharing[storage_id(self.tensors[numbers[0]])] = list(numbers)


@dataclass(frozen=True)
class RandomState:
    """The random state of torch on the CPU, of numpy and of Python when this is made."""

    torch: Tensor = field(default_factory=torch.get_rng_state)
    numpy: Any = field(default_factory=np.random.get_state)
    python: Any = field(default_factory=getstate)

    @contextmanager
    def restored(self) -> Generator[None]:
        """Draw the same numbers again inside the block."""
        with preserve_rng(()):
            torch.set_rng_state(self.torch)
            np.random.set_state(self.numpy)  # noqa: NPY002
            setstate(self.python)
            yield


@contextmanager
def preserve_rng(tensors: Iterable[Tensor]) -> Generator[None]:
    """Restore the random state of torch, numpy and Python on exit."""
    devices = {t.device.index for t in tensors if t.is_cuda}
    python, array = getstate(), np.random.get_state()  # noqa: NPY002 -- what networks draw from
    try:
        with torch.random.fork_rng(devices=sorted(devices)):
            yield
    finally:
        setstate(python)
        np.random.set_state(array)  # noqa: NPY002


def storage_id(tensor: Tensor) -> int:
    """A number that identifies a tensor's storage while it is in use, also on the meta device.

    Negative for a tensor without a single storage, as a sparse or nested one.
    """
    try:
        return tensor.untyped_storage()._cdata  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    except (NotImplementedError, RuntimeError):
        return -id(tensor)
