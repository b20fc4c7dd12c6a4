"""The command line in processes of their own that begin at once.

A process that imports torch works for seconds before it reads a word. Here
one process imports them, and each command is forked from it: with its own memory, folder,
environment, output and signals, and with an end of its own.
"""

import contextlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping
from multiprocessing import reduction
from pathlib import Path
from typing import Any, BinaryIO

import convscope
from convscope.__main__ import main
from convscope.cli import COMMANDS

FORKS = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
FORKS.set_forkserver_preload(
    [
        *(f"convscope.cli.{verb.replace('-', '_')}" for verb in COMMANDS),
        *("convscope.cli.terminal", "convscope.training.start", "convscope.training.resumption"),
        *("convscope.evaluation.evaluate", "convscope.evaluation.predict"),
        *("llvmlite.binding", "PIL.PngImagePlugin", "torch._dynamo"),
        *("benchmarks.torchvision_operators", "timm"),
    ]
)


class Forked:
    """`convscope WORDS` at work in `cwd`, in a session of its own; `prepare` is called first."""

    def __init__(
        self,
        *words: object,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self._said = Path(tempfile.mkdtemp(prefix="convscope-"))
        weakref.finalize(self, shutil.rmtree, self._said, ignore_errors=True)
        place, said = str(cwd or Path.cwd()), (str(self._said / "out"), str(self._said / "err"))
        for path in said:
            Path(path).touch()
        given = (list(map(str, words)), place, dict(env or os.environ), said, prepare)
        self._process = FORKS.Process(target=_run, args=given, daemon=True)
        self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Its status once it has ended; −n where signal n ended it."""
        return self._process.exitcode

    def wait(self, timeout: float = 300) -> int:
        """Its status, once it has ended; what has not in so many seconds is killed."""
        self._process.join(timeout)
        if self.poll() is None:
            self.signal(signal.SIGKILL)
            raise TimeoutError(f"{timeout} s were not enough.\n{self.stdout}\n{self.stderr}")
        return self._process.exitcode

    def signal(self, number: int) -> None:
        """Send a signal to it and to all that it began."""
        with contextlib.suppress(ProcessLookupError):  # it has ended
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:  # or has no session yet
                os.kill(self.pid, number)

    @property
    def stdout(self) -> str:
        return (self._said / "out").read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        return (self._said / "err").read_text(encoding="utf-8")


class ForkedPopen:
    """Stands in for `subprocess.Popen` where the lab starts `python -m convscope ...`."""

    def __init__(
        self,
        command: list[str],
        *,
        stdin: int,
        stdout: BinaryIO,
        stderr: int,
        start_new_session: bool,
        creationflags: int,
    ) -> None:
        command = [word for word in command if word != "-P"]
        assert command[:3] == [sys.executable, "-m", "convscope"]
        assert (stdin, stderr) == (subprocess.DEVNULL, subprocess.STDOUT)
        assert start_new_session
        assert not creationflags  # which only Windows has
        given = (command[3:], str(Path.cwd()), dict(os.environ), _Shared(stdout.fileno()))
        self._process = FORKS.Process(target=_run, args=given, daemon=True)
        self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self.poll()

    def kill(self) -> None:
        self._process.kill()


class _Shared:
    """An open file that a forked process shares, locks included."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Callable[[Any], int], tuple[Any]]:
        return _received, (reduction.DupFd(self.number),)


def _received(file: Any) -> int:
    return file.detach()


def _run(
    words: list[str],
    place: str,
    environment: Mapping[str, str],
    said: tuple[str, str] | int,
    prepare: Callable[[], None] | None = None,
) -> None:
    """Be `python -m convscope WORDS` from where its imports are done."""
    if hasattr(os, "setsid"):
        os.setsid()
    os.chdir(place)
    os.environ.clear()
    os.environ.update(environment)
    for number in (1, 2):
        flags = os.O_WRONLY | os.O_APPEND
        file = said if isinstance(said, int) else os.open(said[number - 1], flags)
        os.dup2(file, number)
        if file != said:
            os.close(file)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.argv = [str(Path(convscope.__file__).with_name("__main__.py")), *words]
    sys.path.insert(0, place)
    if prepare is not None:
        prepare()
    main()
