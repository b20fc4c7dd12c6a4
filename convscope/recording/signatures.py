"""Names of torch's functions and of their arguments."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, cast

import torch
from torch import overrides
from torch._ops import OpOverload

from convscope.recording.aten import form_of, name_arguments_of
from convscope.recording.kinds import KINDS, get_kind


def kind_of(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """`conv2d`, `add` for `torch.Tensor.__iadd__`, `T` for the property of that name."""
    if isinstance(function, OpOverload):
        return form_of(function, args, kwargs).kind
    return _kind_of(function)


@cache
def _kind_of(function: Callable[..., Any]) -> str:
    name: str | None = overrides.resolve_name(function)
    parts = (name or getattr(function, "__name__", "function")).split(".")
    kind = (parts[-2] if parts[-1] == "__get__" else parts[-1]).strip("_")
    return _ALIASES.get(kind, kind)


_ALIASES = {alias: kind.name for kind in KINDS.values() for alias in kind.aliases}


_STATISTICS = ("input", "weight", "bias", "running_mean", "running_var", "training")
NATIVE: dict[Callable[..., Any], tuple[str, ...]] = {
    torch.batch_norm: (*_STATISTICS, "momentum", "eps"),
    torch.Tensor.where: ("input", "condition", "other"),
    torch.instance_norm: (*_STATISTICS[:5], "use_input_stats", "momentum", "eps"),
    torch.linalg.norm: ("input", "ord", "dim", "keepdim"),
    torch.Tensor.unfold: ("input", "dimension", "size", "step"),
}
"""Functions whose arguments differ from those of another function of the same kind."""


def name_arguments(
    kind: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of a function by name, or by position (`1`) where none is known."""
    if isinstance(function, OpOverload):
        return name_arguments_of(function, args, kwargs)
    return {**_named(NATIVE.get(function) or get_kind(kind).arguments, args), **kwargs}


def _named(names: tuple[str, ...], args: tuple[Any, ...]) -> dict[str, Any]:
    if names and names[-1].startswith("*") and len(args) >= len(names):
        rest = args[len(names) - 1 :]
        return {**_named(names[:-1], args[: len(names) - 1]), names[-1][1:]: _unpacked(rest)}
    return {
        names[position] if position < len(names) else str(position): value
        for position, value in enumerate(args)
    }


def _unpacked(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """`view(2, 3)` and `view((2, 3))` mean the same."""
    if len(values) == 1 and isinstance(values[0], list | tuple):
        return tuple(cast("Sequence[Any]", values[0]))
    return values
