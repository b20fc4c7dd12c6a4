"""How a signal ends the command line: at once, in one sentence, with nothing half written.

An exception that a signal raises can come up anywhere: inside an import, a finalizer or a library
that swallows it. So the handler here raises none. It undoes what is half done, writes the sentence
and ends the process.
"""

import atexit
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from types import FrameType
from typing import NoReturn

from convscope.words import visible

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")

_half_done: list[Callable[[], object]] = []


@contextlib.contextmanager
def undone_by_exit(undo: Callable[[], object]) -> Generator[None]:
    """Have `undo` called if a signal ends the process within; any thread may ask for it."""
    _half_done.append(undo)
    try:
        yield
    finally:
        _half_done.remove(undo)


class ExitBySignal:
    """The signal handler of the command line.

    The exit status is 128 + the number of the first signal: 130 for SIGINT, 143 for SIGTERM, 129
    for SIGHUP.
    """

    def __init__(self) -> None:
        self._status: int | None = None
        self._sentence = ""
        self._is_ending = self._has_spoken = False

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self.exit(number, f"Interrupted by {signal.Signals(number).name}.")

    def exit(self, number: int, sentence: str) -> None:
        """End the process; if its last words are being said, let it end by itself."""
        if self._has_spoken:
            os._exit(self._status or 128 + number)
        if self._is_ending:
            return
        self._is_ending = True
        for undo in reversed(_half_done):
            with contextlib.suppress(Exception):
                undo()
        with contextlib.suppress(Exception):  # it may be in the middle of a write
            sys.stdout.flush()
        with contextlib.suppress(OSError):  # of a terminal that is gone
            os.write(2, _line(self._sentence or sentence).encode(errors="backslashreplace"))
        os._exit(self._status or 128 + number)

    def decided(self, status: int, sentence: str) -> None:
        """From now on, every signal ends the process with this status and sentence."""
        self._status, self._sentence = status, sentence

    def say(self, sentence: str, *lines: str) -> None:
        """Write the last sentence of the process; a signal that comes later writes no other."""
        self._is_ending = True
        print_error(sentence, *lines)
        self._has_spoken = True


def exit_on_signals() -> ExitBySignal:
    """Handle the signals that end a process from here on; only in the main thread.

    SIGHUP is left ignored where it is, as by nohup.
    """
    handler = ExitBySignal()
    for number in ending_signals():
        signal.signal(number, handler)
    atexit.register(_ignore)  # of all functions at exit the last: what is left ends in any case
    return handler


def ending_signals() -> list[signal.Signals]:
    """The signals that ask a process to end."""
    known = [signal.Signals[name] for name in _NAMES if hasattr(signal, name)]
    return [
        number
        for number in known
        if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN
    ]


def exit_with(status: int, sentence: str, *lines: str) -> NoReturn:
    """Write the last sentence of the command line on standard error, and end it.

    `lines` are commands to copy, below it.
    """
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, ExitBySignal):
        handler.say(sentence, *lines)
    else:
        print_error(sentence, *lines)
    sys.exit(status)


def print_error(sentence: str, *lines: str) -> None:
    """Write a sentence on standard error, and lines below it."""
    with contextlib.suppress(OSError):
        below = "".join(f"  {visible(line)}\n" for line in lines)
        print(_line(sentence) + below, end="", file=sys.stderr)  # noqa: T201


def _line(sentence: str) -> str:
    program = Path(sys.argv[0]).name if sys.argv[0].endswith("convscope") else "convscope"
    return visible(f"{program}: {sentence}") + "\n"


def _ignore() -> None:
    for number in ending_signals():
        signal.signal(number, signal.SIG_IGN)
