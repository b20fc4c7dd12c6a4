"""Several processes that answer on one socket; one that dies is replaced."""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from convscope.errors import WorkError
from convscope.serving.logs import Log
from convscope.serving.settings import TOKEN_VARIABLE, ServeSettings
from convscope.words.json_text import to_json

METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_STEADY_SECONDS = 10.0  # after which a process is not thought to fail at once
_LONGEST_PAUSE = 5.0
_MARGIN_SECONDS = 5.0  # beyond `drain`, for a process to end
_TICK = 0.1


class _Process:
    """A process that answers requests, and the pipe that says when it does."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], given: str, fd: int):
        self._reader, writer = os.pipe()
        self.started = time.monotonic()
        self.is_ready = False
        self.process = subprocess.Popen(  # noqa: S603 -- our own module
            [*command, str(fd), str(writer)],
            env=environment,
            pass_fds=(fd, writer),
            stdin=subprocess.PIPE,
            text=True,
        )
        os.close(writer)
        assert self.process.stdin is not None
        self.process.stdin.write(given + "\n")  # and stays open: its end is the end of this process
        self.process.stdin.flush()

    def look(self) -> bool:
        """Whether it has become ready since the last look."""
        if not self.is_ready and select.select([self._reader], [], [], 0)[0]:
            self.is_ready = bool(os.read(self._reader, 1))
            return self.is_ready
        return False

    def send(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def close(self) -> None:
        os.close(self._reader)
        if self.process.stdin is not None:
            with suppress(OSError):
                self.process.stdin.close()


class Supervisor:
    """Starts processes, hands signals on to them, and replaces those that die."""

    def __init__(
        self,
        folder: Path,
        settings: ServeSettings,
        listening: socket.socket,
        *,
        hosts: frozenset[str] | None,
        token: str | None,
    ) -> None:
        self._settings, self._listening, self._token = settings, listening, token
        told = {
            "folder": str(folder),
            "settings": asdict(settings),
            "hosts": None if hosts is None else sorted(hosts),
        }
        self._told = to_json(told)
        self._processes: list[_Process] = []
        self._pause = _TICK
        self._next_start = 0.0
        self._is_told_to_end = False
        self._ending: float | None = None
        self._status = 0
        self._log = Log()

    def run(self, when_ready: Callable[[], None]) -> int:
        """Serve until a signal; the exit status: 0, or 1 if requests were cut off.

        Raises WorkError if no process becomes ready at the start.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note_signal)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._hand_on)
        self._listening.listen()
        with tempfile.TemporaryDirectory(prefix="convscope-metrics-") as metrics:
            self._environment = {**os.environ, METRICS_VARIABLE: metrics}
            self._environment.pop(TOKEN_VARIABLE, None)
            if self._token is not None:
                self._environment[TOKEN_VARIABLE] = self._token
            try:
                self._supervise(when_ready)
            finally:
                self._stop()
        self._log.close()
        return self._status

    def _supervise(self, when_ready: Callable[[], None]) -> None:
        has_started = False
        while self._ending is None or self._processes:
            now = time.monotonic()
            if self._is_told_to_end and self._ending is None:
                self._end()
            if self._ending is None and now >= self._next_start:
                while len(self._processes) < self._settings.workers:
                    self._start()
            for one in list(self._processes):
                one.look()
                if one.process.poll() is not None:
                    self._bury(one, is_first=not has_started)
            if not has_started and self._processes and all(one.is_ready for one in self._processes):
                has_started = True
                when_ready()
            if self._ending is not None and now > self._ending:
                self._status = 1
                return
            time.sleep(_TICK)

    def _start(self) -> None:
        command = [sys.executable, "-m", "convscope.serving.process"]
        self._processes.append(
            _Process(command, self._environment, self._told, self._listening.fileno())
        )

    def _bury(self, one: _Process, *, is_first: bool) -> None:
        status = one.process.returncode
        self._processes.remove(one)
        one.close()
        with suppress(OSError):  # its gauges; what it counted stays
            for file in Path(self._environment[METRICS_VARIABLE]).glob(
                f"gauge_live*_{one.process.pid}.db"
            ):
                file.unlink()
        if self._ending is not None:
            self._status = max(self._status, int(status != 0))
            return
        if is_first and not one.is_ready and status > 0:
            raise WorkError("The network could not be served. What is above says why.")
        self._log.write("worker died", pid=one.process.pid, status=status)
        was_steady = time.monotonic() - one.started > _STEADY_SECONDS
        self._pause = _TICK if was_steady else min(2 * self._pause, _LONGEST_PAUSE)
        self._next_start = time.monotonic() + self._pause

    def _note_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._is_told_to_end = True

    def _end(self) -> None:
        self._ending = time.monotonic() + self._settings.drain + _MARGIN_SECONDS
        self._listening.close()
        for one in self._processes:
            one.send(signal.SIGTERM)

    def _hand_on(self, number: int, _frame: FrameType | None) -> None:
        for one in self._processes:
            if one.is_ready:  # before that, it would end by it
                one.send(number)

    def _stop(self) -> None:
        for one in self._processes:
            one.process.kill()
            one.process.wait()
            one.close()
        self._processes.clear()
