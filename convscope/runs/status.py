"""What a run is doing, from its folder alone: its last status, its lock and its test."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import filelock

from convscope.runs.index import read_now, read_test

ACTIVE = ("starting", "training", "paused", "evaluating", "testing")
"""States in which a process works on the run."""

COMMANDABLE = ACTIVE[1:]
"""States in which a training carries out commands."""

_SILENT_SECONDS = 5.0  # after which a training that does not update its status may be dead
_LOCK_SECONDS = 2.0  # for which the result of one look at a lock is reused


class RunStatus(NamedTuple):
    """The state of a run, a sentence about it, and the last status that its process wrote."""

    state: str
    message: str
    now: dict[str, Any] | None


class StatusReader:
    """Reads the status of runs; looks at each lock seldom, because looking takes the lock."""

    def __init__(self) -> None:
        self._locks: dict[Path, tuple[float, bool]] = {}

    def read(self, path: Path) -> RunStatus:
        """The status of the run at `path`."""
        now = read_now(path)
        if now is None:
            return self._without_status(path)
        state = str(now.get("state"))
        is_silent = abs(time.time() - now["updated_at"]) > _SILENT_SECONDS
        if state in COMMANDABLE and is_silent and not self._is_locked(path):
            saved = f", after step {now['saved_step']:,}" if now.get("saved_step") else ""
            message = "Its process was killed. It can be resumed from the last checkpoint"
            return RunStatus("interrupted", f"{message}{saved}.", now)
        return RunStatus(state, str(now.get("message") or ""), now)

    def _without_status(self, path: Path) -> RunStatus:
        """The status of a run that never wrote one: it is old, or has only just begun."""
        if read_test(path) is not None:
            return RunStatus("done", "", None)
        if self._is_locked(path):
            return RunStatus("starting", "Reading the images.", None)
        return RunStatus("stopped", "Stopped before the test.", None)

    def _is_locked(self, path: Path) -> bool:
        """Whether a process holds the run's lock."""
        at, is_locked = self._locks.get(path, (-_LOCK_SECONDS, False))
        if time.monotonic() - at < _LOCK_SECONDS:
            return is_locked
        is_locked = False
        if (path / ".lock").exists():
            try:
                with filelock.FileLock(path / ".lock", timeout=0):
                    pass
            except filelock.Timeout:
                is_locked = True
            except OSError:  # in a read-only folder the lock cannot be tried
                pass
        self._locks[path] = time.monotonic(), is_locked
        return is_locked
