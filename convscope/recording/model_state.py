"""What a network keeps between two passes, which a recording leaves as it was."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from operator import is_
from typing import Any, cast

import torch
from torch import Tensor, nn

from convscope.recording.retention import storage_id


class ModelState:
    """Parameters, buffers and attributes of a network's modules, which are restored after the pass.

    What a module binds to a name is bound again, and what it holds in lists and dicts is put back;
    a tensor that the pass writes to gets its numbers, shape and memory back.

    Attributes:
        names: of parameters and buffers, by the id of the tensor.
        parameters: the names of parameters.
        requires_grad: the names of those that require gradients.
        tensors: parameters and buffers by name, as aliases that keep their shape and memory.
    """

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        named: dict[str, Tensor] = {}
        parameters = set[str]()
        self._containers: dict[int, tuple[Any, Any]] = {}  # by id: each with a copy
        self._attributes: list[dict[str, Any]] = []  # of each module
        live: dict[int, Tensor] = {}
        for path, module in modules.items():
            prefix = f"{path}." if path else ""
            for name, tensor, is_parameter in _own_tensors(module):
                named[f"{prefix}{name}"] = tensor
                if is_parameter:
                    parameters.add(f"{prefix}{name}")
            is_script = isinstance(module, torch.jit.ScriptModule)  # which Python cannot change
            held = _script_constants(module) if is_script else self._attributes_of(module)
            live.update((id(tensor), tensor) for tensor in held)
        live.update((id(tensor), tensor) for tensor in named.values())
        self.parameters = frozenset(parameters)
        self.names = {id(tensor): name for name, tensor in reversed(named.items())}
        self._gradients = [(tensor, tensor.grad) for tensor in named.values() if tensor.is_leaf]
        live.update((id(grad), grad) for _, grad in self._gradients if grad is not None)
        self._live = {key: (t, t.detach(), t.requires_grad) for key, t in live.items()}
        self.tensors = {name: self._live[id(tensor)][1] for name, tensor in named.items()}
        self.requires_grad = frozenset(name for name, t in named.items() if t.requires_grad)
        self._saved: dict[int, tuple[Tensor, torch.UntypedStorage]] = {}
        self._versions: list[Any] = []

    def _attributes_of(self, module: nn.Module) -> Iterator[Tensor]:
        """Every tensor that a module's own attributes hold, in lists and dicts too."""
        attributes = vars(module)
        self._copy(attributes)
        self._attributes.append(attributes)
        for collection in _filled(attributes):  # an empty one needs no copy to be emptied again
            self._copy(collection)
        for name in [name for name in attributes if name not in _OF_EVERY_MODULE]:
            value = attributes[name]
            is_plain = type(value) in _PLAIN or (
                type(value) is tuple and _PLAIN.issuperset(map(type, value))
            )
            if not is_plain:
                yield from self._held(value)

    def _held(self, value: Any) -> Iterator[Tensor]:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, _CONTAINERS) and id(value) not in self._containers:
            if not isinstance(value, tuple):
                self._copy(value)
            held = cast("Any", value)
            for item in held.values() if isinstance(value, dict) else held:
                yield from self._held(item)

    def _copy(self, container: Any) -> None:
        self._containers[id(container)] = container, container.copy()

    @cached_property
    def _by_storage(self) -> dict[int, Tensor]:
        return {storage_id(alias): alias for _, alias, _ in self._live.values()}

    def __contains__(self, storage: int) -> bool:
        """Whether a tensor that the network keeps lies in this storage."""
        return storage in self._by_storage

    def holds(self, tensor: Tensor) -> bool:
        """Whether the network keeps a tensor, or one that shares its memory."""
        return id(tensor) in self._live or storage_id(tensor) in self._by_storage

    def before_mutation(self, tensor: Tensor) -> None:
        """Save the numbers of what the network keeps in the storage of this tensor."""
        storage = storage_id(tensor)
        if storage in self._by_storage and storage not in self._saved and storage >= 0:
            kept = self._by_storage[storage]
            self._saved[storage] = kept, tensor.untyped_storage().clone()
            if not kept.is_inference():
                self._versions.append(_preserved_version(kept))

    def restore(self, announce: Callable[[Tensor], None]) -> None:
        """Undo every change; each tensor is announced before its numbers change back."""
        self._restore_bindings()
        for tensor, gradient in self._gradients:
            if tensor.grad is not gradient:
                tensor.grad = gradient
        self._restore_numbers(announce)
        for tensor, alias, requires_grad in self._live.values():
            if not _is_in_place(tensor, alias):
                tensor.data = alias
            if tensor.requires_grad != requires_grad:
                tensor.requires_grad_(requires_grad)
        for version in self._versions:  # nothing has changed, so autograd need not know
            version.__exit__()

    def _restore_bindings(self) -> None:
        for container, before in self._containers.values():
            if type(container) is not dict or not _are_same_items(container, before):
                _put_back(container, before)
        for attributes in self._attributes:
            for collection in _filled(attributes):
                if id(collection) not in self._containers:
                    collection.clear()

    def _restore_numbers(self, announce: Callable[[Tensor], None]) -> None:
        for alias, numbers in self._saved.values():
            announce(alias)
            storage = alias.untyped_storage()
            if storage.nbytes() != numbers.nbytes():
                storage.resize_(numbers.nbytes())
            storage.copy_(numbers)


