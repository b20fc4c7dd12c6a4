"""Open a trained network: a run, or a model with weights and what is known of its images."""

from convscope.card import Card
from convscope.errors import RequestError
from convscope.models import OpenedModel, find_run, known_of_run, named_weights, open_model
from convscope.runs.own_code import NO_CONSENT, Consent
from convscope.weights.class_names import ClassNamesLike, parse_class_names
from convscope.weights.preprocessing import InputSettings
from convscope.weights.source import WeightsSource


def open_trained(
    model: object,
    *,
    weights: WeightsSource | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    class_names: ClassNamesLike | None = None,
    settings: InputSettings | None = None,
    consent: Consent = NO_CONSENT,
) -> OpenedModel:
    """Open a model whose predictions mean something.

    `card`, `class_names` and `settings` are for networks and weights that say nothing of their
    classes and images; a run knows its own.

    Raises RequestError for random weights, and for names or numbers that do not fit the network.
    """
    weights = named_weights(model, weights, pretrained=pretrained)
    settings = settings or InputSettings()
    names = None if class_names is None else parse_class_names(class_names)
    run = find_run(model)
    if run is not None and card is not None:
        raise RequestError(known_of_run(run, ["card"]))
    opened = open_model(
        model,
        weights=weights,
        card=card,
        input_size=settings.size,
        settings=settings,
        class_names=names,
        consent=consent,
    )
    if opened.warning:
        raise RequestError(_untrained(opened, model, has_weights=weights is not None))
    return opened


def _untrained(opened: OpenedModel, model: object, *, has_weights: bool) -> str:
    if has_weights:
        return f"{opened.warning} Train it first: `convscope.train(..., weights=...)`."
    try:
        named_weights(model, None, pretrained=True)
        such = "Take its published ones with `pretrained`, or name"
    except RequestError:
        such = "Name"
    return (
        f"{opened.name} has random weights, and its predictions would mean nothing. {such} others "
        "with `weights`: a file, a URL, a run."
    )
