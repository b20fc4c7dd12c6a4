"""The tensors of a pass as they were when they were noted, whatever is written to them later."""

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


class Held:
    """Tensors by their number in the pass, each held once; a copy is made only before a change."""

    def __init__(self) -> None:
        self.tensors: dict[int, Tensor] = {}
        self._sharing: dict[int, list[int]] = {}

    def hold(self, number: int, tensor: Tensor) -> None:
        if number not in self.tensors:
            self.tensors[number] = (
                tensor.detach()
            )  # which stays where it is, whatever `data` is set
            self._sharing.setdefault(memory(tensor), []).append(number)

    def before_change(self, tensor: Tensor) -> None:
        """Give what lies in the memory of a tensor a copy of it, for the tensor is written to."""
        numbers = self._sharing.pop(memory(tensor), ())
        if not numbers:
            return
        if memory(tensor) < 0:
            self.tensors |= {number: self.tensors[number].clone() for number in numbers}
            return
        kept = tensor.untyped_storage().clone()
        for number in numbers:
            old = self.tensors[number]
            place = old.storage_offset(), old.size(), old.stride()
            self.tensors[number] = torch.empty(0, dtype=old.dtype, device=old.device).set_(
                kept, *place
            )
        self._sharing[memory(self.tensors[numbers[0]])] = list(numbers)


class Changes(TorchDispatchMode):
    """Announces every tensor that is about to be written to, just before it is."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here, and what would keep a compiler out takes seconds to import."""
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
        for place, name, only in _written_by(func):
            if only is None or args[only]:
                for tensor in tensors_in(args[place] if place < len(args) else kwargs.get(name)):
                    self.announce(tensor)
        return func(*args, **kwargs)


@cache
def _written_by(function: Any) -> tuple[tuple[int, str, int | None], ...]:
    """Place and name of the arguments that a function writes to, and of the one that says whether.

    Batch norms move their averages while training, and do not all declare it.
    """
    arguments = function._schema.arguments  # noqa: SLF001 -- there is no other way
    names = [argument.name for argument in arguments]
    if "running_mean" in names and "training" in names:
        only = names.index("training")
        return tuple((names.index(n), n, only) for n in ("running_mean", "running_var"))
    return tuple(
        (place, argument.name, None)
        for place, argument in enumerate(arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )


def written_by(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Sequence[Tensor] | None:
    """The tensors that a function will write to, by torch's rules of names; None without a rule.

    What writes to its first argument ends in `_` or is told `inplace`; averages move in training.
    """
    first = args[0] if args else None
    changing = _named_changing(function)
    if changing is None or any(kwargs.get(word) for word in _CHANGING):
        return None
    if changing or kwargs.get("inplace"):
        return (first,) if isinstance(first, Tensor) else None
    return () if kwargs.get("out") is None else None


_NATIVE_NORMS = ("torch.batch_norm", "torch.instance_norm")  # which take `training` by position
_CHANGING = ("training", "use_input_stats", "max_norm")
"""Arguments with which averages move, and embeddings are cut."""


@cache
def _named_changing(function: Callable[..., Any]) -> bool | None:
    name: str | None = overrides.resolve_name(function)
    if name is None or name.startswith(_NATIVE_NORMS) or isinstance(function, OpOverload):
        return None
    word = name.rpartition(".")[2]
    if word.startswith("__"):
        return word == "__setitem__" or word.strip("_") in _IN_PLACE
    return word.endswith("_")


_IN_PLACE = frozenset(
    f"i{word}"
    for word in (
        *("add", "sub", "mul", "matmul", "truediv", "floordiv", "div", "mod", "pow"),
        *("and", "or", "xor", "lshift", "rshift"),
    )
)
"""`+=` and its kin, by what Python calls them."""


class State:
    """Parameters and buffers of a network, which go back to what they were."""

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
        self._by_memory = {memory(tensor): tensor for tensor in self.tensors.values()}
        self._saved: dict[int, tuple[Tensor, torch.UntypedStorage]] = {}
        self._versions: list[Any] = []

    def __contains__(self, place: int) -> bool:
        """Whether a parameter or buffer lies in this memory."""
        return place in self._by_memory

    def before_change(self, tensor: Tensor) -> None:
        place = memory(tensor)
        if place in self._by_memory and place not in self._saved and memory(tensor) >= 0:
            own = self._by_memory[place]
            self._saved[place] = own, tensor.untyped_storage().clone()
            if not own.is_inference():
                self._versions.append(_version_of(own))

    def put_back(self, announce: Callable[[Tensor], None]) -> None:
        """Undo what was written and bound; each tensor is announced before it is written to."""
        for tensors, before in self._bound:
            tensors.clear()
            tensors.update(before)
        for name, tensor in self._live.items():
            if memory(tensor) != memory(self.tensors[name]):  # its `data` was set
                tensor.data = self.tensors[name]
        for tensor, kept in self._saved.values():
            announce(tensor)
            tensor.untyped_storage().copy_(kept)
        for version in self._versions:  # nothing has changed, so nobody need know that it did
            version.__exit__()


def _version_of(tensor: Tensor) -> Any:
    """Puts a tensor's count of its changes back on exit."""
    return torch.autograd._unsafe_preserve_version_counter(tensor)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


def _bound_in(module: nn.Module) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The dicts that a module's parameters and buffers are bound in, to bind them again."""
    if isinstance(module, torch.jit.ScriptModule):  # which binds them where Python does not reach
        own = module.named_parameters(recurse=False), module.named_buffers(recurse=False)
        return dict(own[0]), dict(own[1])
    return vars(module)["_parameters"], vars(module)["_buffers"]


@contextmanager
def same_dice(tensors: Iterable[Tensor]) -> Generator[None]:
    """Leave the random numbers of torch, numpy and Python where they were."""
    devices = {t.device.index for t in tensors if t.is_cuda}
    python, array = getstate(), np.random.get_state()  # noqa: NPY002 -- what networks draw from
    try:
        with torch.random.fork_rng(devices=sorted(devices)):
            yield
    finally:
        setstate(python)
        np.random.set_state(array)  # noqa: NPY002


def memory(tensor: Tensor) -> int:
    """What tells a tensor's memory from all other that is in use; its address is 0 on meta.

    Negative for a tensor whose numbers do not lie in one piece of memory, a sparse one, say.
    """
    try:
        return tensor.untyped_storage()._cdata  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    except NotImplementedError:
        return -id(tensor)
