"""What `predict` returns: the most probable classes of each image, for programs and for reading."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from PIL import Image

from convscope import synonyms
from convscope.words import escape_html, visible

THUMBNAILS = 20  # images that a notebook shows
THUMBNAIL = 48  # pixels of their longer side
_PRINTED = 20  # lines


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image; `top_k` are (class, probability), the most probable first.

    `path` is that of the image, or a name such as "image 0" for one that has none.
    """

    path: str
    top_k: tuple[tuple[str, float], ...]

    @property
    def label(self) -> str:
        return self.top_k[0][0]

    @property
    def probability(self) -> float:
        return self.top_k[0][1]

    def to_dict(self) -> dict[str, Any]:
        """The prediction as it is written to JSON."""
        probabilities = dict(self.top_k)
        return dict(
            path=self.path,
            label=self.label,
            probability=self.probability,
            probabilities=probabilities,
        )

    def to_row(self) -> dict[str, Any]:
        """The prediction as a row of a table: path, label, probability, label_2, ..."""
        row: dict[str, Any] = {"path": self.path}
        for rank, (label, probability) in enumerate(self.top_k, start=1):
            suffix = "" if rank == 1 else f"_{rank}"
            row |= {f"label{suffix}": label, f"probability{suffix}": probability}
        return row

    if not TYPE_CHECKING:  # type checkers know the attributes, and refuse others

        def __getattr__(self, name: str) -> object:
            raise synonyms.missing_attribute(self, name)

    def __str__(self) -> str:
        listed = ", ".join(f"{name} {probability:.1%}" for name, probability in self.top_k)
        return visible(f"{self.path}: {listed}")


@dataclass(frozen=True, repr=False)
class Predictions(Sequence[Prediction]):
    """A sequence of predictions in the order of the images.

    Attributes:
        predictions: the same as a tuple.
        unreadable: (path, reason) of each image that could not be read; it has no prediction.
        notes: sentences for the user: files left out, animations of which one frame was used.
        thumbnails: small copies of the first images, for notebooks.
    """

    predictions: tuple[Prediction, ...]
    unreadable: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
    thumbnails: tuple[Image.Image, ...] = field(default=(), compare=False)

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
        """The most probable class of each image."""
        return [prediction.label for prediction in self.predictions]

    def to_dicts(self) -> list[dict[str, Any]]:
        """A flat row for each prediction, as `pandas.DataFrame` takes them."""
        return [prediction.to_row() for prediction in self.predictions]

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


def thumbnail(image: Image.Image) -> Image.Image:
    """A small copy of an image."""
    small = image.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return small


def _row(prediction: Prediction, small: Image.Image | None) -> str:
    others = ", ".join(f"{name} {value:.1%}" for name, value in prediction.top_k[1:])
    cells = (prediction.path, prediction.label, f"{prediction.probability:.1%}", others)
    picture = "" if small is None else f'<img alt="" src="{_data_uri(small)}">'
    return (
        f"<tr><td>{picture}</td>{''.join(f'<td>{escape_html(cell)}</td>' for cell in cells)}</tr>"
    )


def _data_uri(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
