"""A network that was read, as one that can be trained on other classes."""

from torch import nn

from convscope.errors import RequestError
from convscope.foreign.graph import LayerGraph
from convscope.foreign.modules import TwoClasses

_ENDS = (nn.Softmax, nn.Sigmoid, TwoClasses, nn.Identity)
"""What may stand behind the logits."""


def with_logits(net: nn.Module, num_classes: int, *, where: str) -> nn.Module:
    """Let a network end in its last dense layer, of `num_classes` outputs; in place.

    A softmax or sigmoid behind it is removed, because the loss has one. For another number of
    classes the layer is a new one, small. Raises RequestError for a network with another end.
    """
    name, parent = _last(net)
    head = parent.get_submodule(name) if name else None
    if not isinstance(head, nn.Linear) or _calls(parent, name) > 1:
        last = f"{name}, a {type(head).__name__}" if head else "no layer"
        raise RequestError(
            f"{where} ends in {last}; convscope changes the classes of networks that end in a "
            "dense layer of a vector, with a softmax or sigmoid behind it or none."
        )
    if head.out_features != num_classes:
        new = nn.Linear(head.in_features, num_classes, device=head.weight.device)
        nn.init.normal_(new.weight, std=0.01)
        nn.init.zeros_(new.bias)
        setattr(parent, name, new)
    return net


def _last(net: nn.Module) -> tuple[str, LayerGraph]:
    """The layer that gives the logits, with what is behind it removed, and the graph it is in."""
    assert isinstance(net, LayerGraph)
    while net.steps:
        step = next(step for step in net.steps if step.output == net.output)
        layer = net.get_submodule(step.layer)
        if not isinstance(layer, _ENDS):
            return _last(layer) if isinstance(layer, LayerGraph) else (step.layer, net)
        steps = [one for one in net.steps if one is not step]
        net.set_steps(steps, step.inputs[0])
        if step.layer not in {one.layer for one in steps}:
            delattr(net, step.layer)
    return "", net


def _calls(net: LayerGraph, name: str) -> int:
    return sum(step.layer == name for step in net.steps)
