"""Functions of torch by their names, as a file can hold them."""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, cast

import torch
from torch._ops import OpOverload
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.recording import KINDS
from convscope.recording.kinds import WITHOUT_PRODUCTS
from convscope.recording.signatures import kind_of

_Function = Callable[..., Any]

_HOMES: Mapping[str, Any] = MappingProxyType(
    {
        "torch": torch,
        "torch.nn.functional": F,
        "torch.Tensor": torch.Tensor,
        "torch.linalg": torch.linalg,
        "torch.special": torch.special,
        "torch.fft": torch.fft,
        "torch._C._nn": vars(torch)["_C"]._nn,  # noqa: SLF001
    }
)
_OPERATORS = ("aten", "quantized", "quantized_decomposed")
"""Namespaces of `torch.ops`; others are of extensions, which may not be there."""


class NotSaved:
    """Stands for a function, a layer or an argument that a file does not hold.

    Attributes:
        words: what it was, for messages.
    """

    def __init__(self, words: str) -> None:
        self.words = words

    def __call__(self, *_args: object, **_kwargs: object) -> Any:
        raise RequestError(f"{self.words} is not in the file of the recording; record again.")

    def __repr__(self) -> str:
        return f"<{self.words}, not saved>"


def name_of(function: _Function) -> str | None:
    """The name of a function of torch, as `torch.nn.functional.relu`; None for any other."""
    if isinstance(function, OpOverload):
        return f"torch.ops.{function}"
    try:
        return _names().get(function)
    except TypeError:  # what cannot be hashed
        return None


def function_of(
    name: str, kind: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> _Function | None:
    """The function that `name_of` named; None unless it is one that does what the kind says.

    Only kinds that convscope knows are returned, so no file can name a function that does more
    than to compute.
    """
    if kind not in KINDS and kind not in WITHOUT_PRODUCTS:
        return None
    function = _operator(name) if name.startswith("torch.ops.") else _functions().get(name)
    if function is None or kind_of(function, args, kwargs) != kind:
        return None
    return function


def _operator(name: str) -> _Function | None:
    parts = name.split(".")[2:]
    if len(parts) != 3 or parts[0] not in _OPERATORS:
        return None
    packet = getattr(getattr(torch.ops, parts[0]), parts[1], None)
    found: Any = getattr(packet, parts[2], None)
    return cast("_Function", found) if isinstance(found, OpOverload) else None


@cache
def _functions() -> Mapping[str, _Function]:
    """Every function, method and property of the homes, by name."""
    found: dict[str, _Function] = {}
    for home, module in _HOMES.items():
        for name in dir(module):
            value = getattr(module, name, None)
            if home == "torch.Tensor" and not callable(value):
                for part in ("__get__", "__set__"):
                    accessor = getattr(value, part, None)
                    if accessor is not None:
                        found[f"{home}.{name}.{part}"] = accessor
            elif callable(value) and not isinstance(value, type):
                found[f"{home}.{name}"] = value
    return found


@cache
def _names() -> Mapping[_Function, str]:
    names: dict[_Function, str] = {}
    for name, function in _functions().items():
        try:
            names.setdefault(function, name)
        except TypeError:
            continue
    return names
