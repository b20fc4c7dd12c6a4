"""Work on caches that several processes share, one process after another."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from convscope.distributed.group import Group
from convscope.training.callbacks.base import Callback, CallbackList
from convscope.training.events import Progress


class _Pulse(Callback):
    """Calls `beat` at each progress of the work."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self.beat = beat

    def on_progress(self, event: Progress) -> None:
        self.beat()


@contextmanager
def in_turn(group: Group, name: str, doing: str, user: CallbackList) -> Generator[CallbackList]:
    """`Group.turn`; the callbacks to report progress to, by which the others know of it."""
    with group.turn(name, doing) as go_on:
        yield CallbackList([*user.callbacks, _Pulse(go_on)])
