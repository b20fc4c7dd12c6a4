"""Products of a signal and a gate, as in squeeze-and-excitation: which of the two is which."""

from convscope.attribution.steps import Step, Tape
from convscope.recording import get_kind

_GATES = frozenset({"sigmoid", "hardsigmoid"})
_IDLE = ("move", "cast")  # rules of what only lays values out anew


def gated_signal(step: Step, tape: Tape) -> str | None:
    """The operand that a gate multiplies; None where the result is not such a product.

    A gate is what a sigmoid returns, or a hard one: from 0 to 1, how much of the signal passes. All
    relevance of the product is the signal's, and none the gate's, which decides and has no share of
    what is there.

    Reference: Arras, Montavon, Müller & Samek, Explaining Recurrent Neural Network Predictions in
    Sentiment Analysis, 2017, https://arxiv.org/abs/1706.07206, section 3.1.
    """
    if get_kind(step.kind).rule != "multiply" or len(step.operands) != 2:
        return None
    signals = [name for name in step.operands if not _is_gate(name, tape)]
    if len(signals) != 1 or step.operands[signals[0]].shape != step.output.shape:
        return None
    return signals[0]


def _is_gate(name: str, tape: Tape) -> bool:
    while name in tape.operations:
        operation = tape.operations[name]
        if operation.kind in _GATES:
            return True
        if get_kind(operation.kind).rule not in _IDLE or len(operation.operands) != 1:
            return False
        name = operation.operands[0]
    return False
