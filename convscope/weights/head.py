"""The head of a network: its last layer, whose rows belong to the classes."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

State = Mapping[str, Tensor]


def head_layers(state: State) -> tuple[str, ...]:
    """The last layer with a matrix or filters, and what follows it, as batch norm may.

    >>> import torch
    >>> names = ("conv.weight", "conv.bias", "fc.weight", "fc.bias")
    >>> head_layers({name: torch.ones(2, 2) for name in names})
    ('fc',)
    """
    layers: dict[str, bool] = {}
    for name, tensor in state.items():
        layer = layer_of(name)
        layers[layer] = layers.get(layer, False) or tensor.dim() > 1
    names = list(layers)
    last = max((index for index, name in enumerate(names) if layers[name]), default=0)
    return tuple(names[last:])


def num_outputs(state: State) -> int:
    """Return the number of outputs of the last layer with weights; 0 if no layer has any."""
    name = last_parameter(state)
    return state[name].shape[0] if name else 0


def last_parameter(state: State) -> str:
    """Return a parameter of the last layer with any; skip batch norm's counter, a scalar.

    The name is empty for a network without weights.
    """
    return next((name for name, tensor in reversed(list(state.items())) if tensor.dim()), "")


def layer_of(name: str) -> str:
    """The layer of a parameter: the path without the last word."""
    return name.rpartition(".")[0]


def rows_by_class(theirs: Tensor, ours: Tensor, rows: Sequence[int | None]) -> Tensor:
    """`ours` with rows of `theirs`: `rows` has the index of each there, None for one to keep."""
    found = ours.clone()
    for place, index in enumerate(rows):
        if index is not None:
            found[place] = theirs[index].to(ours.dtype)
    return found


def start_head(network: nn.Module, num_classes: int) -> None:
    """Draw the weights of a new head small, with a standard deviation of 0.01, and its bias 0.

    A large head sends large gradients into trained weights, and they are lost in the first steps.
    timm draws an EfficientNet's from -0.5 to 0.5 for four classes.
    """
    [name, *_] = head_layers(network.state_dict())
    head = network.get_submodule(name)
    if isinstance(head, nn.Linear | nn.Conv2d) and len(head.weight) == num_classes:
        nn.init.normal_(head.weight, std=0.01)
        if head.bias is not None:
            nn.init.zeros_(head.bias)
