"""ctrl-C and SIGTERM as a wish that is granted at the next safe place."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from convscope.errors import Interrupted


class Wish:
    """Whether somebody asked for the end, and by which signal.

    Attributes:
        patient: whether there is something to save first; until then the end comes at once.
        lab: whether the lab asked, which counts as SIGTERM.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.patient = self.lab = False

    def __bool__(self) -> bool:
        return self.signal is not None


@contextmanager
def wish_to_stop() -> Generator[Wish]:
    """Turn the first signal into a wish once that is patient; a second ctrl-C interrupts at once.

    Signals reach only the main thread; in another this waits for none. Handlers go back after.
    """
    wish = Wish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return

    def hear(number: int, _frame: FrameType | None) -> None:
        if not wish.patient:
            raise Interrupted("Stopped before the training began; nothing was made.", signal=number)
        if wish.signal == signal.SIGINT == number:
            raise KeyboardInterrupt
        wish.signal = number

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
