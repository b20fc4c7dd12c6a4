"""The tensors of a pass as they were when they were recorded, whatever overwrites them later."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import getstate, setstate
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode

from convscope.recording.aten import argument_names
from convscope.recording.operation import tensors_in


class RetainedTensors:
    """Tensors by their number in the pass, each kept once and copied only before a mutation."""

    def __init__(self) -> None:
        self.tensors: dict[int, Tensor] = {}
        self._sharing: dict[int, list[int]] = {}  # by storage
        self._fresh: list[int] = []  # not yet among those

    def retain(self, number: int, tensor: Tensor) -> None:
        if number not in self.tensors:
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


class MutationTracker(TorchDispatchMode):
    """Announces every tensor that is about to be mutated, just before it is.

    It sees every operator that runs, whichever function, module or script runs it.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here, and the import that keeps the compiler out takes seconds."""
        return False

    supports_higher_order_operators = True  # as `torch.cond`, which then runs one of its branches

    def __init__(self, announce: Callable[[Tensor], None]) -> None:
        super().__init__()
        self.announce = announce

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        mutated = _MUTATED.get(id(func))
        if mutated is None:  # hashing an operator takes longer than looking for its id
            mutated = _MUTATED[id(func)] = _mutated_arguments(func)
        if mutated:
            for tensor in _written(func, mutated, args, kwargs or {}):
                self.announce(tensor)
        return func(*args, **kwargs) if kwargs else func(*args)


def _written(
    func: Any, mutated: frozenset[str], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Iterator[Tensor]:
    given = {**dict(zip(argument_names(func), args, strict=False)), **kwargs}
    is_left_alone = "inplace" in argument_names(func) and not given.get("inplace")
    if not is_left_alone and (mutated != _STATISTICS or given.get("training", True)):
        yield from tensors_in([given.get(name) for name in mutated])


_STATISTICS = frozenset(("running_mean", "running_var"))


_MUTATED: dict[int, frozenset[str]] = {}
"""The arguments that operators mutate, by their ids, which live as long as torch does."""


def _mutated_arguments(function: Any) -> frozenset[str]:
    """The names of the arguments that an operator mutates.

    Batch norms update their running statistics in training, and not all of them declare it; nor do
    operators of quantized tensors that take `inplace` declare what they write to.
    """
    if isinstance(function, HigherOrderOperator):  # what it runs follows
        return frozenset()
    arguments = function._schema.arguments  # noqa: SLF001 -- there is no other way
    written = frozenset[str](
        a.name for a in arguments if a.alias_info is not None and a.alias_info.is_write
    )
    names = {argument.name for argument in arguments}
    is_norm = names >= _STATISTICS and (not written or written == _STATISTICS)
    if is_norm and not function.overloadpacket.__name__.endswith(_WITHOUT_TRAINING):
        return _STATISTICS
    if "inplace" in names and not written:
        return frozenset((arguments[0].name,))
    return written


_WITHOUT_TRAINING = ("_no_training", "_no_update", "_backward")


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
