"""The receptive field of every unit of every operation, through any graph of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from convscope.geometry import Field, Support
from convscope.receptive import along, mixing, recurrence, selection, shapes, windows
from convscope.receptive.field_map import AxisField, FieldMap, UnknownDependency, length
from convscope.recording import IMAGE, Operation, Source, get_kind
from convscope.recording.kinds import FieldEffect

__all__ = ["FieldMap", "receptive_fields"]


def receptive_fields(operations: Sequence[Operation], image: Sequence[int]) -> dict[str, FieldMap]:
    """The fields of every operation's units in an image of shape `image` (1, c, h, w), by name.

    The field of a graph is the union over its branches, channel by channel. The units of an unknown
    operation are assumed to depend on everything; `exact` is False there and behind it.
    """
    axes = tuple(AxisField(Field(), Support.image(side)) for side in image[2:])
    space = [((axis, side),) for axis, side in enumerate(image[2:])]
    fields = {IMAGE: FieldMap(axes, (((None, image[0]),), ((None, image[1]),), *space))}
    for operation in operations:
        operands = [fields[name] for name in operation.operands]
        try:
            result = _follow(operation, operands)
        except Exception:  # noqa: BLE001 -- third-party networks may call torch in any way
            result = mixing.full_field(operation, operands)
        exact = result.exact and all(operand.exact for operand in operands)
        fields[operation.name] = result if result.exact == exact else replace(result, exact=exact)
    return fields


def _follow(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """By the effect of its kind; raises UnknownDependency where that does not fit."""
    effect = get_kind(operation.kind).field
    if effect not in _SEVERAL and not _is_of_first(operation, effect):
        raise UnknownDependency
    result = EFFECTS[effect](operation, operands)
    if tuple(map(length, result.dims)) != operation.shape:
        raise UnknownDependency
    return result


def _is_of_first(operation: Operation, effect: FieldEffect) -> bool:
    """Whether only the first argument depends on the image, and not a weight, say."""
    arguments = operation.arguments
    first = arguments["input"] if "input" in arguments else next(iter(arguments.values()), None)
    alone = len(operation.operands) == 1 or effect in _SHAPED_LIKE
    return alone and isinstance(first, Source) and first.name == operation.operands[0]


Effect = Callable[[Operation, Sequence[FieldMap]], FieldMap]

EFFECTS: dict[FieldEffect, Effect] = {
    "elementwise": mixing.elementwise,
    "first_operand": mixing.first_operand,
    "no_dependency": mixing.no_dependency,
    "full_field": mixing.full_field,
    "dense": mixing.dense,
    "matrix_product": mixing.matrix_product,
    "attention": mixing.attention,
    "reduction": mixing.reduction,
    "recurrent": recurrence.recurrent,
    "recurrent_cell": recurrence.recurrent_cell,
    "cross_channel": mixing.cross_channel,
    "normalized": mixing.normalized,
    "normalized_along": mixing.normalized_along,
    "mixed_along": along.mixed_along,
    "cumulative": along.cumulative,
    "halves": along.halves,
    "paired_reduction": along.paired_reduction,
    "convolution": windows.convolution,
    "transposed_convolution": windows.transposed_convolution,
    "pool": windows.pool,
    "adaptive_pool": windows.adaptive_pool,
    "fractional_pool": windows.fractional_pool,
    "sliding_layer": windows.sliding_layer,
    "resize": windows.resize,
    "reshape": shapes.reshape,
    "permute": shapes.permute,
    "channel_shuffle": shapes.channel_shuffle,
    "concatenation": shapes.concatenation,
    "copy": shapes.copy,
    "chunk": selection.chunk,
    "narrow": selection.narrow,
    "select": selection.select,
    "index": selection.index,
    "write": selection.write,
    "flip": selection.flip,
    "rot90": selection.rot90,
    "roll": selection.roll,
    "repeat": selection.repeat,
    "repeat_interleave": selection.repeat_interleave,
    "pixel_shuffle": selection.pixel_shuffle,
    "pixel_unshuffle": selection.pixel_unshuffle,
    "unfold": selection.unfold,
    "pad": selection.pad,
}
"""By its name in the table of operation kinds."""

_SEVERAL: frozenset[FieldEffect] = frozenset(
    (
        *("elementwise", "no_dependency", "full_field", "matrix_product", "attention"),
        *("reduction", "paired_reduction", "recurrent_cell", "concatenation", "copy", "write"),
    )
)
"""Effects of operations that may take several tensors that depend on the image."""

_SHAPED_LIKE: frozenset[FieldEffect] = frozenset(("first_operand", "reshape"))
"""Effects of operations that may take only a shape from a second tensor."""
