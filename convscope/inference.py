"""Eval mode with gradients or without, and probabilities from what a network returns."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from convscope.card import Card

_TOLERANCE = 1e-3  # of a sum of probabilities, in half precision too


@contextmanager
def eval_mode(net: nn.Module) -> Generator[None]:
    """Run in eval mode; every module's mode is restored afterwards."""
    modes = {module: module.training for module in net.modules()}
    try:
        if any(modes.values()):
            net.eval()
        yield
    finally:
        for module, mode in modes.items():
            if module.training != mode:  # setting an attribute of a module is slow
                module.training = mode


@contextmanager
def inference_mode(net: nn.Module) -> Generator[None]:
    """Run in eval mode without gradients; every module's mode is restored afterwards."""
    with eval_mode(net), torch.inference_mode():
        yield


@contextmanager
def eval_with_gradients(net: nn.Module, *, of_weights: bool) -> Generator[None]:
    """Run in eval mode with gradients, by every weight or by none; all is as before afterwards."""
    wants = {parameter: parameter.requires_grad for parameter in net.parameters()}
    try:
        for parameter in wants:
            parameter.requires_grad_(of_weights)
        with eval_mode(net), torch.inference_mode(mode=False), torch.enable_grad():
            yield
    finally:
        for parameter, wanted in wants.items():
            parameter.requires_grad_(wanted)


def probabilities(output: Tensor, card: Card) -> Tensor:
    """Probabilities of the classes, float64 (..., classes), from what a network returned.

    The softmax of logits, divided by the card's temperature; where an image has several labels, the
    sigmoid of each. Probabilities, where the card says that the network returns these, as they are.
    """
    values = output.double()
    if card.output == "probabilities":
        return values
    values = values / card.temperature
    return values.sigmoid() if card.task == "multi-label" else values.softmax(-1)


def answers(output: Tensor, card: Card) -> Tensor:
    """What a network says of images, int64: the class of each (n,), the first of equal ones.

    Where an image may have several labels, 0 or 1 for each, (n, classes): whether it reaches the
    card's threshold.
    """
    shares = probabilities(output, card)
    if card.task != "multi-label":
        return shares.argmax(-1)
    return (shares >= shares.new_tensor(card.label_thresholds)).long()


def to_logits(output: Tensor, card: Card) -> Tensor:
    """Logits (..., classes) for the loss, from what a network returned.

    Logits, divided by the card's temperature. Of probabilities p the logarithm: softmax(ln p) = p,
    so the cross-entropy is -ln p of the true class; what is below the smallest normal float32
    counts as that. Where an image has several labels, ln p - ln(1 - p), whose sigmoid is p. A
    network that ends so in eval mode only returns logits in training, which stay as they are.
    """
    if card.output == "logits":
        return output if card.temperature == 1 else output / card.temperature
    tiny = torch.finfo(torch.float32).tiny
    if card.task == "multi-label":
        if not are_fractions(output):
            return output
        return output.clamp_min(tiny).log() - (1 - output).clamp_min(tiny).log()
    return output.clamp_min(tiny).log() if are_probabilities(output) else output


def are_probabilities(output: Tensor) -> bool:
    """Whether every row of an output (..., classes) is >= 0 and adds up to 1."""
    sums = output.detach().float().sum(-1)
    return bool((output >= 0).all() and ((sums - 1).abs() < _TOLERANCE).all())


def are_fractions(output: Tensor) -> bool:
    """Whether every number of an output is from 0 to 1."""
    return bool(((output >= 0) & (output <= 1)).all())
