"""What every logger does, whatever the program that it logs to."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, TypedDict

from convscope.atomic import write_atomically
from convscope.errors import RequestError
from convscope.regular_files import read_regular
from convscope.strict import Count, Text, checked, parse_json
from convscope.words.json_text import to_json

Ending = Literal["finished", "failed", "stopped"]


@dataclass(frozen=True)
class LoggedRun:
    """The run that is logged.

    Attributes:
        path: the run folder.
        settings: by name, with dots for tables; what describes data, card and machine, too.
        description: what is trained on what, in a sentence.
        metrics: names of the metrics by which runs are compared, such as `val/top1`.
        first_step: of what will be logged; what is there from this step on will come again. 0 for
            a new run.
    """

    path: Path
    settings: Mapping[str, str | float | bool]
    description: str
    metrics: Sequence[str]
    first_step: int


@dataclass(frozen=True)
class Point:
    """Metrics after a step, and when they were measured, in seconds since 1970."""

    step: int
    time: float
    values: Mapping[str, float]


class Logger(ABC):
    """Logs one run. All methods are called by one thread, `open` first.

    A metric is logged once for a step, also after a resume that does some steps again: `last` holds
    the last step that each metric has. Values that are not finite are left out.
    """

    title: ClassVar[str]

    def __init__(self) -> None:
        self.last: dict[str, int] = {}

    def log(self, points: Sequence[Point]) -> None:
        """Log what is new of the metrics."""
        new = [self._new(point) for point in points]
        if new := [point for point in new if point.values]:
            self.write(new)

    def _new(self, point: Point) -> Point:
        values = {
            name: value
            for name, value in point.values.items()
            if math.isfinite(value) and point.step > self.last.get(name, -1)
        }
        self.last |= dict.fromkeys(values, point.step)
        return Point(point.step, point.time, values)

    @abstractmethod
    def open(self, run: LoggedRun) -> str:
        """Begin, or go on where this run was logged before; returns where, in a few words."""

    @abstractmethod
    def write(self, points: Sequence[Point]) -> None:
        """Write metrics, none of which is there yet."""

    @abstractmethod
    def flush(self) -> None:
        """Let nothing that was written be lost if the process is killed."""

    @abstractmethod
    def close(self, ending: Ending) -> None:
        """End. The metrics of the test, if it was made, are written already."""


class _Remembered(TypedDict):
    id: Text
    last: dict[Text, Count]


def read_id(path: Path) -> tuple[str, dict[str, int]]:
    """The id by which a service knows a run and the last step of each metric; "" for a new run.

    Raises RequestError for a file of another form.
    """
    try:
        text = read_regular(path).decode("utf-8")
    except FileNotFoundError:
        return "", {}
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} cannot be read: {error}.") from error
    found = checked(parse_json(text, where=str(path)), _Remembered, where=str(path))
    return found["id"], dict(found["last"])


def write_id(path: Path, run_id: str, last: Mapping[str, int]) -> None:
    """Remember the id of a run, and what is logged, in its folder."""
    write_atomically(path, to_json({"id": run_id, "last": dict(last)}) + "\n")
