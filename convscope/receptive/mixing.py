"""Operations that mix units: element by element, over whole dimensions, or in unknown ways."""

from collections.abc import Sequence

from convscope.receptive.branches import (
    broadcast,
    merge_channels,
    mix,
    no_pixels,
    relayout,
    repeat_unit,
    split_channels,
)
from convscope.receptive.field_map import FieldMap, UnknownDependency, length, union_or_all
from convscope.receptive.windows import per_axis
from convscope.recording import Operation, Source


def full_field(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Units that may each depend on everything that any operand depends on."""
    axes = (union_or_all(axes).all() for axes in zip(*(o.axes for o in operands), strict=True))
    return FieldMap(tuple(axes), tuple(((None, n),) for n in operation.shape), exact=False)


def elementwise(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Element by element: the union of the operands, broadcast."""
    first = operands[0]
    if len(operands) == 1 and tuple(map(length, first.dims)) == operation.shape:
        return first
    return broadcast(operands, operation.shape)


def first_operand(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """`expand_as`, `type_as`: of the other tensor only the shape or type counts."""
    return elementwise(operation, operands[:1])


def no_dependency(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """New tensors that take only a shape from an old one: `zeros_like` and similar."""
    if len(operands) > 1:  # as `fill` with a tensor
        raise UnknownDependency
    return no_pixels(operation.shape, operands[0])


def dense(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Units that each depend on the whole last dimension."""
    last = len(operands[0].dims) - 1
    mixed = mix(operands[0], [last], keep=False)
    if len(operation.shape) == last:  # a single unit, without an axis
        return relayout(mixed, mixed.dims[:-1])
    return repeat_unit(mixed, last, operation.shape[-1])


def matrix_product(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Products of matrices and vectors: rows of the first, columns of the second, and a bias."""
    sources = [operation.arguments.get(name) for name in ("input", "other", "bias")]
    shapes = [source.shape for source in sources[:2] if isinstance(source, Source)]
    if len(shapes) < 2 or not all(shapes):
        raise UnknownDependency
    left, right, bias = (fields_of_argument(source, operation, operands) for source in sources)
    parts = [] if bias is None else [bias]
    for fields, shape, dim in ((left, shapes[1], -1), (right, shapes[0], -2)):
        if fields is not None:
            summed = max(len(fields.dims) + dim, 0)
            mixed = mix(fields, [summed], keep=False)
            if len(shape) == 1 or len(fields.dims) == 1:  # a vector's sum leaves no dimension
                mixed = relayout(mixed, [*mixed.dims[:summed], *mixed.dims[summed + 1 :]])
            parts.append(mixed)
    return broadcast(parts, operation.shape)


def attention(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Attention: a query's row, all keys, and one column of the values."""
    arguments = operation.arguments
    if arguments.get("is_causal") or arguments.get("attn_mask") is not None:
        raise UnknownDependency
    parts: list[FieldMap] = []
    for name, dims in (("query", (-1,)), ("key", (-2, -1)), ("value", (-2,))):
        fields = fields_of_argument(arguments[name], operation, operands)
        if fields is not None:
            parts.append(mix(fields, [len(fields.dims) + dim for dim in dims], keep=False))
    return broadcast(parts, operation.shape)


def fields_of_argument(
    source: object, operation: Operation, operands: Sequence[FieldMap]
) -> FieldMap | None:
    """The fields of an argument; None where it does not depend on the image."""
    if not isinstance(source, Source) or source.role != "result":
        return None
    return dict(zip(operation.operands, operands, strict=True)).get(source.name)


def reduction(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """`mean`, `std`, `logsumexp` and similar over dimensions; or `max` of two tensors."""
    fields, arguments = operands[0], operation.arguments
    dim = arguments.get("dim", arguments.get("axis"))
    if isinstance(dim, Source) or "other" in arguments:
        return elementwise(operation, operands)
    if len(operands) > 1:
        raise UnknownDependency
    count = len(fields.dims)
    if dim is None and operation.kind == "kthvalue":
        dim = -1
    everywhere = dim is None or isinstance(dim, bool)  # `std(False)`: without Bessel's correction
    along = range(count) if everywhere else [d % count for d in per_axis(dim, 1)]
    mixed = mix(fields, along, keep=False)
    if len(operation.shape) == count:
        return mixed
    return relayout(mixed, [factors for dim, factors in enumerate(mixed.dims) if dim not in along])


def cross_channel(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Units that depend on neighboring channels; the union of all channels where they differ."""
    del operation
    return operands[0].merged()


def normalized(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Units that each depend on what their statistics are taken over."""
    fields, arguments = operands[0], operation.argument_shapes
    count, kind = len(fields.dims), operation.kind
    along: Sequence[int] = ()
    if kind == "group_norm":
        groups = split_channels(fields, 1, arguments["num_groups"])
        return merge_channels(mix(groups, range(2, count + 1), keep=True), 1)
    if kind in ("layer_norm", "rms_norm"):
        along = range(count - len(arguments["normalized_shape"]), count)
    elif kind == "instance_norm" and arguments.get("use_input_stats", True):
        along = range(2, count)
    elif kind == "batch_norm" and arguments.get("training"):
        along = (0, *range(2, count))
    return mix(fields, along, keep=True) if along else fields


def normalized_along(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Units that each depend on whole dimensions: softmax, division by the length."""
    dims = per_axis(operation.argument_shapes.get("dim", 1), 1)
    return mix(operands[0], [dim % len(operation.shape) for dim in dims], keep=True)
