"""The events that a page receives while it watches a run: server-sent events."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi.concurrency import run_in_threadpool

from convscope.errors import WorkError
from convscope.runs.index import Stamp, read_metrics, read_snapshot, stamp
from convscope.runs.live_files import Live, Snapshot
from convscope.runs.status import ACTIVE
from convscope.runs.step_table import COLUMNS, Row, steps_of
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.words.json_text import to_json

MAX_LISTENERS = 32
"""The number of pages that can watch trainings at a time."""

Event = tuple[str, dict[str, Any]]

_POLL_SECONDS = 0.25  # between two looks at the files
_WATCH_SECONDS = 1.0  # between two signs that somebody watches
_KEEPALIVE_SECONDS = 4.0  # without an event, after which a comment keeps the connection open
_SNAPSHOTS: tuple[tuple[Snapshot, str], ...] = (
    ("look", "step"),
    ("filters", "steps"),
    ("wrong", "step"),
    ("confusion", "step"),
    ("layers", "step"),
    ("examples", "split"),
)
"""Snapshots, and the field of each that its event carries."""


class TooManyListeners(WorkError):
    """The lab serves no more listeners."""


class Listener:
    """One page that watches one run: knows what it has sent, and finds what is new."""

    def __init__(self, jobs: TrainingJobs, name: str) -> None:
        self._jobs, self._name = jobs, name
        self._path = jobs.path(name)
        self._live = Live(self._path)
        self._stamps: dict[str, Stamp] = {}
        self._state: dict[str, Any] = {}
        self._steps: tuple[int, list[Row]] = (0, [])
        self._watched_at = 0.0
        self.has_ended = False

    def poll(self) -> list[Event]:
        """The events since the last call; `has_ended` says whether more can come."""
        details = self._jobs.details(self._name)  # first: what is read after it is no older
        is_active = details["state"] in ACTIVE
        if is_active and time.monotonic() - self._watched_at >= _WATCH_SECONDS:
            self._watched_at = time.monotonic()
            self._live.watch()
        events = [
            *self._state_events(details),
            *self._step_events(),
            *self._evaluation_events(),
            *self._snapshot_events(),
        ]
        self.has_ended = not is_active
        return events

    def _state_events(self, details: dict[str, Any]) -> list[Event]:
        now: dict[str, Any] = details["now"] or {}
        without_time = {**details, "now": {**now, "updated_at": 0}}
        if without_time == self._state:
            return []
        self._state = without_time
        return [("state", details)]

    def _has_changed(self, file: Path) -> bool:
        now = stamp(file)
        has_changed = now != self._stamps.get(file.name, (0, 0))
        self._stamps[file.name] = now
        return has_changed

    def _step_events(self) -> list[Event]:
        """The rows that changed; all of them if a row now stands for more steps."""
        if not self._has_changed(self._live.folder / "steps.npy"):
            return []
        width, rows = steps_of(self._path) or (1, [])
        old_width, old_rows = self._steps
        self._steps = width, rows
        same = 0
        if width == old_width:
            pairs = enumerate(zip(old_rows, rows, strict=False))
            shorter = min(len(old_rows), len(rows))
            same = next((index for index, (old, new) in pairs if old != new), shorter)
        if same == len(rows) == len(old_rows):
            return []
        return [("steps", {"width": width, "from": same, "columns": COLUMNS, "rows": rows[same:]})]

    def _evaluation_events(self) -> list[Event]:
        if not self._has_changed(self._path / "metrics.jsonl"):
            return []
        return [("evaluation", {"metrics": read_metrics(self._path)})]

    def _snapshot_events(self) -> list[Event]:
        events: list[Event] = []
        for name, field in _SNAPSHOTS:
            if self._has_changed(self._live.folder / f"{name}.safetensors"):
                snapshot = read_snapshot(self._path, name)
                if snapshot is not None:
                    events.append((name, {field: snapshot.metadata.get(field)}))
        return events


class Listeners:
    """All listeners of a lab, at most `limit` at a time."""

    def __init__(self, *, limit: int = MAX_LISTENERS) -> None:
        self.limit = limit
        self.count = 0

    def check_capacity(self) -> None:
        """Raise TooManyListeners if there is no room for another."""
        if self.count >= self.limit:
            raise TooManyListeners(
                f"{self.limit} pages watch trainings already. Close one, then reload."
            )

    async def stream(
        self,
        listener: Listener,
        *,
        is_gone: Callable[[], Awaitable[bool]],
        is_ending: Callable[[], bool],
    ) -> AsyncGenerator[str]:
        """The events of one listener as text, until the run ends, the page goes or the server ends.

        Nothing if there is no room for another listener.
        """
        if self.count >= self.limit:
            return
        self.count += 1  # in one event loop: no lock is needed
        try:
            sent_at = time.monotonic()
            while not (is_ending() or await is_gone()):
                for event in await run_in_threadpool(listener.poll):
                    sent_at = time.monotonic()
                    yield encode_event(event)
                if listener.has_ended:
                    yield encode_event(("end", {}))
                    return
                if time.monotonic() - sent_at >= _KEEPALIVE_SECONDS:
                    sent_at = time.monotonic()
                    yield ": keep-alive\n\n"
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            self.count -= 1


def encode_event(event: Event) -> str:
    """An event in the format of server-sent events."""
    name, data = event
    return f"event: {name}\ndata: {to_json(data)}\n\n"
