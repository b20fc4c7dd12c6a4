"""The arguments of operations as JSON, and back."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import EllipsisType
from typing import Any, Literal, cast, get_args

import torch

from convscope.explanation.saved.functions import NotSaved
from convscope.recording import Shape, Source

Role = Literal["result", "state", "constant", "unknown"]
Pack = Callable[[Any], dict[str, Any] | None]
Unpack = Callable[[Mapping[str, Any]], Any]


def _name(constant: object) -> str:
    return str(constant).removeprefix("torch.")


_CONSTANTS: Mapping[str, Any] = {
    _name(value): value
    for value in vars(torch).values()
    if isinstance(value, torch.dtype | torch.layout | torch.memory_format)
}
_PLAIN = (bool, int, str, type(None))


def encode(value: object, pack: Pack) -> Any:
    """An argument as JSON: what JSON lacks is a table of one key, which says what it is.

    `pack` is asked about packed weights. Anything unknown becomes its type's name, see `NotSaved`.
    """
    if type(value) in _PLAIN or (type(value) is float and math.isfinite(value)):
        return value
    for kind, (word, parts) in _PARTS.items():
        if type(value) is kind:
            return {word: [encode(part, pack) for part in parts(value)]}
    for kinds, word, text in _TEXTS:
        if isinstance(value, kinds):
            return {word: text(value)}
    packed = pack(value)
    name = type(value).__name__
    return {"not saved": f"an argument of the type {name}"} if packed is None else packed


def decode(value: Any, unpack: Unpack) -> Any:
    """What `encode` encoded. Raises ValueError and its like for anything else."""
    if type(value) in (*_PLAIN, float):
        return value
    ((word, content),) = value.items()
    if word in _FROM_PARTS:
        return _FROM_PARTS[word]([decode(part, unpack) for part in content])
    if word in _FROM_TEXT:
        return _FROM_TEXT[word](content)
    return unpack(value)


def is_saved(value: Any) -> bool:
    """Whether a decoded argument is all that was encoded."""
    if isinstance(value, NotSaved):
        return False
    if isinstance(value, Source):
        return True
    if isinstance(value, dict):
        return all(map(is_saved, cast("dict[Any, Any]", value).values()))
    if isinstance(value, list | tuple):
        return all(map(is_saved, cast("list[Any]", value)))
    return True


def _source(role: str, name: str, shape: Sequence[int]) -> Source:
    if role not in get_args(Role) or type(name) is not str:
        raise ValueError(f"{role!r} {name!r} is no tensor")
    if not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError(f"{name} has an impossible shape")
    return Source(cast("Role", role), name, Shape(shape))


_PARTS: Mapping[type, tuple[str, Callable[[Any], Iterable[Any]]]] = {
    list: ("list", list[Any]),
    tuple: ("tuple", list[Any]),
    torch.Size: ("size", list[Any]),
    dict: ("dict", lambda table: [part for pair in table.items() for part in pair]),
    slice: ("slice", lambda value: (value.start, value.stop, value.step)),
    range: ("range", lambda value: (value.start, value.stop, value.step)),
    Source: ("tensor", lambda source: (source.role, source.name, tuple(source.shape))),
}
"""By type: the word for it, and the parts that are encoded in turn."""
_FROM_PARTS: Mapping[str, Callable[[list[Any]], Any]] = {
    "list": list[Any],
    "tuple": tuple,
    "size": torch.Size,
    "dict": lambda parts: dict(zip(parts[::2], parts[1::2], strict=True)),
    "slice": lambda parts: slice(*parts),
    "range": lambda parts: range(*parts),
    "tensor": lambda parts: _source(*parts),
}
_TEXTS: Sequence[tuple[Any, str, Callable[[Any], str]]] = (
    (float, "float", str),
    (complex, "complex", str),
    (EllipsisType, "ellipsis", str),
    ((torch.dtype, torch.layout, torch.memory_format), "torch", _name),
    (torch.device, "device", str),
)
"""What is one text."""
_FROM_TEXT: Mapping[str, Callable[[str], Any]] = {
    "float": float,
    "complex": complex,
    "ellipsis": lambda _: ...,
    "torch": lambda name: _CONSTANTS[name],
    "device": torch.device,
    "not saved": NotSaved,
}
