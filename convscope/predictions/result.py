"""What `predict` returns: the most probable classes of each image, for programs and for reading."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope import synonyms
from convscope.card import NO_LABEL
from convscope.errors import RequestError
from convscope.predictions.coco_results import coco_results
from convscope.predictions.objects import EDGES, DetectedObject
from convscope.words import escape_html, visible

THUMBNAILS = 20  # images that a notebook shows
THUMBNAIL = 48  # pixels of their longer side
_PRINTED = 20  # lines


TopK = tuple[tuple[str, float], ...]

NOT_SURE = "not sure"
"""The label of an image for which the network does not answer."""


NO_OBJECTS = "no objects"
"""The label of an image in which none was found."""


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image; `top_k` are (class, probability), the most probable first.

    `path` is that of the image, or a name such as "image 0" for one that has none.

    Where an image may have several labels, `labels` are those that reach their thresholds,
    `label` is all of them in a text, and `top_k` has them and the most probable of the
    others. Of grades, `expected_grade` is Σ k · p_k over the grades k = 0, 1, ... in their order.

    The rules of the card, which `convscope.decide` chooses, may have another class predicted than
    the most probable one: it then comes first. `is_sure` says whether the network answers, where
    it need not: `label` is "not sure" where it does not. `set` has the classes of the prediction
    set, where there are such, the most probable first.

    Of a network that finds objects, `objects` are those of the image, by falling score, with their
    boxes in its pixels, and `size` is its width and height in pixels. `labels` are their classes,
    and `top_k` has each class with its highest score; both are empty where nothing was found.
    """

    path: str
    top_k: tuple[tuple[str, float], ...]
    labels: tuple[str, ...] | None = None
    expected_grade: float | None = None
    is_sure: bool | None = None
    set: tuple[str, ...] | None = None
    objects: tuple[DetectedObject, ...] | None = None
    size: tuple[int, int] | None = None

    @property
    def label(self) -> str:
        if self.is_sure is False:
            return NOT_SURE
        if self.labels is None:
            return self.top_k[0][0]
        return "; ".join(self.labels) or (NO_LABEL if self.objects is None else NO_OBJECTS)

    @property
    def probability(self) -> float:
        """Of the first of `top_k`; 0 where no object was found."""
        return self.top_k[0][1] if self.top_k else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The prediction as it is written to JSON."""
        if self.objects is not None and self.size is not None:
            width, height = self.size
            objects = [one.to_dict() for one in self.objects]
            return dict(path=self.path, width=width, height=height, objects=objects)
        probabilities = dict(self.top_k)
        if self.labels is not None:
            return dict(path=self.path, labels=[*self.labels], probabilities=probabilities)
        grade = {} if self.expected_grade is None else {"expected_grade": self.expected_grade}
        sure = {} if self.is_sure is None else {"sure": self.is_sure}
        members = {} if self.set is None else {"set": [*self.set]}
        return dict(
            path=self.path,
            label=None if self.is_sure is False else self.label,
            probability=self.probability,
            **sure,
            **members,
            **grade,
            probabilities=probabilities,
        )

    def to_row(self) -> dict[str, Any]:
        """The prediction as a row of a table: path, label, probability, label_2, ...

        Of several labels: path, labels, label_1, probability_1, label_2, ...; of grades with
        expected_grade behind the path. Where the network need not answer: path, answer, which is
        empty where it does not, label, ...; of prediction sets with set behind these.
        """
        row: dict[str, Any] = {"path": self.path}
        if self.labels is not None:
            row["labels"] = self.label if self.labels else ""
            for rank, (label, probability) in enumerate(self.top_k, start=1):
                row |= {f"label_{rank}": label, f"probability_{rank}": probability}
            return row
        if self.is_sure is not None:
            row["answer"] = self.label if self.is_sure else ""
        if self.set is not None:
            row["set"] = "; ".join(self.set)
        if self.expected_grade is not None:
            row["expected_grade"] = self.expected_grade
        for rank, (label, probability) in enumerate(self.top_k, start=1):
            suffix = "" if rank == 1 else f"_{rank}"
            row |= {f"label{suffix}": label, f"probability{suffix}": probability}
        return row

    def to_rows(self) -> list[dict[str, Any]]:
        """The rows of a table: `to_row`; of objects one for each, with its path, label, score,
        left, top, right and bottom, and one with the path alone where nothing was found.
        """
        if self.objects is None:
            return [self.to_row()]
        empty = dict.fromkeys(("label", "score", *EDGES))
        return [{"path": self.path, **one.to_dict()} for one in self.objects] or [
            {"path": self.path, **empty}
        ]

    if not TYPE_CHECKING:  # type checkers know the attributes, and refuse others

        def __getattr__(self, name: str) -> object:
            raise synonyms.missing_attribute(self, name)

    def __str__(self) -> str:
        if self.objects is not None:
            return visible(f"{self.path}: {'; '.join(map(str, self.objects)) or NO_OBJECTS}")
        listed = ", ".join(f"{name} {probability:.1%}" for name, probability in self.top_k)
        grade = "" if self.expected_grade is None else f"; expected grade {self.expected_grade:.2f}"
        if self.labels is not None:
            sure, others = self.divided()
            listed = f"{listing(sure) or NO_LABEL}{f' (then {listing(others)})' if others else ''}"
        if self.is_sure is False:
            listed = f"{NOT_SURE} ({listed})"
        members = "" if self.set is None else f"; set: {', '.join(self.set)}"
        return visible(f"{self.path}: {listed}{grade}{members}")

    def divided(self) -> tuple[TopK, TopK]:
        """What is predicted, and the others of `top_k`, both with their probabilities."""
        count = 1 if self.labels is None else len(self.labels)
        return self.top_k[:count], self.top_k[count:]


@dataclass(frozen=True, repr=False)
class Predictions(Sequence[Prediction]):
    """A sequence of predictions in the order of the images.

    Attributes:
        predictions: the same as a tuple.
        unreadable: (path, reason) of each image that could not be read; it has no prediction.
        notes: sentences for the user: files left out, animations of which one frame was used.
        thumbnails: small copies of the first images, for notebooks.
        classes: all that the network knows, in the order of its outputs.
    """

    predictions: tuple[Prediction, ...]
    unreadable: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
    thumbnails: tuple[Image.Image, ...] = field(default=(), compare=False)
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.predictions)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Prediction, ...]: ...

    def __getitem__(self, index: int | slice) -> Prediction | tuple[Prediction, ...]:
        if not self.predictions and self.unreadable and isinstance(index, int):
            path, reason = self.unreadable[0]
            raise IndexError(f"There is no prediction: {path} {reason}.")
        return self.predictions[index]

    @property
    def labels(self) -> list[str]:
        """The most probable class of each image, or all labels that it is predicted to have."""
        return [prediction.label for prediction in self.predictions]

    def to_dicts(self) -> list[dict[str, Any]]:
        """A flat row for each prediction, or object, as `pandas.DataFrame` takes them."""
        return [row for prediction in self.predictions for row in prediction.to_rows()]

    def to_coco(self, annotations: str | Path | None = None) -> list[dict[str, Any]]:
        """The objects as COCO's results; see `convscope.predictions.coco_results`.

        Raises RequestError for a network that classifies whole images, too.
        """
        found = [(one.path, one.objects) for one in self if one.objects is not None]
        if len(found) < len(self):
            raise RequestError(
                "COCO's results are boxes, and the network classifies whole images; take csv or "
                "json."
            )
        return coco_results(found, self.classes, annotations)

    def __str__(self) -> str:
        lines = [*map(str, self.predictions[:_PRINTED])]
        if (rest := len(self) - _PRINTED) > 0:
            lines.append(f"... and {rest:,} more")
        lines += [visible(f"{path} {reason}") for path, reason in self.unreadable[:_PRINTED]]
        if (rest := len(self.unreadable) - _PRINTED) > 0:
            lines.append(f"... and {rest:,} more that could not be read")
        return "\n".join([*lines, *map(visible, self.notes)]) or "no predictions"

    def __repr__(self) -> str:
        bad = f", {len(self.unreadable):,} unreadable" if self.unreadable else ""
        return f"<Predictions of {len(self):,} images{bad}>\n{self}"

    def _repr_html_(self) -> str:
        rows = "".join(
            _row(prediction, self.thumbnails[index] if index < len(self.thumbnails) else None)
            for index, prediction in enumerate(self.predictions[:THUMBNAILS])
        )
        rest = len(self) - THUMBNAILS
        others = [f"... and {rest:,} more."] if rest > 0 else []
        others += [f"{path} {reason}." for path, reason in self.unreadable[:_PRINTED]]
        below = "".join(f"<div>{escape_html(text)}</div>" for text in [*others, *self.notes])
        head = "<th></th><th>image</th><th>label</th><th>probability</th><th></th>"
        return f"<div><table><tr>{head}</tr>{rows}</table>{below}</div>"


def listing(classes: TopK) -> str:
    """As in "cat 98.1%, dog 64.0%"."""
    return ", ".join(f"{name} {probability:.1%}" for name, probability in classes)


def expected_grade(probabilities: NDArray[np.float64]) -> float:
    """Σ k · p_k over the grades k = 0, 1, ... in their order."""
    return float(np.arange(len(probabilities)) @ probabilities)


def thumbnail(image: Image.Image) -> Image.Image:
    """A small copy of an image."""
    small = image.reduce(max(1, max(image.size) // (2 * THUMBNAIL)))  # never a whole copy
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return small


def _row(prediction: Prediction, small: Image.Image | None) -> str:
    sure, others = prediction.divided()
    values = ", ".join(f"{value:.1%}" for _, value in sure)
    cells = (prediction.path, prediction.label, values, listing(others))
    picture = "" if small is None else f'<img alt="" src="{_data_uri(small)}">'
    return (
        f"<tr><td>{picture}</td>{''.join(f'<td>{escape_html(cell)}</td>' for cell in cells)}</tr>"
    )


def _data_uri(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
