"""Operations that overwrite units or choose between those of two tensors."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convscope.receptive.axis_field import AxisField, Pixels, squeezed
from convscope.receptive.copying import gathered
from convscope.receptive.field_map import FieldMap, UnknownDependency
from convscope.receptive.inputs import Inputs
from convscope.receptive.mixing import elementwise
from convscope.recording import Source


def choice(inputs: Inputs) -> FieldMap:
    """`where`, `masked_fill`: each unit of one tensor or of another, under a constant mask.

    Where the mask depends on the image, a unit depends on all three. Where its values were not
    kept, the fields may be too large.
    """
    arguments = inputs.operation.arguments
    if "mask" in arguments:
        mask, chosen, other = (arguments[name] for name in ("mask", "value", "input"))
    else:
        mask, chosen, other = (arguments[name] for name in ("condition", "input", "other"))
    if inputs.is_dependent(mask):
        return elementwise(inputs)
    try:
        looked = np.asarray(inputs.value(mask).bool().numpy())
    except UnknownDependency:
        return replace(elementwise(inputs), exact=False)
    shape = inputs.operation.shape
    looked = looked.reshape((1,) * (len(shape) - looked.ndim) + looked.shape)
    one, two = (inputs.of(source).in_shape(shape) for source in (chosen, other))
    axes = (_chosen(looked, *pair) for pair in zip(one.axes, two.axes, strict=True))
    return FieldMap(tuple(axes), shape)


def _chosen(mask: NDArray[np.bool_], one: AxisField, two: AxisField) -> AxisField:
    def choose(a: Pixels, b: Pixels) -> Pixels:
        return squeezed(np.where(mask, a, b))

    start = stop = None
    if one.start is not None and two.start is not None:
        start = choose(one.start, two.start)
    if one.stop is not None and two.stop is not None:
        stop = choose(one.stop, two.stop)
    return AxisField(
        one.pixels, choose(one.first, two.first), choose(one.end, two.end), start, stop
    )


def copy(inputs: Inputs) -> FieldMap:
    """`copy_`: what is written over no longer counts."""
    return inputs.of(inputs.operation.arguments["src"]).in_shape(inputs.operation.shape)


def fill(inputs: Inputs) -> FieldMap:
    """`fill_`, `full_like`: what is written over no longer counts, but the value does."""
    arguments = list(inputs.operation.arguments.values())
    written = [source for source in arguments[1:] if inputs.is_dependent(source)]
    numbers = [inputs.known[name] for name in inputs.operation.numbers]
    value = numbers[0] if numbers and not written else inputs.of(next(iter(written), None))
    return value.in_shape(inputs.operation.shape)


def overwrite(inputs: Inputs) -> FieldMap:
    """A tensor whose memory others wrote to: each unit as it was, or as it was written last."""
    arguments = inputs.operation.arguments
    old: Source = arguments["0"]
    writers: Sequence[Source] = arguments["1"]
    places = [_addresses(inputs.operation.shape, *arguments["layout"])]
    for source, (offset, strides) in zip(writers, arguments["written_layouts"], strict=True):
        if offset is None:  # its result is not what it wrote
            raise UnknownDependency
        places.append(_addresses(source.shape, offset, strides))
    memory = np.zeros(1 + max(int(place.max(initial=0)) for place in places), dtype=np.int64)
    several, count = list[tuple[FieldMap, int]](), 1
    for source, place in zip((old, *writers), places, strict=True):
        if not inputs.is_dependent(source):
            memory[place] = 0
            continue
        several.append((inputs.of(source), count))
        memory[place] = np.arange(count, count + place.size).reshape(place.shape)
        count += place.size
    return gathered(inputs, several, memory[places[0]])


def _addresses(shape: Sequence[int], offset: int, strides: Sequence[int]) -> NDArray[np.int64]:
    """Where each element lies."""
    addresses = np.full((1,) * len(shape), offset, dtype=np.int64)
    for dim, (side, stride) in enumerate(zip(shape, strides, strict=True)):
        line = np.arange(side, dtype=np.int64) * stride
        addresses = addresses + line.reshape([side if n == dim else 1 for n in range(len(shape))])
    return addresses
