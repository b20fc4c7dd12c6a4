"""Operations that keep every unit: they reshape, reorder, join and spread."""

from collections.abc import Sequence
from typing import TypeGuard

import numpy as np

from convscope.receptive.axis_field import (
    AxisField,
    Pixels,
    Run,
    common_run,
    squeezed,
)
from convscope.receptive.field_map import FieldMap, UnknownDependency
from convscope.receptive.inputs import Inputs
from convscope.receptive.windows import per_axis

Groups = list[tuple[range, range]]
"""Dimensions of one shape and those of another with as many units in the same order."""


def reshape(inputs: Inputs) -> FieldMap:
    """The same units in the same order, in other dimensions."""
    return reshaped(
        inputs.of(next(iter(inputs.operation.arguments.values()))), inputs.operation.shape
    )


def reshaped(fields: FieldMap, shape: Sequence[int]) -> FieldMap:
    """The same units in the same order, in other dimensions."""
    old, new = fields.shape, tuple(shape)
    if old == new:
        return fields
    if 0 in old:
        return fields.without_pixels(new)
    groups = _groups(old, new)

    def move(numbers: Pixels) -> Pixels:
        return _reshaped(numbers, old, new, groups)

    def run_of(run: Run) -> Run | None:
        for one, other in groups:
            if run[0] in one:
                kept = [dim for dim in other if new[dim] == old[run[0]]]
                is_alone = all(old[dim] == 1 for dim in one if dim != run[0])
                return (kept[0], run[1]) if kept and is_alone else None
        return None

    return fields.moved(move, new, run_of)


def _groups(old: Sequence[int], new: Sequence[int]) -> Groups:
    """The smallest groups of dimensions with as many units in both shapes."""
    groups: Groups = []
    i = j = 0
    while i < len(old) or j < len(new):
        starts = i, j
        sides = [1, 1]
        if i < len(old):
            sides[0], i = old[i], i + 1
        if j < len(new):
            sides[1], j = new[j], j + 1
        while sides[0] != sides[1]:
            if sides[0] < sides[1]:
                sides[0], i = sides[0] * old[i], i + 1
            else:
                sides[1], j = sides[1] * new[j], j + 1
        groups.append((range(starts[0], i), range(starts[1], j)))
    return groups


def _reshaped(numbers: Pixels, old: Sequence[int], new: Sequence[int], groups: Groups) -> Pixels:
    expanded, shape = list[int](), list[int]()
    has_grown = False
    for one, other in groups:
        own = [numbers.shape[dim] for dim in one]
        if max(own, default=1) == 1:
            expanded += own
            shape += [1] * len(other)
            continue
        expanded += [old[dim] for dim in one]
        shape += [new[dim] for dim in other]
        has_grown = has_grown or sum(old[d] > 1 for d in one) + sum(new[d] > 1 for d in other) > 2
    moved = np.broadcast_to(numbers, expanded).reshape(shape)
    return squeezed(moved) if has_grown else moved


def permute(inputs: Inputs) -> FieldMap:
    """Dimensions in another order."""
    return in_order(inputs.first, _order(inputs, len(inputs.first.shape)))


def _order(inputs: Inputs, count: int) -> list[int]:
    settings, order = inputs.settings, list(range(count))
    match inputs.operation.kind:
        case "permute":
            return [int(dim) % count for dim in settings["dims"]]
        case "movedim" | "moveaxis":
            sources, targets = (
                [int(dim) % count for dim in per_axis(settings[name], 1)]
                for name in ("source", "destination")
            )
            order = [dim for dim in order if dim not in sources]
            for target, source in sorted(zip(targets, sources, strict=True)):
                order.insert(target, source)
            return order
        case "T":
            return order[::-1]
        case "mT" | "mH" | "H" | "adjoint":
            first, second = -2, -1
        case "t":
            first, second = 0, count - 1
        case _:
            names = [("dim0", "axis0"), ("dim1", "axis1")]
            first, second = (
                int(next(settings[name] for name in several if name in settings))
                for several in names
            )
    order[first], order[second] = order[second], order[first]
    return order


def in_order(fields: FieldMap, order: Sequence[int]) -> FieldMap:
    """The dimensions in this order."""
    return fields.moved(
        lambda numbers: numbers.transpose(order),
        (fields.shape[dim] for dim in order),
        lambda run: (order.index(run[0]), run[1]),
    )


def channel_shuffle(inputs: Inputs) -> FieldMap:
    """Channels of groups in turn: the first of each group, then the second of each."""
    fields, groups = inputs.first, int(inputs.settings["groups"])
    batch, channels, *rest = fields.shape
    split = reshaped(fields, (batch, groups, channels // groups, *rest))
    turned = in_order(split, [0, 2, 1, *range(3, len(split.shape))])
    return reshaped(turned, fields.shape)


def concatenation(inputs: Inputs) -> FieldMap:
    """One after the other along any dimension."""
    operation = inputs.operation
    arguments = operation.arguments
    several = [inputs.of(source) for source in arguments["tensors"]]
    dim = int(arguments.get("dim", arguments.get("axis", 0)))
    shape = operation.shape
    if operation.kind == "stack":
        dim %= len(shape)
        several = [reshaped(part, (*shape[:dim], 1, *shape[dim + 1 :])) for part in several]
    elif operation.kind == "hstack":
        dim = min(1, len(shape) - 1)
    elif operation.kind == "vstack":
        several = [part.aligned(max(2, len(part.shape))) for part in several]
    elif operation.kind == "cat":  # which takes an empty vector among other tensors
        several = [part for part in several if part.shape != (0,)] or several
    return joined(several, dim % len(shape))


def joined(several: Sequence[FieldMap], dim: int) -> FieldMap:
    """One after the other along a dimension."""
    first = several[0]
    lengths = [part.shape[dim] for part in several]
    others = {(*part.shape[:dim], *part.shape[dim + 1 :]) for part in several}
    if len(others) > 1:
        raise UnknownDependency
    axes = [
        _joined_axis(axes, dim, lengths) for axes in zip(*(p.axes for p in several), strict=True)
    ]
    return FieldMap(tuple(axes), (*first.shape[:dim], sum(lengths), *first.shape[dim + 1 :]))


def _joined_axis(axes: Sequence[AxisField], dim: int, lengths: Sequence[int]) -> AxisField:
    def join(several: Sequence[Pixels]) -> Pixels:
        if several[0].shape[dim] == 1 and all(one is several[0] for one in several[1:]):
            return several[0]
        sides = np.broadcast_shapes(
            *((*one.shape[:dim], 1, *one.shape[dim + 1 :]) for one in several)
        )
        parts = [
            np.broadcast_to(one, (*sides[:dim], length, *sides[dim + 1 :]))
            for one, length in zip(several, lengths, strict=True)
        ]
        return squeezed(np.concatenate(parts, dim))

    starts, stops = [axis.start for axis in axes], [axis.stop for axis in axes]
    run = common_run(axes)
    return AxisField(
        axes[0].pixels,
        join([axis.first for axis in axes]),
        join([axis.end for axis in axes]),
        join(starts) if _are_known(starts) else None,
        join(stops) if _are_known(stops) else None,
        run if run is None or run[0] != dim else None,
    )


def _are_known(several: list[Pixels | None]) -> TypeGuard[list[Pixels]]:
    return all(one is not None for one in several)
