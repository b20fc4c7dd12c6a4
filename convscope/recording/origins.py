"""Tensors that no recorded operation returned: constants, or of unknown origin.

A tensor that is older than the pass, or made from a list or an array before any number of the image
was read, is a constant. Any other may hold what numpy, another thread, a transform of functorch or
an extension computed from the image.
"""

import gc
import operator
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from convscope.recording.operation import tensors_in


class Origins:
    """Watches a pass for tensors that appear, and for numbers that are read out of tensors.

    Attributes:
        is_read: whether numbers that depend on the image were read.
        numbers: those that were read one by one.
    """

    def __init__(self) -> None:
        self.is_read = False
        self.numbers = set[float]()
        self._is_watching = False
        # By id: what existed before the block, but not when others set apart what they have.
        self._since: dict[int, weakref.ref[Tensor]] = {}

    @contextmanager
    def watching(self) -> Generator[None]:
        """Keep what is created in the block apart from all that exists before."""
        is_frozen = gc.get_freeze_count() > 0  # by others, who keep theirs apart: it stays so
        if is_frozen:
            since = (item for item in gc.get_objects() if issubclass(type(item), Tensor))
            self._since = {id(tensor): weakref.ref(tensor) for tensor in since}
        else:
            gc.freeze()
        self._is_watching = True
        try:
            yield
        finally:
            self._is_watching = False
            if not is_frozen:
                gc.unfreeze()

    def is_older(self, tensor: Tensor) -> bool:
        """Whether a tensor existed before the block; False if that is unknown."""
        if not self._is_watching:
            return False
        known = self._since.get(id(tensor))
        # All of it in C: another thread that runs meanwhile may find a tuple, which it is about to
        # fill, held by this list, and fail.
        return (known is not None and known() is tensor) or not any(
            map(partial(operator.is_, tensor), gc.get_objects())
        )

    def is_made_from_numbers(self, function: Callable[..., Any]) -> bool:
        """Whether a function makes a tensor from a list or an array."""
        return function in _FROM_NUMBERS

    def has_numbers_alone(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> bool:
        """Whether a call makes a tensor from a list or an array, in which there is no tensor."""
        given = (*args, *kwargs.values())
        numbers = given[function is Tensor.new_tensor :]
        return function in _FROM_NUMBERS and next(tensors_in(numbers), None) is None

    def gives_memory(self, function: Callable[..., Any]) -> bool:
        """Whether a function lets others write to a tensor unseen."""
        return function in _GIVING_MEMORY

    def reads(self, function: Callable[..., Any]) -> bool:
        """Whether a function reads the numbers of a tensor."""
        return function in _READING

    def after(self, output: object) -> None:
        """Numbers of a tensor that depends on the image were read."""
        self.is_read = True
        self.numbers.update(number for number in _numbers_in(output) if number % 1)

    def read_numbers_in(self, values: object) -> list[float]:
        """The numbers among arguments that were read out of a tensor, or computed from such ones.

        People write few digits; a number of many may be computed.
        """
        if not self.numbers:
            return []
        return [n for n in _numbers_in(values) if n in self.numbers or len(repr(n)) > _WRITTEN]


def _numbers_in(values: object) -> Iterator[float]:
    if type(values) is float:
        yield values
    elif isinstance(values, Mapping):
        yield from _numbers_in(list(cast("Mapping[str, object]", values).values()))
    elif isinstance(values, list | tuple):
        for value in cast("list[object]", values):
            yield from _numbers_in(value)


_WRITTEN = 12  # characters of a number that someone wrote, at most

_FROM_NUMBERS: frozenset[Any] = frozenset(
    (
        *(torch.tensor, torch.as_tensor, torch.asarray, torch.from_numpy, torch.frombuffer),
        *(Tensor.new_tensor, torch.scalar_tensor),
        *(torch.ops.aten.lift_fresh.default, torch.ops.aten.lift_fresh_copy.default),
    )
)
_GIVING_MEMORY: frozenset[Any] = frozenset(
    (Tensor.numpy, Tensor.__array__, Tensor.data_ptr, Tensor.__dlpack__)
)
_READING: frozenset[Any] = frozenset(
    (
        *(Tensor.item, Tensor.tolist, torch.ops.aten._local_scalar_dense.default),  # noqa: SLF001
        *(Tensor.__float__, Tensor.__int__, Tensor.__index__, Tensor.__complex__),
        *_GIVING_MEMORY,
    )
)
"""What reads the numbers of a tensor; `bool` only decides what runs."""
