"""Work that is done now and then, and never takes more than a small share of the time."""

import time

MAX_SHARE = 0.02


class Throttle:
    """Says when work is due again: `seconds` after its end, or later if it took long.

    Work that takes t seconds is due again t / MAX_SHARE seconds after its end at the earliest.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._due_at = 0.0

    def is_due(self) -> bool:
        return time.monotonic() >= self._due_at

    def done(self, began: float) -> None:
        """The work that began at `time.monotonic() == began` is done."""
        now = time.monotonic()
        self._due_at = now + max(self.seconds, (now - began) / MAX_SHARE)
