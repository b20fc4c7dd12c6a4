"""Weights for some layers of a network, from another one that has the same layers there.

A deeper VGG begins with the first convolutions and the dense layers of a trained shallower one:
Simonyan & Zisserman, 2014, section 3.1.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from convscope.errors import RequestError, nearest
from convscope.runs.weight_values import checked, infinite_buffers
from convscope.weights.adapt import AdaptedWeights, network_state
from convscope.weights.candidates import plain_name
from convscope.weights.head import State, head_layers, layer_of
from convscope.weights.names import closest_match
from convscope.weights.source import Weights

_MAX_LISTED = 3  # names in an error


def adapt_layers(
    weights: Weights, net: nn.Module, layers: Sequence[str], *, classes: Sequence[str]
) -> AdaptedWeights:
    """The weights of these layers, or blocks of layers, of a network, which is not changed.

    `classes` are the names of the network's outputs. What else the file holds is ignored. Its names
    are the network's own, or torchvision's or timm's.

    Raises RequestError for a layer that the network or the file does not have, that has another
    shape in the file, or whose values no network can compute with; and for a head of other classes.
    """
    state = network_state(net)
    wanted = _of_layers(layers, state)
    file = {plain_name(name): tensor for name, tensor in weights.tensors.items()}
    match = closest_match(file, wanted)
    if match.missing:
        listed = sorted({layer_of(name) for name in match.missing})
        raise RequestError(
            f"{weights.source} has no weights of {_few(listed)}. Leave out what it lacks: "
            "`weights_layers` names layers that both networks have."
        )
    tensors = {ours: file[theirs] for ours, theirs in match.theirs.items()}
    _check_shapes(tensors, state, weights.source)
    _check_head(tensors, state, weights, classes)
    infinite = {plain_name(name) for name in infinite_buffers(net)}
    report = {
        "weights": weights.source,
        "weights_sha256": weights.sha256,
        "weights_names": match.convention,
        "weights_layers": ", ".join(layers),
    }
    values = {
        name: checked(
            name, tensor, state[name], source=weights.source, may_be_infinite=name in infinite
        )
        for name, tensor in tensors.items()
    }
    return AdaptedWeights(values, report, None)


def _of_layers(layers: Sequence[str], state: State) -> dict[str, Tensor]:
    """The parameters and buffers of these layers."""
    found: dict[str, Tensor] = {}
    for layer in layers:
        names = [name for name in state if name.startswith(f"{layer}.")]
        if not names:
            known = list(dict.fromkeys(map(layer_of, state)))
            raise RequestError(
                f"`weights_layers`: the network has no layer {layer!r} with weights."
                f"{nearest(layer, known)}"
            )
        found |= {name: state[name] for name in names}
    return found


def _check_shapes(tensors: dict[str, Tensor], state: State, source: str) -> None:
    for name, tensor in tensors.items():
        if tensor.shape != state[name].shape:
            raise RequestError(
                f"{name} is {tuple(tensor.shape)} in {source} and {tuple(state[name].shape)} in "
                f"the network, so {layer_of(name)} cannot be taken. Leave it out of "
                "`weights_layers`."
            )


def _check_head(
    tensors: dict[str, Tensor], state: State, weights: Weights, classes: Sequence[str]
) -> None:
    """Refuse the rows of other classes."""
    taken = [layer for layer in head_layers(state) if f"{layer}.weight" in tensors]
    known = weights.names_of(len(classes)) if taken else None
    if known is not None and tuple(known) != tuple(classes):
        raise RequestError(
            f"{taken[0]} of {weights.source} belongs to other classes, or to the same in another "
            "order. Leave it out of `weights_layers`."
        )


def _few(names: Sequence[str]) -> str:
    shown, rest = ", ".join(names[:_MAX_LISTED]), len(names) - _MAX_LISTED
    return f"{shown} and {rest} more" if rest > 0 else shown