def _filled(attributes: dict[str, Any]) -> Iterator[Any]:
    """What a module has of parameters, buffers, modules and hooks, without what is empty."""
    return filter(None, map(attributes.get, _COLLECTIONS))


def _own_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor, bool]]:
    """Parameters and buffers of the module itself, and which of the two each is."""
    if isinstance(module, torch.jit.ScriptModule):  # which binds them out of Python's reach
        held = (
            dict(module.named_parameters(recurse=False)),
            dict(module.named_buffers(recurse=False)),
        )
    else:
        held = vars(module)["_parameters"], vars(module)["_buffers"]
    parameters, buffers = cast("tuple[dict[str, Tensor | None], ...]", held)
    for name, tensor in parameters.items():
        if tensor is not None:
            yield name, tensor, True
    for name, tensor in buffers.items():
        if tensor is not None:
            yield name, tensor, False


def _script_constants(module: nn.Module) -> Iterator[Tensor]:
    """The tensors in the code of a script."""
    graph: Any = getattr(module, "graph", None)
    for node in () if graph is None else graph.findAllNodes("prim::Constant"):
        value = node.output().toIValue() if node.hasAttribute("value") else None
        if isinstance(value, Tensor):
            yield value


def _is_in_place(tensor: Tensor, alias: Tensor) -> bool:
    """Whether a tensor still has its memory and layout."""
    is_plain = tensor.layout == torch.strided and not tensor.is_nested and not tensor.is_meta
    if is_plain and ((tensor.is_cpu and alias.is_cpu) or alias.device == tensor.device):
        return tensor.is_set_to(alias) and tensor.dtype == alias.dtype
    return storage_id(tensor) == storage_id(alias) and tensor.shape == alias.shape


def _put_back(container: Any, before: Any) -> None:
    """Give a list, dict or set the content that it had."""
    if isinstance(container, dict):
        now = cast("dict[Any, Any]", container)
        if not _are_same_items(now, before):
            now.clear()
            now.update(before)
    elif isinstance(container, set):
        container.intersection_update(before)
        container.update(before)
    elif not _are_same(container, before):
        container.clear()
        container.extend(before)


def _are_same_items(this: dict[Any, Any], that: dict[Any, Any]) -> bool:
    """Whether two dicts hold the same objects under the same keys in the same order."""
    is_as_long = len(this) == len(that)
    return is_as_long and all(map(is_, this, that)) and all(map(is_, this.values(), that.values()))


def _are_same(these: Collection[Any], those: Collection[Any]) -> bool:
    """Whether two collections hold the same objects in the same order."""
    return len(these) == len(those) and all(map(is_, these, those))


def _preserved_version(tensor: Tensor) -> Any:
    """Restores a tensor's version counter on exit."""
    return torch.autograd._unsafe_preserve_version_counter(tensor)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


_CONTAINERS = (dict, list, tuple, set, deque)
_PLAIN = frozenset((bool, int, float, str, type(None)))
_OF_EVERY_MODULE = frozenset(vars(nn.Module()))
"""Attributes of `nn.Module` itself."""
_COLLECTIONS = tuple(n for n, held in vars(nn.Module()).items() if isinstance(held, dict | set))
"""Those that hold parameters, buffers, modules and hooks."""
