"""Recurrent layers: what a unit is made of, and where that leads."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from convscope.explanation.recording import record
from tests.explanation.cases.case import image_of, numbers, randomized, units_of
from tests.explanation.cases.recurrent import CELLS, Cell, Sequence, weights_of
from tests.reference import explanations as reference

IMAGE = image_of((1, 6, 5))


class Rows(nn.Module):
    """The rows of an image one after the other."""

    def __init__(self, layer, **options):
        super().__init__()
        self.net = Sequence(layer, **options)

    def forward(self, x):
        return self.net(x[:, 0])


def recorded(layer, **options):
    net = randomized(Rows(layer, **options))
    return net, record(net, IMAGE)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN], ids=CELLS.values())
def test_terms_are_weighted_by_the_derivatives_of_the_step(kind):
    net, recording = recorded(kind(5, 3, batch_first=True))
    cell, weights = CELLS[kind], weights_of(net.net.layer, 0)
    x, output = numbers(IMAGE[0, 0]), numbers(recording["net.layer"].value)
    step, states = 3, [np.zeros(3)]
    for n in range(step):
        before = output[n - 1] if n else np.zeros(3)
        states.append(reference.recurrent_step(cell, x[n], before, states[-1], weights)[1])
    for k in range(3):
        terms = recording.explain("net.layer", (step, k)).terms
        assert [term.location.source for term in terms] == ["getitem"] * 5 + ["net.layer"] * 3
        for n, term in enumerate(terms):
            around = []
            for shift in (-1e-5, 1e-5):
                operands = [x[step].copy(), output[step - 1].copy()]
                operands[n // 5][n % 5] += shift
                around.append(reference.recurrent_step(cell, *operands, states[-1], weights)[0][k])
            assert term.weight == pytest.approx((around[1] - around[0]) / 2e-5, rel=1e-6, abs=1e-9)


def test_terms_behind_several_layers_are_weighted_by_their_derivatives():
    net, recording = recorded(nn.LSTM(5, 3, 2, bidirectional=True, batch_first=True))
    double = net.double()
    image = IMAGE.double().requires_grad_()
    slopes = torch.autograd.grad(double(image)[0, 2, 4], image)[0][0, 0]
    terms = recording.explain("net.layer", (2, 4)).terms
    assert len(terms) == slopes.numel()
    for term in terms:
        assert term.location.source == "getitem"
        assert term.weight == pytest.approx(slopes[term.location.at].item(), rel=1e-9)


@pytest.mark.parametrize("result", [0, 1, 2])
def test_every_unit_of_a_float64_network_is_exact(result):
    layer = nn.LSTM(5, 4, 2, bidirectional=True, batch_first=True)
    net = randomized(Rows(layer, result=result)).double()
    recording = record(net, IMAGE.double())
    for at in units_of(recording[recording.output].shape):
        explanation = recording.explain(recording.output, at)
        assert explanation.is_within_tolerance
        assert explanation.rounding_bound < 1e-12


def test_the_gates_make_up_the_unit():
    _, recording = recorded(nn.LSTM(5, 3, batch_first=True))
    explanation = recording.explain("net.layer", (4, 1))
    gates = {line.label: line.value for line in explanation.decomposition.lines}
    state = gates["f"] * gates["c'"] + gates["i"] * gates["g"]
    assert gates["c"] == pytest.approx(state, rel=1e-12)
    assert explanation.exact_value == pytest.approx(gates["o"] * np.tanh(state), rel=1e-12)
    assert all(0 < gates[name] < 1 for name in "ifo")


def test_the_gates_of_a_gru_make_up_the_unit():
    _, recording = recorded(nn.GRU(5, 3, batch_first=True))
    explanation = recording.explain("net.layer", (4, 1))
    gates = {line.label: line.value for line in explanation.decomposition.lines}
    before = recording["net.layer"].value[3, 1].item()
    value = (1 - gates["z"]) * gates["n"] + gates["z"] * before
    assert explanation.exact_value == pytest.approx(value, rel=1e-12)


def test_a_unit_is_traced_back_through_the_steps_to_a_pixel():
    _, recording = recorded(nn.GRU(5, 3, batch_first=True))
    trace = recording.trace_back("net.layer", (5, 0), top=2)
    assert {node.location.source for node in trace} == {"net.layer", "getitem", "image"}
    assert trace.pixels


def test_a_hidden_state_at_the_end_leads_to_the_output_before():
    _, recording = recorded(nn.LSTM(5, 3, batch_first=True), result=1)
    sources = {str(term.location) for term in recording.explain(recording.output, (0, 2)).terms[5:]}
    assert sources == {f"net.layer[4,{k}]" for k in range(3)}


def test_states_that_a_cell_is_given_are_terms():
    net = randomized(nn.Sequential(nn.Flatten(0, 1), Cell(nn.LSTMCell(5, 4))))
    recording = record(net, image_of((1, 3, 5)))
    terms = recording.explain(recording.output, (1,)).terms
    assert len(terms) == 5 + 4 + 4
    assert np.flatnonzero(terms.weights[9:]).tolist() == [1]


def test_a_packed_sequence_is_refused_in_a_sentence():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.LSTM(5, 3, batch_first=True)

        def forward(self, x):
            packed = pack_padded_sequence(x[:, 0], torch.tensor([4]), batch_first=True)
            return self.layer(packed)[0].data

    recording = record(Packed(), IMAGE)
    explanation = recording.explain(recording.output, (1, 1))
    assert explanation.decomposition.kind == "unsupported"
    assert "packed sequences are not explained" in explanation.formula


def test_dropout_between_layers_is_refused_in_a_sentence():
    _, recording = recorded(nn.GRU(5, 3, 2, dropout=0.5, batch_first=True))
    explanation = recording.explain("net.layer", (1, 1))
    assert explanation.decomposition.kind == "unsupported"
    assert "dropout between layers" in explanation.formula
