"""The card of a network: how its input is preprocessed, and what its outputs mean."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypedDict, get_args

from convscope.boxes.coding import BoxCoding
from convscope.decision_rules import (
    Abstention,
    Costs,
    OperatingPoint,
    PredictionSets,
    problem_of_abstention,
    problem_of_costs,
    problem_of_point,
    problem_of_sets,
)
from convscope.errors import RequestError
from convscope.strict import checked, parse_json
from convscope.words.json_text import to_json

VERSION = 6
"""2 has `reading`, 3 `task`, 4 `temperature` and `thresholds`, 5 the other rules of decision, 6
`boxes`; earlier cards are read, too. A card without boxes is written as version 5.
"""

_WITHOUT_BOXES = 5
_HIGH_BYTES = (0, 0xFFFF)  # the value range of cards that state none

MAX_SIDE, MAX_PIXELS = 100_000, 2**24
"""The largest side of a network's input, and its largest area: that of 4096x4096."""

_SIZES = f"sides of 1 to {MAX_SIDE:,}, at most {MAX_PIXELS:,} pixels"

NO_LABEL = "no label"
"""What an image is called that has none of the labels."""

THRESHOLD = 0.5
"""The probability from which on a label is predicted, where the card states no other."""

MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-3, 1e3

_TEMPERATURES = f"{MIN_TEMPERATURE:g} to {MAX_TEMPERATURE:g}"
_THRESHOLDS = "they are for task='multi-label', one above 0 and below 1 for each class"

MAX_MEAN = 1000.0
MIN_STD, MAX_STD = 1e-6, 1000.0
_MAX_VALUE = 2**53  # of a value range: what a float holds exactly

ResizeMode = Literal["pad", "crop", "letterbox", "stretch"]
"""How an image is brought to the network's input size. All but `stretch` keep the aspect ratio.

- `pad`: centered on black, unscaled; a larger image is first scaled down to fit.
- `crop`: scaled until its shorter side fits, or is `resize_size`; then the center is cropped.
- `letterbox`: scaled until its longer side fits, then centered on black.
- `stretch`: scaled to the input size, which may change the aspect ratio.
"""

NetworkOutput = Literal["logits", "probabilities"]
"""What a network returns for each class: a number before the softmax (of several labels, before
the sigmoid), or after it."""

TaskName = Literal["single-label", "multi-label", "ordinal", "detection"]
"""What the outputs of a network mean.

- `single-label`: an image has one class; probabilities are the softmax of the logits.
- `multi-label`: an image has any number of labels, none too; the probability of each is the sigmoid
  of its own logit.
- `ordinal`: an image has one grade; the classes are in their order, from the lowest to the highest.
- `detection`: an image has any number of objects, each with a class and a box; see `boxes`.
"""

Interpolation = Literal["bilinear", "bicubic"]
"""The interpolation used when an image is scaled."""

Reading = Literal["whole", "fast"]
"""How an image is decoded and scaled, which decides the last bits of its pixels.

- `whole`: every file is decoded at its own size, and Pillow scales.
- `fast`: a JPEG that is much larger than needed is decoded at a half, a quarter or an eighth of its
  size, at least twice what the network gets; PyTorch scales where it is faster. See `data.resize`.
"""


