"""What a user says of the network that is recorded: its weights, its sizes, its images."""

from dataclasses import dataclass, fields

from convscope.card import Card
from convscope.models import ModelLike, OpenedModel, named_weights, open_model
from convscope.runs.own_code import NO_CONSENT, Consent
from convscope.weights.class_names import ClassNamesLike, parse_class_names
from convscope.weights.preprocessing import InputSettings, PerChannel
from convscope.weights.source import WeightsSource


@dataclass(frozen=True, kw_only=True)
class NetworkRequest:
    """How a network is opened, in the words of `convscope.explain`.

    `class_names`, `mean` and `std` change the card of a network that is no run.
    """

    weights: WeightsSource | None = None
    pretrained: bool = False
    card: Card | None = None
    num_classes: int | None = None
    in_channels: int | None = None
    input_size: int | tuple[int, int] | None = None
    class_names: ClassNamesLike | None = None
    mean: PerChannel | None = None
    std: PerChannel | None = None
    consent: Consent = NO_CONSENT

    @property
    def stated(self) -> list[str]:
        """The names of what is said, but for the consent, which no recording needs."""
        names = [field.name for field in fields(self) if field.name != "consent"]
        return [name for name in names if getattr(self, name)]

    def open(self, model: ModelLike) -> OpenedModel:
        """Open a network; see `open_model`."""
        names = self.class_names
        return open_model(
            model,
            weights=named_weights(model, self.weights, pretrained=self.pretrained),
            card=self.card,
            num_classes=self.num_classes,
            in_channels=self.in_channels,
            input_size=self.input_size,
            settings=InputSettings(mean=self.mean, std=self.std),
            class_names=None if names is None else parse_class_names(names),
            consent=self.consent,
        )
