"""Networks that return probabilities instead of logits: noticed, explained, or refused."""

import math
from dataclasses import replace
from typing import Any, Literal

from torch import nn

from convscope.card import Card
from convscope.device import Precision
from convscope.errors import RequestError
from convscope.training.callbacks.base import CallbackList
from convscope.zoo.box_head import coding_of
from convscope.zoo.check import network_output

_BELOW_1 = {"bf16": 0.996, "fp16": 0.9995}


def with_output(
    card: Card, net: nn.Module, callbacks: CallbackList, *, precision: Precision = "float32"
) -> Card:
    """The card with what the network returns; a message warns if that is probabilities.

    Raises RequestError for probabilities in 16 bits, of whose logarithm little is left, and for a
    softmax over labels that do not exclude each other.
    """
    if card.task == "detection":
        return replace(card, output="logits", boxes=coding_of(net))
    network, last = card.provenance["network"], _last_layer(card, net)
    if last is None:
        return replace(card, output="logits")
    if last == "softmax" and card.task == "multi-label":
        raise RequestError(
            f"{network} ends in softmax, by which the labels of an image exclude each other, and "
            "these images have several. Return logits (remove the softmax), or end in sigmoid."
        )
    if precision != "float32":
        raise RequestError(
            f"{network} ends in {last}, and probabilities in {precision} are too coarse for a "
            f"loss: {_BELOW_1[precision]} is the largest below 1. Return logits (remove the last "
            f"{last}), or choose `precision='float32'`."
        )
    callbacks.message(
        f"{network} ends in {last}: it returns probabilities, not logits. "
        f"{_applied_twice(card)} So the loss is computed from the probabilities as they are. It is "
        f"better to return logits (remove the last {last}): gradients vanish where a {last} "
        "saturates."
    )
    return replace(card, output="probabilities")


def _last_layer(card: Card, net: nn.Module) -> Literal["softmax", "sigmoid"] | None:
    """What makes the outputs of a network probabilities; None of one that returns logits."""
    tried: dict[str, Any] = dict(in_channels=card.in_channels, input_size=card.input_size)
    tried |= dict(num_classes=len(card.classes))
    if network_output(net, **tried) == "probabilities":
        return "softmax"
    if card.task == "multi-label" and network_output(net, **tried, task=card.task) != "logits":
        return "sigmoid"
    return None


def _applied_twice(card: Card) -> str:
    """What the loss would do to probabilities, which it takes for logits."""
    if card.task == "multi-label":
        low, high = (1 / (1 + math.exp(-p)) for p in (0, 1))
        return (
            "Binary cross-entropy applies sigmoid itself; applied twice, every probability would "
            f"be from {low:.3f} to {high:.3f}."
        )
    classes = len(card.classes)
    largest = math.e / (math.e + classes - 1)
    return (
        f"Cross-entropy applies softmax itself; applied twice, no probability of {classes} classes "
        f"could exceed {largest:.3f}, and the loss could not fall below {-math.log(largest):.3f}."
    )
