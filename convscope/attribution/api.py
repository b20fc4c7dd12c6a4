"""`attribute`: which parts of images a network's answers rest on."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, cast

from convscope.attribution.attributions import Attributions
from convscope.attribution.baselines import Baseline
from convscope.attribution.box_target import box_target
from convscope.attribution.methods import METHOD_NAMES, METHODS, MethodName, MethodOptions
from convscope.attribution.photos import Photo, name_of, open_photo
from convscope.attribution.relevance import LrpRule
from convscope.attribution.result import Attribution, ExplainedImage
from convscope.attribution.subject import Subject
from convscope.attribution.target import Target, find_class
from convscope.attribution.tested_maps import TestedMaps
from convscope.attribution.watching import NOBODY, Steps, Watching
from convscope.card import Card
from convscope.data.images import ImageLike
from convscope.errors import RequestError, nearest
from convscope.explanation.api import boxes_of
from convscope.explanation.boxes.recorded_boxes import RecordedBoxes, split_name
from convscope.explanation.loading import size_in_pixels
from convscope.explanation.recorded_image import RecordedImage
from convscope.explanation.recording import record
from convscope.inference import inference_mode
from convscope.models import ModelLike, OpenedModel, named_weights, open_model
from convscope.predictions.loading import find_images
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms

ALL = "all"
MAX_IMAGES = 64
RANDOM_ORDERS = 10

Progress = Callable[[str], None]


@takes_synonyms
def attribute(
    model: ModelLike,
    images: ImageLike | Iterable[ImageLike],
    *,
    method: MethodName | Literal["all"] | Sequence[MethodName] | None = None,
    target: str | int | None = None,
    instead_of: str | int | None = None,
    layer: str | None = None,
    baseline: Baseline = "mean",
    steps: int = 50,
    window: int | None = None,
    stride: int | None = None,
    lrp_rule: LrpRule = "composite",
    random_orders: int = RANDOM_ORDERS,
    random_weights: bool = True,
    weights: str | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: int | tuple[int, int] | None = None,
    trust: bool = False,
    on_progress: Progress = lambda text: None,
) -> Attributions:
    """Which parts of images a network's answers rest on, by one method or several.

    `model`, `weights`, `pretrained`, `card`, `num_classes`, `in_channels`, `input_size` and `trust`
    are those of `convscope.explain`. `images` are paths, folders, PIL images, arrays (h, w[, c]) or
    tensors; a tensor (c, h, w) of fractions is what the network is fed.

    `target` is the class whose logit is explained, by name or index; by default the top-1 class.
    Of a network that finds objects it is a number of a box, "box1.left", as in `explain`.
    With `instead_of`, the logit of `target` less that of another class is: why this and not that.
    By default `method` is then hires-cam and gradient-x-input, which divide it exactly where the
    network is piecewise linear; else it is grad-cam. "all" leaves out those that the network
    refuses.

    `layer` is the layer whose maps Grad-CAM and its kin weigh; by default the last convolution's,
    after its activation. `baseline` is what stands for a missing pixel. `steps` are those of
    integrated gradients, `window` and `stride` those of occlusion, in pixels of the network's
    input.

    Each map is tested: its order of the image's cells against `random_orders` random ones (0 for no
    test), and, with `random_weights`, the map against that of the same network with its weights in
    random order.

    Raises RequestError for what is unknown or does not fit, naming it; NetworkError where the
    network fails.
    """
    opened = open_model(
        model,
        weights=named_weights(model, weights, pretrained=pretrained),
        card=card,
        num_classes=num_classes,
        in_channels=in_channels,
        input_size=input_size,
        consent=Consent(trust=trust),
    )
    return attribute_opened(
        opened,
        images,
        methods=chosen_methods(method, is_contrast=instead_of is not None, target=target),
        leave_out=method == ALL,
        target=target,
        instead_of=instead_of,
        options=MethodOptions(
            layer=layer,
            baseline=baseline,
            steps=steps,
            window=window,
            stride=stride,
            lrp_rule=lrp_rule,
        ),
        random_orders=random_orders,
        random_weights=random_weights,
        on_progress=on_progress,
    )


def chosen_methods(
    method: str | Sequence[str] | None, *, is_contrast: bool, target: str | int | None = None
) -> tuple[MethodName, ...]:
    """The methods that are meant, each once. Raises RequestError for an unknown one."""
    if method is None and is_of_box(target):
        return ("gradient-x-input", "occlusion")
    if method is None:
        return ("hires-cam", "gradient-x-input") if is_contrast else ("grad-cam",)
    names = (method,) if isinstance(method, str) else tuple(method)
    if ALL in names:
        return METHOD_NAMES
    for name in names:
        if name not in METHODS:
            raise RequestError(
                f"There is no method {name!r}.{nearest(name, METHODS)} Methods: "
                f"{', '.join(METHOD_NAMES)}, or {ALL}."
            )
    return cast("tuple[MethodName, ...]", tuple(dict.fromkeys(names)))


def attribute_opened(
    opened: OpenedModel,
    images: ImageLike | Iterable[ImageLike],
    *,
    methods: Sequence[MethodName],
    target: str | int | None = None,
    instead_of: str | int | None = None,
    options: MethodOptions | None = None,
    random_orders: int = RANDOM_ORDERS,
    random_weights: bool = True,
    leave_out: bool = False,
    on_progress: Progress = lambda text: None,
    watching: Watching = NOBODY,
) -> Attributions:
    """The same for a network that is open already.

    With `leave_out`, methods that the network refuses are left out, and the result says why.
    """
    if not is_of_box(target):
        _refuse_no_box(opened.card)
    elif opened.card.boxes:
        methods = _for_boxes(methods, instead_of, leave_out=leave_out)
    options = options or MethodOptions()
    _check(options, random_orders, methods)
    found, notes = find_images(images)
    if len(found) > MAX_IMAGES:
        raise RequestError(
            f"{len(found):,} images are more than anyone looks at; give at most {MAX_IMAGES}."
        )
    steps = Steps(
        images=len(found),
        methods=len(methods),
        random_orders=random_orders,
        random_weights=random_weights,
        on_step=watching.on_step,
    )
    computing = TestedMaps(
        methods,
        options,
        random_orders=random_orders,
        random_weights=random_weights,
        steps=steps,
        on_map=watching.on_map,
        leave_out=leave_out,
    )
    explained: list[ExplainedImage] = []
    for index, image in enumerate(found, 1):
        photo = open_photo(image, opened.card, name_of(image, index))
        if opened.card.boxes:
            asked = box_target(_boxes(opened, photo, image), str(target))
            subject = Subject(
                opened.net, photo.input, opened.card, asked, on_batch=watching.on_batch
            )
        else:
            subject = _subject(opened, photo, target, instead_of, watching)
        maps: dict[MethodName, Attribution] = {
            each.method: each
            for each in computing.maps(
                subject, lambda text, name=photo.name: on_progress(f"{name}: {text}")
            )
        }
        explained.append(_explained(photo, subject, maps))
    texts = (opened.warning, opened.origin, opened.note, *notes)
    texts += tuple(each.photo.note for each in explained)
    cautions = tuple(text for text in texts if text)
    return Attributions(opened.name, tuple(explained), cautions, computing.left_out)


def _check(options: MethodOptions, random_orders: int, methods: Sequence[MethodName]) -> None:
    if random_orders < 0 or random_orders == 1 or random_orders > 1000:
        raise RequestError(
            f"`random_orders` is {random_orders}; give 2 to 1000, or 0 for no deletion and "
            "insertion."
        )
    if not 1 <= options.steps <= 10_000:
        raise RequestError(f"`steps` is {options.steps}; give 1 to 10,000.")
    if options.layer is not None and not any(METHODS[name].takes_layer for name in methods):
        raise RequestError(
            f"`layer` is for methods that weigh the maps of a layer, and {', '.join(methods)} "
            "colors pixels; leave it out."
        )


def is_of_box(target: str | int | None) -> bool:
    """Whether a target is called as a box or one of its numbers are: box1, box1.left."""
    return isinstance(target, str) and split_name(target) is not None


_OF_CLASSES = ("cam", "lrp")


def _refuse_no_box(card: Card) -> None:
    if card.boxes is not None:
        raise RequestError(
            "The network finds objects in images. Explain a number of a box, with `target` as "
            "box1.score or box1.left."
        )


def _for_boxes(
    methods: Sequence[MethodName], instead_of: str | int | None, *, leave_out: bool
) -> Sequence[MethodName]:
    """The methods that take a number of a box. Raises RequestError for what does not."""
    if instead_of is not None:
        raise RequestError(
            "`instead_of` is for classes of whole images; of a box, one number is explained."
        )
    refused = [name for name in methods if name in _OF_CLASSES]
    if refused and not leave_out:
        raise RequestError(
            f"{refused[0]} divides the score of a class. For a number of a box, take "
            "gradient-x-input, which divides it among pixels, or occlusion."
        )
    return [name for name in methods if name not in refused]


def _boxes(opened: OpenedModel, photo: Photo, image: ImageLike) -> RecordedBoxes:
    with inference_mode(opened.net):
        recording = record(opened.net, photo.input)
    size = size_in_pixels(image, opened.card)
    return boxes_of(RecordedImage(recording, opened.card, "", image_size=size))


def _subject(
    opened: OpenedModel,
    photo: Photo,
    target: str | int | None,
    instead_of: str | int | None,
    watching: Watching,
) -> Subject:
    names = opened.card.classes
    first = Subject(opened.net, photo.input, opened.card, Target(0, None, names))
    index = None if target is None else find_class(target, names, "target")
    other = None if instead_of is None else find_class(instead_of, names, "instead_of")
    if index is None:
        order = first.logits(first.image)[0].argsort(descending=True)
        index = next(k for k in map(int, order) if k != other)
    if index == other:
        raise RequestError(
            f"`target` and `instead_of` are both {names[index]!r}; give two classes."
        )
    asked = Target(index, other, names)
    return Subject(opened.net, photo.input, opened.card, asked, on_batch=watching.on_batch)


def _explained(
    photo: Photo, subject: Subject, maps: dict[MethodName, Attribution]
) -> ExplainedImage:
    logits = subject.logits(subject.image)
    chances = subject.target.probabilities(logits, subject.card)[0]
    score = float(subject.target.score(logits.double())[0])
    return ExplainedImage(photo, subject.target, tuple(chances.tolist()), score, maps)
