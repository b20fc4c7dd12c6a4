"""Compute a recorded pass again from any of its results, without the network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from convscope.errors import RequestError
from convscope.explanation.rules.complex_sums import real_view
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
        new[name] = _like(old, value.detach())
    with torch.no_grad():
        for operation in done.operations:
            if operation.name in changes or not set(operation.operands) & new.keys():
                continue
            again = compute(operation, lambda source: _as_recorded(done, source))
            if not _equal(again, _known(done, operation.name)):
                raise RequestError(_not_again(operation))
            new[operation.name] = compute(
                operation, lambda source: new.get(source.name, _as_recorded(done, source))
            )
    return replace(done, results={**done.results, **new})


def gradients_of(done: ForwardPass, name: str, at: Sequence[int]) -> dict[str, Tensor]:
    """The gradient of a unit by every result that it depends on, and by the image.

    Raises RequestError for an unknown name, and for an operation that cannot be computed again or
    has no gradient.
    """
    unit = _known(done, name)
    axes = unit.ndim + unit.is_complex()  # whose last index is the part
    index = (0,) * (axes - len(at)) + tuple(at)
    followed: dict[str, Tensor] = {}
    with torch.inference_mode(mode=False), torch.enable_grad():
        followed[IMAGE] = _known(done, IMAGE).detach().clone().requires_grad_()
        for operation in done.operations:
            if set(operation.operands) & followed.keys():
                followed[operation.name] = compute(
                    operation, lambda source: followed.get(source.name, _old(done, source))
                )
                if _lacks_gradient(followed[operation.name]):
                    raise RequestError(f"PyTorch has no gradient for {operation.name}.")
            if operation.name == name:
                break
        if name not in followed or not followed[name].requires_grad:
            raise RequestError(f"{name} does not depend on the image, or has no gradient by it.")
        if not _is_close(followed[name].detach(), unit):
            raise RequestError(f"{name} cannot be computed again: it differs with the same image.")
        names = [each for each, tensor in followed.items() if tensor.requires_grad]
        wanted = [followed[each] for each in names]
        try:
            found = torch.autograd.grad(real_view(followed[name])[index], wanted, allow_unused=True)
        except RuntimeError as error:  # as "derivative for aten::floor_divide is not implemented"
            raise RequestError(f"PyTorch has no gradient for {name}: {error}.") from error
    return {each: g for each, g in zip(names, _listed(found), strict=True) if g is not None}


def _lacks_gradient(result: Tensor) -> bool:
    """Whether torch would return a gradient that is wrong, as for some quantized layers."""
    function = result.grad_fn
    return function is not None and function.name().endswith("NotImplemented")


def _listed(found: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    """What autograd returns: None where the unit does not depend on a result."""
    return found


def _known(done: ForwardPass, name: str) -> Tensor:
    try:
        return done.result(name)
    except KeyError:
        raise RequestError(
            f"There is no result {name!r} in this recording, or it was not kept. Record without "
            "`keep`."
        ) from None


def _old(done: ForwardPass, source: Source) -> Tensor:
    if source.role == "state":
        return done.state[source.name].detach()
    result_of(done, source.name)  # raises where it was not kept
    return done.result(source.name).detach()


def _as_recorded(done: ForwardPass, source: Source) -> Tensor:
    """The same; what required gradients does so, because torch chooses other products for it."""
    tensor = _old(done, source)
    return tensor.requires_grad_() if source.name in done.requires_grad else tensor


def _like(old: Tensor, value: Tensor) -> Tensor:
    """Values in the type of a result; for a quantized one, rounded to its grid."""
    if not old.is_quantized:
        return value.to(old)
    if old.qscheme() == torch.per_tensor_affine:
        made: Any = torch.quantize_per_tensor(
            _plain(value), old.q_scale(), old.q_zero_point(), old.dtype
        )
        return made
    grid = old.q_per_channel_scales(), old.q_per_channel_zero_points(), old.q_per_channel_axis()
    return torch.quantize_per_channel(_plain(value), *grid, old.dtype)


def _plain(tensor: Tensor) -> Tensor:
    """The numbers of a tensor, whether it is quantized or not."""
    return tensor.dequantize() if tensor.is_quantized else tensor


def compute(operation: Operation, value: Callable[[Source], Tensor]) -> Tensor:
    """The result of an operation for other operands, which it gets as copies."""
    if operation.kind == INPLACE_UPDATE:
        raise RequestError(_not_again(operation))
    args, kwargs = map_nested(
        (operation.call.args, dict(operation.call.kwargs)),
        lambda source: _copy(value(source)),
        of=Source,
    )
    before = torch.get_rng_state()
    output: Any = operation.call.function(*args, **kwargs)
    if not torch.equal(before, torch.get_rng_state()):
        torch.set_rng_state(before)
        raise RequestError(_not_again(operation))
    tensors = list(tensors_in(output)) or list(tensors_in(args))[:1]  # `x[0] = 1` returns nothing
    return tensors[operation.output_index]


def _copy(tensor: Tensor) -> Tensor:
    copy = tensor.clone()
    return copy.requires_grad_() if tensor.requires_grad and not copy.requires_grad else copy


def _equal(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or a.is_quantized != b.is_quantized:
        return False
    a, b = _plain(a), _plain(b)
    return bool(((a == b) | (a.isnan() & b.isnan())).all())


def _is_close(a: Tensor, b: Tensor) -> bool:
    """Whether two differ by rounding alone: torch may add up in another order for gradients."""
    if a.shape != b.shape or a.is_quantized != b.is_quantized:
        return False
    a, b = _plain(a), _plain(b)
    if a.dtype != b.dtype or not (a.is_floating_point() or a.is_complex()):
        return _equal(a, b)
    size = float(b.abs().nan_to_num(posinf=0.0).max()) if b.numel() else 0.0
    slack = 1000 * torch.finfo(b.dtype).eps
    return torch.allclose(a, b, rtol=slack, atol=slack * size, equal_nan=True)


def _not_again(operation: Operation) -> str:
    return (
        f"{operation.name} ({operation.kind}) cannot be computed again from its operands. Run the "
        "network again with `convscope.intervene`."
    )
