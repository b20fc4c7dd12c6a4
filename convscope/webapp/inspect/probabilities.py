"""The last step to the answer: the softmax of a network's logits, as an operation like others."""

from collections.abc import Callable

import torch

from convscope.card import Card
from convscope.explanation.recording import Recording
from convscope.inference import probabilities
from convscope.recording import Call, Operation, Shape, Source


def with_probabilities(recording: Recording, card: Card) -> Recording:
    """The recording of a network that returns logits, with their softmax after its output.

    So is that of logits divided by a temperature. The values are those that the page shows as
    probabilities, float64. A network that returns probabilities, or one number for each of several
    labels, is recorded as it is; `output` stays the network's own.
    """
    logits = recording[recording.output]
    is_softmax = card.output == "logits" and card.task != "multi-label"
    if not is_softmax or logits.shape != (len(card.classes),):
        return recording
    values = logits.tensor
    source = Source("result", recording.output, Shape(values.shape))
    added: list[tuple[Operation, torch.Tensor]] = []
    if card.temperature != 1:
        scaled = values.double() / card.temperature
        name = _free("divided_by_temperature", recording)
        operation = _operation(name, "div", source, torch.div, (card.temperature,))
        added.append((operation, scaled))
        source = Source("result", name, Shape(values.shape))
    operation = _operation(_free("softmax", recording), "softmax", source, torch.softmax, (-1,))
    added.append((operation, probabilities(values, card)))
    return recording.followed_by(added)


def _operation(
    name: str,
    kind: str,
    source: Source,
    function: Callable[..., torch.Tensor],
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
