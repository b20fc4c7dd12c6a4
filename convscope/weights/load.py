"""`load_weights`: load pretrained weights into a network, and return their preprocessing."""

import warnings
from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from convscope.card import Card, ResizeMode
from convscope.data.download import DownloadCallback
from convscope.errors import RequestError
from convscope.recording.wrappers import unwrapped
from convscope.weights.adapt import AdaptedWeights, adapt_weights, first_conv_weight
from convscope.weights.class_names import ClassNamesLike, parse_class_names
from convscope.weights.head import num_outputs
from convscope.weights.preprocessing import (
    InputSettings,
    PerChannel,
    assumed_card,
    describe,
    with_channels,
)
from convscope.weights.source import Weights, WeightsSource, open_weights
from convscope.zoo.check import network_output


def load_weights(
    net: nn.Module,
    source: WeightsSource,
    *,
    class_names: ClassNamesLike | None = None,
    input_size: int | tuple[int, int] | None = None,
    resize_mode: ResizeMode | None = None,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
    on_progress: DownloadCallback | None = None,
) -> Card:
    """Load pretrained weights into a network, and return the card with their preprocessing.

    `source` is a file (safetensors or `torch.save`'s, from which no code is executed), a URL, a run
    folder or what `train` returned, `torchvision:NAME` (also `torchvision:resnet50.IMAGENET1K_V2`),
    `timm:NAME`, a state dict in memory, or a network of the same kind. The weights may lie anywhere
    in a checkpoint, behind any prefix; where several fit, `FILE#PLACE` names one (`x.pth#ema`).
    Parameter names may be the network's own or torchvision's;
    `convscope.weights.adapt.adapt_weights` says which differences in shape are accepted.

    The card's provenance records what was adapted, where in the file the weights lay, and whether
    averaged weights (EMA) lie beside them. Its classes are `class_names` (a list, names with commas
    between them, a file), those that the source knows, or numbers. `input_size`, `resize_mode`,
    `mean` and `std` are taken instead of the source's. Where neither says, ImageNet's are assumed
    and recorded. The card is left on the network, for `record` and `explain`.

    Raises RequestError, naming the parameter or the first names that differ, if the weights do not
    fit the network, which is then unchanged; WorkError for a failed download.
    """
    preprocessing = InputSettings(
        input_size=input_size, resize_mode=resize_mode, mean=mean, std=std
    )
    weights = open_weights(source, on_progress=on_progress)
    if weights.note:
        warnings.warn(weights.note, stacklevel=2)
    adapted = adapt_weights(weights, net)
    names = None if class_names is None else parse_class_names(class_names)
    card = card_of(weights, adapted, net, preprocessing, class_names=names)
    adapted.load_into(net)
    output = network_output(
        net, in_channels=card.in_channels, input_size=card.input_size, task=card.task
    )
    card = replace(card, output=output)
    vars(unwrapped(net))["card"] = card  # how to prepare its images, for `record` and `explain`
    return card


def card_of(
    weights: Weights,
    adapted: AdaptedWeights,
    net: nn.Module,
    preprocessing: InputSettings,
    *,
    class_names: Sequence[str] | None = None,
    size: tuple[int, int] | None = None,
) -> Card:
    """The card of a network with these weights; `size` is the network's own, if it is known.

    Raises RequestError if channels or the number of names do not fit the network.
    """
    state = net.state_dict()
    filters = first_conv_weight(state)
    channels = state[filters].shape[1] if filters else 3
    card = weights.card or assumed_card(3, size)
    card = with_channels(card, channels) if filters else card
    outputs = num_outputs(state)
    if class_names is not None and len(class_names) != outputs:
        raise RequestError(
            f"`class_names` has {len(class_names)} names, and the network has {outputs} outputs. "
            "Name each output, in their order."
        )
    known = weights.names_of(outputs) if adapted.num_outputs == outputs else None
    card = replace(card, classes=class_names or known or tuple(map(str, range(outputs))))
    is_assumed = weights.card is None
    card = preprocessing.applied(card)
    provenance = {**card.provenance, **adapted.report}
    if is_assumed:
        provenance["weights_preprocessing"] = f"assumed, as ImageNet's: {describe(card)}".replace(
            "`", ""
        )
    return replace(card, provenance=provenance)
