"""The models open in a lab and their recorded images: bounded, the least recently used dropped."""

import copy
import hashlib
import inspect
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.card import Card
from convscope.data.normalize import scale_and_shift
from convscope.errors import RequestError, WorkError
from convscope.explanation.bounded import record_within, runs_of
from convscope.explanation.loading import preprocess, read_pixels
from convscope.explanation.recording import record
from convscope.features.class_images import ClassImages
from convscope.inference import inference_mode
from convscope.models import ModelLike, OpenedModel, named_weights, open_model
from convscope.predictions.result import expected_grade
from convscope.runs.own_code import NO_CONSENT, Consent
from convscope.webapp.inspect.graph import GraphRow, graph_rows
from convscope.webapp.inspect.maps import volume_of
from convscope.webapp.inspect.probabilities import (
    class_probabilities,
    ends_in_sigmoid,
    has_one_logit,
    with_probabilities,
)
from convscope.webapp.inspect.recordings import RecordedImage, Recordings, output_of
from convscope.webapp.inspect.unit import UnitView
from convscope.weights.class_names import ClassNamesLike, parse_class_names
from convscope.weights.preprocessing import InputSettings

_MAX_IMAGES = 64  # open at a time, over all models


@dataclass
class LoadedModel:
    """A network that the page can inspect, and the images recorded with it.

    Attributes:
        opened: the network as it was opened, with its run if it has one.
        warning: what the page says of it first; empty for most.
        class_images: training images of its run.
        recorded: the least recently used first.
        rows: of the graph; none before the first image was recorded.
        answer_row: the row whose units are what `predictions` shows, by class; "" if there is none.
    """

    id: str
    opened: OpenedModel
    warning: str
    class_images: ClassImages | None = None
    recorded: OrderedDict[str, RecordedImage] = field(
        default_factory=OrderedDict[str, RecordedImage]
    )
    rows: list[GraphRow] = field(default_factory=list[GraphRow])
    answer_row: str = ""

    @property
    def title(self) -> str:
        return self.opened.name

    @property
    def net(self) -> nn.Module:
        return self.opened.net

    @property
    def card(self) -> Card:
        return self.opened.card

    def copy_opened(self) -> OpenedModel:
        """The network with weights of its own, for work that changes weights or modes for a while.

        Raises WorkError for a network that cannot be copied.
        """
        try:
            return replace(self.opened, net=copy.deepcopy(self.net))
        except Exception as error:  # whatever a network of anyone's own raises
            raise WorkError(
                f"{self.title} cannot be copied ({type(error).__name__}), and this works on a copy."
            ) from error

    @property
    def images(self) -> list[RecordedImage]:
        """The recorded images in order of arrival."""
        return sorted(self.recorded.values(), key=lambda image: image.number)

    def row(self, name: str) -> GraphRow:
        """The row of a layer. Raises RequestError for an unknown name."""
        for row in self.rows:
            if row.name == name:
                return row
        raise RequestError(f"There is no layer {name!r} in {self.title}.")

    def image(self, image_id: str) -> RecordedImage:
        """A recorded image. Raises RequestError for one that was dropped."""
        try:
            self.recorded.move_to_end(image_id)
            return self.recorded[image_id]
        except KeyError:
            raise RequestError("This image is gone from the lab's memory. Drop it again.") from None

    def has_one_logit(self, image: RecordedImage) -> bool:
        """Whether the network returns one number for two classes."""
        return has_one_logit(image.output.shape, self.card)

    def predictions(self, image: RecordedImage) -> list[dict[str, Any]]:
        """The classes with their probabilities, the most probable first; empty without any.

        `unit` is the map of `answer_row` that shows how a probability comes about.
        """
        shares = class_probabilities(image.output, self.card)
        if shares is None:
            return []
        is_one = self.has_one_logit(image)
        order = [int(index) for index in shares.argsort(descending=True)]
        is_several, thresholds = self.card.task == "multi-label", self.card.label_thresholds
        return [
            {
                "class": self.card.classes[k],
                "index": k,
                "unit": 0 if is_one else k,
                "probability": float(shares[k]),
                "is_predicted": bool(shares[k] >= thresholds[k]) if is_several else place == 0,
            }
            for place, k in enumerate(order)
        ]

    def expected_grade(self, image: RecordedImage) -> dict[str, Any] | None:
        """The expected grade of an image, from 0, and the names of the grades; None of classes."""
        if self.card.task != "ordinal" or not (answers := self.predictions(image)):
            return None
        shares = {answer["index"]: answer["probability"] for answer in answers}
        grade = expected_grade(np.array([shares[k] for k in range(len(shares))]))
        return {"value": grade, "grades": list(self.card.classes)}

    def mean_volume(
        self, image: RecordedImage, row: GraphRow
    ) -> tuple[NDArray[np.float32] | None, str]:
        """The mean of a row's volume over images to compare with, and a description of these.

        For a run they are training images of the predicted class. For another network, and where
        the run's images are gone, they are the other recorded images; None if there are none.
        """
        predictions = self.predictions(image)
        pixels: list[NDArray[np.uint8]] = []
        if self.class_images and predictions:
            pixels = self.class_images.of(predictions[0]["index"])
        if pixels:
            volumes = [self._volume(preprocess(one, self.card), row) for one in pixels]
            label = predictions[0]["class"]
            what = f"the mean of {len(pixels)} training images of class {label}"
            return np.mean(volumes, axis=0), what
        others = [
            volume_of(other.recording, row)
            if other.is_held
            else self._volume(preprocess(other.pixels, self.card), row)
            for other in self.images
            if other is not image
        ]
        if not others:
            return None, "There is no other image to compare with. Add one."
        what = f"the mean of {len(others)} other image{'s' if len(others) > 1 else ''} here"
        return np.mean(others, axis=0), what

    def _volume(self, input_image: Tensor, row: GraphRow) -> NDArray[np.float32]:
        with inference_mode(self.net):
            if row.op == "softmax":  # which may follow the network's own operations
                whole = with_probabilities(record(self.net, input_image), self.card)
                return volume_of(whole, row)
            return volume_of(record(self.net, input_image, keep=[row.out]), row)

    def pixel(self, image: RecordedImage, y: int, x: int) -> dict[str, Any]:
        """The bytes of a pixel, and how the network's input values follow from them."""
        height, width = image.pixels.shape[:2]
        if not (0 <= y < height and 0 <= x < width):
            raise RequestError(f"The image has {height} rows and {width} columns.")
        return self._pixels(image, image.pixels[y : y + 1, x : x + 1], y, x)[0]

    def pixels(self, image: RecordedImage) -> list[dict[str, Any]]:
        """All pixels as `pixel` describes one, row by row."""
        return self._pixels(image, image.pixels, 0, 0)

    def _pixels(
        self, image: RecordedImage, pixels: NDArray[np.uint8], top: int, left: int
    ) -> list[dict[str, Any]]:
        height, width = pixels.shape[:2]
        scale, shift = scale_and_shift(self.card)
        names = ("gray",) if self.card.in_channels == 1 else ("red", "green", "blue")
        read = image.recording["image"].value[:, top : top + height, left : left + width]
        stated = [
            {
                "name": name,
                "mean": self.card.mean[c],
                "std": self.card.std[c],
                "scale": float(scale[c]),
                "shift": float(shift[c]),
            }
            for c, name in enumerate(names)
        ]
        flat = pixels.reshape(height * width, -1).tolist()
        values = read.reshape(len(names), -1).T.cpu().numpy().tolist()
        return [
            {
                "channels": [
                    {**channel, "byte": here[c], "value": seen[c]}
                    for c, channel in enumerate(stated)
                ]
            }
            for here, seen in zip(flat, values, strict=True)
        ]


