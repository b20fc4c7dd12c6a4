"""Work for the page that takes longer than a request: done in the background, one after another."""

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from convscope.errors import ConvscopeError, RequestError, WorkError
from convscope.words.json_text import to_json

MAX_WAITING = 16
"""Of a lane, beside the one that runs."""

_MAX_KEPT = 64
_MAX_BYTES = 128 << 20  # of kept results and files
_ABANDONED_SECONDS = 90.0  # a page in the background asks once a minute

State = Literal["waiting", "running", "done", "failed", "stopped"]
Lane = Literal["image", "data"]
"""What works on one image does not wait for what reads a data set."""


class Stopped(Exception):
    """Nobody waits for the result any more."""


class TooManyWaiting(WorkError):
    """A lane takes no more."""


@dataclass(frozen=True)
class File:
    """Bytes of a result, such as a map or a picture, and what they are."""

    data: bytes
    media_type: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class Computation:
    """One piece of work: what it was asked for, how far it is, what there is of its result.

    The work is a function that gets the computation, calls `report` often, and calls `publish` with
    its result, as often as there is more of it.

    Attributes:
        id: by which the page asks for it.
        state: "waiting", "running", "done", "failed" or "stopped".
        message: why it failed.
        version: how often its result has changed.
        result: values of JSON; None before there are any.
        files: by name.
    """

    def __init__(self, key: Hashable, work: Callable[["Computation"], None]) -> None:
        self.id = secrets.token_urlsafe(12)
        self.key = key
        self.state: State = "waiting"
        self.message = ""
        self.version = 0
        self.result: dict[str, Any] | None = None
        self.files: dict[str, File] = {}
        self._work = work
        self._progress = ("", 0, 0)
        self._watchers = 1
        self._seen_at = time.monotonic()

    @property
    def has_ended(self) -> bool:
        return self.state not in ("waiting", "running")

    @property
    def is_wanted(self) -> bool:
        """Whether a page still waits for it."""
        return self._watchers > 0 and time.monotonic() - self._seen_at < _ABANDONED_SECONDS

    @property
    def size(self) -> int:
        """Bytes of the result and its files."""
        files = sum(len(file.data) for file in self.files.values())
        return files + len(to_json(self.result))

    def report(self, doing: str, done: int = 0, total: int = 0) -> None:
        """Say what is being done, and how far it is. Raises Stopped if nobody waits any more."""
        self._progress = (doing, done, total)
        self.check_wanted()

    def check_wanted(self) -> None:
        """Raise Stopped if nobody waits any more."""
        if not self.is_wanted:
            raise Stopped

    def publish(self, result: dict[str, Any], files: Mapping[str, File] | None = None) -> None:
        """Show a result, or what there is of it; `files` are added to those before."""
        self.files = {**self.files, **(files or {})}
        self.result = result
        self.version += 1

    def watch(self, change: int = 0) -> None:
        """A page asks for it; `change` is 1 for one more that waits, -1 for one that left."""
        self._watchers += change
        self._seen_at = time.monotonic()

    def run(self) -> None:
        """Do the work. Whatever it raises becomes a message."""
        if not self.is_wanted:
            self.state = "stopped"
            return
        self.state = "running"
        try:
            self._work(self)
        except Stopped:
            self.state = "stopped"
        except ConvscopeError as error:
            self.state, self.message = "failed", str(error)
        except Exception as error:  # noqa: BLE001 -- of a network of anyone's own
            first = (str(error).strip().splitlines() or [""])[0].rstrip(".")
            said = f"{type(error).__name__}: {first}" if first else type(error).__name__
            self.state, self.message = "failed", f"It could not be computed ({said})."
        else:
            self.state = "done"

    def to_dict(self, *, since: int = -1) -> dict[str, Any]:
        """What the page is told; the result only if it changed after version `since`."""
        version = self.version
        doing, done, total = self._progress
        return {
            "id": self.id,
            "state": self.state,
            "doing": doing,
            "done": done,
            "total": total,
            "message": self.message,
            "version": version,
            "result": self.result if version > since else None,
        }


class Computations:
    """The computations of a lab: a thread for each lane, bounded queues, the latest results."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Computation] = OrderedDict()
        self._waiting: dict[Lane, deque[Computation]] = {"image": deque(), "data": deque()}
        self._threads: dict[Lane, threading.Thread] = {}
        self._changed = threading.Condition()
        self._is_closed = False

    def start(
        self, key: Hashable, work: Callable[[Computation], None], *, lane: Lane = "image"
    ) -> Computation:
        """The computation of this key: one that is kept, or a new one that waits for its turn.

        The same key must mean the same result. Raises TooManyWaiting if the lane is full.
        """
        with self._changed:
            for computation in self._kept.values():
                if computation.key == key and computation.state not in ("failed", "stopped"):
                    computation.watch(1)
                    self._kept.move_to_end(computation.id)
                    return computation
            waiting = self._waiting[lane]
            if len(waiting) >= MAX_WAITING:
                raise TooManyWaiting(
                    f"{MAX_WAITING} other computations wait. Try again when some have ended."
                )
            computation = Computation(key, work)
            self._kept[computation.id] = computation
            waiting.append(computation)
            if lane not in self._threads:
                name = f"convscope-lab-{lane}"
                thread = threading.Thread(target=self._run, args=(lane,), name=name, daemon=True)
                self._threads[lane] = thread
                thread.start()
            self._changed.notify_all()
            return computation

    def get(self, computation_id: str) -> Computation:
        """A computation that a page asks for. Raises RequestError for one that was dropped."""
        with self._changed:
            try:
                computation = self._kept[computation_id]
            except KeyError:
                raise RequestError(
                    "This computation is gone from the lab's memory. Start it again."
                ) from None
            self._kept.move_to_end(computation_id)
            computation.watch()
            return computation

    def leave(self, computation_id: str) -> None:
        """A page does not wait any more; the computation stops when none does."""
        with self._changed:
            if computation_id in self._kept and not self._kept[computation_id].has_ended:
                self._kept[computation_id].watch(-1)

    def close(self, seconds: float = 5.0) -> None:
        """Stop all of them, and wait so long for what runs to stop."""
        with self._changed:
            self._is_closed = True
            for computation in self._kept.values():
                computation.watch(-(10**9))
            self._changed.notify_all()
        for thread in self._threads.values():
            thread.join(timeout=seconds)

    def _run(self, lane: Lane) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting[lane] or self._is_closed)
                if self._is_closed:
                    return
                computation = self._waiting[lane].popleft()
            computation.run()
            with self._changed:
                self._drop()

    def _drop(self) -> None:
        """Drop what was asked for least recently, where memory needs it."""
        ended = [each for each in self._kept.values() if each.has_ended]
        size = sum(each.size for each in ended)
        for each in ended[:-1]:
            if len(self._kept) <= _MAX_KEPT and size <= _MAX_BYTES:
                return
            size -= each.size
            del self._kept[each.id]
