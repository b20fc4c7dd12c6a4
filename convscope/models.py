"""Open whatever a person names or hands over as a network, with the card of its images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from convscope.card import Card
from convscope.errors import RequestError
from convscope.foreign import is_network_file, read_network
from convscope.hub import is_hub
from convscope.network_card import assumed_card, card_of, card_of_name, stated_card
from convscope.recording.wrappers import unwrapped
from convscope.runs.folder import Run
from convscope.runs.network import as_run, load_run, model_name
from convscope.runs.own_code import NO_CONSENT, Consent, is_own_code
from convscope.weights.build import build_with_weights
from convscope.weights.hub_files import network_on_hub
from convscope.weights.preprocessing import InputSettings
from convscope.weights.published import published_weights
from convscope.weights.source import WeightsSource
from convscope.zoo import ENTRIES, create_model, resolve_model
from convscope.zoo.libraries import library_of, library_preprocessing
from convscope.zoo.table_file import is_table

ModelLike = str | Path | nn.Module | Run
"""A run, a name of the zoo, a layer table, `module:attr`, `timm:NAME`, `torchvision:NAME`, a file
of Keras or ConvNetJS, what `export` sent to hf://USER/NAME, or a network itself; also an object
that has a run as `run`, such as what `train` returns."""


@dataclass(frozen=True)
class OpenedModel:
    """A network with its card.

    Attributes:
        name: what to call it.
        run: its run; None if it is not of one.
        warning: a caveat for the reader: its weights are random. Empty if there is none.
        note: what was assumed of its images, or cannot be checked; empty if there is nothing.
        is_assumed: whether its preprocessing was assumed.
        origin: where its weights come from, if that is its own code; else empty.
    """

    name: str
    net: nn.Module
    card: Card
    run: Run | None = None
    warning: str = ""
    note: str = ""
    is_assumed: bool = False
    origin: str = ""


def open_model(
    model: object,
    *,
    weights: WeightsSource | None = None,
    card: Card | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: int | tuple[int, int] | None = None,
    image_size: tuple[int, int] | None = None,
    settings: InputSettings | None = None,
    class_names: Sequence[str] | None = None,
    consent: Consent = NO_CONSENT,
) -> OpenedModel:
    """Open a model; see `ModelLike`.

    `consent` says what of its own code a run may have imported.

    A run has its best weights; a network by name has random ones unless `weights` names others.
    Both are in eval mode. A module is returned as it is. The card is, in this order: `card`; that
    of the run or the weights; that which `convscope.load` and `load_weights` left on a module; what
    timm or torchvision state of the network. Where there is none of them, pixels are scaled to
    0..1, or as ImageNet's for names of the zoo, and `note` says so. A module of which no input size
    is known gets images of `image_size`, (height, width), as they are, if it takes them; else of
    the first usual size that it takes.

    `settings` and `class_names` are for a network that is no run, and change its card.

    Raises RequestError for what is none of these, and for arguments that do not belong to it.
    """
    settings = settings or InputSettings()
    run = find_run(model)
    if run is not None:
        if weights:
            raise RequestError("A run has its own weights; leave out `weights`.")
        built = {"num_classes": num_classes, "in_channels": in_channels, "input_size": input_size}
        stated = {**dict.fromkeys(settings.names, True), "class_names": class_names}
        fixed = [name for name, value in {**built, **stated}.items() if value is not None]
        if fixed:
            raise RequestError(known_of_run(run, fixed))
        net, own, note = load_run(run, consent)
        return OpenedModel(run.path.name, net, card or own, run, note=note)
    opened = _open_network(
        model,
        weights=weights,
        card=card,
        num_classes=num_classes,
        in_channels=in_channels,
        input_size=input_size,
        image_size=image_size,
        settings=settings,
        class_names=class_names,
    )
    if weights is not None or is_hub(model):
        return opened  # they had a part in how it was built
    return _as_stated(opened, settings, class_names)


def known_of_run(run: Run, names: Sequence[str]) -> str:
    """What to say where arguments state of a run what it knows itself."""
    listed = " and ".join(f"`{name}`" for name in names)
    return f"{run.path} is a run, whose classes and images are known; leave out {listed}."


def _as_stated(
    opened: OpenedModel, settings: InputSettings, class_names: Sequence[str] | None
) -> OpenedModel:
    """The network with what a user states of its images and classes."""
    card = settings.applied(opened.card)
    if class_names is not None:
        if len(class_names) != len(card.classes):
            raise RequestError(
                f"`class_names` has {len(class_names)} names, and the network has "
                f"{len(card.classes)} outputs. Name each output, in their order."
            )
        card = replace(card, classes=tuple(class_names))
    if settings.mean is None and settings.std is None:
        return replace(opened, card=card)
    note = "" if opened.is_assumed else opened.note
    return replace(opened, card=card, note=note, is_assumed=False)


def _open_network(
    model: object,
    *,
    weights: WeightsSource | None,
    card: Card | None,
    num_classes: int | None,
    in_channels: int | None,
    input_size: int | tuple[int, int] | None,
    image_size: tuple[int, int] | None,
    settings: InputSettings,
    class_names: Sequence[str] | None,
) -> OpenedModel:
    """Open what is no run."""
    size = (input_size, input_size) if isinstance(input_size, int) else input_size
    if isinstance(model, nn.Module):
        if weights:
            raise RequestError(
                "Load the weights into the network first: `card = convscope.load_weights(net, "
                "weights)`; then leave out `weights`."
            )
        if num_classes is not None or in_channels is not None:
            raise RequestError(
                "A network that is already built has its classes and channels; leave out "
                "`num_classes` and `in_channels`."
            )
        return _of_module(unwrapped(model), card, size, image_size=image_size)
    if not isinstance(model, str | Path):
        raise RequestError(not_a_model(model))
    if is_network_file(str(model)):
        if weights:
            raise RequestError(f"{model} has weights of its own; leave out `weights`.")
        if num_classes is not None or in_channels is not None:
            raise RequestError(
                f"{model} has its classes and channels; leave out `num_classes` and `in_channels`."
            )
        return _of_file(str(model), card, size)
    if weights is not None or is_hub(model):
        chosen = replace(settings, input_size=size)
        return _with_weights(
            str(model), weights, card, num_classes, in_channels, chosen, class_names
        )
    opened = _of_name(str(model), card, num_classes, in_channels, size)
    if not is_own_code(str(model)):
        return opened
    own = _of_module(opened.net, card, size, name=str(model), image_size=image_size)
    return replace(own, origin=f"No weights were loaded into {model}; it has those of its code.")


def named_weights(
    model: object, weights: WeightsSource | None, *, pretrained: bool
) -> WeightsSource | None:
    """The weights for a model that was named: `weights`, or its published ones if `pretrained`.

    Raises RequestError where `pretrained` has no sense, and where none are published.
    """
    if not pretrained:
        return weights
    if weights is not None:
        raise RequestError(
            "`pretrained` and `weights` exclude each other: `pretrained` takes the published "
            "weights of the network, `weights` those that it names."
        )
    run = find_run(model)
    is_file = isinstance(model, str | Path) and is_network_file(str(model))
    if run is not None or isinstance(model, nn.Module) or is_file:
        what = f"{run.path} is a run, which" if run else "A network that is handed over"
        what = f"{model}" if is_file else what
        raise RequestError(f"{what} has its own weights; leave out `pretrained`.")
    if not isinstance(model, str | Path):
        raise RequestError(not_a_model(model))
    return published_weights(resolve_model(str(model)))


def find_run(model: object) -> Run | None:
    """The run that a model is; None if it is something else. Raises RequestError for no run."""
    if isinstance(model, Run) or (hasattr(model, "run") and not isinstance(model, nn.Module)):
        return as_run(model)
    if not isinstance(model, str | Path) or is_table(str(model)):
        return None
    path = Path(model).expanduser()
    if is_network_file(path.name) and not path.is_dir():
        return None
    is_run = path.is_dir() and (str(model) not in ENTRIES or (path / "config.toml").exists())
    is_missing = isinstance(model, Path) or str(model).startswith(("/", "./", "../", "~"))
    if is_run or (is_missing and ":" not in path.name and str(model) not in ENTRIES):
        return Run.open(path)
    return None


def not_a_model(model: object) -> str:
    """What to say of an object that is no model."""
    if isinstance(model, type) and issubclass(model, nn.Module):
        name = model.__name__
        return f"{name} is a class, not a network. Give an instance: {name}(...)."
    return (
        "`model` must be a torch.nn.Module, the name of a network, or the path of a run, not of "
        f"type {type(model).__name__}."
    )


def _with_weights(
    name: str,
    weights: WeightsSource | None,
    card: Card | None,
    num_classes: int | None,
    in_channels: int | None,
    settings: InputSettings,
    class_names: Sequence[str] | None,
) -> OpenedModel:
    if weights is None:
        name, weights = network_on_hub(name), name
    library = library_of(name)
    stated = library_preprocessing(*library) if library else None
    built = build_with_weights(
        name,
        weights,
        settings=settings,
        class_names=class_names,
        num_classes=num_classes,
        in_channels=in_channels,
        assumed=stated and stated_card(stated, 2),
    )
    title = Path(name).name if is_table(name) else name
    return OpenedModel(
        title,
        built.net,
        card or built.card,
        warning=built.warning,
        note=built.note,
        is_assumed=built.is_assumed,
    )


def _of_file(name: str, card: Card | None, input_size: tuple[int, int] | None) -> OpenedModel:
    read = read_network(name, input_size=input_size)
    title = Path(name).name
    if card is not None:
        return OpenedModel(title, read.net, card)
    return OpenedModel(title, read.net, read.card, note=read.note, is_assumed=read.is_assumed)


def _of_name(
    name: str,
    card: Card | None,
    num_classes: int | None,
    in_channels: int | None,
    input_size: tuple[int, int] | None,
) -> OpenedModel:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        net = create_model(
            name, num_classes=num_classes, in_channels=in_channels, input_size=input_size
        ).eval()
    title = Path(name).name if is_table(name) else name
    return OpenedModel(
        title, net, card or card_of_name(name, net, input_size=input_size), warning=_RANDOM
    )


_RANDOM = (
    "Random weights: this network's predictions mean nothing yet. Its shapes and its arithmetic "
    "are real."
)


def _of_module(
    net: nn.Module,
    card: Card | None,
    input_size: tuple[int, int] | None,
    *,
    name: str = "",
    image_size: tuple[int, int] | None = None,
) -> OpenedModel:
    name = name or model_name(net)
    if card is not None:
        return OpenedModel(name, net, card)
    known = card_of(net, input_size)
    if known is not None:
        return OpenedModel(name, net, known)
    own = assumed_card(net, input_size=input_size, image_size=image_size)
    height, width = own.input_size
    is_cropped = own.input_size != image_size
    resized = f"images are cropped to {height}x{width}, and their " if is_cropped else ""
    note = f"No preprocessing is known for {name}: {resized}pixels are scaled to 0..1."
    return OpenedModel(name, net, own, note=note, is_assumed=True)
