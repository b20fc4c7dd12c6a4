"""Recurrent layers: every unit sees all features of its own step and of every step before."""

from convscope.receptive.along import accumulated
from convscope.receptive.field_map import FieldMap, broadcast
from convscope.receptive.inputs import Inputs
from convscope.receptive.shapes import in_order, joined
from convscope.recording import Source


def recurrent(inputs: Inputs) -> FieldMap:
    """A whole sequence: the steps before, or after in the other direction; all of them for the
    states at the end, and behind a layer of two directions."""
    settings, shape = inputs.settings, inputs.operation.shape
    time = 1 if settings["batch_first"] else 0
    layers, two = int(settings["num_layers"]), bool(settings["bidirectional"])
    fields = inputs.first.mixed([2])
    if inputs.operation.output_index:
        return in_order(fields.mixed([time]), [time, 1 - time, 2]).in_shape(shape)
    if two and layers > 1:
        return fields.mixed([time], keep=True).in_shape(shape)
    if not two:
        return accumulated(fields, time).in_shape(shape)
    half = (*shape[:2], shape[2] // 2)
    halves = [
        accumulated(fields, time, reverse=reverse).in_shape(half) for reverse in (False, True)
    ]
    return joined(halves, 2)


def recurrent_cell(inputs: Inputs) -> FieldMap:
    """One step: all features of x and of the hidden state, and the unit's own cell state."""
    arguments = inputs.operation.arguments
    states = arguments["hx"]
    hidden = states if isinstance(states, Source) else states[0]
    parts = [inputs.of(source).mixed([-1]) for source in (arguments["input"], hidden)]
    if not isinstance(states, Source):
        parts.append(inputs.of(states[1]))
    return broadcast(parts, inputs.operation.shape)
