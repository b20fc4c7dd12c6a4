"""Which operation returned a tensor, and which have written to its memory since."""

import weakref
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, UntypedStorage

from convscope.recording.model_state import ModelState
from convscope.recording.origins import Origins
from convscope.recording.raw_operation import IMAGE_NUMBER, TensorRef, Write
from convscope.recording.retention import storage_id


class TensorSources:
    """The numbers of the operations that tensors come from, and of constants.

    Attributes:
        constants: how many there are.
        unknown: the numbers of those that may depend on the image.
        written: the storages that the running operation wrote to.
    """

    def __init__(self, state: ModelState, origins: Origins) -> None:
        self.constants = 0
        self.unknown = set[int | str]()
        self.written = set[int]()
        self._state, self._origins = state, origins
        self._dependent = set[int | str]((IMAGE_NUMBER,))
        # By id, which is unique only while the tensor lives: the tensor, and what returned it.
        self._numbers: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._writers: dict[int, list[Write]] = {}  # by the storage that they wrote to
        self._last_write, self._state_was_written = -1, False
        # The content of storages that others may write to unseen, as torch left it.
        self._exposed: dict[int, UntypedStorage] = {}

    def before_mutation(self, tensor: Tensor) -> None:
        """The running operation is about to write to a tensor."""
        self.written.add(storage_id(tensor))

    def number(self, tensor: Tensor) -> int | None:
        known = self._numbers.get(id(tensor))
        return known[1] if known and known[0]() is tensor else None

    def register(self, tensor: Tensor, number: int, tensors: list[TensorRef]) -> int:
        """An operation returned a tensor, computed from others."""
        self._numbers[id(tensor)] = weakref.ref(tensor), number
        if self.depends(tensors):
            self._dependent.add(number)
        for storage in self.written:
            if storage in self._exposed and storage == storage_id(tensor):
                self.expose(tensor)
            if storage == storage_id(tensor):
                layout = int(tensor.storage_offset()), tensor.stride()
            elif storage in self._state:  # as batch norm's averages
                layout = None, ()
            else:
                continue
            write = Write(number, tuple(tensor.shape), *layout)
            self._writers.setdefault(storage, []).append(write)
            self._last_write = number
            self._state_was_written |= storage in self._state
        return number

    def depends(self, tensors: list[TensorRef]) -> bool:
        """Whether one of these may depend on the image."""
        return any(ref.source in self._dependent for ref in tensors)

    def expose(self, tensor: Tensor) -> None:
        """Others get the memory of a tensor."""
        if storage_id(tensor) >= 0:
            self._exposed[storage_id(tensor)] = tensor.untyped_storage().clone()

    def is_constant(self, tensor: Tensor, function: Callable[..., Any]) -> bool:
        """Whether the image has no part in a tensor that no operation returned."""
        if self._state.holds(tensor) or self._origins.is_older(tensor):
            return True
        return self._origins.is_made_from_numbers(function) and not self._origins.is_read

    def may_be_changed(self, tensor: Tensor, number: int | None) -> bool:
        """Whether a tensor may have got numbers of the image from others, through its memory."""
        if not self._exposed or storage_id(tensor) not in self._exposed or number in self.unknown:
            return False
        if self._origins.is_read and number not in self._dependent:
            return True
        return not _has_content(tensor, self._exposed[storage_id(tensor)])

    def new_constant(self, tensor: Tensor, *, is_known: bool) -> int:
        self.constants += 1
        number = IMAGE_NUMBER - self.constants
        self._numbers[id(tensor)] = weakref.ref(tensor), number
        if not is_known:
            self.unknown.add(number)
            self._dependent.add(number)
        return number

    def is_stale(self, tensor: Tensor, number: int | None) -> bool:
        """Whether a tensor was written to since; without a number, a parameter or buffer."""
        if not self._state_was_written if number is None else number >= self._last_write:
            return False
        writers = self._writers.get(storage_id(tensor))
        return bool(writers) and (number is None or writers[-1].number > number)

    def update_of(
        self, tensor: Tensor, number: int | None, name: str | None
    ) -> tuple[list[TensorRef], Mapping[str, Any]]:
        """What a stale tensor was and was overwritten by, and where all of it lies in memory."""
        writers = self._writers[storage_id(tensor)]
        writes = [write for write in writers if number is None or write.number > number]
        source = str(name) if number is None else number
        layouts = [(write.offset, write.stride) for write in writes]
        layout = tensor.storage_offset(), tensor.stride()
        old = TensorRef(source, tuple(tensor.shape))
        return [old, *(w.tensor for w in writes)], {"layout": layout, "written_layouts": layouts}


def _has_content(tensor: Tensor, content: UntypedStorage) -> bool:
    """Whether the memory of a tensor has this content."""
    now = tensor.untyped_storage()
    if now.nbytes() != content.nbytes():
        return False
    empty = torch.empty(0, dtype=torch.uint8, device=tensor.device)
    return torch.equal(*(torch.empty_like(empty).set_(one) for one in (now, content)))
