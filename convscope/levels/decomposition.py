"""Divide units of a layer among the filters of a lower layer, and biases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from convscope.attribution.backward import send_back
from convscope.attribution.gradient_rule import (
    gradient,
    is_homogeneous,
    is_piecewise_linear,
    unexplained,
)
from convscope.attribution.steps import Step, Tape
from convscope.errors import NetworkError
from convscope.features.unit_layers import UnitLayer
from convscope.forward import like_parameters
from convscope.inference import inference_mode
from convscope.recording import ForwardPass, Operation, get_kind, run_once

_RATIOS = frozenset(
    {"curve", "prelu", "rrelu", "scaled_tanh", "local_response_norm", "paper_response_norm"}
)
_AT_ZERO = {"sigmoid": 0.5, "hardsigmoid": 0.5}  # what a curve returns for 0


@dataclass(frozen=True)
class Divided:
    """The values of units, divided; each number is the mean over the images, in float64.

    Attributes:
        value: of the units, before the activation function.
        parts: (k,), what each filter of the lower layer adds, over all of its units.
        bias: what the parameters above the lower layer add by themselves.
        rest: what neither explains: ways around the lower layer, and operations without a rule.
    """

    value: float
    parts: tuple[float, ...]
    bias: float
    rest: float


class Divider:
    """Divides units of one layer among the filters of another one.

    Layers, pooling, additions and ReLU are linear around an image, so that the value is the sum of
    the lower layer's units, each times its gradient, and of biases. What is not linear is held
    fixed: see `held`. The sum of `parts`, `bias` and `rest` is the value, to rounding.
    """

    def __init__(
        self, net: nn.Module, recorded: ForwardPass, upper: UnitLayer, lower: UnitLayer
    ) -> None:
        self._net, self._upper, self._lower = net, upper, lower
        self._start = recorded.operations[lower.number].name
        self._end = recorded.operations[value_number(recorded.operations, upper)].name

    def divide(self, images: Tensor, channel: int, positions: Sequence[int]) -> Divided:
        """The units of one filter in n images (n, c, h, w), normalized, at one position in each.

        Positions of a map are counted row by row. Raises NetworkError where the network takes
        another path than on the blank image.
        """
        with inference_mode(self._net), torch.inference_mode(mode=False):
            fed = like_parameters(self._net, images).clone()
            tape = Tape(run_once(self._net, fed, should_keep=lambda _module, _kind: True))
            for name in (self._start, self._end):
                if name not in tape:
                    raise NetworkError(
                        f"{name} was not computed as before: the network takes different paths for "
                        "different images, and its values cannot be traced back."
                    )
            at = [(n, *self._upper.index(channel, own)) for n, own in enumerate(positions)]
            seed = torch.zeros_like(tape.values[self._end])
            for index in at:
                seed[index] = 1
            flow = send_back(
                tape, seed, start=self._start, end=self._end, rule=held, loss=unexplained
            )
            lower = tape.values[self._start].detach().double()
            received = flow.received.pop(self._start, torch.zeros_like(lower)).double()
            parts = self._summed(lower * received)
            lost = {n: own for n, own in flow.lost.items() if is_piecewise_linear(tape.step(n))}
            value = float(sum(tape.values[self._end][index].double() for index in at))
        bias, count = sum(lost.values()), len(at)
        rest = value - float(parts.sum()) - bias
        return Divided(value / count, tuple((parts / count).tolist()), bias / count, rest / count)

    def _summed(self, products: Tensor) -> Tensor:
        """(k,): the sum over the images and all units of each filter."""
        units = self._lower.units(products)
        return units.sum([n for n in range(units.ndim) if n != 1])


def held(step: Step, quantity: Tensor) -> Mapping[str, Tensor]:
    """The gradient by each operand, where what is not linear is held fixed.

    A curve, and local response normalization, multiplies each value x by f(x) / x, as a ReLU by 0
    or 1. In a product of two results that depend on the image, the smaller one is held, as the gate
    of squeeze-and-excitation; of two of one size, each gets half.
    """
    rule = get_kind(step.operation.kind).rule
    if rule in _RATIOS and len(step.operands) == 1 and not is_homogeneous(step):
        [(name, values)] = step.operands.items()
        if values.shape == step.output.shape:
            is_zero = values == 0
            ratio = (step.output - _AT_ZERO.get(step.kind, 0.0)) / torch.where(is_zero, 1, values)
            return {name: quantity * torch.where(is_zero, 0, ratio)}
    if rule == "multiply" and len(step.operands) == 2:
        (first, a), (second, b) = step.operands.items()
        whole = {first: b, second: a}
        whole = {n: other for n, other in whole.items()
                 if step.operands[n].shape == step.output.shape}  # fmt: skip
        return {n: quantity * other / len(whole) for n, other in whole.items()}
    return gradient(step, quantity)


def value_number(operations: Sequence[Operation], layer: UnitLayer) -> int:
    """The operation with the units of a layer before the activation function that they are behind.

    That is what the activation function reads; where there is none, the result of the units itself.
    """
    source = operations[layer.number]
    kind = get_kind(source.kind)
    is_curve = kind.drawing == "activation" and kind.rule != "softmax"
    if layer.type == "other" or not (is_curve or kind.rule == "multiply"):
        return layer.number
    numbers = {operation.name: number for number, operation in enumerate(operations)}
    read = [numbers[name] for name in source.operands if name in numbers]
    same = [number for number in read if operations[number].shape == source.shape]
    return min(same, default=layer.number)
