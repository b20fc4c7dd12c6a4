"""A score divided exactly among the pixels of an image, or the cells of a layer, and the biases."""

import torch
from torch import Tensor

from convscope.attribution.backward import Flow, send_back, zero_before
from convscope.attribution.gradient_rule import (
    dot,
    gradient,
    is_piecewise_linear,
    unexplained,
)
from convscope.attribution.raw_map import Shares
from convscope.attribution.subject import Subject

BIASES = "biases"
CURVES = "curved functions"
AROUND = "ways around the layer"
DECODING = "decoding, taken for linear"


def plain_gradient(subject: Subject, start: str) -> Tensor:
    """The gradient of the score by a result."""
    tape = subject.tape
    end = tape.logits()
    like = tape.values[end]
    seed = subject.target.seed(like.shape, like)
    found = send_back(tape, seed, start=start, end=end, rule=gradient).received.get(start)
    return torch.zeros_like(tape.values[start]) if found is None else found


def gradient_flow(subject: Subject, start: str) -> tuple[Tensor, Flow]:
    """The gradient of the score by a result, and what biases and curves add behind it."""
    tape = subject.tape
    end = tape.logits()
    like = tape.values[end]
    seed = subject.target.seed(like.shape, like)
    flow = send_back(tape, seed, start=start, end=end, rule=gradient, loss=unexplained)
    found = flow.received.pop(start, None)
    return torch.zeros_like(tape.values[start]) if found is None else found, flow


def gradient_gone_at(subject: Subject, start: str) -> str:
    """The operation behind which every gradient is zero on the way back to a result."""
    tape = subject.tape
    end = tape.logits()
    seed = subject.target.seed(tape.values[end].shape, tape.values[end])
    return zero_before(tape, seed, start=start, end=end, rule=gradient)


def divide(subject: Subject, start: str, gradient: Tensor, flow: Flow) -> Shares:
    """The score as gradient times value of a result, biases, and what else there is.

    Exact for a piecewise linear way from the result to the output; else `CURVES` is what curved
    functions, taken for linear at the image, add or take; `DECODING` the same of what makes a box
    of the outputs.
    """
    tape = subject.tape
    like = tape.values[tape.logits()]
    constant = subject.target.constant(like)
    score = dot(subject.target.seed(like.shape, like), like) + constant
    biases = curves = 0.0
    is_exact = True
    for name, lost in flow.lost.items():
        if is_piecewise_linear(tape.step(name)):
            biases += lost
        else:
            curves, is_exact = curves + lost, False
    others = {BIASES: biases, **({DECODING: constant} if constant else {})}
    if not is_exact:
        others[CURVES] = curves
    around = {n: part for n, part in flow.received.items() if n in tape and n != start}
    if around:
        others[AROUND] = sum(dot(part, tape.values[name]) for name, part in around.items())
    return Shares(score, dot(gradient, tape.values[start]), others, is_exact)
