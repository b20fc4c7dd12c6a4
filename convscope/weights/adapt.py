"""Adapt weights to the names and shapes of a network: every parameter, or an error."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from convscope.data.spellings import match_names
from convscope.errors import RequestError
from convscope.runs.weight_values import checked, infinite_buffers
from convscope.weights.candidates import Candidate, choose, find_candidates, plain_name
from convscope.weights.head import (
    State,
    head_layers,
    last_parameter,
    layer_of,
    num_outputs,
    rows_by_class,
)
from convscope.weights.source import Weights

_MAX_LISTED = 3  # tensors in an error, classes in a report


@dataclass(frozen=True)
class AdaptedWeights:
    """Weights with the names and shapes of one network.

    Attributes:
        tensors: by our names; without those of a head that keeps its initialization.
        report: what was adapted, for the card's provenance.
        num_outputs: of the head in the weights; None if they have no head.
        notes: what a user should know, in sentences.
    """

    tensors: Mapping[str, Tensor]
    report: Mapping[str, str]
    num_outputs: int | None
    notes: tuple[str, ...] = ()

    def load_into(self, net: nn.Module) -> None:
        """Load them into the network."""
        state = net.state_dict()
        names = _plain_names(state)
        net.load_state_dict({**state, **{names[name]: t for name, t in self.tensors.items()}})


def adapt_weights(
    weights: Weights, net: nn.Module, *, classes: Sequence[str] | None = None
) -> AdaptedWeights:
    """Adapt weights to the names and shapes of a network, which is not changed.

    - The names may stand behind a common prefix, anywhere in the file; `Weights.choice` tells which
      where several fit.
    - `classes` are the names of the network's outputs. The rows of the head are matched by class
      name; a class that the weights do not know, and a head without class names, keeps its
      initialization. Without `classes` a head of as many outputs is taken as it is.
    - A head with another number of outputs (all heads, if there are several) is left out, and so is
      one that is missing from the weights.
    - The first layer of a network for gray images gets the sum of the weights over the colors: it
      returns what the original returns for three equal channels.
    - A dense layer that the file stores as a convolution over a whole map becomes dense again.
    - Auxiliary heads that the network does not have are left out.

    Raises RequestError for every other difference in names or shapes, and for values that no
    network can compute with, by the name of the tensor.
    """
    state = network_state(net)
    candidate, beside = _choose(weights, state)
    tensors = dict(candidate.tensors)
    report = {
        "weights": weights.source,
        "weights_sha256": weights.sha256,
        "weights_names": candidate.match.convention,
    }
    if candidate.place:
        report["weights_place"] = candidate.place
    if beside:
        report["weights_beside"] = beside
    if candidate.match.left_out:
        report["weights_left_out"] = ", ".join(candidate.match.left_out)
    infinite = {plain_name(name) for name in infinite_buffers(net)}
    for name, tensor in tensors.items():
        tensors[name] = checked(
            name,
            tensor,
            state[name],
            source=weights.source,
            may_be_infinite=name in infinite,
        )
    types = {t.dtype for n, t in tensors.items() if t.dtype != state[n].dtype}
    if types:
        named = sorted(str(dtype).removeprefix("torch.") for dtype in types)
        report["weights_dtype"] = f"converted from {', '.join(named)}"
    first = first_conv_weight(state)
    if first and first in tensors and _is_gray_of_color(tensors[first], state[first]):
        tensors[first] = tensors[first].sum(1, keepdim=True)
        report["weights_input"] = "sum over the colors"
    outputs = _num_outputs(tensors, state)
    names = None if outputs is None else weights.names_of(outputs)
    tensors, head = _match_head(tensors, state, names, classes)
    report["weights_head"] = head
    notes = tuple(f"{note}." for note in (beside,) if note)
    return AdaptedWeights(tensors, report, outputs, notes)


def first_conv_weight(state: State) -> str | None:
    """Return the name of the first convolution's weight in a state dict."""
    return next((name for name, tensor in state.items() if tensor.dim() == 4), None)


def network_state(net: nn.Module) -> dict[str, Tensor]:
    """The network's tensors by plain names, without those of wrappers such as torch.compile.

    Raises RequestError for layers that have no shape yet.
    """
    if any(map(is_lazy, net.parameters())):
        raise RequestError(
            "The network has lazy layers, whose weights have no shape yet. Run it once on an image "
            "first."
        )
    state: dict[str, Tensor] = net.state_dict()
    return {plain: state[name] for plain, name in _plain_names(state).items()}


def _plain_names(state: Mapping[str, Tensor]) -> dict[str, str]:
    """The names of a state dict by what they are without wrappers, where those differ."""
    plain = {plain_name(name): name for name in state}
    return plain if len(plain) == len(state) else {name: name for name in state}


