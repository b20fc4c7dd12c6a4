"""The weights that a training starts from, where it does not start from random ones."""

from dataclasses import replace

from torch import nn

from convscope.card import Card
from convscope.foreign import is_network_file
from convscope.training.callbacks.base import CallbackList
from convscope.training.config import AUTO, TrainConfig, parse_layers
from convscope.training.default_network import PRETRAINED
from convscope.training.network import RequestedNetwork
from convscope.weights.adapt import adapt_weights
from convscope.weights.class_names import parse_class_names
from convscope.weights.head import start_head
from convscope.weights.own import check_trained, restart_new_head
from convscope.weights.published import published_weights
from convscope.weights.some_layers import adapt_layers
from convscope.weights.source import Weights, open_weights, path_of

_BY_IMAGES = "not stated: images are prepared by the training images"


def with_published_weights(
    config: TrainConfig, requested: RequestedNetwork | None = None
) -> TrainConfig:
    """The settings with the name of the weights that `pretrained` asks for.

    A network of one's own brings them along, see `keep_own_weights`, and one in a file of another
    library has them in that file.

    Raises RequestError for a network of which none are published, and for one that was handed over
    without trained weights.
    """
    if config.pretrained and requested is not None and requested.module is not None:
        check_trained(requested.module, requested.model)
    if config.weights is None and is_network_file(config.model):
        if requested is not None and requested.module is not None:
            return config
        return replace(config, weights=config.model, pretrained=False)
    if not config.pretrained or (requested is not None and requested.is_own):
        return config
    model = requested.model if requested else config.model
    model = PRETRAINED if model == AUTO else model
    return replace(config, weights=published_weights(model), pretrained=False)


def opened_weights(config: TrainConfig, user: CallbackList) -> Weights | None:
    """The pretrained weights that the settings name."""
    if config.weights is None:
        return None
    weights = open_weights(config.weights, on_progress=user.downloading)
    if weights.note:
        user.message(weights.note)
    names = None if config.class_names is None else parse_class_names(config.class_names)
    return weights.named(names)


def load_pretrained(
    weights: Weights, network: nn.Module, card: Card, layers: str | None = None
) -> Card:
    """Load weights into a network, its head by class name; the card that is returned says so.

    A head for other classes starts anew, small. With `layers`, names with commas, only these are
    loaded, and the others keep their initialization.

    Raises RequestError, with nothing changed, if they do not match.
    """
    if layers is None:
        adapted = adapt_weights(weights, network, classes=card.classes)
    else:
        adapted = adapt_layers(weights, network, parse_layers(layers), classes=card.classes)
    adapted.load_into(network)
    report = dict(adapted.report)
    if report.get("weights_head", "").startswith("initialized"):
        start_head(network, len(card.classes))
    if weights.card is None:
        report["weights_preprocessing"] = _BY_IMAGES
    return replace(card, provenance={**card.provenance, **report})


def keep_own_weights(
    network: nn.Module, name: str, card: Card, config: TrainConfig, *, stated: Card | None
) -> tuple[Card, TrainConfig]:
    """Start from the weights that a network of one's own, called `name`, brings along.

    A large new head starts small. The weights are written to a file, which the settings then name,
    so that the run can be repeated. `stated` is the preprocessing that the network itself states.

    Raises RequestError for a network that is seen to be untrained.
    """
    check_trained(network, name)
    report = {"weights": f"the trained weights of {name} itself"}
    if head := restart_new_head(network, len(card.classes)):
        report["weights_head"] = head
    if stated is None:
        report["weights_preprocessing"] = _BY_IMAGES
    card = replace(card, provenance={**card.provenance, **report})
    return card, replace(config, weights=path_of(network, card.classes), pretrained=False)
