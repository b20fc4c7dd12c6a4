"""The tensors of a pass as they were when they were recorded, whatever overwrites them later."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from random import getstate, setstate
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn, overrides
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from convscope.recording.operation import tensors_in


class RetainedTensors:
    """Tensors by their number in the pass, each kept once and copied only before a mutation."""

    def __init__(self) -> None:
        self.tensors: dict[int, Tensor] = {}
        self._sharing: dict[int, list[int]] = {}

    def retain(self, number: int, tensor: Tensor) -> None:
        if number not in self.tensors:
            self.tensors[number] = tensor.detach()  # which does not follow a new `data`
            self._sharing.setdefault(storage_id(tensor), []).append(number)

    def before_mutation(self, tensor: Tensor) -> None:
        """Move retained tensors that share the storage of this one to a copy of it."""
        numbers = self._sharing.pop(storage_id(tensor), ())
        if not numbers:
            return
        if storage_id(tensor) < 0:
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
    """Announces every tensor that is about to be mutated, just before it is."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here, and the import that keeps the compiler out takes seconds."""
        return False

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
        kwargs = kwargs or {}
        for position, name, condition in _mutated_arguments(func):
            if condition is None or args[condition]:
                value = args[position] if position < len(args) else kwargs.get(name)
                for tensor in tensors_in(value):
                    self.announce(tensor)
        return func(*args, **kwargs)


@cache
def _mutated_arguments(function: Any) -> tuple[tuple[int, str, int | None], ...]:
    """Position and name of each argument that a function mutates, and the position of a condition.

    Batch norms update their running statistics in training, and not all of them declare it.
    """
    arguments = function._schema.arguments  # noqa: SLF001 -- there is no other way
    names = [argument.name for argument in arguments]
    if "running_mean" in names and "training" in names:
        condition = names.index("training")
        return tuple((names.index(n), n, condition) for n in ("running_mean", "running_var"))
    return tuple(
        (position, argument.name, None)
        for position, argument in enumerate(arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )


def mutated_tensors(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Sequence[Tensor] | None:
    """The tensors that a function will mutate, by torch's naming conventions; None if unclear.

    A function that mutates its first argument ends in `_` or is called with `inplace`; running
    statistics change in training.
    """
    first = args[0] if args else None
    mutates = _mutates(function)
    if mutates is None or any(kwargs.get(flag) for flag in _MUTATING_FLAGS):
        return None
    if mutates or kwargs.get("inplace"):
        return (first,) if isinstance(first, Tensor) else None
    return () if kwargs.get("out") is None else None


_NATIVE_NORMS = ("torch.batch_norm", "torch.instance_norm")  # with a positional `training`
_MUTATING_FLAGS = ("training", "use_input_stats", "max_norm")
"""Arguments with which running statistics change, and embeddings are clipped."""


@cache
def _mutates(function: Callable[..., Any]) -> bool | None:
    name: str | None = overrides.resolve_name(function)
    if name is None or name.startswith(_NATIVE_NORMS) or isinstance(function, OpOverload):
        return None
    method = name.rpartition(".")[2]
    if method.startswith("__"):
        return method == "__setitem__" or method.strip("_") in _IN_PLACE
    return method.endswith("_")


_IN_PLACE = frozenset(
    f"i{operator}"
    for operator in (
        *("add", "sub", "mul", "matmul", "truediv", "floordiv", "div", "mod", "pow"),
        *("and", "or", "xor", "lshift", "rshift"),
    )
)
"""`+=` and similar, by their names in Python."""


class ModelState:
    """Parameters and buffers of a network, which are restored after the pass."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        self._bound: list[tuple[dict[str, Any], dict[str, Any]]] = []
        live: dict[str, Tensor] = {}
        for path, module in modules.items():
            for tensors in _bound_in(module):
                if isinstance(tensors, dict) and tensors:
                    self._bound.append((tensors, tensors.copy()))
                for name, tensor in tensors.items():
                    if tensor is not None:
                        live[f"{path}.{name}" if path else name] = tensor
        self.names = {id(tensor): name for name, tensor in reversed(live.items())}
        self.tensors = {name: tensor.detach() for name, tensor in live.items()}
        self._live = live
        self._by_storage = {storage_id(tensor): tensor for tensor in self.tensors.values()}
        self._saved: dict[int, tuple[Tensor, torch.UntypedStorage]] = {}
        self._versions: list[Any] = []

    def __contains__(self, storage: int) -> bool:
        """Whether a parameter or buffer lies in this storage."""
        return storage in self._by_storage

    def before_mutation(self, tensor: Tensor) -> None:
        """Save the values of a parameter or buffer that shares the storage of this tensor."""
        storage = storage_id(tensor)
        if storage in self._by_storage and storage not in self._saved and storage >= 0:
            saved = self._by_storage[storage]
            self._saved[storage] = saved, tensor.untyped_storage().clone()
            if not saved.is_inference():
                self._versions.append(_preserved_version(saved))

    def restore(self, announce: Callable[[Tensor], None]) -> None:
        """Undo every mutation and rebinding; each tensor is announced before it is mutated."""
        for tensors, before in self._bound:
            tensors.clear()
            tensors.update(before)
        for name, tensor in self._live.items():
            if storage_id(tensor) != storage_id(self.tensors[name]):  # its `data` was set
                tensor.data = self.tensors[name]
        for tensor, kept in self._saved.values():
            announce(tensor)
            tensor.untyped_storage().copy_(kept)
        for version in self._versions:  # nothing has changed, so autograd need not know
            version.__exit__()


def _preserved_version(tensor: Tensor) -> Any:
    """Restores a tensor's version counter on exit."""
    return torch.autograd._unsafe_preserve_version_counter(tensor)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


def _bound_in(module: nn.Module) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The dicts in which a module binds its parameters and buffers."""
    if isinstance(module, torch.jit.ScriptModule):  # which binds them out of Python's reach
        return dict(module.named_parameters(recurse=False)), dict(
            module.named_buffers(recurse=False)
        )
    return vars(module)["_parameters"], vars(module)["_buffers"]


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

    Negative for a tensor without a single storage, a sparse one, for example.
    """
    try:
        return tensor.untyped_storage()._cdata  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    except NotImplementedError:
        return -id(tensor)