@dataclass(frozen=True, kw_only=True)
class Card:
    """Saved with the weights, so that training, evaluation and serving cannot disagree.

    Attributes:
        classes: class names, in the order of the network's outputs.
        input_size: (height, width) of the network's input, in pixels: each at most MAX_SIDE, their
            product at most MAX_PIXELS.
        in_channels: 1 (grayscale) or 3 (red, green, blue).
        to_gray: color to grayscale by ITU-R 601 luma: 0.299 R + 0.587 G + 0.114 B.
        to_color: grayscale to color by repeating the channel three times.
        resize_mode: how an image of another size is brought to `input_size`.
        resize_size: the shorter side to which `crop` scales before it crops, as ImageNet's 256
            before 224, at most MAX_SIDE; None: scale no more than needed.
        interpolation: for scaling.
        reading: how images are decoded and scaled; a card without it was written when all were read
            whole.
        mean: per channel, subtracted from bytes scaled to 0..1; within -MAX_MEAN..MAX_MEAN.
        std: per channel, by which the difference is divided; within MIN_STD..MAX_STD.
        output: whether the network returns logits or probabilities.
        task: what the outputs mean; a card without it was written when an image had one class.
        temperature: by which logits are divided before the softmax, or the sigmoid; above 1 it
            makes probabilities less certain, and changes no order. Within
            MIN_TEMPERATURE..MAX_TEMPERATURE, and 1 where the network returns probabilities.
        thresholds: the probability of each label, in the order of the classes, from which on it is
            predicted, where an image may have several; None: THRESHOLD for each.
        operating_point: the class that is predicted from some probability on; None: the most
            probable one is.
        costs: of predicting a class (column) for an image of a class (row), where the class with
            the least expected cost is predicted; None: they count the same.
        abstention: how certain the network has to be to answer; None: it always answers.
        prediction_sets: by which more than one class is named; None: there are none.
        boxes: what the outputs of a network that finds objects stand for.
        value_range: the values of images of more than 8 bits that become black and white, as
            (0, 4095) for 12 bits; None: each image's own. A card without it was written when 16
            bits kept their high byte.
        window: center and width, in the units of the modality, by which grayscale DICOM images
            become black to white; None: each image's own window, or else as `value_range` says.
        provenance: where the weights come from: network, data, fingerprint, convscope's version.
    """

    classes: tuple[str, ...]
    input_size: tuple[int, int]
    in_channels: Literal[1, 3]
    resize_mode: ResizeMode
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize_size: int | None = None
    interpolation: Interpolation = "bilinear"
    reading: Reading = "whole"
    output: NetworkOutput = "logits"
    task: TaskName = "single-label"
    temperature: float = 1.0
    thresholds: tuple[float, ...] | None = None
    operating_point: OperatingPoint | None = None
    costs: Costs | None = None
    abstention: Abstention | None = None
    prediction_sets: PredictionSets | None = None
    boxes: BoxCoding | None = None
    value_range: tuple[int, int] | None = None
    window: tuple[float, float] | None = None
    to_gray: Literal["luma-601"] = "luma-601"
    to_color: Literal["repeat"] = "repeat"
    provenance: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)

    def __post_init__(self) -> None:
        problems = [
            (
                len(self.classes) < (1 if self.task == "detection" else 2),
                f"needs at least two classes, not {list(self.classes)}",
            ),
            (
                self.boxes is not None
                and (self.task != "detection" or self.boxes.num_classes != len(self.classes)),
                f"has boxes; these are for task='detection' and its {len(self.classes)} classes",
            ),
            (len(set(self.classes)) < len(self.classes), "has two classes of one name"),
            (
                not _is_possible(self.input_size),
                f"has the impossible input_size {self.input_size}; allowed: {_SIZES}",
            ),
            (self.in_channels not in (1, 3), f"has in_channels={self.in_channels}; allowed: 1, 3"),
            (
                self.resize_mode not in get_args(ResizeMode),
                f"has resize_mode={self.resize_mode!r}; allowed: {get_args(ResizeMode)}",
            ),
            (
                self.resize_size is not None and self.resize_mode != "crop",
                f"has a resize_size with resize_mode={self.resize_mode!r}",
            ),
            (
                self.resize_size is not None and self.resize_size < max(self.input_size),
                f"crops {self.input_size} from images with a shorter side of {self.resize_size}",
            ),
            (
                self.interpolation not in get_args(Interpolation),
                f"has interpolation={self.interpolation!r}; allowed: {get_args(Interpolation)}",
            ),
            (
                self.reading not in get_args(Reading),
                f"has reading={self.reading!r}; allowed: {get_args(Reading)}",
            ),
            (
                self.output not in get_args(NetworkOutput),
                f"has output={self.output!r}; allowed: {get_args(NetworkOutput)}",
            ),
            (
                self.task not in get_args(TaskName),
                f"has task={self.task!r}; allowed: {get_args(TaskName)}",
            ),
            (
                not MIN_TEMPERATURE <= self.temperature <= MAX_TEMPERATURE,
                f"has the impossible temperature {self.temperature}; allowed: {_TEMPERATURES}",
            ),
            (
                self.temperature != 1 and self.output == "probabilities",
                "has a temperature, which is for logits, and output='probabilities'",
            ),
            (
                self.thresholds is not None
                and (
                    self.task != "multi-label"
                    or len(self.thresholds) != len(self.classes)
                    or not all(0 < threshold < 1 for threshold in self.thresholds)
                ),
                f"has thresholds={self.thresholds}; {_THRESHOLDS}",
            ),
            (
                self.resize_size is not None and self.resize_size > MAX_SIDE,
                f"has the impossible resize_size {self.resize_size}; allowed: up to {MAX_SIDE:,}",
            ),
            (
                self.value_range is not None
                and not -_MAX_VALUE <= self.value_range[0] < self.value_range[1] <= _MAX_VALUE,
                f"has the impossible value_range {self.value_range}",
            ),
            (
                self.window is not None
                and not (abs(self.window[0]) <= _MAX_VALUE and 1 <= self.window[1] <= _MAX_VALUE),
                f"has the impossible window {self.window}",
            ),
            (self.to_gray != "luma-601", f"has to_gray={self.to_gray!r}; allowed: 'luma-601'"),
            (self.to_color != "repeat", f"has to_color={self.to_color!r}; allowed: 'repeat'"),
            (len(self.mean) != self.in_channels, f"needs one mean per channel, not {self.mean}"),
            (len(self.std) != self.in_channels, f"needs one std per channel, not {self.std}"),
            (
                not all(abs(mean) <= MAX_MEAN for mean in self.mean),
                f"needs every mean from {-MAX_MEAN:g} to {MAX_MEAN:g}, not {self.mean}",
            ),
            (
                not all(MIN_STD <= std <= MAX_STD for std in self.std),
                f"needs every std above zero, from {MIN_STD:g} to {MAX_STD:g}, not {self.std}",
            ),
        ]
        rules = _problems_of_rules(self)
        for is_wrong, problem in [*problems, *((bool(rule), rule) for rule in rules)]:
            if is_wrong:
                raise RequestError(f"The card {problem}.")

    @property
    def of_training(self) -> "Card":
        """The card without what was chosen for its weights after their training."""
        return replace(self.without_rules, temperature=1.0)

    @property
    def without_rules(self) -> "Card":
        """The card without what is answered by its probabilities: the most probable class is."""
        return replace(
            self,
            thresholds=None,
            operating_point=None,
            costs=None,
            abstention=None,
            prediction_sets=None,
        )

    @property
    def num_outputs(self) -> int:
        """Numbers that the network returns for an image: one for each class, or `boxes` says."""
        return len(self.classes) if self.boxes is None else self.boxes.num_outputs

    @property
    def label_thresholds(self) -> tuple[float, ...]:
        """The probability from which on each label is predicted."""
        return self.thresholds or (THRESHOLD,) * len(self.classes)

    def to_dict(self) -> dict[str, Any]:
        """The card as values of JSON, with a version."""
        values = {**asdict(self), "provenance": dict(self.provenance)}
        if self.boxes is None:
            del values["boxes"]
        return {"version": _WITHOUT_BOXES if self.boxes is None else VERSION, **values}

    def to_json(self) -> str:
        """The card as strict JSON with a version, one field per line."""
        return to_json(self.to_dict(), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str = "card.json") -> "Card":
        """Parse a card. Raises RequestError, naming `where`, for any other text."""
        return cls.from_dict(parse_json(text, where=where), where=where)

    @classmethod
    def from_dict(cls, content: object, *, where: str = "card.json") -> "Card":
        """The card of `to_dict`: each field of its type and in its range, and no others.

        Raises RequestError, naming `where`, for anything else.
        """
        values: dict[str, Any] = checked(content, _Versioned, where=where)
        version = values.pop("version")
        if not 1 <= version <= VERSION:
            raise RequestError(
                f"{where} has version {version}; this convscope reads 1 to {VERSION}. Update "
                "convscope."
            )
        fields = checked({"value_range": _HIGH_BYTES, **values}, cls, where=where, closed=True)
        rules: dict[str, Any] = {
            name: form(**fields[name])
            for name, form in _RULES.items()
            if fields.get(name) is not None
        }
        if fields.get("boxes") is not None:
            coding = checked(fields["boxes"], BoxCoding, where=where, closed=True)
            rules["boxes"] = BoxCoding(**coding)
        try:
            return cls(**{**fields, **rules})
        except RequestError as error:
            raise RequestError(f"{where}: {error}") from error


