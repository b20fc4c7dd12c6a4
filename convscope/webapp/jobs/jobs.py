"""The training runs that a lab knows: lists them, shows what they do, starts and controls them."""

import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from convscope.comparison.runs import RunView
from convscope.data.source import NAMES, is_here
from convscope.errors import RequestError, WorkError, nearest
from convscope.evaluation.metrics import METRICS
from convscope.runs import index
from convscope.runs.folder import Run, slugify
from convscope.runs.live_files import Command, Live
from convscope.runs.own_code import Consent, is_own_code
from convscope.runs.status import ACTIVE, COMMANDABLE, RunStatus, StatusReader
from convscope.training.config import AUTO, TABLES, TrainConfig
from convscope.training.folds.folder import REQUEST, FoldsFolder
from convscope.webapp.jobs.folds import fold_runs, view_folds
from convscope.webapp.jobs.preview import preview_png
from convscope.webapp.jobs.processes import Processes
from convscope.webapp.jobs.sources import DataSources, unused_name
from convscope.zoo.table_file import is_table

MAX_RUNNING = 8
"""The number of trainings that can run at a time."""

_LOG_LINES = 20
_VALID_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


class TrainingJobs:
    """The runs of a folder, and other runs that were named when the lab was started.

    `data` are folders and CSVs that the page can train on, beside the named data sets; `models` are
    networks beside the zoo's: layer tables and `module:attr`. The code of their own that `trusted`
    runs recorded may be imported; of others, only where this user made them. A run is called by
    the name of its folder, a second one of the same name NAME-2: no request carries a path.
    """

    def __init__(
        self,
        folder: Path,
        *,
        runs: Sequence[Path] = (),
        trusted: Sequence[Path] = (),
        data: Sequence[str] = (),
        models: Sequence[str] = (),
    ) -> None:
        self.folder = folder.resolve()
        self.processes = Processes(self.folder)
        self.sources = DataSources(data, models)
        self._trusted = {path.resolve() for path in trusted}
        self._elsewhere: dict[str, Path] = {}
        self._writing = threading.Lock()
        self._statuses = StatusReader()
        for run in runs:
            path = Run.open(run).path.resolve()
            if path.parent != self.folder and path not in self._elsewhere.values():
                self._elsewhere[unused_name(path.name, self._paths())] = path

    def paths(self) -> dict[str, Path]:
        """The folder of each run by its name, the newest first.

        Also runs that were started from the page and have no folder yet, or failed before that.
        """
        paths = self._paths()
        return dict(sorted(paths.items(), key=lambda item: -self._started_at(*item)))

    def _paths(self) -> dict[str, Path]:
        paths = dict(self._elsewhere)
        pending = self.processes.pending()
        with suppress(OSError):
            for path in sorted(self.folder.iterdir()):
                if not path.name.startswith(".") and (path / "config.toml").is_file():
                    paths[unused_name(path.name, paths)] = path
                    if path.name in pending:
                        self.processes.release(path.name)
                elif FoldsFolder.is_one(path):
                    for part in fold_runs(path):
                        paths[unused_name(f"{path.name}_{part.name}", paths)] = part
        for name in pending:
            paths.setdefault(name, self.folder / name)
        return paths

    def path(self, name: str) -> Path:
        """The folder of a run. Raises RequestError for an unknown name."""
        paths = self._paths()
        if name not in paths:
            raise RequestError(f"There is no run {name!r} in this lab.{nearest(name, paths)}")
        return paths[name]

    def consent(self, path: Path) -> Consent:
        """What the code of a run's network may do: what was said when the lab was started."""
        return Consent(trust=path.resolve() in self._trusted, signed=True)

    def _started_at(self, name: str, path: Path) -> float:
        """When a run was started, in seconds of unix time."""
        modified, _ = index.stamp(path / "config.toml")
        return modified / 1e9 if modified else self.processes.started_at(name) or 0.0

    def status(self, name: str, path: Path) -> RunStatus:
        """What a run is doing, by its folder, or by a process of the lab that started later."""
        now, started_at = index.read_now(path), self.processes.started_at(name)
        if started_at is not None and (now is None or now["updated_at"] < started_at):
            if self.processes.is_alive(name):
                return RunStatus("starting", self._starting_message(name), now)
            if index.read_test(path) is None:
                output = self.processes.last_line(name)
                return RunStatus("failed", output or "Its process ended without a message.", now)
        return self._statuses.read(path)

    def _starting_message(self, name: str) -> str:
        output = self.processes.last_line(name)
        data = self.processes.settings(name).get("data")
        if not output and data in NAMES and not is_here(str(data)):
            return f"Downloading {data}, then reading the images."
        return output or "Reading the images."

    def list_runs(self) -> list[dict[str, Any]]:
        """A summary of every run, the newest first."""
        return [self._summary(name, path) for name, path in self.paths().items()]

    def list_folds(self) -> list[dict[str, Any]]:
        """The cross-validations, the newest first, each with the names of its runs."""
        names = {path: name for name, path in self.paths().items()}
        folders = {path.parent for path in names if FoldsFolder.is_one(path.parent)}
        newest = sorted(folders, key=lambda path: -(index.stamp(path / REQUEST)[0] or 0))
        return [view_folds(path, names) for path in newest]

    def _summary(self, name: str, path: Path) -> dict[str, Any]:
        metrics, test = index.read_metrics(path), index.read_test(path)
        task = index.read_task(path)
        metric = METRICS[task][0]
        state, _, now = self.status(name, path)
        last = metrics[-1] if metrics else {}
        started = datetime.fromtimestamp(self._started_at(name, path), UTC).astimezone()
        return {
            "name": name,
            "title": self._title(name, path),
            "state": state,
            "when": started.isoformat(timespec="seconds"),
            "epochs": last.get("epoch", 0),
            "steps": max((now or {}).get("step") or 0, last.get("step", 0)),
            "task": task,
            "metric": metric,
            "val_value": index.best_value(metrics, metric),
            "test_value": test and test.get(metric),
            "val_top1": index.best_value(metrics, "top1"),
            "test_top1": test and test["top1"],
            "parameters": index.count_parameters(path),
        }

    def view(self, name: str) -> RunView:
        """A run to compare with others."""
        path = self.path(name)
        now = self.status(name, path).now or {}
        seconds = now.get("seconds") or 0.0
        return RunView(path, self._summary(name, path), seconds, self.consent(path))

    def _title(self, name: str, path: Path) -> str:
        requested = self.processes.settings(name)
        if requested:
            requested = {"model": AUTO, **requested}
        return index.run_title(index.read_config(path)) or index.run_title(requested) or name

    def details(self, name: str) -> dict[str, Any]:
        """One run's state, message, status, test and last lines of its log."""
        path = self.path(name)
        state, message, now = self.status(name, path)
        log = index.last_lines(path / "log.txt", _LOG_LINES)
        if state in ("starting", "failed") or not log:
            log = [*log, *self.processes.last_lines(name, _LOG_LINES)][-_LOG_LINES:]
        return {
            "name": name,
            "title": self._title(name, path),
            "task": index.read_task(path),
            "metric": METRICS[index.read_task(path)][0],
            "state": state,
            "message": message,
            "now": now,
            "test": index.read_test(path),
            "log": log,
        }

    def settings(self, name: str) -> dict[str, Any]:
        """The settings of a run; before it has a folder, those that were requested."""
        config = index.read_config(self.path(name)) or self.processes.settings(name)
        return {key: value for key, value in config.items() if key not in TABLES}

    def start(
        self,
        data: str,
        settings: Mapping[str, Any],
        *,
        name: str | None = None,
        table: str | None = None,
    ) -> tuple[str, str]:
        """Start a training in its own process; returns its name, and a warning or "".

        `table` is the text of a layer table, which takes the place of the setting `model`.

        Raises RequestError for an invalid request, before there is a process; WorkError if the
        process cannot be started.
        """
        path = self.sources.data_path(data, self._paths().values())
        config = self.sources.checked_settings(settings, self.path)
        if table is not None and "model" in config:
            raise RequestError("A training has a network by its name or by its table; choose one.")
        with self._writing:
            running = self._running()
            model = "table.toml" if table is not None else str(config.get("model", AUTO))
            run, is_retry = self._name(name, model, path)
            if table is not None:
                config["model"] = str(self.processes.write_table(run, table))
            self.processes.reserve(run, {"data": path, **config}, is_retry=is_retry)
            file, out = self.processes.config(run), self.folder / run
            own = str(config.get("model", ""))
            named = ["--model", own] if is_own_code(own) else []
            self.processes.start(run, ["train", "--config", str(file), *named, "--out", str(out)])
        return run, _slowdown_warning(running)

    def preview(self, data: str, settings: Mapping[str, Any]) -> bytes:
        """What a training would show its network, as a PNG. Raises RequestError."""
        path = self.sources.data_path(data, self._paths().values())
        return preview_png(path, self.sources.checked_settings(settings, self.path))

    def _running(self) -> list[str]:
        """The runs that a process works on. Raises RequestError if no more may be started."""
        states = {name: self.status(name, path).state for name, path in self._paths().items()}
        running = [name for name, state in states.items() if state in ACTIVE]
        if len(running) >= MAX_RUNNING:
            raise RequestError(
                f"{MAX_RUNNING} trainings are running. Stop one, or wait for one to end."
            )
        return running

    def _name(self, name: str | None, model: str, data: str) -> tuple[str, bool]:
        """The name of a new run, and whether an earlier one failed under it before it had a folder.

        Raises RequestError for a name that is invalid or taken.
        """
        paths = self._paths()
        failed = {
            run
            for run, path in paths.items()
            if not path.exists() and self.status(run, path).state == "failed"
        }
        if name is not None:
            if not _VALID_NAME.fullmatch(name):
                raise RequestError(
                    f"{name!r} is not a valid name of a run: use up to 100 letters, digits, - and "
                    "_."
                )
            if (name in paths and name not in failed) or (self.folder / name).exists():
                raise RequestError(f"There is already a run {name}. Choose another name.")
            return name, name in failed
        model_name = Path(model).stem if is_table(model) else model
        data_name = Path(data).stem if Path(data).is_file() else Path(data).name
        today = f"{datetime.now(UTC).astimezone():%Y-%m-%d}"
        named = f"{slugify(model_name)}_" if model != AUTO else ""
        default = f"{today}_{named}{slugify(data_name)}"
        files = {path.name for path in self.folder.glob("*")}
        run = unused_name(default, (paths.keys() - failed) | files)
        return run, run in failed

    def resume(self, name: str) -> str:
        """Resume a stopped run in its own process; returns a warning or "".

        Raises RequestError for a run that never started, is active, or is done; WorkError if the
        process cannot be started.
        """
        with self._writing:
            path = self.path(name)
            state = self.status(name, path).state
            if state in ACTIVE or state == "done":
                raise RequestError(f"{name} is {state}; only a stopped run can be resumed.")
            if not (path / "config.toml").exists():
                raise RequestError(f"{name} never started; start it again.")
            running = self._running()
            trust = "--trust" if self.consent(path).trust else "--trust-signed"
            self.processes.start(name, ["resume", str(path), trust])
        return _slowdown_warning(running)

    def request(self, name: str, command: Command, *, lr: float | None = None) -> int:
        """Send a command to a training; the id that it acknowledges once it has carried it out.

        `lr` is the learning rate that the command "lr" sets.

        Raises RequestError for a run that is not active, WorkError if its folder is read-only.
        """
        if (command == "lr") != (lr is not None):
            raise RequestError("The command lr goes with a learning rate, and only that one.")
        if lr is not None:
            TrainConfig.from_dict({"lr": lr}, source="The learning rate")
        path = self.path(name)
        state = self.status(name, path).state
        if state not in COMMANDABLE:
            raise RequestError(f"{name} is {state}; it takes commands only while it is training.")
        try:
            return Live(path).request(command, lr)
        except OSError as error:
            raise WorkError(f"{name} cannot be written: {error.strerror}.") from error


def _slowdown_warning(running: Sequence[str]) -> str:
    verb = "is" if len(running) == 1 else "are"
    return f"{', '.join(running)} {verb} running too: they slow each other down." if running else ""
