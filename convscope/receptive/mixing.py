"""Operations that mix units: element by element, over whole dimensions, or in unknown ways."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from convscope.receptive.axis_field import Pixels, repeated
from convscope.receptive.field_map import FieldMap, UnknownDependency, broadcast
from convscope.receptive.inputs import Inputs
from convscope.receptive.windows import per_axis
from convscope.recording import Source


def full_field(inputs: Inputs) -> FieldMap:
    """Units that may each depend on everything that any operand depends on."""
    parts = [fields.mixed(range(len(fields.shape))) for fields in inputs.operands]
    numbers = [fields.without(range(len(fields.shape))) for fields in parts]
    return replace(broadcast(numbers, inputs.operation.shape), exact=False)


def anything(image: FieldMap, shape: Sequence[int]) -> FieldMap:
    """Units that may each depend on every pixel of an image."""
    pixels = image.mixed(range(len(image.shape))).without(range(len(image.shape)))
    return replace(broadcast([pixels], shape), exact=False)


def elementwise(inputs: Inputs) -> FieldMap:
    """Element by element: the union of the operands, broadcast."""
    operands, shape = inputs.operands, inputs.operation.shape
    if len(operands) == 1 and operands[0].shape == shape:
        return operands[0]
    return broadcast(operands, shape)


def first_operand(inputs: Inputs) -> FieldMap:
    """`expand_as`, `type_as`: of the other tensor only the shape or type counts."""
    return inputs.first.in_shape(inputs.operation.shape)


def no_dependency(inputs: Inputs) -> FieldMap:
    """New tensors that take only a shape from an old one: `zeros_like` and similar."""
    arguments = inputs.operation.arguments
    first = next(iter(arguments.values()), None)
    others = [source for source in inputs.operation.operands if not _is(first, source)]
    if others:
        raise UnknownDependency
    return inputs.without_pixels(inputs.operation.shape)


def _is(source: object, name: str) -> bool:
    return isinstance(source, Source) and source.name == name


def dense(inputs: Inputs) -> FieldMap:
    """Units that each depend on the whole last dimension, and on one row of the weights."""
    operation = inputs.operation
    source = operation.arguments.get("input", next(iter(operation.arguments.values()), None))
    mixed, shape = inputs.of(source).mixed([-1]), operation.shape
    if len(shape) < len(mixed.shape):  # a single unit, without an axis
        mixed = mixed.without([-1])
    seen = replace(mixed, shape=shape)
    if len(operation.operands) == 1 and inputs.is_dependent(source):
        return seen
    weight, bias = (inputs.of(operation.arguments.get(name)) for name in ("weight", "bias"))
    if weight.shape:
        weight = weight.mixed([-1]).without([-1])
    return broadcast([seen, weight, bias], shape)


def reduction(inputs: Inputs) -> FieldMap:
    """`mean`, `std`, `logsumexp` and similar over dimensions; or `max` of two tensors."""
    fields, arguments = inputs.first, inputs.operation.arguments
    dim = arguments.get("dim", arguments.get("axis"))
    if isinstance(dim, Source) or "other" in arguments:
        return elementwise(inputs)
    if len(inputs.operation.operands) > 1:
        raise UnknownDependency
    count = len(fields.shape)
    if dim is None and inputs.operation.kind == "kthvalue":
        dim = -1
    is_everywhere = dim is None or isinstance(dim, bool)  # `std(False)`: no Bessel's correction
    dims = range(count) if is_everywhere else per_axis(dim, 1)
    along = [d % count for d in dims] or range(count)
    mixed = fields.mixed(along)
    return mixed if len(inputs.operation.shape) == count else mixed.without(along)


def normalized(inputs: Inputs) -> FieldMap:
    """Units that each depend on what their statistics are taken over."""
    fields, settings, kind = inputs.first, inputs.settings, inputs.operation.kind
    count = len(fields.shape)
    along: Sequence[int] = ()
    if kind == "group_norm":
        return _of_groups(fields, int(settings["num_groups"]))
    if "normalized_shape" in settings:
        along = range(count - len(settings["normalized_shape"]), count)
    elif kind == "instance_norm" and settings.get("use_input_stats", True):
        along = range(2, count)
    elif kind in _OF_WHOLE_IMAGES:
        along = range(1, count)
    elif kind == "batch_norm" and settings.get("training"):
        along = (0, *range(2, count))
    return fields.mixed(along, keep=True) if along else fields


_OF_WHOLE_IMAGES = ("GlobalContrastNorm", "ZCAWhitening")


def _of_groups(fields: FieldMap, groups: int) -> FieldMap:
    """Units that each depend on all units of their group of channels."""
    mixed = fields.mixed(range(2, len(fields.shape)), keep=True)
    each = fields.shape[1] // groups

    def mix(choose: np.ufunc, numbers: Pixels) -> Pixels:
        if numbers.shape[1] == 1:
            return numbers
        split = (numbers.shape[0], groups, each, *numbers.shape[2:])
        return repeated(choose.reduce(numbers.reshape(split), axis=2), 1, each)

    return mixed.map(
        lambda axis: axis.changed(
            lambda low: mix(np.minimum, low), lambda high: mix(np.maximum, high), axis.run
        )
    )


def normalized_along(inputs: Inputs) -> FieldMap:
    """Units that each depend on whole dimensions: softmax, division by the length.

    Under a mask of -inf the weights that a softmax makes 0 are still counted, so that the fields
    may be too large.
    """
    dims = per_axis(inputs.settings.get("dim", 1), 1)
    mixed = inputs.first.mixed(dims, keep=True)
    scores = inputs.values.get(inputs.operation.operands[0])
    is_masked = scores is not None and not scores.is_complex() and bool(scores.isneginf().any())
    return replace(mixed, exact=False) if is_masked else mixed
