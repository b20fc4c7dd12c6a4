"""The verb `load_weights`: somebody's weights into a network, and the card that goes with them."""

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
    """Put somebody's weights into a network, and tell how pictures are to be prepared for it.

    `source` is a file (safetensors or `torch.save`'s, of which nothing is executed), a URL, a run
    folder, `torchvision:NAME` (also `torchvision:resnet50.IMAGENET1K_V2`) or `timm:NAME`. Names
    may be the network's own or torchvision's; what the network has another shape for is told by
    `convscope.weights.adapt.fit_weights`.

    The card's provenance says what was done. Its classes are numbers where nothing better is known.
    A file that says nothing of its pictures is taken to be used to ImageNet's, and this is said.

    Raises RequestError, naming the parameter or the first names that disagree, where the weights
    are not those of the network; then nothing in it has changed. WorkError for a failed download.
    """
    weights = open_weights(source, on_progress=on_progress)
    fitted = adapt_weights(weights, net)
    own = net.state_dict()
    card = weights.card or imagenet_card()
    filters = first_conv_weight(own)
    card = with_channels(card, own[filters].shape[1] if filters else card.in_channels)
    if len(card.classes) != num_outputs(own):
        card = replace(card, classes=tuple(map(str, range(num_outputs(own)))))
    told = {} if weights.card else {"weights_preprocessing": "not told; prepared as ImageNet's"}
    card = replace(card, provenance={**card.provenance, **fitted.report, **told})
    fitted.load_into(net)
    output = network_output(net, in_channels=card.in_channels, input_size=card.input_size)
    return replace(card, output=output)


def with_channels(card: Card, channels: int) -> Card:
    """The card of weights for a network that sees so many channels: gray has the colors' average.

    Raises RequestError where that cannot be had.
    """
    if channels == card.in_channels:
        return card
    if (channels, card.in_channels) != (1, 3):
        raise RequestError(
            f"The weights are of a network that sees {card.in_channels} channels and do not fit "
            f"one that sees {channels}. Build it with {card.in_channels} channels."
        )
    return replace(card, in_channels=1, mean=(fmean(card.mean),), std=(fmean(card.std),))
