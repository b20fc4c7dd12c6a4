"""Out-of-fold predictions: what a network that never saw an image says of it."""

import csv
import io
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.data.split import read_splits
from convscope.errors import RequestError, WorkError
from convscope.runs.folder import Run
from convscope.training.callbacks.base import Callback
from convscope.training.events import RunEnd
from convscope.training.folds.folder import PREDICTIONS, FoldsFolder, Part
from convscope.words.csv_text import from_cell, to_csv

_COLUMNS = ("path", "label", "predicted", "probability", "loss")
"""Then one column for the probability of each class."""


class FoldPredictions(Callback):
    """Writes predictions.csv into the run of a fold: a row for each of its test images."""

    def on_run_end(self, event: RunEnd) -> None:
        run, outputs = Run(event.path), event.outputs
        if outputs is None:
            return
        tested = [
            (key, label)
            for key, (label, split) in read_splits(run.read("splits.csv")).items()
            if split == "test"
        ]
        rows = [
            (
                *image,
                outputs.answer(index),
                _rounded(outputs.confidence[index]),
                _rounded(outputs.losses[index]),
                *map(_rounded, outputs.probabilities[index]),
            )
            for index, image in enumerate(tested)
        ]
        header = [*_COLUMNS, *(f"probability of {name}" for name in event.test.classes)]
        run.write(PREDICTIONS, to_csv([header, *rows]))


def _rounded(number: float) -> float:
    return float(f"{number:.6g}")


@dataclass(frozen=True)
class Predicted:
    """The rows of several predictions.csv, with the fold and repeat of each."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    parts: Sequence[Part]

    @classmethod
    def read(cls, folder: FoldsFolder, parts: Sequence[Part]) -> "Predicted":
        """The predictions of all folds. Raises RequestError for a damaged file."""
        header: list[str] = []
        rows: list[list[str]] = []
        origin: list[Part] = []
        for part in parts:
            text = folder.part(part).read(PREDICTIONS)
            first, *others = csv.reader(io.StringIO(text, newline=""), strict=True)
            if any(len(row) != len(first) for row in others) or tuple(first[:5]) != _COLUMNS:
                path = folder.part(part).path / PREDICTIONS
                raise RequestError(
                    f"{path} is damaged. Remove it, and the same command tests that fold again."
                )
            header = header or first
            rows += others
            origin += [part] * len(others)
        return cls(header, rows, origin)

    def check_complete(self, keys: Collection[str]) -> None:
        """Raise WorkError unless each of these images is predicted once in every repeat."""
        counts = Counter(from_cell(row[0]) for row in self.rows)
        repeats = len({part.repeat for part in self.parts})
        for key in {*keys, *counts}:
            if counts[key] != (repeats if key in keys else 0):
                raise WorkError(
                    f"{key} is in the test of {counts[key]} folds, not of {repeats}: the data have "
                    "changed since the first fold. Start again, in a new folder."
                )

    def correct_by_image(self) -> dict[str, float]:
        """For each image, the share of the repeats in which it is predicted right."""
        shares: dict[str, list[bool]] = {}
        for row in self.rows:
            shares.setdefault(from_cell(row[0]), []).append(row[1] == row[2])
        return {key: sum(each) / len(each) for key, each in shares.items()}

    def probabilities(self, repeat: int) -> dict[str, NDArray[np.float64]]:
        """For each image of a repeat, the probabilities (classes,)."""
        return {
            from_cell(row[0]): np.array(row[len(_COLUMNS) :], np.float64)
            for row, part in zip(self.rows, self.parts, strict=True)
            if part.repeat == repeat
        }

    def to_csv(self, groups: Mapping[str, str]) -> str:
        """All rows with the columns fold, repeat and, if there are groups, group."""
        named = ["group"] if groups else []
        header = [*self.header[:5], "fold", "repeat", *named, *self.header[5:]]
        body = [
            [
                *map(from_cell, row[:3]),
                *map(float, row[3:5]),
                part.fold,
                part.repeat,
                *([groups.get(from_cell(row[0]), "")] if groups else []),
                *map(float, row[5:]),
            ]
            for row, part in zip(self.rows, self.parts, strict=True)
        ]
        return to_csv([[from_cell(cell) for cell in header], *body])
