"""Operations that slide a window: convolution, pooling, and their kin."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from convscope.geometry import Support, pads
from convscope.receptive.branches import grouped, joined, mixed, repeated
from convscope.receptive.seen import Axes, Axis, Seen, Unknown, length
from convscope.recording import Operation


def per_axis(value: Any, axes: int) -> tuple[Any, ...]:
    """One value for each axis of what torch takes: a single one stands for all."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        several = tuple(cast("Iterable[Any]", value))
        return several * axes if len(several) == 1 else several
    return (value,) * axes


def each_axis(operation: Operation, seen: Seen, changes: Sequence[Callable[[Axis], Axis]]) -> Seen:
    """Change what is seen along each of the last dimensions, map by map.

    Of a dimension of channels only the union over all of them is known.
    """
    count = len(changes)
    along = [_axis_of(seen, place) for place in range(-count, 0)]
    for place, axis, change in zip(range(-count, 0), along, changes, strict=True):
        if axis is None:  # it slides along channels, which it mixes
            over = change(Axis(None, Support.image(length(seen.dims[place])))).support
            if any(over[unit] is None for unit in range(len(over))):
                raise Unknown
            seen = seen.united()
    by_axis = dict(zip(along, changes, strict=True))

    def changed(axes: Axes) -> Axes:
        return tuple(by_axis[n](axis) if n in by_axis else axis for n, axis in enumerate(axes))

    last = (((axis, n),) for axis, n in zip(along, operation.shape[-count:], strict=True))
    return seen.changed(changed, (*seen.dims[:-count], *last))


def _axis_of(seen: Seen, place: int) -> int | None:
    is_of_channels = all(axis is None for axis, _ in seen.dims[place])
    return None if is_of_channels else seen.along(place)


def _windows(
    operation: Operation,
    seen: Seen,
    kernel: Sequence[int],
    *,
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
) -> Seen:
    """Windows that slide along the last dimensions, in every map."""
    count = len(kernel)
    choices = zip(
        kernel,
        per_axis(stride, count),
        per_axis(padding, count),
        per_axis(dilation, count),
        operation.shape[-count:],
        strict=True,
    )

    def sliding(size: int, step: int, around: Any, apart: int, output: int) -> _Change:
        def change(axis: Axis) -> Axis:
            before, after = pads(
                len(axis.support), size, stride=step, padding=around, dilation=apart
            )
            return axis.window(
                size, stride=step, before=before, after=after, dilation=apart, output=output
            )

        return change

    return each_axis(operation, seen, [sliding(*choice) for choice in choices])


_Change = Callable[[Axis], Axis]


def across(operation: Operation, seen: Seen, axes: int, groups: int = 1) -> Seen:
    """Filters: every channel of the result sees what all the channels of its group see."""
    place, filters = len(seen.dims) - axes - 1, operation.shape[-axes - 1]
    if groups == 1:
        return repeated(mixed(seen, [place], keep=False), place, filters)
    met = mixed(grouped(seen, place, groups), [place + 1], keep=False)
    return joined(repeated(met, place + 1, filters // groups), place)


def convolution(operation: Operation, operands: Sequence[Seen]) -> Seen:
    given = operation.arguments
    kernel = given["weight"][2:]
    return _windows(
        operation,
        across(operation, operands[0], len(kernel), given.get("groups", 1)),
        kernel,
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
    seen = operands[0]
    if operation.kind == "LocallyConnected2d":
        seen = across(operation, seen, 2)
    elif operation.kind == "TableConv2d":  # a filter takes some of the maps
        seen = across(operation, seen.united(), 2)
    return _windows(
        operation,
        seen,
        per_axis(layer.kernel_size, 2),
        stride=getattr(layer, "stride", layer.kernel_size),
        padding=getattr(layer, "padding", 0),
        dilation=getattr(layer, "dilation", 1),
    )


def adaptive(operation: Operation, operands: Sequence[Seen]) -> Seen:
    count = int(operation.kind[-2])

    def pooling(output: int) -> _Change:
        def change(axis: Axis) -> Axis:
            size, rest = divmod(len(axis.support), output)
            if rest:
                return Axis(None, axis.support.adaptive(output))
            return axis.window(size, stride=size, before=0, after=0, dilation=1, output=output)

        return change

    return each_axis(operation, operands[0], [pooling(n) for n in operation.shape[-count:]])


def transposed(operation: Operation, operands: Sequence[Seen]) -> Seen:
    given = operation.arguments
    kernel = given["weight"][2:]
    count = len(kernel)
    words = ("stride", "padding", "dilation", "output_padding")
    several = [per_axis(given.get(w, int(w in ("stride", "dilation"))), count) for w in words]

    def spreading(size: int, **options: int) -> _Change:
        return lambda axis: Axis(None, axis.support.transposed(size, **options))

    return each_axis(
        operation,
        across(operation, operands[0], count, given.get("groups", 1)),
        [
            spreading(size, **dict(zip(words, rest, strict=True)))
            for size, *rest in zip(kernel, *several, strict=True)
        ],
    )
