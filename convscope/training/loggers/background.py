"""A logger on a thread of its own: whatever becomes of it, training goes on."""

import threading
from collections.abc import Callable
from queue import Empty, Queue

from convscope.training.loggers.base import Ending, LoggedRun, Logger, Point

_WAITING = 20_000  # points, after which the logger counts as too slow
_CLOSING = {"finished": 30.0, "failed": 5.0, "stopped": 5.0}  # seconds

_Work = LoggedRun | Point | Ending | None


class Background:
    """Hands the points of a training to a logger, which has all the time that it needs.

    An exception, and a logger that cannot keep up, end the logging: `news` says so, once.

    Args:
        make: imports the library behind a logger, which may take seconds, and makes it.
    """

    def __init__(self, title: str, make: Callable[[], Logger]) -> None:
        self.title, self._make = title, make
        self._queue: Queue[_Work] = Queue(_WAITING)
        self._news: Queue[str] = Queue()
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"convscope {title}", daemon=True)

    def open(self, run: LoggedRun) -> None:
        """Begin."""
        self._queue.put(run)
        self._thread.start()

    def log(self, point: Point) -> None:
        """Log a point, some time."""
        self._put(point)

    def flush(self) -> None:
        """Let the logger write what it has."""
        self._put(None)

    def close(self, ending: Ending) -> None:
        """End, within a bounded time."""
        if not self._thread.is_alive():
            return
        self._put(ending)
        self._thread.join(_CLOSING[ending])
        if self._thread.is_alive() and not self._given_up.is_set():
            self._give_up(f"it was not ready {_CLOSING[ending]:g} s after the end")

    def news(self) -> list[str]:
        """What the user should know that was not told yet."""
        found: list[str] = []
        while not self._news.empty():
            found.append(self._news.get())
        return found

    def _put(self, work: _Work) -> None:
        if self._given_up.is_set():
            return
        if self._queue.full():
            self._give_up(f"{_WAITING:,} points wait for it, it is too slow")
        else:
            self._queue.put(work)

    def _give_up(self, why: str) -> None:
        self._given_up.set()
        self._news.put(f"{self.title} logs no more of this training, which goes on: {why}.")

    def _work(self) -> None:
        try:
            run = self._queue.get()
            logger = self._make()
            assert isinstance(run, LoggedRun)
            self._news.put(f"{self.title} logs to {logger.open(run)}.")
            while not self._given_up.is_set():
                points, last = self._waiting()
                logger.log(points)
                if last is None:
                    logger.flush()
                elif not isinstance(last, Point | LoggedRun):
                    logger.close(last)
                    return
        except Exception as error:  # noqa: BLE001 -- of any library, which must not end a training
            text = str(error).strip().split("\n")[0].rstrip(".")
            self._give_up(f"{type(error).__name__}{f': {text}' if text else ''}")

    def _waiting(self) -> tuple[list[Point], _Work]:
        """The points that wait, up to other work, and that work or the last of them."""
        points: list[Point] = []
        work = self._queue.get()
        while isinstance(work, Point):
            points.append(work)
            try:
                work = self._queue.get_nowait()
            except Empty:
                return points, points[-1]
        return points, work
