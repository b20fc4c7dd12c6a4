"""The receptive field of every unit of every operation, through any graph of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from convscope.receptive import (
    along,
    copying,
    folding,
    mixing,
    padding,
    products,
    recurrence,
    resizing,
    selection,
    shapes,
    windows,
    writing,
)
from convscope.receptive.field_map import FieldMap, UnknownDependency
from convscope.receptive.inputs import Inputs
from convscope.recording import IMAGE, Operation, Source, get_kind
from convscope.recording.kinds import FieldEffect
from convscope.recording.operation import sources_in

__all__ = ["FieldMap", "receptive_fields"]


def receptive_fields(
    operations: Sequence[Operation],
    image: Sequence[int],
    values: Mapping[str, Tensor] | None = None,
) -> dict[str, FieldMap]:
    """The fields of every operation's units in an image of shape `image` (1, c, h, w), by name.

    `values` has the tensors that were kept: indices and masks decide what is moved. The field of a
    graph is the union over its branches, unit by unit. The units of an unknown operation are
    assumed to depend on everything; `exact` is False there and behind it.
    """
    fields = {IMAGE: FieldMap.image(image)}
    for operation in operations:
        _add_unknown(fields, operation)
        inputs = Inputs(operation, fields, values or {})
        try:
            has_units = 0 not in operation.shape
            result = _follow(inputs) if has_units else inputs.without_pixels(operation.shape)
        except Exception:  # noqa: BLE001 -- third-party networks may call torch in any way
            result = mixing.full_field(inputs)
        exact = result.exact and all(operand.exact for operand in inputs.operands)
        fields[operation.name] = result if result.exact == exact else replace(result, exact=exact)
    return fields


def _add_unknown(fields: dict[str, FieldMap], operation: Operation) -> None:
    """Units of unknown origin may depend on the whole image."""
    shapes = {source.name: source.shape for source in sources_in(dict(operation.arguments))}
    for name in operation.operands:
        if name not in fields:
            fields[name] = mixing.anything(fields[IMAGE], shapes.get(name, ()))


def _follow(inputs: Inputs) -> FieldMap:
    """By the effect of its kind; raises UnknownDependency where that does not fit."""
    effect = get_kind(inputs.operation.kind).field
    if effect not in _SEVERAL and not _is_of_first(inputs, effect):
        raise UnknownDependency
    result = EFFECTS[effect](inputs)
    if result.shape != inputs.operation.shape:
        raise UnknownDependency
    return result


def _is_of_first(inputs: Inputs, effect: FieldEffect) -> bool:
    """Whether only the first argument depends on the image, and not a weight, say."""
    arguments, operands = inputs.operation.arguments, inputs.operation.operands
    first = arguments["input"] if "input" in arguments else next(iter(arguments.values()), None)
    alone = len(operands) == 1 or effect in _SHAPED_LIKE
    return alone and isinstance(first, Source) and first.name == operands[0]


Effect = Callable[[Inputs], FieldMap]

EFFECTS: dict[FieldEffect, Effect] = {
    "elementwise": mixing.elementwise,
    "first_operand": mixing.first_operand,
    "no_dependency": mixing.no_dependency,
    "fill": writing.fill,
    "full_field": mixing.full_field,
    "dense": mixing.dense,
    "reduction": mixing.reduction,
    "normalized": mixing.normalized,
    "normalized_along": mixing.normalized_along,
    "mixed_along": along.mixed_along,
    "cumulative": along.cumulative,
    "complex_parts": along.complex_parts,
    "embedding": along.embedding,
    "halves": along.halves,
    "paired_reduction": along.paired_reduction,
    "matrix_product": products.matrix_product,
    "einsum": products.einsum,
    "attention": products.attention,
    "recurrent": recurrence.recurrent,
    "recurrent_cell": recurrence.recurrent_cell,
    "convolution": windows.convolution,
    "quantized_convolution": windows.quantized_convolution,
    "transposed_convolution": windows.transposed_convolution,
    "pool": windows.pool,
    "adaptive_pool": windows.adaptive_pool,
    "fractional_pool": windows.fractional_pool,
    "sliding_layer": windows.sliding_layer,
    "cross_channel": windows.cross_channel,
    "resize": resizing.resize,
    "reshape": shapes.reshape,
    "permute": shapes.permute,
    "channel_shuffle": shapes.channel_shuffle,
    "concatenation": shapes.concatenation,
    "choice": writing.choice,
    "overwrite": writing.overwrite,
    "fold": folding.fold,
    "sample": resizing.sample,
    "copy": writing.copy,
    "chunk": selection.chunk,
    "narrow": selection.narrow,
    "select": selection.select,
    "index": selection.index,
    "flip": selection.flip,
    "rot90": selection.rot90,
    "roll": selection.roll,
    "repeat": selection.repeat,
    "repeat_interleave": selection.repeat_interleave,
    "pad": padding.pad,
    "move": copying.move,
    "write": copying.move,
    "unfold": copying.move,
    "pixel_shuffle": copying.move,
    "pixel_unshuffle": copying.move,
}
"""By its name in the table of operation kinds."""

_SEVERAL: frozenset[FieldEffect] = frozenset(
    (
        *(
            "elementwise",
            "choice",
            "overwrite",
            "no_dependency",
            "fill",
            "full_field",
            "dense",
            "matrix_product",
        ),
        *("einsum", "attention", "recurrent_cell", "convolution"),
        *(
            "complex_parts",
            "reduction",
            "paired_reduction",
            "concatenation",
            "copy",
            "index",
            "move",
            "write",
        ),
    )
)
"""Effects of operations that may take several tensors that depend on the image."""

_SHAPED_LIKE: frozenset[FieldEffect] = frozenset(("first_operand", "reshape"))
"""Effects of operations that may take only a shape from a second tensor."""
