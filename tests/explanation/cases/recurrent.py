"""Recurrent layers and cells, step by step in slow loops.

A step of a sequence takes the hidden state before as the network computed it, so that the loops
round nothing that the network did not round.
"""

import numpy as np
import torch
from torch import Tensor, nn

from tests.explanation.cases.case import Case, numbers
from tests.reference import explanations as reference

ALL = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
CELLS = {nn.LSTM: "lstm", nn.GRU: "gru", nn.RNN: "rnn_tanh"}


class Sequence(nn.Module):
    """A recurrent layer, and which of its results is wanted: output, hidden or cell states."""

    def __init__(self, layer, *, result=0, turned=False):
        super().__init__()
        self.layer, self.result, self.turned = layer, result, turned

    def forward(self, x: Tensor) -> Tensor:
        output, states = self.layer(x.transpose(0, 1) if self.turned else x)
        if self.result:
            return states[self.result - 1] if isinstance(states, tuple) else states
        return output


def layer_alone(layer, number):
    """One layer of several, of as many directions."""
    two = layer.bidirectional
    width = layer.input_size if not number else layer.hidden_size * (1 + two)
    if number and getattr(layer, "proj_size", 0):
        width = layer.proj_size * (1 + two)
    options = {"bidirectional": two, "bias": layer.bias, "batch_first": layer.batch_first}
    if getattr(layer, "proj_size", 0):
        options["proj_size"] = layer.proj_size
    if isinstance(layer, nn.RNN):
        options["nonlinearity"] = layer.nonlinearity
    alone = type(layer)(width, layer.hidden_size, **options)
    own = {name.replace(f"_l{number}", "_l0"): w for name, w in layer.named_parameters()}
    kept = {name for name, _ in alone.named_parameters()}
    alone.load_state_dict({name: w.detach() for name, w in own.items() if name in kept})
    return alone.to(layer.weight_ih_l0.dtype)


def weights_of(layer, number, ending=""):
    found = [getattr(layer, f"{name}_l{number}{ending}", None) for name in ALL]
    rows = len(found[0])
    first = [numbers(found[0]), numbers(found[1])]
    biases = [np.zeros(rows) if one is None else numbers(one) for one in found[2:4]]
    return [*first, *biases, *(numbers(one) for one in found[4:] if one is not None)]


def by_steps(x, net, y):
    """The result of the last layer, from the layers below as torch runs them one by one."""
    layer = net.layer
    cell = CELLS[type(layer)]
    if getattr(layer, "nonlinearity", "tanh") == "relu":
        cell = "rnn_relu"
    given = torch.from_numpy(x).to(layer.weight_ih_l0.dtype)
    given = given.transpose(0, 1) if net.turned else given
    states = []
    for number in range(layer.num_layers):
        alone = layer_alone(layer, number)
        with torch.no_grad():
            output, _ = alone(given)
        inputs, outputs = (
            numbers(one if net.turned else one.transpose(0, 1)) for one in (given, output)
        )
        found = np.zeros(outputs.shape)
        for turn, ending in enumerate(["", "_reverse"][: 1 + layer.bidirectional]):
            weights = weights_of(layer, number, ending)
            steps = range(len(inputs))[:: -1 if turn else 1]
            width = outputs.shape[2] // (1 + layer.bidirectional)
            mine = slice(turn * width, (turn + 1) * width)
            h, c = np.zeros(width), np.zeros(layer.hidden_size)
            for step in steps:
                found[step, 0, mine], c = reference.recurrent_step(
                    cell, inputs[step, 0], h, c, weights
                )
                h = outputs[step, 0, mine]
            states.append((found[steps[-1], :, mine], np.array([c])))
        given = output
    if net.result:
        return np.array([one[net.result - 1] for one in states]).reshape(y.shape)
    return found if net.turned else found.swapaxes(0, 1)


def sequence(kind, build, words="", **options):
    return Case(kind, lambda: Sequence(build(), **options), "expression", by_steps, (4, 5), words)


class Cell(nn.Module):
    """A cell that runs twice; the state that it begins with is made of x."""

    def __init__(self, cell, *, result=0):
        super().__init__()
        self.cell, self.result = cell, result

    def forward(self, x: Tensor) -> Tensor:
        size = self.cell.hidden_size
        states = x[:, 0, :size], x[:, 1, :size] * 2
        is_lstm = isinstance(self.cell, nn.LSTMCell)
        after = self.cell(x[:, 2], states if is_lstm else states[0])
        return after[self.result] if is_lstm else after


def by_cell(kind):
    def expected(x, net, _y):
        weights = [numbers(getattr(net.cell, name, None)) for name in ALL[:4]]
        weights[2:] = [np.zeros(len(weights[0])) if b is None else b for b in weights[2:]]
        size = net.cell.hidden_size
        states = x[0, 0, :size], x[0, 1, :size] * 2
        after = reference.recurrent_step(kind, x[0, 2], *states, weights)
        return np.array([after[net.result]])

    return expected


def cell(kind, build, words="", **options):
    whole = f"{kind}_cell"
    return Case(whole, lambda: Cell(build(), **options), "expression", by_cell(kind), (3, 5), words)


RECURRENT = [
    sequence("lstm", lambda: nn.LSTM(5, 3, batch_first=True)),
    sequence("lstm", lambda: nn.LSTM(5, 3), "steps first", turned=True),
    sequence("lstm", lambda: nn.LSTM(5, 3, bias=False, batch_first=True), "no bias"),
    sequence("lstm", lambda: nn.LSTM(5, 3, bidirectional=True, batch_first=True), "both ways"),
    sequence("lstm", lambda: nn.LSTM(5, 3, 2, batch_first=True), "two layers"),
    sequence("lstm", lambda: nn.LSTM(5, 4, proj_size=2, batch_first=True), "projected"),
    sequence(
        "lstm",
        lambda: nn.LSTM(5, 4, 2, proj_size=2, bidirectional=True),
        "two layers, both ways, projected, steps first",
        turned=True,
    ),
    sequence("lstm", lambda: nn.LSTM(5, 3, 2, batch_first=True), "hidden states", result=1),
    sequence("lstm", lambda: nn.LSTM(5, 3, batch_first=True), "cell states", result=2),
    sequence(
        "lstm",
        lambda: nn.LSTM(5, 3, 2, bidirectional=True, batch_first=True),
        "cell states of two layers, both ways",
        result=2,
    ),
    sequence("gru", lambda: nn.GRU(5, 3, batch_first=True)),
    sequence(
        "gru", lambda: nn.GRU(5, 3, 2, bidirectional=True, batch_first=True), "layers, both ways"
    ),
    sequence("gru", lambda: nn.GRU(5, 3, 2), "hidden states", turned=True, result=1),
    sequence("rnn_tanh", lambda: nn.RNN(5, 3, batch_first=True)),
    sequence(
        "rnn_tanh", lambda: nn.RNN(5, 3, 2, bidirectional=True, batch_first=True), "both ways"
    ),
    sequence("rnn_relu", lambda: nn.RNN(5, 3, nonlinearity="relu", batch_first=True)),
    cell("lstm", lambda: nn.LSTMCell(5, 4)),
    cell("lstm", lambda: nn.LSTMCell(5, 4, bias=False), "cell state", result=1),
    cell("gru", lambda: nn.GRUCell(5, 4)),
    cell("rnn_tanh", lambda: nn.RNNCell(5, 4)),
    cell("rnn_relu", lambda: nn.RNNCell(5, 4, nonlinearity="relu"), "no bias"),
]