_RULES = {
    "operating_point": OperatingPoint,
    "abstention": Abstention,
    "prediction_sets": PredictionSets,
}


def _problems_of_rules(card: Card) -> list[str]:
    """What is wrong with the rules of a card."""
    point, costs, abstention, sets = (
        card.operating_point,
        card.costs,
        card.abstention,
        card.prediction_sets,
    )
    is_energy = abstention is not None and abstention.by == "energy"
    found = [
        "" if point is None else problem_of_point(point, card.classes),
        "" if costs is None else problem_of_costs(costs, card.classes),
        "" if abstention is None else problem_of_abstention(abstention),
        "" if sets is None else problem_of_sets(sets),
        "has both costs and an operating point" * (point is not None and costs is not None),
        "abstains by energy, which needs logits" * (is_energy and card.output == "probabilities"),
    ]
    is_of_classes = card.task in ("single-label", "ordinal")
    if not is_of_classes and (point or costs or abstention or sets):
        found.append(f"has rules for single classes, and task={card.task!r}")
    return found


class _Versioned(TypedDict):
    version: int


def _is_possible(size: tuple[int, int]) -> bool:
    return all(1 <= side <= MAX_SIDE for side in size) and size[0] * size[1] <= MAX_PIXELS


def refuse_objects(card: Card) -> None:
    """Raise RequestError for a network that finds objects in images."""
    if card.task == "detection":
        raise RequestError(
            "The network finds objects in images; this is for networks that classify whole images."
        )
