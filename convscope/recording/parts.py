"""Functions that torch writes in Python and that are recorded as the operations they consist of.

Each of them asks at its start whether anything wants to intercept it. Here it runs as it is, by a
copy that is told no, so that what is intercepted is every operation inside.
"""

from collections.abc import Callable, Mapping
from types import FunctionType, MappingProxyType
from typing import Any

from torch.nn import functional as F

_Function = Callable[..., Any]


def _not_intercepted(function: _Function) -> _Function:
    """The same function, which calls its parts without offering itself first."""
    if not isinstance(function, FunctionType):
        raise TypeError(function)
    answers = {name: _never for name in vars(F) if name.startswith("has_torch_function")}
    copy = FunctionType(
        function.__code__,
        {**function.__globals__, **answers},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _never(*_tensors: object) -> bool:
    return False


def _pooling_at_random(axes: int) -> dict[_Function, _Function]:
    """Which draws its samples, then pools; one function for each number of results."""
    name = f"fractional_max_pool{axes}d"
    both = getattr(F, f"{name}_with_indices")
    first: _Function = getattr(F, f"_{name}")
    return {getattr(F, name): _not_intercepted(first), both: _not_intercepted(both)}


PARTS: Mapping[_Function, _Function] = MappingProxyType(
    {
        F.multi_head_attention_forward: _not_intercepted(F.multi_head_attention_forward),
        F.gumbel_softmax: _not_intercepted(F.gumbel_softmax),
        F.softmin: _not_intercepted(F.softmin),
        **_pooling_at_random(2),
        **_pooling_at_random(3),
    }
)
"""By the function that is called: what runs in its place, which computes the same."""
