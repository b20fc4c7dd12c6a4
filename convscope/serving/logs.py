"""The log: one JSON line for each request and event, on standard output."""

import queue
import sys
import threading
from datetime import UTC, datetime
from typing import Any, TextIO

from convscope.words.json_text import to_json

_MOST = 10_000  # lines that wait for a slow reader


class Log:
    """Writes lines in a thread of its own, so that a slow reader delays no request.

    Lines for which there is no room are dropped, and their number is logged later.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._lines: queue.Queue[str | None] = queue.Queue(_MOST)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="convscope-log", daemon=True)
        self._thread.start()

    def write(self, event: str, **facts: Any) -> None:
        """Log an event with the time."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._dropped:
            facts["dropped_lines"] = self._dropped
        try:
            self._lines.put_nowait(to_json({"time": time, "event": event, **facts}))
            self._dropped = 0
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write what waits, unless the reader does not read."""
        try:
            self._lines.put(None, timeout=1)
        except queue.Full:
            return
        self._thread.join(2)

    def _write(self) -> None:
        is_ending = False
        while not is_ending:
            lines = [self._lines.get()]
            while not self._lines.empty() and len(lines) < 100:
                lines.append(self._lines.get())
            is_ending = None in lines
            try:
                self._stream.write("".join(f"{line}\n" for line in lines if line is not None))
                self._stream.flush()
            except (OSError, ValueError):
                continue  # its reader has gone; the requests matter more
