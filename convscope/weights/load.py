"""`load_weights`: load pretrained weights into a network, and return their preprocessing."""

from dataclasses import replace
from pathlib import Path
from statistics import fmean

from torch import nn

from convscope.card import Card
from convscope.data.download import DownloadCallback
from convscope.errors import RequestError
from convscope.weights.adapt import adapt_weights, first_conv_weight, num_outputs
from convscope.weights.source import open_weights
from convscope.weights.torchvision_releases import imagenet_card
from convscope.zoo.check import network_output


def load_weights(
    net: nn.Module, source: str | Path, *, on_progress: DownloadCallback | None = None
) -> Card:
    """Load pretrained weights into a network, and return the card with their preprocessing.

    `source` is a file (safetensors or `torch.save`'s, from which no code is executed), a URL, a run
    folder, `torchvision:NAME` (also `torchvision:resnet50.IMAGENET1K_V2`) or `timm:NAME`. Parameter
    names may be the network's own or torchvision's; `convscope.weights.adapt.adapt_weights` says
    which differences in shape are accepted.

    The card's provenance records what was adapted. Its classes are numbers if nothing better is
    known. Without preprocessing metadata, ImageNet's is assumed and recorded.

    Raises RequestError, naming the parameter or the first names that differ, if the weights do not
    fit the network, which is then unchanged; WorkError for a failed download.
    """
    weights = open_weights(source, on_progress=on_progress)
    adapted = adapt_weights(weights, net)
    state = net.state_dict()
    card = weights.card or imagenet_card()
    filters = first_conv_weight(state)
    card = with_channels(card, state[filters].shape[1] if filters else card.in_channels)
    if len(card.classes) != num_outputs(state):
        card = replace(card, classes=tuple(map(str, range(num_outputs(state)))))
    assumed = {} if weights.card else {"weights_preprocessing": "assumed: ImageNet's"}
    card = replace(card, provenance={**card.provenance, **adapted.report, **assumed})
    adapted.load_into(net)
    output = network_output(net, in_channels=card.in_channels, input_size=card.input_size)
    return replace(card, output=output)


def with_channels(card: Card, channels: int) -> Card:
    """Return the card for another number of channels: gray has the average of the colors.

    Raises RequestError for any other change.
    """
    if channels == card.in_channels:
        return card
    if (channels, card.in_channels) != (1, 3):
        raise RequestError(
            f"The weights are for {card.in_channels} channels and do not fit a network with "
            f"{channels}. Create it with {card.in_channels} channels."
        )
    return replace(card, in_channels=1, mean=(fmean(card.mean),), std=(fmean(card.std),))
