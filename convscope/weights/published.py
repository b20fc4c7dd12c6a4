"""The weights that are published for a network: what `pretrained` starts from."""

from typing import Any

from convscope.card import Card
from convscope.data.download import RemoteFile
from convscope.errors import RequestError, nearest
from convscope.weights.contents import ClassNames, class_names_in
from convscope.weights.timm import HOST
from convscope.weights.torchvision_releases import MEAN_AND_STD, releases
from convscope.zoo.libraries import (
    Preprocessing,
    check_library_model,
    import_library,
    library_of,
    library_preprocessing,
)

_OTHER_NAMES = {"alexnet_2014": "alexnet", "googlenet_bn": "googlenet"}
"""Networks of the zoo that torchvision calls otherwise."""

_OTHER_NETWORKS = {"alexnet": "alexnet_2014", "googlenet": "googlenet_bn"}
"""Networks of the zoo as their papers have them, and those of which weights are published."""

_BYTES_TO_ONE = ("googlenet", "inception_v3")
"""torchvision's that are trained on pixels from -1 to 1, which they compute from ImageNet's."""


def published_weights(model: str) -> str:
    """The source of weights, as `weights` names it, that belongs to a network.

    >>> published_weights("resnet18"), published_weights("googlenet_bn")
    ('torchvision:resnet18', 'torchvision:googlenet')

    Raises RequestError for a network of which no weights are published.
    """
    if library := library_of(model):
        package, name = library
        check_library_model(package, name)
        return f"timm:{_timm_name(name)}" if package == "timm" else f"torchvision:{name}"
    known = {row.network for row in releases()} - {*_OTHER_NETWORKS} | {*_OTHER_NAMES}
    if model in known:
        return f"torchvision:{_OTHER_NAMES.get(model, model)}"
    if model in _OTHER_NETWORKS:
        hint = f" Those of {_OTHER_NETWORKS[model]} are."
    else:
        hint = nearest(model, known)
    raise RequestError(
        f"No weights are published for {model}, so `pretrained` has none.{hint} Name some by "
        "`weights`, or choose timm:NAME or torchvision:NAME."
    )


def _timm_name(name: str) -> str:
    """The full name of timm's default weights, as resnet18.a1_in1k."""
    timm: Any = import_library("timm")
    config = timm.models.get_pretrained_cfg(name, allow_unregistered=True)
    place = (config and config.hf_hub_id) or ""
    owner, _, full_name = place.partition("/")
    if owner == HOST.rstrip("/").rpartition("/")[2] and full_name:
        return full_name
    where = f" They are at {place}: download them, and name the file by `weights`." if place else ""
    raise RequestError(f"timm publishes no weights for {name!r} itself.{where}")


def torchvision_file(name: str) -> tuple[RemoteFile, Card, ClassNames | None] | None:
    """The file of NAME or NAME.WEIGHTS that torchvision itself knows; None if it knows none.

    With it come the card of its images, and the class names.

    Raises RequestError if torchvision is missing.
    """
    models: Any = import_library("torchvision").models
    network, _, wanted = name.partition(".")
    if network not in models.list_models(module=models):
        return None
    known = models.get_model_weights(network)
    found = known.DEFAULT if not wanted else known.__members__.get(wanted)
    if found is None or found.meta["categories"] is None:  # VGG-16's FEATURES have no classifier
        return None
    categories = found.meta["categories"]
    stated = library_preprocessing("torchvision", network, found.name)
    file = found.url.rpartition("/")[2]
    remote = RemoteFile(file, None, (found.url,), sha256=file.rpartition(".")[0].rpartition("-")[2])
    card = None if stated is None else _card(network, stated, len(categories))
    return card and (remote, card, class_names_in(categories))


def _card(network: str, stated: Preprocessing, num_classes: int) -> Card:
    mean, std = (stated.mean, stated.std)
    if network in _BYTES_TO_ONE:
        mean, std = MEAN_AND_STD["±1"]
    return Card(
        classes=tuple(map(str, range(num_classes))),
        input_size=stated.input_size,
        in_channels=3,
        resize_mode="crop",
        resize_size=stated.resize_size,
        interpolation=stated.interpolation,
        mean=mean,
        std=std,
    )
