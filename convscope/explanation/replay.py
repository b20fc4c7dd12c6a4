"""Compute a recorded pass again from any of its results, without the network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from convscope.errors import RequestError
from convscope.explanation.rules.operation_view import result_of
from convscope.recording import IMAGE, INPLACE_UPDATE, ForwardPass, Operation, Source
from convscope.recording.operation import map_nested, tensors_in

Results = Mapping[str, Tensor]


def replayed(done: ForwardPass, changes: Results) -> ForwardPass:
    """The pass with other values for some results, or the image, and all that follows from them.

    Raises RequestError for an unknown name or another shape, and for an operation that cannot be
    computed again: one that draws random numbers, as dropout in training, or whose result differs
    with the same operands.
    """
    new: dict[str, Tensor] = {}
    for name, value in changes.items():
        old = _known(done, name)
        if value.shape != old.shape:
            raise RequestError(
                f"{name} has the shape {tuple(old.shape)}, and its new value "
                f"{tuple(value.shape)}; the batch axis counts."
            )
        new[name] = value.detach().to(old)
    with torch.no_grad():
        for operation in done.operations:
            if operation.name in changes or not set(operation.operands) & new.keys():
                continue
            again = _compute(operation, lambda source: _old(done, source))
            if not _equal(again, _known(done, operation.name)):
                raise RequestError(_not_again(operation))
            new[operation.name] = _compute(
                operation, lambda source: new.get(source.name, _old(done, source))
            )
    return replace(done, results={**done.results, **new})


def gradients_of(done: ForwardPass, name: str, at: Sequence[int]) -> dict[str, Tensor]:
    """The gradient of a unit by every result that it depends on, and by the image.

    Raises RequestError for an unknown name, and for an operation that cannot be computed again or
    has no gradient.
    """
    unit = _known(done, name)
    index = (0,) * (unit.ndim - len(at)) + tuple(at)
    followed: dict[str, Tensor] = {}
    with torch.inference_mode(mode=False), torch.enable_grad():
        followed[IMAGE] = _known(done, IMAGE).detach().clone().requires_grad_()
        for operation in done.operations:
            if set(operation.operands) & followed.keys():
                followed[operation.name] = _compute(
                    operation, lambda source: followed.get(source.name, _old(done, source))
                )
            if operation.name == name:
                break
        if name not in followed or not followed[name].requires_grad:
            raise RequestError(f"{name} does not depend on the image, or has no gradient by it.")
        if not _equal(followed[name], unit):
            raise RequestError(f"{name} cannot be computed again: it differs with the same image.")
        names = [each for each, tensor in followed.items() if tensor.requires_grad]
        found = torch.autograd.grad(
            followed[name][index], [followed[each] for each in names], allow_unused=True
        )
    return {each: g for each, g in zip(names, _listed(found), strict=True) if g is not None}


def _listed(found: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    """What autograd returns: None where the unit does not depend on a result."""
    return found


def _known(done: ForwardPass, name: str) -> Tensor:
    if name not in done.results:
        raise RequestError(
            f"There is no result {name!r} in this recording, or it was not kept. Record without "
            "`keep`."
        )
    return done.results[name]


def _old(done: ForwardPass, source: Source) -> Tensor:
    tensor = done.state[source.name] if source.role == "state" else result_of(done, source.name)
    return tensor.detach()


def _compute(operation: Operation, value: Callable[[Source], Tensor]) -> Tensor:
    """The result of an operation for other operands, which it gets as copies."""
    if operation.kind == INPLACE_UPDATE:
        raise RequestError(_not_again(operation))
    args, kwargs = map_nested(
        (operation.call.args, dict(operation.call.kwargs)),
        lambda source: value(source).clone(),
        of=Source,
    )
    before = torch.get_rng_state()
    output: Any = operation.call.function(*args, **kwargs)
    if not torch.equal(before, torch.get_rng_state()):
        torch.set_rng_state(before)
        raise RequestError(_not_again(operation))
    tensors = list(tensors_in(output)) or list(tensors_in(args))[:1]  # `x[0] = 1` returns nothing
    return tensors[operation.output_index]


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())


def _not_again(operation: Operation) -> str:
    return (
        f"{operation.name} ({operation.kind}) cannot be computed again from its operands. Run the "
        "network again with `convscope.intervene`."
    )
