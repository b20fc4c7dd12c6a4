"""The trainings that a lab knows: found in a folder, begun from the page, told and steered."""

import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from convscope.compare.runs import RunView
from convscope.data.source import NAMES, is_here
from convscope.errors import RequestError, WorkError, nearest
from convscope.lab.jobs.processes import Processes
from convscope.lab.jobs.sources import DataSources, unused_name
from convscope.runs import index
from convscope.runs.folder import Run, slugify
from convscope.runs.live_files import Command, Live
from convscope.runs.status import ACTIVE, COMMANDABLE, RunStatus, StatusReader
from convscope.training.config import TABLES, TrainConfig
from convscope.zoo.table_file import is_table

MOST = 8
"""Trainings at once that a lab begins."""

_LINES = 20  # of a log that are told
_FREE_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


class TrainingJobs:
    """The runs of a folder, and of others that were given by hand.

    `data` are folders and CSVs that may be trained on from the page, beside the named sources;
    `models` networks beside the zoo's: layer tables and `module:attr`. A run is called by the name
    of its folder, a second one of the same name NAME-2: no request carries a path.
    """

    def __init__(
        self,
        folder: Path,
        *,
        runs: Sequence[Path] = (),
        data: Sequence[str] = (),
        models: Sequence[str] = (),
    ) -> None:
        self.folder = folder.resolve()
        self.processes = Processes(self.folder)
        self.given = DataSources(data, models)
        self._elsewhere: dict[str, Path] = {}
        self._writing = threading.Lock()
        self._statuses = StatusReader()
        for run in runs:
            path = Run.open(run).path.resolve()
            if path.parent != self.folder and path not in self._elsewhere.values():
                self._elsewhere[unused_name(path.name, self._paths())] = path

    def paths(self) -> dict[str, Path]:
        """The runs by their names, the newest first.

        Also those that were begun from the page and have no folder yet, or came to nothing.
        """
        found = self._paths()
        return dict(sorted(found.items(), key=lambda one: -self._when(*one)))

    def _paths(self) -> dict[str, Path]:
        found = dict(self._elsewhere)
        begun = self.processes.names()
        with suppress(OSError):
            for path in sorted(self.folder.iterdir()):
                if not path.name.startswith(".") and (path / "config.toml").is_file():
                    found[unused_name(path.name, found)] = path
                    if path.name in begun:
                        self.processes.settle(path.name)
        for name in begun:
            found.setdefault(name, self.folder / name)
        return found

    def path(self, name: str) -> Path:
        """Where a run lies. Raises RequestError for a name that none has."""
        found = self._paths()
        if name not in found:
            raise RequestError(f"There is no run {name!r} in this lab.{nearest(name, found)}")
        return found[name]

    def _when(self, name: str, path: Path) -> float:
        """When a run was begun, in seconds of unix time."""
        made, _ = index.stamp(path / "config.toml")
        return made / 1e9 if made else self.processes.began(name) or 0.0

    def state(self, name: str, path: Path) -> RunStatus:
        """What a run is doing, by its folder, or by a process of the lab that began later."""
        now, began = index.read_now(path), self.processes.began(name)
        if began is not None and (now is None or now["updated_at"] < began):
            if self.processes.is_alive(name):
                return RunStatus("starting", self._starting(name), now)
            if index.read_test(path) is None:
                said = self.processes.last_line(name)
                return RunStatus(
                    "failed", said or "Its process ended before it said anything.", now
                )
        return self._statuses.read(path)

    def _starting(self, name: str) -> str:
        said = self.processes.last_line(name)
        data = self.processes.settings(name).get("data")
        if not said and data in NAMES and not is_here(str(data)):
            return f"It downloads {data} and reads the images."
        return said or "It reads the images."

    def list_runs(self) -> list[dict[str, Any]]:
        """Every run in a line, the newest first."""
        return [self.line(name, path) for name, path in self.paths().items()]

    def line(self, name: str, path: Path) -> dict[str, Any]:
        """One run in a line."""
        metrics, test = index.read_metrics(path), index.read_test(path)
        word, _, now = self.state(name, path)
        last = metrics[-1] if metrics else {}
        return {
            "name": name,
            "title": self._title(name, path),
            "state": word,
            "when": datetime.fromtimestamp(self._when(name, path), UTC)
            .astimezone()
            .isoformat(timespec="seconds"),
            "epochs": last.get("epoch", 0),
            "steps": max((now or {}).get("step") or 0, last.get("step", 0)),
            "val_top1": index.best_top1(metrics),
            "test_top1": test and test["top1"],
            "parameters": index.parameters_of(path),
        }

    def view(self, name: str) -> RunView:
        """A run to compare with others."""
        path = self.path(name)
        now = self.state(name, path).now or {}
        return RunView(path, self.line(name, path), now.get("seconds") or 0.0)

    def _title(self, name: str, path: Path) -> str:
        asked = self.processes.settings(name)
        if asked:
            asked = {"model": TrainConfig().model, **asked}
        return index.title_of(index.read_config(path)) or index.title_of(asked) or name

    def details(self, name: str) -> dict[str, Any]:
        """One run at length, but for its metrics and settings."""
        path = self.path(name)
        word, message, now = self.state(name, path)
        log = index.last_lines(path / "log.txt", _LINES)
        if word in ("starting", "failed") or not log:
            log = [*log, *self.processes.said(name, _LINES)][-_LINES:]
        return {
            "name": name,
            "title": self._title(name, path),
            "state": word,
            "message": message,
            "now": now,
            "test": index.read_test(path),
            "log": log,
        }

    def settings(self, name: str) -> dict[str, Any]:
        """The settings of a run, those that were asked for while it has not begun."""
        own = index.read_config(self.path(name)) or self.processes.settings(name)
        return {word: value for word, value in own.items() if word not in TABLES}

    def start(
        self, data: str, settings: Mapping[str, Any], *, name: str | None = None
    ) -> tuple[str, str]:
        """Begin a training in a process of its own; its name, and what should be known of it.

        Raises RequestError for what cannot be meant, before a process is made; WorkError.
        """
        place = self.given.place(data, self._paths().values())
        words = self.given.checked(settings, self.path)
        with self._writing:
            busy = self._busy()
            free, again = self._name(name, str(words.get("model", TrainConfig().model)), place)
            self.processes.reserve(free, {"data": place, **words}, again=again)
            config, out = self.processes.config(free), self.folder / free
            self.processes.begin(free, ["train", "--config", str(config), "--out", str(out)])
        return free, _slow(busy)

    def _busy(self) -> list[str]:
        """The runs that are at work. Raises RequestError where they are as many as may be."""
        states = {name: self.state(name, path) for name, path in self._paths().items()}
        found = [name for name, state in states.items() if state.state in ACTIVE]
        if len(found) >= MOST:
            raise RequestError(f"{MOST} trainings are at work. Stop one, or wait for its end.")
        return found

    def _name(self, name: str | None, model: str, data: str) -> tuple[str, bool]:
        """The name of a new run, and whether it is that of one that failed before it began."""
        taken = self._paths()
        lost = {other for other, path in taken.items() if self._is_lost(other, path)}
        if name is not None:
            if not _FREE_NAME.fullmatch(name):
                raise RequestError(
                    f"{name!r} is no name for a run: use letters, digits, - and _, at most 100."
                )
            if (name in taken and name not in lost) or (self.folder / name).exists():
                raise RequestError(f"There is a run {name} already. Choose another name.")
            return name, name in lost
        short = Path(model).stem if is_table(model) else model
        place = Path(data)
        kind = place.stem if place.is_file() else place.name
        today = f"{datetime.now(UTC).astimezone():%Y-%m-%d}_{slugify(short)}_{slugify(kind)}"
        there = {path.name for path in self.folder.glob("*")}
        free = unused_name(today, (taken.keys() - lost) | there)
        return free, free in lost

    def _is_lost(self, name: str, path: Path) -> bool:
        return not path.exists() and self.state(name, path).state == "failed"

    def resume(self, name: str) -> str:
        """Go on with a run that was stopped, in a process of its own; what should be known of it.

        Raises RequestError for a run that did not begin, is at work, or is done; WorkError.
        """
        with self._writing:
            path = self.path(name)
            word = self.state(name, path).state
            if word in ACTIVE or word == "done":
                raise RequestError(f"{name} is {word}; only what was stopped can go on.")
            if not (path / "config.toml").exists():
                raise RequestError(f"{name} never began; start it again.")
            busy = self._busy()
            self.processes.begin(name, ["resume", str(path)])
        return _slow(busy)

    def request(self, name: str, command: Command) -> int:
        """Ask a training for something; the id that it acknowledges once it has done it.

        Raises RequestError where nothing listens, WorkError where the run cannot be written.
        """
        path = self.path(name)
        word = self.state(name, path).state
        if word not in COMMANDABLE:
            raise RequestError(f"{name} is {word}; there is no training that would hear.")
        try:
            return Live(path).request(command)
        except OSError as error:
            raise WorkError(f"{name} cannot be written: {error.strerror}.") from error


def _slow(busy: Sequence[str]) -> str:
    verb = "is" if len(busy) == 1 else "are"
    return f"{', '.join(busy)} {verb} at work too: they slow each other." if busy else ""
