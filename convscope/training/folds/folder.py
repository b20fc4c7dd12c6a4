"""The folder of a cross-validation: what was asked for, a run for each fold, and the summary."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from os import PathLike
from pathlib import Path
from typing import Any, Required, TypedDict, cast

import tomli_w

from convscope.data.dataset import Dataset, keys_of
from convscope.runs.folder import Run
from convscope.strict import Count, Text, checked, parse_toml
from convscope.training.config import TrainConfig
from convscope.training.made_with import FREE
from convscope.training.requests import differences, find_folder

REQUEST = "cross-validation.toml"
SUMMARY = "summary.json"
PREDICTIONS = "predictions.csv"
_FREE = (*FREE, "threads")
"""Settings with which a cross-validation may go on otherwise than it began."""


class _DatasetTable(TypedDict):
    name: Text
    images: Count
    digest: Text


class _Form(TypedDict, total=False):
    """cross-validation.toml. Other keys are settings, which `TrainConfig` checks."""

    data: Required[Text]
    folds: Required[Count]
    repeats: Required[Count]
    dataset: Required[_DatasetTable]


@dataclass(frozen=True)
class Part:
    """One training of a cross-validation: `fold` of `repeat`, both from 1, and its folder."""

    repeat: int
    fold: int
    name: str


@dataclass(frozen=True)
class Request:
    """What a cross-validation was asked for.

    Attributes:
        data: a name, an absolute path, or a description of data that were handed over.
        digest: of the keys, labels and groups of the images.
    """

    data: str
    config: TrainConfig
    folds: int
    repeats: int
    dataset: str
    images: int
    digest: str

    @property
    def parts(self) -> list[Part]:
        """The trainings, in their order."""
        folds = range(1, self.folds + 1)
        if self.repeats == 1:
            return [Part(1, fold, f"fold-{fold}") for fold in folds]
        repeats = range(1, self.repeats + 1)
        return [Part(r, fold, f"repeat-{r}-fold-{fold}") for r in repeats for fold in folds]

    def to_dict(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "folds": self.folds,
            "repeats": self.repeats,
            **self.config.to_dict(),
            "dataset": {"name": self.dataset, "images": self.images, "digest": self.digest},
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, where: str) -> "Request":
        form = cast("dict[str, Any]", checked(values, _Form, where=where))
        dataset, known = form["dataset"], ("data", "folds", "repeats", "dataset")
        config = TrainConfig.from_dict(
            {"freeze_bn": False}  # of an earlier version
            | {name: value for name, value in form.items() if name not in known},
            source=where,
        )
        return cls(
            form["data"],
            config,
            form["folds"],
            form["repeats"],
            dataset["name"],
            dataset["images"],
            dataset["digest"],
        )

    def differences(self, other: "Request") -> list[str]:
        """What another request asks for otherwise, as in "folds is 5, not 10".

        Data may lie elsewhere if their images are the same.
        """
        free, same = (*_FREE, "dataset"), self.digest == other.digest
        return differences(self.to_dict(), other.to_dict(), free=free, same_images=same)


def digest_of(dataset: Dataset) -> str:
    """32 hexadecimal digits that depend on keys, the names of labels, and groups alone."""
    hasher = blake2b(digest_size=16)
    groups = dataset.groups or [""] * len(dataset)
    for index, (key, group) in enumerate(zip(keys_of(dataset.images), groups, strict=True)):
        row = f"{key}\0{dataset.label_text(index)}\0{group}\0"
        hasher.update(row.encode("utf-8", "surrogateescape"))
    return hasher.hexdigest()


@dataclass(frozen=True)
class FoldsFolder:
    """The folder of a cross-validation, whose files are replaced atomically."""

    path: Path

    @classmethod
    def is_one(cls, path: str | PathLike[str]) -> bool:
        """Whether a folder is one of a cross-validation."""
        return (Path(path) / REQUEST).is_file()

    @classmethod
    def begin(cls, out: Path | None, request: Request, *, name: str) -> "FoldsFolder":
        """The folder of a request: one that exists and is not finished goes on.

        That is `out`, or one of `runs/*_NAME` with the same request; else it is created.

        Raises RequestError, with what differs, where `out` has another cross-validation.
        """
        found = find_folder(
            out, name, kind="cross-validation", is_one=cls.is_one,
            is_finished=lambda path: cls(path).is_finished,
            differing=lambda path: cls(path).read_request().differences(request),
        )  # fmt: skip
        if found is not None:
            return cls(found)
        folder = cls(Run.create(out, name=name).path)
        folder.run.write(REQUEST, tomli_w.dumps(request.to_dict()))
        return folder

    @property
    def run(self) -> Run:
        """The folder as one that can be locked and written."""
        return Run(self.path)

    @property
    def is_finished(self) -> bool:
        return (self.path / SUMMARY).is_file()

    def read_request(self) -> Request:
        """What was asked for. Raises RequestError for a file of another form."""
        where = str(self.path / REQUEST)
        return Request.from_dict(parse_toml(self.run.read(REQUEST), where=where), where=where)

    def part(self, part: Part) -> Run:
        """The run folder of one training."""
        return Run(self.path / part.name)

    def unfinished(self, parts: Sequence[Part]) -> list[Part]:
        """The trainings that have not come to their end."""
        return [part for part in parts if not is_finished(self.part(part))]


def is_finished(run: Run) -> bool:
    """Whether the training of a fold has been tested, and its predictions are written."""
    return all((run.path / name).is_file() for name in ("test.json", PREDICTIONS, "report.html"))
