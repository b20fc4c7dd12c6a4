"""Who watches a training: what the loop tells, and to whom."""

from collections.abc import Mapping
from typing import Any, Protocol


class Watcher(Protocol):
    """Told of everything as it happens; decides what a person sees of it."""

    def note(self, text: str) -> None:
        """A sentence that should be read and kept."""
        ...

    def downloading(self, name: str, done: int, total: int | None) -> None:
        """How many bytes of a file have come, of how many."""
        ...

    def loading(self, done: int, total: int) -> None:
        """How many pictures were decoded, of how many."""
        ...

    def started(self, facts: Mapping[str, Any]) -> None:
        """Training begins: `step`, `steps` (None where time decides), `epochs`, `epoch`."""
        ...

    def stepped(self, facts: Mapping[str, Any]) -> None:
        """One step: `step`, `epoch`, `images`, `loss`, `top1` (both of the epoch so far), `lr`."""
        ...

    def evaluated(self, line: Mapping[str, Any]) -> None:
        """One line of metrics.jsonl."""
        ...


class Quiet:
    """Watches and says nothing."""

    def note(self, text: str) -> None: ...

    def downloading(self, name: str, done: int, total: int | None) -> None: ...

    def loading(self, done: int, total: int) -> None: ...

    def started(self, facts: Mapping[str, Any]) -> None: ...

    def stepped(self, facts: Mapping[str, Any]) -> None: ...

    def evaluated(self, line: Mapping[str, Any]) -> None: ...
