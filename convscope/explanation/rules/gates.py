"""One layer of an LSTM, a GRU or a plain recurrent network, in float64, and how it may be rounded.

x and the hidden state before a step are the network's own numbers, so that only the cell state of
an LSTM carries rounding errors from step to step.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from convscope.terms import Floats, Line, number, parenthesized

_SINGLE = 2.0**-23


@dataclass(frozen=True)
class Near:
    """Values in float64, and how far those of the network may be from them."""

    value: Floats
    error: Floats

    def __getitem__(self, at: Any) -> "Near":
        """Some of the values."""
        return Near(self.value[at], self.error[at])


@dataclass(frozen=True)
class Weights:
    """Of one layer in one direction; every row of `hidden` and `input` belongs to one gate."""

    input: Floats
    hidden: Floats
    input_bias: Floats
    hidden_bias: Floats
    projection: Floats | None = None


@dataclass(frozen=True)
class Unit:
    """The value of one unit after the last step, how it arises, and its derivatives.

    Attributes:
        by_x, by_h, by_c: derivatives by the elements of x, of the hidden state before, and of the
            cell state before.
    """

    value: float
    error: float
    formula: str
    substituted: str
    lines: tuple[Line, ...]
    by_x: Floats
    by_h: Floats
    by_c: Floats


@dataclass(frozen=True)
class Steps:
    """Steps of one layer, (steps, features) each, up to the one of which units are asked for.

    Attributes:
        cell: torch's name of a layer of such cells: `gru`.
        x, h: the input, and the hidden state before the step.
        c: the cell state before the first step.
        epsilon: of the network's numbers.
    """

    cell: str
    weights: Weights
    x: Floats
    h: Floats
    c: Floats
    epsilon: float


def hidden(steps: Steps, k: int) -> Unit:
    """The unit k of the hidden state after the last step."""
    if steps.cell == "lstm":
        return _lstm_hidden(steps, k)
    return _gru(steps, k) if steps.cell == "gru" else _plain(steps, k)


def cell_state(steps: Steps, k: int) -> Unit:
    """The unit k of the cell state of an LSTM after the last step."""
    gates, states = _lstm(steps)
    i, f, g, _ = (gate.value[-1] for gate in gates)
    before = states.value[-2]
    slopes = np.zeros((4, len(before)))
    slopes[:3, k] = g[k] * _dsigmoid(i[k]), before[k] * _dsigmoid(f[k]), i[k] * _dtanh(g[k])
    by_c = np.zeros(len(before))
    by_c[k] = f[k]
    state = states[-1, k]
    return Unit(
        float(state.value),
        float(state.error),
        "c = f·c' + i·g",
        f"{number(f[k])}·{parenthesized(before[k])} + {number(i[k])}·{parenthesized(g[k])}",
        _lines(steps, k, gates[:3], before[k]),
        *_by_operands(steps.weights, slopes),
        by_c,
    )


def _sums(steps: Steps) -> tuple[Near, Near]:
    """Σ w·x + b and Σ w·h + b of every gate, (steps, gates · units)."""
    w = steps.weights
    of_x = _sum(steps.x, w.input, w.input_bias, steps.epsilon)
    return of_x, _sum(steps.h, w.hidden, w.hidden_bias, steps.epsilon)


def _sum(values: Floats, weights: Floats, bias: Floats, epsilon: float) -> Near:
    total = values @ weights.T + bias
    size = np.abs(values) @ np.abs(weights).T + np.abs(bias)
    inside = (values.shape[1] + 1) * min(epsilon, _SINGLE) * size
    return Near(total, inside + 2 * epsilon * np.abs(total))


def _lstm(steps: Steps) -> tuple[list[Near], Near]:
    """The gates i, f, g, o, and the cell states before the first and after every step."""
    epsilon, count = steps.epsilon, len(steps.c)
    total = _plus(*_sums(steps), epsilon)
    i, f, g, o = (total[:, n * count : (n + 1) * count] for n in range(4))
    i, f, o = (_sigmoid(gate, epsilon) for gate in (i, f, o))
    g = _tanh(g, epsilon)
    added = _times(i, g, epsilon)
    states = [Near(steps.c, np.zeros(count))]
    for n in range(len(steps.x)):
        states.append(_plus(_times(f[n], states[-1], epsilon), added[n], epsilon))
    values, errors = ([getattr(s, name) for s in states] for name in ("value", "error"))
    return [i, f, g, o], Near(np.array(values), np.array(errors))


def _lines(steps: Steps, k: int, gates: list[Near], before: float) -> tuple[Line, ...]:
    of_x, of_h = (total.value[-1] for total in _sums(steps))
    lines: list[Line] = []
    for n, (gate, (letter, name, function)) in enumerate(zip(gates, _GATES, strict=False)):
        row = n * len(steps.c) + k
        parts = f"{number(of_x[row])} + {parenthesized(of_h[row])}"
        lines.append(Line(letter, f"{name}: {function}({parts})", float(gate.value[-1, k])))
    return (*lines, Line("c'", "cell state before", float(before)))


_GATES = (
    ("i", "input gate", "σ"),
    ("f", "forget gate", "σ"),
    ("g", "candidate", "tanh"),
    ("o", "output gate", "σ"),
)


def _lstm_hidden(steps: Steps, k: int) -> Unit:
    gates, states = _lstm(steps)
    i, f, g, o = (gate.value[-1] for gate in gates)
    before, state = states.value[-2], states.value[-1]
    bent = np.tanh(state)
    row = np.zeros(len(state)) if steps.weights.projection is None else steps.weights.projection[k]
    if steps.weights.projection is None:
        row[k] = 1
    inside = row * o * _dtanh(bent)
    slopes = np.array(
        [
            inside * g * _dsigmoid(i),
            inside * before * _dsigmoid(f),
            inside * i * _dtanh(g),
            row * bent * _dsigmoid(o),
        ]
    )
    eps = steps.epsilon
    units = _times(gates[3][-1], _tanh(states[-1], eps), eps)
    cell = int(np.argmax(np.abs(row * units.value)))
    lines = (
        *_lines(steps, cell, gates, before[cell]),
        Line("c", "f·c' + i·g: cell state", float(state[cell])),
    )
    product = f"{number(o[cell])}·tanh({number(state[cell])})"
    if steps.weights.projection is None:
        value, error = float(units.value[k]), float(units.error[k])
        formula, substituted = "h = o·tanh(c), c = f·c' + i·g", product
    else:
        value = float(row @ units.value)
        size = np.abs(row) @ np.abs(units.value)
        error = float(np.abs(row) @ units.error)
        error += (len(row) + 1) * min(eps, _SINGLE) * float(size) + 2 * eps * abs(value)
        formula = f"h = Σ w·o·tanh(c), c = f·c' + i·g; the largest of {len(row)} is of cell {cell}"
        rest = value - float(row[cell] * units.value[cell])
        substituted = f"{parenthesized(row[cell], first=True)}·{product} + {parenthesized(rest)}"
    by_x, by_h = _by_operands(steps.weights, slopes)
    return Unit(value, error, formula, substituted, lines, by_x, by_h, inside * f)


def _gru(steps: Steps, k: int) -> Unit:
    of_x, of_h = (total[-1] for total in _sums(steps))
    count, eps, w = len(of_x.value) // 3, steps.epsilon, steps.weights
    rows = [n * count + k for n in range(3)]
    r, z = (_sigmoid(_plus(of_x[row], of_h[row], eps), eps) for row in rows[:2])
    q = of_h[rows[2]]
    n = _tanh(_plus(of_x[rows[2]], _times(r, q, eps), eps), eps)
    before = float(steps.h[-1, k])
    r_, z_, n_, q_ = (float(near.value) for near in (r, z, n, q))
    value = (1 - z_) * n_ + z_ * before
    # As (1 - z)·n + z·h' or as n + z·(h' - n)
    error = abs(1 - z_) * n.error + (abs(before - n_) + n.error) * z.error
    error += 4 * eps * (abs(n_) + abs(before))
    inner = (1 - z_) * _dtanh(n_)
    slopes = inner * q_ * _dsigmoid(r_), (before - n_) * _dsigmoid(z_), inner
    by_h = slopes[0] * w.hidden[rows[0]] + slopes[1] * w.hidden[rows[1]]
    by_h = by_h + inner * r_ * w.hidden[rows[2]]
    by_h[k] += z_
    parts = [
        f"{number(float(of_x.value[row]))} + {parenthesized(float(of_h.value[row]))}"
        for row in rows[:2]
    ]
    inside = f"{number(float(of_x.value[rows[2]]))} + {number(r_)}·{parenthesized(q_)}"
    return Unit(
        value,
        float(error),
        "h = (1 − z)·n + z·h'",
        f"(1 − {number(z_)})·{parenthesized(n_)} + {number(z_)}·{parenthesized(before)}",
        (
            Line("r", f"reset gate: σ({parts[0]})", r_),
            Line("z", f"update gate: σ({parts[1]})", z_),
            Line("n", f"candidate: tanh({inside})", n_),
        ),
        np.array(slopes) @ w.input[rows],
        by_h,
        np.zeros(0),
    )


def _plain(steps: Steps, k: int) -> Unit:
    of_x, of_h = (total[-1, k] for total in _sums(steps))
    total = _plus(of_x, of_h, steps.epsilon)
    x = float(total.value)
    parts = f"{number(float(of_x.value))} + {parenthesized(float(of_h.value))}"
    if steps.cell == "rnn_tanh":
        y = _tanh(total, steps.epsilon)
        slope, name, written = _dtanh(float(y.value)), "tanh", f"tanh({parts})"
    else:
        y = Near(np.maximum(total.value, 0), total.error)
        slope, name, written = float(x > 0), "max", f"max(0, {parts})"
    inside = "0, Σ w·x + Σ w·h' + b" if name == "max" else "Σ w·x + Σ w·h' + b"
    return Unit(
        float(y.value),
        float(y.error),
        f"h = {name}({inside})",
        written,
        (),
        slope * steps.weights.input[k],
        slope * steps.weights.hidden[k],
        np.zeros(0),
    )


def _by_operands(weights: Weights, slopes: Floats) -> tuple[Floats, Floats]:
    """Derivatives by x and h, from those by the sum of every gate."""
    column = slopes.reshape(-1)
    return column @ weights.input, column @ weights.hidden


def _sigmoid(x: Near, epsilon: float) -> Near:
    value = np.exp(-np.logaddexp(0, -x.value))
    return Near(value, np.minimum(x.error / 4, 1) + 4 * epsilon * value)


def _tanh(x: Near, epsilon: float) -> Near:
    value = np.tanh(x.value)
    return Near(value, np.minimum(x.error, 2) + 4 * epsilon * np.abs(value))


def _times(x: Near, y: Near, epsilon: float) -> Near:
    value = x.value * y.value
    error = np.abs(x.value) * y.error + np.abs(y.value) * x.error + x.error * y.error
    return Near(value, error + epsilon * np.abs(value))


def _plus(x: Near, y: Near, epsilon: float) -> Near:
    value = x.value + y.value
    return Near(value, x.error + y.error + epsilon * np.abs(value))


def _dsigmoid(value: Floats | float) -> Floats | float:
    return value * (1 - value)


def _dtanh(value: Floats | float) -> Floats | float:
    return 1 - np.square(value)
