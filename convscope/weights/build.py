"""Create a network by name for weights: of as many outputs and channels as they have."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from convscope.card import Card
from convscope.data.download import DownloadCallback
from convscope.errors import RequestError
from convscope.weights.adapt import AdaptedWeights, adapt_weights
from convscope.weights.head import num_outputs
from convscope.weights.imagenet_names import HOW_TO_GET
from convscope.weights.load import card_of
from convscope.weights.preprocessing import InputSettings, describe
from convscope.weights.source import Weights, WeightsSource, open_weights
from convscope.zoo import create_model, default_input
from convscope.zoo.check import network_output


@dataclass(frozen=True)
class BuiltNetwork:
    """A network with weights, in eval mode.

    Attributes:
        card: its preprocessing and classes.
        note: what was assumed, and which other weights lie in the source; may be empty.
        warning: that its head is random; empty if it is not.
        is_assumed: whether its preprocessing was assumed.
        has_new_head: whether the last layer has random weights, for the source has none for it.
    """

    net: nn.Module
    card: Card
    note: str
    warning: str
    is_assumed: bool = False
    has_new_head: bool = False


@dataclass(frozen=True)
class _Form:
    """The arguments of `create_model`; None leaves one to the network."""

    name: str
    num_classes: int | None
    in_channels: int | None
    input_size: tuple[int, int] | None

    def create(self) -> nn.Module:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            return create_model(
                self.name,
                num_classes=self.num_classes,
                in_channels=self.in_channels,
                input_size=self.input_size,
            ).eval()


def build_with_weights(
    name: str,
    source: WeightsSource,
    *,
    settings: InputSettings | None = None,
    class_names: Sequence[str] | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
    assumed: Card | None = None,
    on_progress: DownloadCallback | None = None,
) -> BuiltNetwork:
    """Create a network of `convscope.create_model` with pretrained weights.

    `num_classes`, `in_channels` and the size of `settings` are those of the weights where they are
    left out. `assumed` is the card for weights that say nothing of their preprocessing.

    Raises RequestError if the weights do not fit.
    """
    settings = settings or InputSettings()
    weights = open_weights(source, on_progress=on_progress)
    known = weights.card
    size = settings.size or (known.input_size if known else None)
    form = _Form(name, num_classes, in_channels or (known.in_channels if known else None), size)
    net, adapted = _fitting(form, weights)
    own = default_input(name)[1]
    if known is None and assumed is not None:
        weights = replace(weights, card=assumed)
    card = card_of(weights, adapted, net, settings, class_names=class_names, size=own)
    adapted.load_into(net)
    output = network_output(
        net, in_channels=card.in_channels, input_size=card.input_size, task=card.task
    )
    warning = ""
    has_new_head = adapted.num_outputs != num_outputs(net.state_dict())
    if has_new_head:
        lacks = (
            "have none" if adapted.num_outputs is None else f"have {adapted.num_outputs} outputs"
        )
        warning = (
            f"The last layer of {name} has random weights, for those of {weights.source} {lacks}: "
            "its predictions mean nothing yet."
        )
    is_assumed = known is None
    note = _note(weights, card, is_assumed=is_assumed, beside=adapted.notes)
    return BuiltNetwork(net, replace(card, output=output), note, warning, is_assumed, has_new_head)


def _fitting(form: _Form, weights: Weights) -> tuple[nn.Module, AdaptedWeights]:
    """The network with the channels and outputs that the weights have."""
    net = form.create()
    try:
        adapted = adapt_weights(weights, net)
    except RequestError:
        other = None if form.in_channels else _other_channels(form, net, weights)
        if other is None:
            raise
        form, net, adapted = other
    if form.in_channels is None and "weights_input" in adapted.report:  # made for gray, given color
        form = replace(form, in_channels=3)
        net = form.create()
        adapted = adapt_weights(weights, net)
    outputs = adapted.num_outputs
    if form.num_classes is None and outputs not in (None, num_outputs(net.state_dict())):
        net = replace(form, num_classes=outputs).create()
        adapted = adapt_weights(weights, net)
    return net, adapted


def _other_channels(
    form: _Form, net: nn.Module, weights: Weights
) -> tuple[_Form, nn.Module, AdaptedWeights] | None:
    """The network for gray images, if the weights fit that."""
    first = next((t for t in net.state_dict().values() if t.dim() == 4), None)
    if first is None or first.shape[1] != 3:
        return None
    gray = replace(form, in_channels=1)
    try:
        other = gray.create()
        adapted = adapt_weights(weights, other)
    except RequestError:
        return None
    return None if "weights_input" in adapted.report else (gray, other, adapted)


def _note(weights: Weights, card: Card, *, is_assumed: bool, beside: Sequence[str]) -> str:
    """What was assumed of the images and the classes, and how to say otherwise."""
    sentences = [*beside, *filter(None, [weights.note])]
    if is_assumed:
        sentences.append(
            f"{weights.source} says nothing of its preprocessing; assumed: {describe(card)}. "
            "Say otherwise with `input_size`, `resize_mode`, `mean` and `std`."
        )
    is_numbered = card.classes == tuple(map(str, range(len(card.classes))))
    if is_numbered and not weights.class_lists:
        names = f"{HOW_TO_GET}. " if not is_assumed and len(card.classes) == 1000 else ""
        sentences.append(
            f"{names}Classes are numbered, for {weights.source} has no names; give them with "
            "`class_names`."
        )
    return " ".join(sentences)
