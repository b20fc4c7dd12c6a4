"""Receptive fields: none too small, by changing pixels; how large, by gradients.

In float64, so that a unit changes only where it depends on the pixel; in float32 where a network
cannot compute in float64.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from convscope.errors import NetworkError
from convscope.explanation.recording import Recording, record
from convscope.gradients import contiguous_gradients
from convscope.recording.operation import tensors_in
from tests.sweep.faults import Findings
from tests.sweep.units import Units

CHANGED = 4  # units that changed with a pixel and are looked at, of each operation


def check_fields(
    net: nn.Module, image: Tensor, random: np.random.Generator, findings: Findings, *, units: int
) -> None:
    """Change two pixels, and compare the gradient of `units` units with their fields."""
    exact, pixels, recording = _in_double(net, image, findings)
    names = [op.name for op in recording.operations if op.operands and 0 not in op.shape]
    fields = [recording.fields.by_operation.get(name) for name in names]
    findings.figures["operations with a field"] += len(names)
    findings.figures["operations with an exact field"] += sum(bool(f and f.exact) for f in fields)
    for _ in range(2):
        pixel = tuple(int(random.integers(side)) for side in image.shape[2:])
        _change(exact, pixels, pixel, recording, random, findings)
    _compare_gradients(exact, pixels, recording, _drawn(recording, names, random, units), findings)


def _in_double(
    net: nn.Module, image: Tensor, findings: Findings
) -> tuple[nn.Module, Tensor, Recording]:
    """A copy of the network in float64 and its recording; in float32 where that fails."""
    single = copy.deepcopy(net).requires_grad_(requires_grad=False)
    double, pixels = copy.deepcopy(single).double(), image.double()
    try:
        return double, pixels, record(double, pixels)
    except NetworkError:  # as where a layer computes in float32 whatever comes in
        findings.figures["networks whose fields were checked in float32"] += 1
        return single, image, record(single, image)


def _drawn(
    recording: Recording, names: list[str], random: np.random.Generator, count: int
) -> Units:
    """Random units of random operations that compute in floating point."""
    floating = [name for name in names if recording[name].tensor.is_floating_point()]
    chosen = random.permutation(len(floating))[:count].tolist()
    shapes = {floating[place]: recording[floating[place]].shape for place in sorted(chosen)}
    return [
        (name, tuple(int(random.integers(side)) for side in shape))
        for name, shape in shapes.items()
    ]


def _change(
    net: nn.Module,
    image: Tensor,
    pixel: tuple[int, ...],
    recording: Recording,
    random: np.random.Generator,
    findings: Findings,
) -> None:
    """Whatever changes with a pixel has it in its field."""
    changed = image.clone()
    changed[(0, slice(None), *pixel)] += 0.5
    other = record(net, changed)
    if other.names != recording.names:
        findings.figures["passes that took another way"] += 1
        return
    for operation in recording.operations:
        name = operation.name
        before, after = recording[name].tensor, other[name].tensor
        if before.shape != after.shape:
            continue
        places = _differs(before, after).nonzero()
        if not len(places):
            continue
        chosen = {0, len(places) - 1, *random.integers(len(places), size=CHANGED - 2).tolist()}
        for at in (tuple(places[n].tolist()) for n in sorted(chosen)):
            findings.figures["units that changed with a pixel"] += 1
            field = recording.fields.of(name, at)
            if field is None or not _holds(field.clipped, pixel):
                seen = "no pixel" if field is None else f"{field.clipped}"
                what = f"it changes with the pixel {pixel}, and its field is {seen}"
                findings.add("field", what, operation=name, kind=operation.kind, unit=at)
                break


def _differs(before: Tensor, after: Tensor) -> Tensor:
    differs = (before != after) & ~(before.isnan() & after.isnan())
    if before.dtype == torch.float32:  # in which other sums may be rounded otherwise
        differs &= (before - after).abs() > 1e-3 * before.abs().max()
    return differs


def _holds(clipped: tuple[tuple[int, int] | None, ...], pixel: tuple[int, ...]) -> bool:
    return all(
        span is not None and span[0] <= n < span[1] for span, n in zip(clipped, pixel, strict=True)
    )


def _compare_gradients(
    net: nn.Module, image: Tensor, recording: Recording, units: Units, findings: Findings
) -> None:
    """No pixel outside its field has a part in the gradient of a unit."""
    for (name, at), gradient in gradients_of(net, image, recording, units):
        if gradient is None or gradient.isnan().any():
            findings.figures["gradients that cannot be compared"] += 1
            continue
        findings.figures["fields"] += 1
        lead = recording[name].tensor.ndim - len(at)
        field, touched = recording.fields.of(name, (*(0,) * lead, *at)), _touched(gradient)
        findings.figures["fields marked exact"] += field is None or field.exact
        box = None if field is None or None in field.clipped else field.clipped
        findings.figures["fields as large as the gradient's"] += box == touched
        if touched and (box is None or not _covers(box, touched)):
            what = f"the gradient touches {touched}, and its field is {box}"
            where = {"operation": name, "kind": recording[name].kind, "unit": at}
            findings.add("field", what, **where)


def gradients_of(
    net: nn.Module, image: Tensor, recording: Recording, units: Units
) -> Iterator[tuple[tuple[str, tuple[int, ...]], Tensor | None]]:
    """The gradient of each unit by the image; None for a result that is no tensor of autograd's."""
    leaf = image.clone().requires_grad_()
    with (
        torch.enable_grad(),
        _Keeper({name: recording[name].tensor for name, _ in units}) as keeper,
    ):
        net(leaf * 1)  # so that it may be written to
    for name, at in units:
        gradient, result = None, keeper.found.get(name)
        if result is not None:
            whole = (*(0,) * (result.ndim - len(at)), *at)
            (gradient,) = torch.autograd.grad(
                contiguous_gradients(result[whole]),
                leaf,
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
        yield (name, at), gradient


Box = tuple[tuple[int, int], ...]


def _touched(gradient: Tensor) -> Box | None:
    """The smallest box around the pixels whose gradient is not 0."""
    places = gradient[0].abs().amax(0).nonzero()
    if not len(places):
        return None
    first, last = places.amin(0).tolist(), places.amax(0).tolist()
    return tuple((a, b + 1) for a, b in zip(first, last, strict=True))


def _covers(box: Any, touched: Box) -> bool:
    return all(a <= c and d <= b for (a, b), (c, d) in zip(box, touched, strict=True))


class _Keeper(TorchFunctionMode):
    """Keeps results that equal given values, with their history for autograd."""

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.wanted = dict(values)
        self.found: dict[str, Tensor] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        for tensor in tensors_in(output):
            if not tensor.requires_grad:
                continue
            equal = [name for name, value in self.wanted.items() if _equal(tensor, value)]
            for name in equal:
                del self.wanted[name]
                self.found[name] = tensor.clone()
        return output


def _equal(tensor: Tensor, value: Tensor) -> bool:
    alike = tensor.shape == value.shape and tensor.dtype == value.dtype
    rtol = 1e-4 if tensor.dtype == torch.float32 else 1e-9
    return alike and torch.allclose(tensor, value, rtol=rtol, atol=1e-3 * rtol, equal_nan=True)
