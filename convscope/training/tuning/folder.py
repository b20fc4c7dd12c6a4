"""The folder of a search: what was asked for, a run for each trial, Optuna's study, the result."""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Required, TypedDict, cast

import tomli_w

from convscope.runs.folder import Run
from convscope.strict import Count, Text, checked, parse_toml
from convscope.training.config import TrainConfig
from convscope.training.made_with import FREE
from convscope.training.requests import differences, find_folder
from convscope.training.tuning.space import Space, parse_space, to_text

REQUEST = "tune.toml"
STUDY = "study.db"
RESULT = "tune.json"

_BUDGET = ("trials", "total_minutes")


class _Form(TypedDict, total=False):
    """tune.toml. Other keys are settings, which `TrainConfig` checks."""

    data: Required[Text]
    trials: Required[Count]
    total_minutes: float
    prune: Required[bool]
    search: Required[dict[Text, Any]]
    images: Required[Text]


@dataclass(frozen=True)
class Request:
    """What a search was asked for.

    Attributes:
        data: a name, an absolute path, or a description of data that were handed over.
        images: a digest of the keys, labels and groups of the images.
    """

    data: str
    config: TrainConfig
    space: Space
    trials: int
    total_minutes: float | None
    prune: bool
    images: str

    def to_dict(self) -> dict[str, Any]:
        minutes = {} if self.total_minutes is None else {"total_minutes": self.total_minutes}
        return {
            "data": self.data,
            "trials": self.trials,
            **minutes,
            "prune": self.prune,
            "images": self.images,
            **self.config.to_dict(),
            "search": {name: to_text(values) for name, values in self.space.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str) -> "Request":
        form = cast("dict[str, Any]", checked(dict(values), _Form, where=where))
        known = _Form.__annotations__
        settings = {name: value for name, value in form.items() if name not in known}
        config = TrainConfig.from_dict(settings, source=where)
        return cls(
            form["data"],
            config,
            parse_space(form["search"], config),
            form["trials"],
            form.get("total_minutes"),
            form["prune"],
            form["images"],
        )

    def differences(self, other: "Request") -> list[str]:
        """What another request asks for otherwise, but for how long the search goes on."""
        free = (*FREE, "threads", *_BUDGET, "images")
        same = self.images == other.images
        return differences(self.to_dict(), other.to_dict(), free=free, same_images=same)


@dataclass(frozen=True)
class TuningFolder:
    """The folder of a search, whose files are replaced atomically; SQLite sees to its own."""

    path: Path

    @classmethod
    def is_one(cls, path: str | PathLike[str]) -> bool:
        """Whether a folder is one of a search."""
        return (Path(path) / REQUEST).is_file()

    @classmethod
    def begin(cls, out: Path | None, request: Request, *, name: str) -> "TuningFolder":
        """The folder of a request: one with the same, finished or not if it is `out`, goes on.

        Without `out`, it is one of `runs/*_NAME` that is not finished; else it is created.

        Raises RequestError, with what differs, where `out` has another search.
        """
        found = find_folder(
            out, name, kind="search", is_one=cls.is_one,
            is_finished=lambda path: (path / RESULT).exists(),
            differing=lambda path: cls(path).read_request().differences(request),
        )  # fmt: skip
        if found is not None:
            return _asking(cls(found), request)
        return _asking(cls(Run.create(out, name=name).path), request)

    @property
    def run(self) -> Run:
        """The folder as one that can be locked and written."""
        return Run(self.path)

    def read_request(self) -> Request:
        """What was asked for. Raises RequestError for a file of another form."""
        where = str(self.path / REQUEST)
        return Request.from_dict(parse_toml(self.run.read(REQUEST), where=where), where=where)

    def trial(self, number: int) -> Run:
        """The run folder of a trial, counted from 0."""
        return Run(self.path / f"trial-{number}")


def _asking(folder: TuningFolder, request: Request) -> TuningFolder:
    """The folder, with what is asked for now: perhaps more trials than before."""
    folder.run.write(REQUEST, tomli_w.dumps(request.to_dict()))
    return folder