def _choose(weights: Weights, state: State) -> tuple[Candidate, str]:
    """The place in the file whose names and shapes fit, and what else fits there."""
    candidates = find_candidates(
        weights.tensors,
        state,
        source=weights.source,
        containers=weights.containers,
        choice=weights.choice,
    )
    fitting: dict[bool, list[Candidate]] = {True: [], False: []}
    failures: list[RequestError] = []
    for candidate in candidates:
        tensors = _in_shape(candidate.tensors, state)
        try:
            head = _other_head(tensors, state, weights.source)
        except RequestError as error:
            failures.append(error)
        else:
            is_whole = not head and not candidate.match.missing
            found = Candidate(candidate.place, candidate.match, tensors)
            fitting[is_whole].append(found)
    if not any(fitting.values()):
        raise failures[0]
    whole, other = fitting[True], fitting[False]
    only_averages_are_whole = all(one.is_averaged for one in whole)
    listed = [*whole, *(one for one in other if only_averages_are_whole and not one.is_averaged)]
    return choose(listed or other, source=weights.source)


def _in_shape(tensors: Mapping[str, Tensor], state: State) -> dict[str, Tensor]:
    """Dense layers that are stored as convolutions as the matrices that they are.

    A number for each channel, as timm stores ConvNeXt's layer scale, gets the axes of the maps.
    """
    shaped = dict(tensors)
    for name, tensor in tensors.items():
        shape = state[name].shape
        if tensor.dim() == 4 and len(shape) == 2:
            shaped[name] = tensor.flatten(1)
        elif tensor.dim() == 1 and shape == (*tensor.shape, 1, 1):
            shaped[name] = tensor.reshape(shape)
    return shaped


def _is_gray_of_color(theirs: Tensor, ours: Tensor) -> bool:
    return theirs.dim() == 4 and theirs.shape[1] == 3 and ours.shape[1] == 1


def _num_outputs(tensors: Mapping[str, Tensor], state: State) -> int | None:
    last = tensors.get(last_parameter(state))
    return None if last is None else last.shape[0]


def _match_head(
    tensors: Mapping[str, Tensor],
    state: State,
    theirs: Sequence[str] | None,
    ours: Sequence[str] | None,
) -> tuple[dict[str, Tensor], str]:
    """The tensors with the head's rows by class name, and a description of what became of it."""
    other = {layer_of(name) for name, t in tensors.items() if t.shape != state[name].shape}
    is_missing = last_parameter(state) not in tensors
    if is_missing:
        other |= set(head_layers(state))
    is_known = ours is not None and not is_missing and len(ours) == num_outputs(state)
    if not is_known or ours is None:
        return _without(tensors, other), "initialized" if other else "pretrained"
    heads = other or _heads(state, len(ours))
    if theirs is None:
        reason = "" if other else ": the weights have no class names; `class_names` gives them"
        return _without(tensors, heads), f"initialized{reason}"
    if tuple(theirs) == tuple(ours):
        return dict(tensors), "pretrained"
    places = match_names(ours, theirs)
    known = [name for name, place in zip(ours, places, strict=True) if place is not None]
    if not known:
        return _without(tensors, heads), "initialized"
    rows = {
        name: rows_by_class(tensor, state[name], places)
        for name, tensor in tensors.items()
        if layer_of(name) in heads and tensor.shape[:1] == (len(theirs),)
    }
    description = f"{len(known)} of {len(ours)} classes by name: {_few(known)}"
    return _without(tensors, heads) | rows, description


def _without(tensors: Mapping[str, Tensor], layers: Collection[str]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if layer_of(name) not in layers}


def _heads(state: State, outputs: int) -> set[str]:
    """The last layer, and auxiliary heads, of as many outputs as there are classes."""
    auxiliary = {
        layer_of(name)
        for name, tensor in state.items()
        if "aux" in name.lower() and tensor.dim() and tensor.shape[0] == outputs
    }
    return {*head_layers(state), *auxiliary}


def _few(names: Sequence[str]) -> str:
    shown, rest = ", ".join(names[:_MAX_LISTED]), len(names) - _MAX_LISTED
    return f"{shown} and {rest} more" if rest > 0 else shown


def _other_head(tensors: Mapping[str, Tensor], state: State, source: str) -> frozenset[str]:
    """Return the layers that differ in their number of outputs only, if the last is among them.

    Raises RequestError for any other difference.
    """
    first = first_conv_weight(state)
    differing = [
        name
        for name, tensor in tensors.items()
        if tensor.shape != state[name].shape
        and not (name == first and _is_gray_of_color(tensor, state[name]))
    ]
    layers = frozenset(map(layer_of, differing))
    numbers = {(tensors[name].shape[:1], state[name].shape[:1]) for name in differing}
    for name in differing:
        theirs, ours = tensors[name].shape, state[name].shape
        same_inputs = len(theirs) == len(ours) and theirs[1:] == ours[1:]
        if not (same_inputs and len(numbers) == 1 and layer_of(last_parameter(state)) in layers):
            wrong = [one for one in differing if one != name]
            more = f"; so do {len(wrong)} more ({_few(wrong)})" if wrong else ""
            raise RequestError(
                f"{source} does not fit the network: {name} is {tuple(theirs)} in the weights and "
                f"{tuple(ours)} in the network{more}. Only the number of classes may differ. "
                "Create the network that was trained, for images of the same size."
            )
    return layers
