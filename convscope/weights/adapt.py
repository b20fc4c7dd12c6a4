"""Adapt weights to the names and shapes of a network: every parameter, or an error."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from convscope.errors import RequestError
from convscope.weights.names import match_names
from convscope.weights.source import Weights


@dataclass(frozen=True)
class AdaptedWeights:
    """Weights with the names and shapes of one network.

    Attributes:
        tensors: by our names; without those of a head that keeps its initialization.
        report: what was adapted, for the card's provenance.
    """

    tensors: Mapping[str, Tensor]
    report: Mapping[str, str]

    def load_into(self, net: nn.Module) -> None:
        """Load them into the network."""
        net.load_state_dict({**net.state_dict(), **self.tensors})


def adapt_weights(weights: Weights, net: nn.Module) -> AdaptedWeights:
    """Adapt weights to the names and shapes of a network, which is not changed.

    - A head with another number of classes (all heads, if there are several) is left out.
    - The first layer of a network for gray images gets the sum of the weights over the colors: it
      returns what the original returns for three equal channels.
    - A dense layer that the file stores as a convolution over a whole map becomes dense again.
    - Auxiliary heads that the network does not have are left out.

    Raises RequestError for every other difference in names or shapes.
    """
    state = net.state_dict()
    match = match_names(weights.tensors, state, source=weights.source)
    tensors = {name: weights.tensors[theirs] for name, theirs in match.theirs.items()}
    report = {
        "weights": weights.source,
        "weights_sha256": weights.sha256,
        "weights_names": match.convention,
    }
    if match.left_out:
        report["weights_left_out"] = ", ".join(match.left_out)
    for name, tensor in tensors.items():
        if tensor.dim() == 4 and state[name].dim() == 2:
            tensors[name] = tensor.flatten(1)
    first = first_conv_weight(state)
    if first and tensors[first].shape[1] == 3 and state[first].shape[1] == 1:
        tensors[first] = tensors[first].sum(1, keepdim=True)
        report["weights_input"] = "sum over the colors"
    head = _other_head(tensors, state, weights.source)
    report["weights_head"] = "initialized" if head else "pretrained"
    return AdaptedWeights(
        {name: t for name, t in tensors.items() if _layer(name) not in head}, report
    )


def first_conv_weight(state: Mapping[str, Tensor]) -> str | None:
    """Return the name of the first convolution's weight in a state dict."""
    return next((name for name, tensor in state.items() if tensor.dim() == 4), None)


def num_outputs(state: Mapping[str, Tensor]) -> int:
    """Return the number of outputs of the last layer with weights."""
    return state[_last(state)].shape[0]


def _other_head(
    tensors: Mapping[str, Tensor], state: Mapping[str, Tensor], source: str
) -> frozenset[str]:
    """Return the layers that differ in their number of outputs only, if the last is among them.

    Raises RequestError for any other difference.
    """
    differing = [name for name, tensor in tensors.items() if tensor.shape != state[name].shape]
    layers = frozenset(map(_layer, differing))
    numbers = {(tensors[name].shape[:1], state[name].shape[:1]) for name in differing}
    for name in differing:
        theirs, ours = tensors[name].shape, state[name].shape
        same_inputs = len(theirs) == len(ours) and theirs[1:] == ours[1:]
        if not (same_inputs and len(numbers) == 1 and _layer(_last(state)) in layers):
            raise RequestError(
                f"{source} does not fit the network: {name} is {tuple(theirs)} in the weights and "
                f"{tuple(ours)} in the network. Only the number of classes may differ. Create the "
                "network that was trained, for images of the same size."
            )
    return layers


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _last(state: Mapping[str, Tensor]) -> str:
    """Return a parameter of the last layer with any; skip batch norm's counter, a scalar."""
    return next(name for name, tensor in reversed(list(state.items())) if tensor.dim())
