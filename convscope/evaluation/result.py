"""What `evaluate` returns: metrics, tables, and the answer for each image."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convscope import synonyms
from convscope.atomic import write_atomically
from convscope.boxes.detections import SHOWN
from convscope.boxes.truth import COUNTS
from convscope.data.dataset import Dataset, name_answer
from convscope.data.loading import LoadedDataset
from convscope.errors import RequestError, WorkError
from convscope.evaluation.attributes import attributes_of
from convscope.evaluation.box_details import BoxDetails
from convscope.evaluation.details import Details
from convscope.evaluation.detection import DetectionMetrics
from convscope.evaluation.figures import Figure, mean, numbered, share
from convscope.evaluation.headline_intervals import interval_values, with_intervals
from convscope.evaluation.measure import EvaluationOutputs
from convscope.evaluation.metrics import Metrics
from convscope.evaluation.mistakes import Mistakes, find_mistakes
from convscope.evaluation.multi_label import AnyMetrics, MultiLabelMetrics
from convscope.evaluation.printed import metrics_html, metrics_text
from convscope.evaluation.published_table import published_table
from convscope.evaluation.slices import Slices, find_slices
from convscope.evaluation.tables import Rows, as_text
from convscope.models import OpenedModel
from convscope.predictions.result import expected_grade
from convscope.published import PublishedResult
from convscope.words import escape_html, visible
from convscope.words.csv_text import to_csv

_ALL_PROBABILITIES = 100  # classes up to which each image's row has the probability of every class
_COUNTS = ("tn", "fp", "fn", "tp")
_TOP = 5  # most probable classes in the rows of networks with more


@dataclass(frozen=True, repr=False)
class EvaluationResult:
    """The result of an evaluation. In a notebook it is shown as tables.

    Attributes:
        outputs: metrics, and the prediction for each image.
        data: a description of the images: "the test split of digits".
        notes: sentences for the user, on missing classes and unreadable images for example.
        paths: of each image, or its key: `train/00017`.
        labels: (n,) the true class of each image, an index into `metrics.classes`; where an image
            may have several labels, (n, classes) of 0 and 1.
        model: the run or the network.
        in_training: how many of the images the run was trained on, by their content; None if it is
            not known.
        in_validation: likewise, of those that are not in training.
        groups: of each image, as the data have them: its patient, for example; None where there are
            none. Intervals count the images of one group as dependent.
        split: of the data, that the images are of; "" where they are all of the data.
        protocol: which views of an image were averaged: "ten crops of 224x224 at scale 256"; "" of
            one, as the card says.
        loaded: the data, with the pixels of the images; None where they are not kept.
        indices: (n,) of the images in `loaded`.
        opened: the network; None where it is not kept. Of an ensemble, the first.
        published: what papers state of this network on these data, each by its own protocol.
    """

    outputs: EvaluationOutputs
    data: str
    notes: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    labels: NDArray[Any] = field(default_factory=lambda: np.empty(0, np.int64))
    model: str = ""
    in_training: int | None = None
    in_validation: int | None = None
    groups: Sequence[str] | None = None
    split: str = ""
    protocol: str = ""
    loaded: LoadedDataset | None = None
    indices: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    opened: OpenedModel | None = None
    published: tuple[PublishedResult, ...] = ()

    @property
    def metrics(self) -> AnyMetrics:
        return self.outputs.metrics

    @property
    def top1(self) -> float:
        """Accuracy; of several labels the exact match, of grades that of the very grade."""
        return self.metrics.top1

    @property
    def top5(self) -> float | None:
        """The share of images whose class is among the five most probable; None for few classes."""
        return self.metrics.top5

    @property
    def loss(self) -> float:
        """The mean loss, see `convscope.losses`: of one class the cross-entropy, in nats."""
        return self.metrics.loss

    @cached_property
    def details(self) -> Details:
        """Rates, areas under curves, agreement and calibration, with intervals.

        Raises RequestError for boxes, of which there are other figures.
        """
        if self.outputs.found:
            raise RequestError("These are for classes; those of boxes are result.box_details.")
        outputs = self.outputs
        return Details(
            classes=self.metrics.classes,
            task=self.metrics.task,
            probabilities=outputs.probabilities,
            truth=self.labels,
            predicted=outputs.predicted,
            losses=outputs.losses,
            groups=self.groups,
            energies=outputs.energies,
        )

    @cached_property
    def box_details(self) -> BoxDetails:
        """Curves, least scores and mistakes by class, of boxes. Raises RequestError for others."""
        metrics = self.metrics
        if not isinstance(metrics, DetectionMetrics):
            raise RequestError("These are for boxes; those of classes are result.details.")
        matches, has_groups = self.outputs.matches, bool(metrics.similar)
        return BoxDetails(metrics.classes, matches, metrics.mistakes, has_groups)

    @cached_property
    def mistakes(self) -> Mistakes:
        """Which images are wrong: the most confident ones, and each confused pair."""
        if self.outputs.found:
            raise RequestError("The page of mistakes is of classes; report.html has wrong boxes.")
        return find_mistakes(self.outputs, self.labels)

    @cached_property
    def slices(self) -> Slices:
        """Images of a folder, size, brightness, camera or column that are wrong more often than
        others of their classes, by more than noise; the headers of files are read for it.
        """
        if self.outputs.found:
            raise RequestError("Slices are of images with classes, not of objects in boxes.")
        _, strata = np.unique(self.labels, axis=0, return_inverse=True)
        attributes = attributes_of(self.paths, self.loaded, self.indices, self.groups)
        is_correct, strata = self.outputs.is_correct, strata.reshape(-1).astype(np.int64)
        return find_slices(is_correct, strata, attributes, self.groups)

    def headline(self) -> list[tuple[str, str]]:
        """The names and values of the metrics of all images, with 95% intervals."""
        if self.outputs.found:
            return self.metrics.headline()
        lines = with_intervals(self.metrics.headline(), self.details)
        return [*lines, *self._rules()]

    def _rules(self) -> list[tuple[str, str]]:
        """What the rules of the card do: how many images are answered, what sets cover."""
        figures = self.rules
        lines: list[tuple[str, str]] = []
        if "answered" in figures:
            lines.append(("answered", _percent(figures["answered"])))
            lines.append(("of these", f"{_percent(figures['answered_top1'])} right"))
        if "set_coverage" in figures:
            lines.append(("sets", f"{_percent(figures['set_coverage'])} have the true class"))
            lines.append(("size", f"{figures['set_size']} classes in a set, the mean"))
        return lines

    @cached_property
    def rules(self) -> dict[str, Figure]:
        """What the rules of the card do: `answered`, the share of images that are, and
        `answered_top1`, of these the share that is right; `set_coverage`, the share of prediction
        sets with the true class, and `set_size`, their mean size. Empty without such rules.
        """
        answers, groups = self.outputs.answers, numbered(self.groups)
        found: dict[str, Figure] = {}
        if (sure := answers.is_sure) is not None:
            right = self.outputs.is_correct[sure]
            found["answered"] = share(sure, groups)
            found["answered_top1"] = share(right, None if groups is None else groups[sure])
        if (sets := answers.sets) is not None:
            own = np.take_along_axis(sets, self.labels[:, None], 1)[:, 0]
            found["set_coverage"] = share(own, groups)
            found["set_size"] = mean(sets.sum(1).astype(np.float64), groups)
        return found

    def published_table(self) -> Rows:
        """A header and a row for each figure that papers state, the own errors first."""
        return published_table(self.published, self.top1, self.top5, self.protocol)

    @property
    def per_class(self) -> list[dict[str, Any]]:
        """A row for each class that has images: `pandas.DataFrame` takes it as it is."""
        return self.metrics.per_class

    @property
    def confusion(self) -> dict[str, dict[str, int]]:
        """Counts by true class, then by predicted class, of the classes that occur.

        `pandas.DataFrame(result.confusion).T` has the true classes as rows. Of several labels, for
        each of them its counts tn, fp, fn and tp.
        """
        metrics = self.metrics
        if isinstance(metrics, DetectionMetrics):
            return {}
        if isinstance(metrics, MultiLabelMetrics):
            counts = metrics.confusion.reshape(-1, 4).tolist()
            pairs = zip(metrics.classes, counts, strict=True)
            return {name: dict(zip(_COUNTS, row, strict=True)) for name, row in pairs}
        names, columns = metrics.classes, np.flatnonzero(metrics.is_seen)
        return {
            names[row]: {names[column]: int(metrics.confusion[row, column]) for column in columns}
            for row in np.flatnonzero(metrics.support)
        }

    @property
    def per_image(self) -> list[dict[str, Any]]:
        """A row for each image: path, label, predicted, correct, probability, loss, split and group
        where there are such, and `p_<class>` for each class; of more than 100 classes the five most
        probable, `top_2` and `p_2` ...

        By the rules of the card there are `answered`, whether the network is sure, and `set`.
        Where an image may have several labels, `label` and `predicted` list them with semicolons,
        and `probability` is that of the least sure answer; of grades there is `expected_grade`, as
        `Prediction` has it. Of boxes: the classes of the objects and of the boxes found, whether
        all are right, how many there are of each, and the loss.
        """
        if self.outputs.found:
            return [self._row_of_boxes(index) for index in range(len(self.labels))]
        return [self._row(index) for index in range(len(self.labels))]

    def to_dicts(self) -> list[dict[str, Any]]:
        """`per_image`."""
        return self.per_image

    def to_dict(self) -> dict[str, Any]:
        """The result without its images, as it is written to JSON."""
        counts = {"in_training": self.in_training, "in_validation": self.in_validation}
        known = {name: count for name, count in counts.items() if count is not None}
        measured = self.metrics.to_dict()
        intervals = {
            name: interval
            for name, interval in (
                {} if self.outputs.found else interval_values(self.details)
            ).items()
            if name.removesuffix("_interval") in measured
        }
        protocol = {"protocol": self.protocol} if self.protocol else {}
        told = {"run": self.model, "data": self.data, **protocol}
        stated = [one.to_dict() for one in self.published]
        published = {"published": stated} if stated else {}
        rules = {name: figure.to_dict() for name, figure in self.rules.items()}
        return {**told, **known, **measured, **intervals, **rules, **published}

    def write_csv(self, path: str | Path) -> None:
        """Write `per_image` to a file. Raises WorkError if it cannot be written.

        `convscope.words.csv_text` says how names are written.
        """
        rows = self.per_image
        lines = ([_rounded(value) for value in row.values()] for row in rows)
        try:
            write_atomically(Path(path), to_csv([[*rows[0]], *lines]))
        except OSError as error:
            raise WorkError(f"{path} cannot be written: {error.strerror or error}.") from error

    def _row_of_boxes(self, index: int) -> dict[str, Any]:
        outputs, classes = self.outputs, self.metrics.classes
        rows = self.labels[index]
        labels = rows[(rows[:, 0] >= 0) & (rows[:, 5] == COUNTS), 0].astype(int)
        found = outputs.found[index].above(SHOWN)
        return {
            "path": self.paths[index],
            "objects": "; ".join(classes[label] for label in labels),
            "found": "; ".join(classes[label] for label in found.labels),
            "correct": bool(outputs.is_correct[index]),
            "num_objects": len(labels),
            "num_found": len(found),
            "loss": float(outputs.losses[index]),
            **({"split": self.split} if self.split else {}),
        }

    def _row(self, index: int) -> dict[str, Any]:
        outputs, classes = self.outputs, self.metrics.classes
        shares = outputs.probabilities[index]
        row: dict[str, Any] = {
            "path": self.paths[index],
            "label": name_answer(self.labels[index], classes),
            "predicted": outputs.answer(index),
            "correct": bool(outputs.is_correct[index]),
            "probability": float(outputs.confidence[index]),
            "loss": float(outputs.losses[index]),
            **({"split": self.split} if self.split else {}),
            **({} if self.groups is None else {"group": self.groups[index]}),
        }
        answers = outputs.answers
        if answers.is_sure is not None:
            row["answered"] = bool(answers.is_sure[index])
        if answers.sets is not None:
            row["set"] = "; ".join(classes[k] for k in np.flatnonzero(answers.sets[index]))
        if isinstance(self.metrics, Metrics) and self.metrics.is_ordinal:
            row["expected_grade"] = expected_grade(shares)
        if len(classes) <= _ALL_PROBABILITIES:
            return row | {f"p_{name}": float(p) for name, p in zip(classes, shares, strict=True)}
        for rank, best in enumerate(np.argsort(-shares, kind="stable")[1:_TOP], start=2):
            row |= {f"top_{rank}": classes[best], f"p_{rank}": float(shares[best])}
        return row

    if not TYPE_CHECKING:  # type checkers know the attributes, and refuse others

        def __getattr__(self, name: str) -> object:
            raise synonyms.missing_attribute(self, name)

    def __repr__(self) -> str:
        return (
            f"EvaluationResult(data={self.data!r}, top1={self.top1:.4f}, loss={self.loss:.4f}, "
            f"images={self.metrics.num_images})"
        )

    def __str__(self) -> str:
        return "\n\n".join(
            [
                *map(visible, (self._title(), *self.notes)),
                metrics_text(self.metrics, self.headline()),
                *([as_text(self.published_table())] if self.published else []),
            ]
        )

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{escape_html(note)}</p>" for note in self.notes)
        title = f"<p><b>{escape_html(self._title())}</b></p>"
        return f"<div>{title}{notes}{metrics_html(self.metrics, self.headline())}</div>"

    def _title(self) -> str:
        data = f"{self.data}, {self.protocol}" if self.protocol else self.data
        return f"{self.model} on {data}" if self.model else data


def _percent(figure: Figure) -> str:
    if figure.interval is None:
        return f"{figure.value:.2%}" if figure.is_defined else "none"
    low, high = figure.interval
    return f"{figure.value:.2%}   (95% interval {low:.2%} to {high:.2%})"


def _rounded(value: object) -> object:
    """Numbers to six digits, which CSV files are easier to read with."""
    return f"{value:.6g}" if isinstance(value, float) else value


def groups_of(dataset: Dataset, indices: NDArray[np.int64]) -> list[str] | None:
    """The groups of some images; None where there are none."""
    groups = dataset.groups
    return None if groups is None else [groups[int(index)] for index in indices]
