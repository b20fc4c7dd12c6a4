"""What a page hears of a run while it looks at it, as server-sent events."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi.concurrency import run_in_threadpool

from convscope.errors import WorkError
from convscope.lab.jobs.jobs import Trainings
from convscope.runs.index import Stamp, finite, read_metrics, read_snapshot, stamp
from convscope.runs.live_files import Live, Snapshot
from convscope.runs.status import ACTIVE
from convscope.runs.step_table import COLUMNS, Row, steps_of

MOST = 32
"""Listeners that a lab has at most."""

Event = tuple[str, dict[str, Any]]

_EACH = 0.25  # seconds between two looks at the files
_WATCH = 1.0  # seconds between two signs that somebody looks
_STILL = 4.0  # seconds after which a line of comment keeps the connection


class Busy(WorkError):
    """More listen than may."""


class Listener:
    """One page that looks at one run: what it was told, and what is new since."""

    def __init__(self, trainings: Trainings, name: str) -> None:
        self._trainings, self._name = trainings, name
        self._path = trainings.path(name)
        self._live = Live(self._path)
        self._seen: dict[str, Stamp] = {}
        self._state: dict[str, Any] = {}
        self._steps: tuple[int, list[Row]] = (0, [])
        self._watched = 0.0
        self.has_ended = False

    def news(self) -> list[Event]:
        """The events since the last call; `has_ended` tells whether there will be others."""
        told = self._trainings.told(self._name)  # first: what comes after is no older
        alive = told["state"] in ACTIVE
        if alive and time.monotonic() - self._watched >= _WATCH:
            self._watched = time.monotonic()
            self._live.watch()
        found = [*self._told(told), *self._stepped(), *self._evaluated(), *self._pictured()]
        self.has_ended = not alive
        return found

    def _told(self, told: dict[str, Any]) -> list[Event]:
        now: dict[str, Any] = told["now"] or {}
        timeless = {**told, "now": {**now, "updated_at": 0}}
        if timeless == self._state:
            return []
        self._state = timeless
        return [("state", told)]

    def _is_new(self, file: Path) -> bool:
        now = stamp(file)
        new = now != self._seen.get(file.name, (0, 0))
        self._seen[file.name] = now
        return new

    def _stepped(self) -> list[Event]:
        """The rows that changed; all where a row has become wider."""
        if not self._is_new(self._live.folder / "steps.npy"):
            return []
        width, rows = steps_of(self._path) or (1, [])
        before_width, before = self._steps
        self._steps = width, rows
        same = 0
        if width == before_width:
            pairs = enumerate(zip(before, rows, strict=False))
            same = next((at for at, (a, b) in pairs if a != b), min(len(before), len(rows)))
        if same == len(rows) == len(before):
            return []
        told = {"width": width, "from": same, "columns": COLUMNS, "rows": rows[same:]}
        return [("steps", told)]

    def _evaluated(self) -> list[Event]:
        if not self._is_new(self._path / "metrics.jsonl"):
            return []
        return [("evaluation", {"metrics": read_metrics(self._path)})]

    def _pictured(self) -> list[Event]:
        found: list[Event] = []
        pictures: tuple[tuple[Snapshot, str], ...] = (
            ("look", "step"),
            ("filters", "steps"),
            ("wrong", "step"),
        )
        for name, fact in pictures:
            if self._is_new(self._live.folder / f"{name}.safetensors"):
                stored = read_snapshot(self._path, name)
                if stored is not None:
                    found.append((name, {fact: stored.metadata.get(fact)}))
        return found


class Listeners:
    """All that listen, so many at most."""

    def __init__(self, *, most: int = MOST) -> None:
        self.most = most
        self.now = 0

    def refuse_more(self) -> None:
        """Raise Busy where no place is left."""
        if self.now >= self.most:
            raise Busy(f"{self.most} pages listen to trainings already. Close one, then reload.")

    async def stream(
        self,
        listener: Listener,
        *,
        gone: Callable[[], Awaitable[bool]],
        ending: Callable[[], bool],
    ) -> AsyncGenerator[str]:
        """The events of one listener as text: to their end, until it is `gone`, or all are.

        Nothing where no place is left.
        """
        if self.now >= self.most:
            return
        self.now += 1  # of one loop: no lock is needed
        try:
            spoken = time.monotonic()
            while not (ending() or await gone()):
                for event in await run_in_threadpool(listener.news):
                    spoken = time.monotonic()
                    yield text_of(event)
                if listener.has_ended:
                    yield text_of(("end", {}))
                    return
                if time.monotonic() - spoken >= _STILL:
                    spoken = time.monotonic()
                    yield ": still here\n\n"
                await asyncio.sleep(_EACH)
        finally:
            self.now -= 1


def text_of(event: Event) -> str:
    """An event as it goes over the wire."""
    name, told = event
    return f"event: {name}\ndata: {json.dumps(finite(told), ensure_ascii=False)}\n\n"
