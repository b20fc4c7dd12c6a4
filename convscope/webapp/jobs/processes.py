"""Trainings in their own processes, which outlive the lab that started them."""

import contextlib
import subprocess
import sys
import threading
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import tomli_w

from convscope.errors import RequestError, WorkError
from convscope.regular_files import open_regular, read_regular
from convscope.runs.index import last_lines

try:
    import fcntl
except ImportError:  # Windows: there a lab knows only the processes that it started itself
    fcntl = None

_PREFIXES = ("convscope: ", "error: ")  # of the message with which a process ends


class Processes:
    """Processes started for the runs in `folder`, with their files in `folder/.lab`:

    - `NAME.toml`: the settings that a training is started with, until its run folder has them
    - `tables/NAME.toml`: the layer table of a network that was edited in the page
    - `NAME.started`: empty; its time is the time at which the last process was started
    - `NAME.log`: the output of the last process; its lock is held for as long as that process lives
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / ".lab"
        self._own: dict[str, subprocess.Popen[bytes]] = {}

    def pending(self) -> list[str]:
        """The names of trainings that have no run folder yet, or failed before they had one."""
        return [path.name.removesuffix(".toml") for path in self.folder.glob("*.toml")]

    def release(self, name: str) -> None:
        """Delete the settings of a training that has a run folder now."""
        with contextlib.suppress(OSError):
            self.config(name).unlink(missing_ok=True)

    def config(self, name: str) -> Path:
        """The file of the settings that a training is started with."""
        return self.folder / f"{name}.toml"

    def settings(self, name: str) -> dict[str, Any]:
        """The settings that a training was started with; empty once its run folder has them."""
        try:
            return tomllib.loads(read_regular(self.config(name)).decode())
        except (OSError, ValueError):
            return {}

    def reserve(self, name: str, settings: Mapping[str, Any], *, is_retry: bool) -> None:
        """Reserve a name and write the settings; a retry takes the name of one that failed.

        Raises RequestError if the name is taken, WorkError if the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if is_retry:
                self.config(name).unlink(missing_ok=True)
            with self.config(name).open("xb") as file:
                file.write(tomli_w.dumps(settings).encode())
        except FileExistsError as error:
            raise RequestError(f"There is already a run {name}. Choose another name.") from error
        except UnicodeEncodeError as error:
            self.config(name).unlink(missing_ok=True)
            raise RequestError(f"A setting is not valid text: {error}.") from error
        except OSError as error:
            raise WorkError(
                f"{self.folder} cannot be written: {error.strerror}. Start the lab with another "
                "--runs."
            ) from error

    def write_table(self, name: str, text: str) -> Path:
        """Write the layer table that a training is started with. Raises WorkError."""
        path = self.folder / "tables" / f"{name}.toml"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        except OSError as error:
            raise WorkError(f"{path} cannot be written: {error.strerror}.") from error
        return path

    def start(self, name: str, arguments: Sequence[str]) -> None:
        """Start `convscope ARGUMENTS` in a process that the lab does not end. Raises WorkError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._start_mark(name).touch()
            with self._log(name).open("wb") as log:
                _lock(log)
                process = subprocess.Popen(  # noqa: S603 -- our own command; no shell
                    [sys.executable, *_safe_path(), "-m", "convscope", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    creationflags=getattr(subprocess, "DETACHED_PROCESS", 0),
                )
        except OSError as error:
            raise WorkError(f"{name} could not be started: {error.strerror}.") from error
        self._own[name] = process
        threading.Thread(target=process.wait, daemon=True).start()  # leaves no zombie

    def started_at(self, name: str) -> float | None:
        """When the last process of that name was started, in seconds of unix time; None: never."""
        with contextlib.suppress(OSError):
            return self._start_mark(name).stat().st_mtime
        return None

    def is_alive(self, name: str) -> bool:
        """Whether the last process of that name lives, whichever lab started it."""
        process = self._own.get(name)
        return process.poll() is None if process else _is_locked(self._log(name))

    def last_lines(self, name: str, count: int) -> list[str]:
        """The last lines of the output of the last process of that name."""
        return last_lines(self._log(name), count)

    def last_line(self, name: str) -> str:
        """The last of these lines, without the program's name; "" if there is none."""
        line = (self.last_lines(name, 1) or [""])[0]
        for prefix in _PREFIXES:
            line = line.removeprefix(prefix)
        return line

    def _start_mark(self, name: str) -> Path:
        return self.folder / f"{name}.started"

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


def _safe_path() -> list[str]:
    """The flag that keeps the current folder off the path, unless convscope itself lies there."""
    return [] if Path(__file__).parents[3] == Path.cwd() else ["-P"]


def _lock(file: BinaryIO) -> None:
    """Lock an open file until the last process that has inherited it is gone."""
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a drive without locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_locked(path: Path) -> bool:
    if fcntl is None:
        return False
    try:
        with open_regular(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
