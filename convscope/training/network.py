"""The network that is trained: looked up before anything else, and tried before the first step."""

from dataclasses import dataclass, replace

from torch import nn

from convscope.card import Card
from convscope.device import Precision
from convscope.errors import NetworkError, RequestError
from convscope.foreign import is_network_file
from convscope.network_card import card_of, num_input_channels, stated_card
from convscope.recording.wrappers import unwrapped
from convscope.runs.folder import Run
from convscope.runs.network import (
    build_network,
    model_name,
    remember_object,
    source_of,
)
from convscope.runs.own_code import HANDED_OVER, is_own_code, remember_named
from convscope.training.callbacks.base import CallbackList
from convscope.training.callbacks.freeze import batch_norms
from convscope.training.config import TrainConfig, decided
from convscope.zoo import Creation, default_input, resolve_model
from convscope.zoo.check import check_training
from convscope.zoo.entries import ENTRIES
from convscope.zoo.libraries import library_of, library_preprocessing


@dataclass(frozen=True)
class RequestedNetwork:
    """What is to be trained, before the classes are known.

    Attributes:
        model: its name, as the zoo spells it; of a module, what to call it.
        module: the network itself, where it was handed over; it is trained in place.
    """

    model: str
    module: nn.Module | None = None

    @classmethod
    def of(cls, model: str, module: nn.Module | None) -> "RequestedNetwork":
        """Look a model up. Raises RequestError, at once, for a name that nobody has."""
        if module is None:
            known = resolve_model(model)
            remember_named(known)
            return cls(known)
        inside = unwrapped(module)
        return cls(model_name(inside), inside)

    @property
    def is_own(self) -> bool:
        """Whether it is of the user's own code, which decides its weights."""
        return self.module is not None or is_own_code(self.model)

    @property
    def default_input(self) -> tuple[int | None, tuple[int, int] | None]:
        """Its channels and (height, width); None for what is unknown."""
        if self.module is None:
            return default_input(self.model)
        creation = getattr(self.module, "creation", None)
        size = None
        if isinstance(creation, Creation):
            size = creation.input_size or default_input(creation.model)[1]
        return num_input_channels(self.module), size

    @property
    def min_size(self) -> int:
        """The smallest side of an input that it allows, as far as is known."""
        return ENTRIES[self.model].min_size if self.module is None and self.model in ENTRIES else 1

    def card(self, callbacks: CallbackList) -> Card | None:
        """How its images are prepared, where a library or the network itself states it; told."""
        library = library_of(self.model) if self.module is None else None
        if self.module is not None:
            card = card_of(self.module)
        else:
            stated = library_preprocessing(*library) if library else None
            card = stated_card(stated, 2) if stated else None
        if card is not None:
            height, width = card.input_size
            callbacks.message(
                f"Images are prepared as is stated for {self.model}: {width}x{height}, mean "
                f"{_numbers(card.mean)}, standard deviation {_numbers(card.std)}, "
                f"{card.interpolation}. `input_size` and `resize_mode` change that."
            )
        return card

    def build(self, card: Card, config: TrainConfig) -> tuple[nn.Module, TrainConfig]:
        """The network for a card, and the settings with a model that builds it again."""
        if self.module is None:
            return build_network(self.model, card), config
        network = build_network(self.module, card)
        source = source_of(network, card)
        remember_named(source)
        return network, replace(config, model=source)

    def check(
        self,
        network: nn.Module,
        card: Card,
        config: TrainConfig,
        num_images: int,
        callbacks: CallbackList,
    ) -> None:
        """Try a step of somebody else's network, and one of a single image where the last is one.

        Raises NetworkError with the layer where it fails in training mode; RequestError where
        nothing can be trained, or where a batch of one image cannot, and for a weight that cannot
        be saved under its name.
        """
        batch_size = decided(config.batch_size)
        if self.module is not None or ":" in self.model or is_network_file(self.model):
            _check_names(network)
            size = min(2, batch_size, num_images)
            size, precision = max(size, 2), config.precision
            note = _tried(network, card, self.model, size, precision)
            if note:
                callbacks.message(note)
        if (
            not batch_norms(network)
            or config.freeze_bn
            or (batch_size > 1 and num_images % batch_size != 1)
        ):
            return
        try:
            _tried(network, card, self.model, 1)
        except NetworkError as error:
            other = batch_size - 1 if batch_size > 2 else batch_size + 1
            raise RequestError(
                f"The last batch of an epoch is a single image ({num_images:,} images in batches "
                f"of {batch_size}), and {self.model} cannot be trained on one image, because of "
                f"its batch norm. Choose another batch size: `batch_size={other}`."
            ) from error

    def remember(self, run: Run, card: Card, config: TrainConfig, callbacks: CallbackList) -> None:
        """Keep a network that was handed over for `load`, and say where no name builds it.

        The card is left on it, so that `predict`, `evaluate` and `explain` prepare its images as
        this training did.
        """
        if self.module is None:
            return
        vars(self.module)["card"] = card
        remember_object(run, self.module)
        if config.model.startswith(HANDED_OVER):
            callbacks.message(
                f"No name builds {self.model} again, so later `convscope.load(run, model=net)` "
                "needs a network of the same architecture. With module:attr it does not."
            )


def _check_names(network: nn.Module) -> None:
    for name in network.state_dict():
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise RequestError(
                f"The weight {name!r} cannot be saved: its name is not valid Unicode. Rename the "
                "layer."
            ) from error


def _tried(
    network: nn.Module,
    card: Card,
    name: str,
    batch_size: int,
    precision: Precision = "float32",
) -> str:
    return check_training(
        network,
        in_channels=card.in_channels,
        input_size=card.input_size,
        num_classes=len(card.classes),
        name=name,
        batch_size=batch_size,
        precision=precision,
    )


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.3g}" for value in values)