def check_one_input(opened: OpenedModel) -> None:
    """Raise RequestError for a network that takes more than one input."""
    try:
        parameters = inspect.signature(opened.net.forward).parameters.values()
    except (TypeError, ValueError):
        return
    needed = [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if len(needed) > 1:
        raise RequestError(
            f"{opened.name} takes {len(needed)} inputs ({', '.join(needed)}), and the lab shows a "
            "network one image. Wrap it in a module whose forward takes the image and gives it the "
            "others."
        )


def _with_labels(opened: OpenedModel, count: int) -> OpenedModel:
    """A network of which nothing is stated and that ends in sigmoids: each is a label's own.

    A single one is the probability of the second of two classes.
    """
    task = "single-label" if count == 1 else "multi-label"
    card = replace(opened.card, output="probabilities", task=task)
    return replace(opened, card=card)


class ModelStore:
    """The models that are open in a lab.

    Args:
        max_memory: bytes for the results of recorded images; by default an eighth of what is free.
    """

    def __init__(self, max_memory: int | None = None) -> None:
        self.recordings = Recordings(max_memory)
        self._count = 0
        self.models: dict[str, LoadedModel] = {}
        self._writing = threading.Lock()

    def open(
        self,
        subject: ModelLike,
        *,
        weights: str | None = None,
        pretrained: bool = False,
        in_channels: int | None = None,
        input_size: int | None = None,
        class_names: ClassNamesLike | None = None,
        settings: InputSettings | None = None,
        consent: Consent = NO_CONSENT,
    ) -> LoadedModel:
        """Add a model, whatever it is; see `convscope.models.open_model`."""
        source = named_weights(subject, weights, pretrained=pretrained)
        opened = open_model(
            subject,
            weights=source,
            in_channels=in_channels,
            input_size=input_size,
            settings=settings,
            class_names=None if class_names is None else parse_class_names(class_names),
            consent=consent,
        )
        check_one_input(opened)
        class_images = ClassImages(opened.run, opened.card) if opened.run else None
        with self._writing:
            model_id, count = opened.name, 2
            while model_id in self.models:
                model_id, count = f"{opened.name}-{count}", count + 1
            caution = opened.warning or f"{opened.origin} {opened.note}".strip()
            model = LoadedModel(model_id, opened, caution, class_images)
            self.models[model_id] = model
        return model

    def model(self, model_id: str) -> LoadedModel:
        """An open model. Raises RequestError for an unknown id."""
        try:
            return self.models[model_id]
        except KeyError:
            known = ", ".join(self.models)
            raise RequestError(
                f"No network {model_id!r} is open here. Open networks: {known}."
            ) from None

    def add(
        self, model: LoadedModel, title: str, data: Path | bytes | NDArray[np.uint8]
    ) -> RecordedImage:
        """Record a model's pass over an image: a file, its bytes, or pixels of the card's size.

        Drops the least recently used images where memory needs it. Raises RequestError for data
        that are no image, and for an image that the network does not accept.
        """
        pixels = read_pixels(data, model.card) if isinstance(data, Path | bytes) else data
        digest = hashlib.sha256(pixels.tobytes() + str(pixels.shape).encode()).hexdigest()
        image_id = digest[:16]
        with self._writing:
            if image_id not in model.recorded:
                model.recorded[image_id] = self._record(model, image_id, title, pixels)
                self._drop()
        return model.recorded[image_id]

    def _record(
        self, model: LoadedModel, image_id: str, title: str, pixels: NDArray[np.uint8]
    ) -> RecordedImage:
        run = runs_of(model.net, preprocess(pixels, model.card))

        def make() -> tuple[UnitView, int]:
            recording, size = record_within(run, self.recordings.limit)
            if model.opened.is_assumed and ends_in_sigmoid(recording):
                model.opened = _with_labels(model.opened, len(recording[recording.output].value))
            recording = with_probabilities(recording, model.card)
            parameters = {name: weight.numel() for name, weight in model.net.named_parameters()}
            return UnitView(recording, graph_rows(recording, parameters)), size

        self._count += 1
        try:
            units = self.recordings.get(self._count, make)
        except RuntimeError as error:
            first = str(error).strip().splitlines()[0].rstrip(".")
            raise RequestError(f"{model.title} does not accept this image ({first}).") from error
        output, how = output_of(units), (self.recordings, make)
        image = RecordedImage(image_id, title, self._count, pixels, output, *how)
        if not model.rows:
            model.rows = list(units.rows.values())
            model.answer_row = _answer_row(model, image, units)
        return image

    def _drop(self) -> None:
        """Drop the least recently used images of too many; each model keeps its last."""
        while True:
            held = [(m, image) for m in [*self.models.values()] for image in m.recorded.values()]
            droppable = [(m, image) for m, image in held if len(m.recorded) > 1]
            if len(held) <= _MAX_IMAGES or not droppable:
                return
            model, image = droppable[0]
            del model.recorded[image.id]
            self.recordings.forget(image.number)


def _answer_row(model: LoadedModel, image: RecordedImage, units: UnitView) -> str:
    shown = units.row_of(units.recording.names[-1]) or "image"
    count = 1 if model.has_one_logit(image) else len(model.card.classes)
    return shown if model.predictions(image) and units.rows[shown].shape[0] == count else ""
