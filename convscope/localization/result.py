"""What `localize` returns: figures, the guesses for each image, and pictures of them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from convscope.atomic import write_atomically
from convscope.errors import RequestError
from convscope.evaluation.figures import Figure
from convscope.evaluation.tables import Rows, as_text
from convscope.localization.component import Edges
from convscope.localization.pictures import Picture, page
from convscope.localization.scoring import Guess, ImageScore, figures
from convscope.words import visible
from convscope.words.csv_text import to_csv

_NAMES = {
    "localization_error": "localization error",
    "top1_localization_error": "localization error, first guess",
    "classification_error": "classification error",
    "top1_classification_error": "classification error, first guess",
    "known_class_accuracy": "right box, class told",
    "mean_overlap": "mean overlap, class told",
}


@dataclass(frozen=True)
class LocatedImage:
    """One image: its key, true class, true boxes, guesses, and how they were scored.

    Boxes are left, top, right, bottom in pixels of the upright image, from 0.
    """

    path: str
    size: tuple[int, int]
    truth: int
    boxes: tuple[Edges, ...]
    guesses: tuple[Guess, ...]
    probabilities: tuple[float, ...]
    known: Edges | None
    score: ImageScore


@dataclass(frozen=True, repr=False)
class LocalizationResult:
    """How well objects were found, by ILSVRC's rule.

    Attributes:
        model: the run or the network.
        data: which images.
        method: how boxes were made.
        classes: names, in the order of the network's outputs.
        images: in the order of the data.
        pictures: for `save`, of the images that are shown.
        notes: sentences for the user.
    """

    model: str
    data: str
    method: str
    classes: tuple[str, ...]
    images: tuple[LocatedImage, ...]
    pictures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """Each figure with its 95% interval; `localization_error` is the challenge's."""
        return figures([one.score for one in self.images])

    @property
    def localization_error(self) -> float:
        """The share of images of which no guess has the right class and a box that overlaps a true
        one by at least 0.5.
        """
        return self.figures["localization_error"].value

    def rows(self) -> Rows:
        """A header and a row for each figure."""
        table: Rows = [["", "", "95% interval"]]
        for name, figure in self.figures.items():
            is_share = name != "mean_overlap"
            value = f"{figure.value:.2%}" if is_share else f"{figure.value:.3f}"
            low, high = figure.interval or (None, None)
            interval = "" if low is None or high is None else f"{low:.2%} to {high:.2%}"
            shown = value if figure.is_defined else "not defined"
            table.append([_NAMES[name], shown, interval])
        return table

    def to_dict(self) -> dict[str, Any]:
        """The figures for JSON."""
        return {
            "run": self.model,
            "data": self.data,
            "method": self.method,
            "images": len(self.images),
            **{name: figure.to_dict() for name, figure in self.figures.items()},
        }

    @property
    def per_image(self) -> list[dict[str, Any]]:
        """A row for each image: path, label, first guess with its box, overlap, whether found."""
        rows: list[dict[str, Any]] = []
        for one in self.images:
            box = one.guesses[0].box or ("", "", "", "")
            sides = dict(zip(("left", "top", "right", "bottom"), box, strict=True))
            rows.append(
                {
                    "path": one.path,
                    "label": self.classes[one.truth],
                    "predicted": self.classes[one.guesses[0].label],
                    "probability": one.probabilities[0],
                    **sides,
                    "overlap": one.score.overlap,
                    "localized": one.score.found5,
                    "localized_first": one.score.found1,
                }
            )
        return rows

    def write_csv(self, path: str | Path) -> None:
        """Write `per_image` to a file."""
        rows = self.per_image
        cells = [[_shown(value) for value in row.values()] for row in rows]
        write_atomically(Path(path).expanduser(), to_csv([[*rows[0]], *cells]))

    def save(self, path: str | Path) -> None:
        """Write the pictures, with true and predicted boxes, as one .html page.

        Raises RequestError for another ending.
        """
        target = Path(path).expanduser()
        check_page(target)
        lines = [f"{self.model}: {self.method}, {self.data}.", *self.notes]
        write_atomically(target, page("Localization", lines, self.rows(), self.pictures))

    def __repr__(self) -> str:
        return f"LocalizationResult(error={self.localization_error:.4f}, images={len(self.images)})"

    def __str__(self) -> str:
        title = f"{self.model} on {self.data}, {self.method}"
        return "\n\n".join([visible(title), *map(visible, self.notes), as_text(self.rows())])


def check_page(path: Path) -> None:
    """Raise RequestError for a file that `save` does not write."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise RequestError(
            f"{path}: pictures are written as a page; name a file that ends in .html."
        )


def _shown(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value
