"""Operations that slide a window: convolution, pooling, and their kin."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from convscope.geometry import pads
from convscope.receptive.seen import Axis, Seen
from convscope.record import Operation


def per_axis(value: Any, axes: int) -> tuple[Any, ...]:
    """One value for each axis of what torch takes: a single one stands for all."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        several = tuple(cast("Iterable[Any]", value))
        return several * axes if len(several) == 1 else several
    return (value,) * axes


def _windows(
    operation: Operation,
    seen: Seen,
    kernel: Sequence[int],
    *,
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
) -> Seen:
    """Windows that slide along the last dimensions; the one before them holds channels."""
    count, axes = len(kernel), list(seen.axes)
    choices = zip(
        kernel,
        per_axis(stride, count),
        per_axis(padding, count),
        per_axis(dilation, count),
        operation.shape[-count:],
        strict=True,
    )
    dims = list(seen.dims)
    for place, (size, step, around, apart, output) in enumerate(choices, start=-count):
        axis = seen.along(place)
        before, after = pads(
            len(axes[axis].support), size, stride=step, padding=around, dilation=apart
        )
        axes[axis] = axes[axis].window(
            size, stride=step, before=before, after=after, dilation=apart, output=output
        )
        dims[place] = ((axis, output),)
    dims[-count - 1] = ((None, operation.shape[-count - 1]),)
    return Seen(tuple(axes), tuple(dims))


def convolution(operation: Operation, operands: Sequence[Seen]) -> Seen:
    given = operation.arguments
    return _windows(
        operation,
        operands[0],
        given["weight"][2:],
        stride=given.get("stride", 1),
        padding=given.get("padding", 0),
        dilation=given.get("dilation", 1),
    )


def pool(operation: Operation, operands: Sequence[Seen]) -> Seen:
    given, axes = operation.arguments, int(operation.kind[-2])
    kernel = per_axis(given["kernel_size"], axes)
    return _windows(
        operation,
        operands[0],
        kernel,
        stride=given.get("stride") or kernel,
        padding=given.get("padding", 0),
        dilation=given.get("dilation", 1),
    )


def layer(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """A layer of convscope's that slides a window; its attributes are those of torch's layers."""
    layer: Any = operation.layer
    return _windows(
        operation,
        operands[0],
        per_axis(layer.kernel_size, 2),
        stride=getattr(layer, "stride", layer.kernel_size),
        padding=getattr(layer, "padding", 0),
        dilation=getattr(layer, "dilation", 1),
    )


def adaptive(operation: Operation, operands: Sequence[Seen]) -> Seen:
    seen, count = operands[0], int(operation.kind[-2])
    axes, dims = list(seen.axes), list(seen.dims)
    for place in range(-count, 0):
        axis, output = seen.along(place), operation.shape[place]
        units = len(axes[axis].support)
        if units % output == 0:
            size = units // output
            axes[axis] = axes[axis].window(
                size, stride=size, before=0, after=0, dilation=1, output=output
            )
        else:
            axes[axis] = Axis(None, axes[axis].support.adaptive(output))
        dims[place] = ((axis, output),)
    return Seen(tuple(axes), tuple(dims))


def transposed(operation: Operation, operands: Sequence[Seen]) -> Seen:
    given, seen = operation.arguments, operands[0]
    kernel = given["weight"][2:]
    axes, dims, count = list(seen.axes), list(seen.dims), len(kernel)
    words = ("stride", "padding", "dilation", "output_padding")
    several = [per_axis(given.get(w, int(w in ("stride", "dilation"))), count) for w in words]
    for place, size, *rest in zip(range(-count, 0), kernel, *several, strict=True):
        axis = seen.along(place)
        options: dict[str, int] = dict(zip(words, rest, strict=True))
        axes[axis] = Axis(None, axes[axis].support.transposed(size, **options))
        dims[place] = ((axis, operation.shape[place]),)
    dims[-count - 1] = ((None, operation.shape[-count - 1]),)
    return Seen(tuple(axes), tuple(dims))
