"""The last step to the answer: softmax or sigmoid of logits, as an operation like others."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from convscope.card import Card
from convscope.explanation.recording import Recording
from convscope.inference import probabilities
from convscope.recording import Call, Operation, Shape, Source


def has_one_logit(shape: Sequence[int], card: Card) -> bool:
    """Whether an output, without the batch, is one number for two classes: that of the second."""
    return tuple(shape) == (1,) and len(card.classes) == 2 and card.task != "detection"


def class_probabilities(output: Tensor, card: Card) -> Tensor | None:
    """The probabilities of the classes, float64 (classes,); None if the output is not about them.

    Of one logit, its sigmoid is that of the second class.
    """
    if has_one_logit(output.shape, card):
        second = probabilities(output, replace(card, task="multi-label", thresholds=None))
        return torch.cat([1 - second, second])
    return probabilities(output, card) if output.shape == (len(card.classes),) else None


def ends_in_sigmoid(recording: Recording) -> bool:
    """Whether what a network returns is one sigmoid for each label."""
    output = recording[recording.output]
    return output.kind == "sigmoid" and len(output.shape) == 1


def with_probabilities(recording: Recording, card: Card) -> Recording:
    """The recording of a network that returns logits, with what makes probabilities of them.

    That is their softmax; of several labels and of one logit, the sigmoid; before it, the division
    by a temperature. The values are those that the page shows as probabilities, float64. A network
    that returns probabilities is recorded as it is; `output` stays the network's own.
    """
    logits = recording[recording.output]
    is_sigmoid = has_one_logit(logits.shape, card) or card.task == "multi-label"
    sizes = ((1,), (len(card.classes),)) if is_sigmoid else ((len(card.classes),),)
    if card.output != "logits" or logits.shape not in sizes:
        return recording
    values = logits.tensor.double() / card.temperature
    source = Source("result", recording.output, Shape(values.shape))
    added: list[tuple[Operation, Tensor]] = []
    if card.temperature != 1:
        name = _free("divided_by_temperature", recording)
        operation = _operation(name, "div", source, torch.div, (card.temperature,))
        added.append((operation, values))
        source = Source("result", name, Shape(values.shape))
    if is_sigmoid:
        operation = _operation(_free("sigmoid", recording), "sigmoid", source, torch.sigmoid, ())
        added.append((operation, values.sigmoid()))
    else:
        name = _free("softmax", recording)
        operation = _operation(name, "softmax", source, torch.softmax, (-1,))
        added.append((operation, probabilities(logits.tensor, card)))
    return recording.followed_by(added)


def _operation(
    name: str,
    kind: str,
    source: Source,
    function: Callable[..., Tensor],
    others: tuple[float, ...],
) -> Operation:
    return Operation(
        name=name,
        kind=kind,
        module="",
        layer=None,
        operands=(source.name,),
        parameters=(),
        call=Call(function, (source, *others), {}),
        shape=source.shape,
        output_index=0,
    )


def _free(name: str, recording: Recording) -> str:
    return f"{name}_2" if name in recording else name
