"""Weights in the names and shapes of a network: every parameter, or an error."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from convscope.errors import RequestError
from convscope.weights.names import match_names
from convscope.weights.source import Weights


@dataclass(frozen=True)
class AdaptedWeights:
    """Weights in the names and shapes of one network.

    Attributes:
        tensors: by our names; without those of a head that stays as it was built.
        told: what was done, for the card's provenance.
    """

    tensors: Mapping[str, Tensor]
    report: Mapping[str, str]

    def load_into(self, net: nn.Module) -> None:
        """Put them into the network."""
        net.load_state_dict({**net.state_dict(), **self.tensors})


def adapt_weights(weights: Weights, net: nn.Module) -> AdaptedWeights:
    """Bring weights into the names and shapes of a network, which stays as it is.

    - A head with another number of classes (all of them, where there are several) is left out.
    - The first layer of a network for gray pictures gets the sum of the weights over the colors:
      to three equal channels it says the same.
    - A dense layer that the file has as a convolution over a whole map becomes dense again.
    - Auxiliary heads that the network was built without are left out.

    Raises RequestError for every other difference in names or shapes.
    """
    own = net.state_dict()
    match = match_names(weights.tensors, own, source=weights.source)
    tensors = {name: weights.tensors[theirs] for name, theirs in match.theirs.items()}
    told = {
        "weights": weights.source,
        "weights_sha256": weights.sha256,
        "weights_names": match.whose,
    }
    if match.left_out:
        told["weights_left_out"] = ", ".join(match.left_out)
    for name, tensor in tensors.items():
        if tensor.dim() == 4 and own[name].dim() == 2:
            tensors[name] = tensor.flatten(1)
    first = first_conv_weight(own)
    if first and tensors[first].shape[1] == 3 and own[first].shape[1] == 1:
        tensors[first] = tensors[first].sum(1, keepdim=True)
        told["weights_input"] = "summed over the colors"
    head = _other_head(tensors, own, weights.source)
    told["weights_head"] = "as it was built" if head else "theirs"
    return AdaptedWeights(
        {name: t for name, t in tensors.items() if _layer(name) not in head}, told
    )


def first_conv_weight(own: Mapping[str, Tensor]) -> str | None:
    """The name of the first convolution's weight in a state dict."""
    return next((name for name, tensor in own.items() if tensor.dim() == 4), None)


def num_outputs(own: Mapping[str, Tensor]) -> int:
    """How many numbers the last layer with weights answers with."""
    return own[_last(own)].shape[0]


def _other_head(
    tensors: Mapping[str, Tensor], own: Mapping[str, Tensor], source: str
) -> frozenset[str]:
    """The layers that differ, in their number of outputs alone, if the last one is among them.

    Raises RequestError for any other difference.
    """
    differing = [name for name, tensor in tensors.items() if tensor.shape != own[name].shape]
    layers = frozenset(map(_layer, differing))
    numbers = {(tensors[name].shape[:1], own[name].shape[:1]) for name in differing}
    for name in differing:
        there, here = tensors[name].shape, own[name].shape
        same_inputs = len(there) == len(here) and there[1:] == here[1:]
        if not (same_inputs and len(numbers) == 1 and _layer(_last(own)) in layers):
            raise RequestError(
                f"{source} does not fit the network: {name} is {tuple(there)} there and "
                f"{tuple(here)} here. Only the number of classes may differ. Build the network as "
                "it was when the weights were made, for images of the same size."
            )
    return layers


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _last(own: Mapping[str, Tensor]) -> str:
    """A parameter of the last layer that has any; batch norm's counter is a single number."""
    return next(name for name, tensor in reversed(list(own.items())) if tensor.dim())
