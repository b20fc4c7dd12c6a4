"""LSTM, GRU and plain recurrent layers, over whole sequences and as single cells.

A unit is explained by the gates of its own step. Its terms are the operands of the step that have a
place in the recording, each with the derivative of the unit as its weight: x, the hidden state
before, and the cell state before where it is given. Inside a sequence the hidden state before is
the layer's own output one step earlier. Layers below the last leave no result, so the terms of what
is computed from them are the inputs of the whole sequence.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.explanation.rules.gates import Steps, Unit, Weights, cell_state, hidden
from convscope.explanation.rules.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    index_grid,
)
from convscope.recording import Shape, Source
from convscope.recording.operation import map_nested
from convscope.terms import Expression, Floats, TermGroup, Terms

_PACKED = "packed sequences are not explained; pad them and run the layer on the padded tensor"
_DROPOUT = "dropout between layers in training cannot be inferred from the result"


def recurrent_cell(op: OperationView, at: Index) -> Expression:
    """h = o·tanh(c) of an LSTM, (1 - z)·n + z·h' of a GRU, tanh(Σ w·x + Σ w·h' + b)."""
    x, (h, c) = op.input(), _states(op)
    weights = _weights(op, [op.argument(n) for n in ("w_ih", "w_hh", "b_ih", "b_hh")])
    row, k = at
    steps = Steps(
        op.operation.kind.removesuffix("_cell"),
        weights,
        _floats(op.tensor(x))[[row]],
        _floats(op.tensor(h))[[row]],
        np.zeros(0) if c is None else _floats(op.tensor(c))[row],
        torch.finfo(op.result.dtype).eps,
    )
    unit = cell_state(steps, k) if op.operation.output_index else hidden(steps, k)
    operands = (x, unit.by_x), (h, unit.by_h), (c, unit.by_c)
    groups = [_group(op, source, [row], weights) for source, weights in operands]
    return _expression(unit, [group for group in groups if group is not None])


def recurrent(op: OperationView, at: Index) -> Expression:
    """The same at one step of a sequence, in one layer and one direction."""
    place = _Place.of(op, at)
    sequence = _Sequence(op)
    x, h = sequence.inputs(place), sequence.hidden_before(place)
    steps = Steps(
        op.operation.kind,
        sequence.weights(place),
        x,
        h,
        sequence.initial(place, 1),
        torch.finfo(op.result.dtype).eps,
    )
    unit = (cell_state if op.operation.output_index == 2 else hidden)(steps, place.k)
    if sequence.layers > 1:
        return _expression(unit, [_by_sequence(op, sequence, at, place)])
    return _expression(unit, sequence.operands(place, unit))


def _states(op: OperationView) -> tuple[Source, Source | None]:
    """The tensors of hidden states and, in an LSTM, of cell states that it begins with."""
    states: Any = op.argument("hx")
    return (states, None) if isinstance(states, Source) else (states[0], states[1])


def _expression(unit: Unit, groups: list[TermGroup]) -> Expression:
    terms = Terms(*groups)
    return Expression(
        terms=terms,
        formula=f"{unit.formula}; a term contributes its value times the derivative by it",
        substituted=unit.substituted,
        lines=unit.lines,
        exact_value=unit.value,
        roundings=1,
        error=unit.error,
        rounded=0.0,
        main=next(iter(terms.largest(1)), 0),
    )


def _floats(tensor: Tensor) -> Floats:
    return tensor.detach().double().cpu().numpy()


def _weights(op: OperationView, sources: list[Any], projection: Source | None = None) -> Weights:
    """From the weights of x and h and their biases, which may be None."""
    w, u = (_floats(op.tensor(source)) for source in sources[:2])
    biases = [np.zeros(len(w)) if s is None else _floats(op.tensor(s)) for s in sources[2:4]]
    last = None if projection is None else _floats(op.tensor(projection))
    return Weights(w, u, biases[0], biases[1], last)


def _group(
    op: OperationView, source: object, leading: list[int], weights: Floats
) -> TermGroup | None:
    """The last axis of a tensor as terms; None for the zeros that a layer begins with."""
    if not isinstance(source, Source) or not len(weights):
        return None
    if source.name not in op.operation.operands and not op.tensor(source).any():
        return None
    places = index_grid(*([n] for n in leading), range(len(weights)))
    return op.terms_of(source, places, weights=weights)


@dataclass(frozen=True)
class _Place:
    """Where a unit of a result lies: layer, direction, step, row of the batch, and index."""

    layer: int
    reverse: bool
    step: int
    row: int
    k: int

    @classmethod
    def of(cls, op: OperationView, at: Index) -> "_Place":
        sequence = _Sequence(op)
        if op.operation.output_index:  # the states at the end
            number, row, k = at
            layer, reverse = divmod(number, sequence.directions)
            return cls(layer, bool(reverse), 0 if reverse else sequence.length - 1, row, k)
        step, row = at[:2][:: -1 if sequence.batch_first else 1]
        reverse, k = divmod(at[2], op.operation.shape[2] // sequence.directions)
        return cls(sequence.layers - 1, bool(reverse), step, row, k)


class _Sequence:
    """A recurrent layer of several layers and directions, and what ran inside."""

    def __init__(self, op: OperationView) -> None:
        self.op = op
        if isinstance(op.argument("has_biases"), list | tuple):  # behind the sizes of batches
            raise UnsupportedOperation(_PACKED)
        self.layers = int(op.argument("num_layers"))
        self.directions = 1 + bool(op.argument("bidirectional"))
        self.batch_first = bool(op.argument("batch_first"))
        if self.layers > 1 and op.argument("dropout") and op.argument("train"):
            raise UnsupportedOperation(_DROPOUT)
        self.params: list[Source] = list(op.argument("params"))
        self.each = len(self.params) // (self.layers * self.directions)
        self.length = op.input().shape[1 if self.batch_first else 0]

    def first(self, count: int, of: Any = None) -> Tensor:
        """The output of the first layers, (steps, batch, features); `of` maps their operands."""
        op, units = self.op, count * self.directions
        hidden, cell = _states(op)

        def taken(source: Source) -> Tensor:
            tensor = op.tensor(source).detach()
            return tensor if of is None else of(source, tensor)

        states: Any = taken(hidden)[:units]
        if cell is not None:
            states = [states, taken(cell)[:units]]
        params = map_nested(self.params[: units * self.each], taken, of=Source)
        biases, two = op.argument("has_biases"), self.directions == 2
        args = taken(op.input()), states, params, biases, count, 0.0, False, two, self.batch_first
        output = op.operation.call.function(*args)[op.operation.output_index if of else 0]
        is_turned = self.batch_first and not (of and op.operation.output_index)
        return output.transpose(0, 1) if is_turned else output

    def weights(self, place: _Place) -> Weights:
        number = place.layer * self.directions + place.reverse
        params = self.params[number * self.each : (number + 1) * self.each]
        count = 4 if self.op.argument("has_biases") else 2
        sources: list[Any] = [*params[:count], None, None][:4]
        return _weights(self.op, sources, params[count] if len(params) > count else None)

    def inputs(self, place: _Place) -> Floats:
        """x of every step up to the unit's, in the order of its direction."""
        if place.layer:
            with torch.no_grad():
                x = self.first(place.layer)
        else:
            x = self.op.tensor(self.op.input())
            x = x.transpose(0, 1) if self.batch_first else x
        return self._until(_floats(x[:, place.row]), place)

    def hidden_before(self, place: _Place) -> Floats:
        """The hidden state before every step, in the same order."""
        begin = self.initial(place, 0)
        if place.layer == self.layers - 1:
            output = self.op.of_output(0).result
            output = output.transpose(0, 1) if self.batch_first else output
        else:
            with torch.no_grad():
                output = self.first(place.layer + 1)
        mine = slice(place.reverse * len(begin), (place.reverse + 1) * len(begin))
        states = self._until(_floats(output[:, place.row, mine]), place)
        return np.concatenate([begin[None], states[:-1]])

    def _until(self, values: Floats, place: _Place) -> Floats:
        return values[place.step :][::-1] if place.reverse else values[: place.step + 1]

    def initial(self, place: _Place, which: int) -> Floats:
        """The hidden (0) or the cell (1) state before the first step."""
        state = _states(self.op)[which]
        if state is None:
            return np.zeros(0)
        number = place.layer * self.directions + place.reverse
        return _floats(self.op.tensor(state)[number, place.row])

    def operands(self, place: _Place, unit: Unit) -> list[TermGroup]:
        """The terms of a step of the only layer."""
        op, earlier = self.op, place.step + (1 if place.reverse else -1)
        axes = [place.step, place.row][:: -1 if self.batch_first else 1]
        groups = [_group(op, op.input(), axes, unit.by_x)]
        if 0 <= earlier < self.length:
            output = op.of_output(0).operation
            own = Source("result", output.name, Shape(output.shape))
            first = place.reverse * len(unit.by_h)
            axes = [earlier, place.row][:: -1 if self.batch_first else 1]
            places = index_grid(*([n] for n in axes), range(first, first + len(unit.by_h)))
            groups.append(op.terms_of(own, places, weights=unit.by_h))
        else:
            axes = [place.layer * self.directions + place.reverse, place.row]
            hidden, cell = _states(op)
            groups += [_group(op, hidden, axes, unit.by_h), _group(op, cell, axes, unit.by_c)]
        return [group for group in groups if group is not None]


def _by_sequence(op: OperationView, sequence: _Sequence, at: Index, place: _Place) -> TermGroup:
    """The inputs of the whole sequence as terms, with derivatives through all layers."""
    x = op.tensor(op.input()).detach().double().requires_grad_()

    def in_float64(source: Source, tensor: Tensor) -> Tensor:
        return x if source == op.input() else tensor.double()

    with torch.enable_grad():
        output = sequence.first(place.layer + 1, in_float64)
        index = at
        if not op.operation.output_index and sequence.batch_first:
            index = (at[1], at[0], at[2])
        (slopes,) = torch.autograd.grad(output[index], x)
    places = slopes.nonzero().cpu().numpy()
    if not len(places):
        places = np.zeros((1, x.ndim), np.int64)
    weights = slopes[tuple(torch.from_numpy(places.T.copy()))].cpu().numpy()
    return op.terms_of(op.input(), places, weights=weights)
