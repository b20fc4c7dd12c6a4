"""Which tensors a pass is about to write to, whatever does it: a function, a module or a script."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from types import BuiltinFunctionType, MethodDescriptorType
from typing import Any

import torch
from torch import Tensor, overrides
from torch._ops import HigherOrderOperator, OpOverloadPacket
from torch.nn import functional as F

from convscope.recording.aten import argument_names
from convscope.recording.operation import tensors_in
from convscope.recording.uncompiled import UncompiledMode


class MutationTracker(UncompiledMode):
    """Announces every tensor that is about to be mutated, just before it is.

    It sees every operator that runs, whichever function, module or script runs it, except while it
    is paused. To be freed with the pass, not later, it must not be held by what listens.
    """

    supports_higher_order_operators = True  # as `torch.cond`, which then runs one of its branches

    def __init__(self, *listeners: Callable[[Tensor], None]) -> None:
        super().__init__()
        self.listeners = listeners

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        known = _MUTATED.get(id(func))
        if known is None:  # hashing an operator takes longer than looking for its id
            mutated = _mutated_arguments(func)
            known = _MUTATED[id(func)] = mutated, argument_names(func) if mutated else ()
        mutated, names = known
        if mutated:
            with _NotIntercepted():
                for tensor in _written(mutated, names, args, kwargs or {}):
                    for announce in self.listeners:
                        announce(tensor)
        return func(*args, **kwargs) if kwargs else func(*args)

    def pause(self) -> bool:
        """See nothing until `resume`; False if another mode has been entered since this one.

        False also inside an operator that this one sees already.
        """
        top = _pop(None) if _count() else None
        if top is self:
            return True
        if top is not None:
            _push(top)
        return False

    def resume(self) -> None:
        """See every operator again."""
        _push(self)

    def see(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call a function while everything else is unseen."""
        _push(self)
        try:
            return function(*args, **kwargs)
        finally:
            _pop(None)


_C: Any = torch._C  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
_NotIntercepted: Any = _C.DisableTorchFunction
"""What is done to keep tensors is no part of the pass."""
_count: Any = _C._len_torch_dispatch_stack  # noqa: SLF001
_pop: Any = _C._pop_torch_dispatch_stack  # noqa: SLF001
_push: Any = _C._push_on_torch_dispatch_stack  # noqa: SLF001
"""What entering and leaving a mode does, without asking each time which others are entered."""


def unseen(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call a function as it is, while the tracker is paused."""
    return function(*args, **kwargs)


def may_write(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a function of torch may write to its arguments, if these are plain tensors."""
    if function is F.batch_norm:
        return bool(args[5] if len(args) > 5 else kwargs.get("training"))
    return _may_write(function) or kwargs.get("out") is not None


@cache
def _may_write(function: Callable[..., Any]) -> bool:
    """False for what is written in C++ and is called like operators none of which writes."""
    if not isinstance(function, BuiltinFunctionType | MethodDescriptorType):
        return True
    name = str(overrides.resolve_name(function)).rpartition(".")[2]
    name = name[2:-2] if name.startswith("__") else name  # `__add__`; there is no `iadd`
    packet: Any = getattr(torch.ops.aten, name, None)
    overloads = packet.overloads() if isinstance(packet, OpOverloadPacket) else ()
    operators = [getattr(packet, overload) for overload in overloads]
    return not operators or any(_mutated_arguments(o) for o in operators if not _has_out(o))


def _has_out(operator: Any) -> bool:
    return any(argument.is_out for argument in operator._schema.arguments)  # noqa: SLF001 -- there is no other way


def _written(
    mutated: frozenset[str], names: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Iterator[Tensor]:
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    is_left_alone = "inplace" in names and not given.get("inplace")
    if not is_left_alone and (mutated != _STATISTICS or given.get("training", True)):
        yield from tensors_in([given.get(name) for name in mutated])


_STATISTICS = frozenset(("running_mean", "running_var"))


_MUTATED: dict[int, tuple[frozenset[str], tuple[str, ...]]] = {}
"""The arguments that operators mutate, and all that they have, by the ids of operators, which live
as long as torch does."""


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
