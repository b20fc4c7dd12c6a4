"""Trainings in processes of their own, which outlive the lab that began them."""

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
from convscope.runs.index import last_lines

try:
    import fcntl
except ImportError:  # Windows: there a lab knows only the processes that it began itself
    fcntl = None

_SPEAKERS = ("convscope: ", "error: ")  # before the sentence with which a process ends


class Processes:
    """What is begun from the folder of runs at `folder`, told in its `.lab`:

    - `NAME.toml`: the settings that a training is begun with, until its run folder has them
    - `NAME.began`: empty; its time is that at which the last process was begun
    - `NAME.log`: what the last process said; its lock is held for as long as that process lives
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / ".lab"
        self._own: dict[str, subprocess.Popen[bytes]] = {}

    def names(self) -> list[str]:
        """What was begun and has no run folder yet, or came to nothing."""
        return [path.name.removesuffix(".toml") for path in self.folder.glob("*.toml")]

    def settle(self, name: str) -> None:
        """Forget the settings of what has a run folder now."""
        with contextlib.suppress(OSError):
            self.config(name).unlink(missing_ok=True)

    def config(self, name: str) -> Path:
        return self.folder / f"{name}.toml"

    def settings(self, name: str) -> dict[str, Any]:
        """The settings that a training was begun with; empty once its run folder has them."""
        try:
            return tomllib.loads(self.config(name).read_text("utf-8"))
        except (OSError, ValueError):
            return {}

    def reserve(self, name: str, settings: Mapping[str, Any], *, again: bool) -> None:
        """Take a name, and keep the settings under it; `again`: also where one failed before.

        Raises RequestError where the name is taken, WorkError where the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if again:
                self.config(name).unlink(missing_ok=True)
            with self.config(name).open("xb") as file:
                file.write(tomli_w.dumps(settings).encode())
        except FileExistsError as error:
            raise RequestError(f"There is a run {name} already. Choose another name.") from error
        except UnicodeEncodeError as error:
            self.config(name).unlink(missing_ok=True)
            raise RequestError(f"A setting is no text that can be written: {error}.") from error
        except OSError as error:
            raise WorkError(
                f"{self.folder} cannot be written: {error.strerror}. Start the lab with another "
                "--runs."
            ) from error

    def begin(self, name: str, words: Sequence[str]) -> None:
        """Begin `convscope WORDS` as a process that nothing here ends. Raises WorkError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._began(name).touch()
            with self._log(name).open("wb") as log:
                _lock(log)
                child = subprocess.Popen(  # noqa: S603 -- our own command; no shell
                    [sys.executable, "-m", "convscope", *words],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise WorkError(f"{name} could not be begun: {error.strerror}.") from error
        self._own[name] = child
        threading.Thread(target=child.wait, daemon=True).start()  # leaves no zombie

    def began(self, name: str) -> float | None:
        """When the last process of that name was begun, in seconds of unix time; None: never."""
        with contextlib.suppress(OSError):
            return self._began(name).stat().st_mtime
        return None

    def is_alive(self, name: str) -> bool:
        """Whether its last process lives, whichever lab began it."""
        own = self._own.get(name)
        return own.poll() is None if own else _is_locked(self._log(name))

    def said(self, name: str, count: int) -> list[str]:
        """The last lines that its last process said."""
        return last_lines(self._log(name), count)

    def last_line(self, name: str) -> str:
        """The last of these, without the name of who said it; empty where it said nothing."""
        sentence = (self.said(name, 1) or [""])[0]
        for speaker in _SPEAKERS:
            sentence = sentence.removeprefix(speaker)
        return sentence

    def _began(self, name: str) -> Path:
        return self.folder / f"{name}.began"

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


def _lock(file: BinaryIO) -> None:
    """Lock an open file until the last process that has inherited it is gone."""
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a drive without locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_locked(path: Path) -> bool:
    if fcntl is None:
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
