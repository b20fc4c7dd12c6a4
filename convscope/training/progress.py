"""Which display shows the progress of a training that a program or a notebook started."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from convscope.training.callbacks.base import Callback, CallbackList
from convscope.training.callbacks.notebook_progress import NotebookProgress

if TYPE_CHECKING:
    from convscope.training.callbacks.terminal_progress import TerminalProgress


@contextmanager
def watched(*, progress: bool) -> Generator[Sequence[Callback]]:
    """The callbacks that show a training: below a notebook's cell, or on standard error."""
    if not progress:
        yield []
        return
    display = NotebookProgress(_Shown) if is_notebook() else terminal_progress()
    with display:
        yield [display]


def show_notes(notes: Sequence[str], *, progress: bool) -> None:
    """Show sentences about a call before its trainings begin, where progress is shown."""
    if not notes:
        return
    with watched(progress=progress) as watchers:
        for note in notes:
            CallbackList(watchers).message(note)


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook, such as Jupyter's, VS Code's or Colab's."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def terminal_progress() -> "TerminalProgress":
    """A bar where standard error is a terminal, else plain lines."""
    from convscope.training.callbacks.terminal_progress import (  # noqa: PLC0415 -- loads rich
        TerminalProgress,
    )
    from convscope.words.screen import Screen  # noqa: PLC0415

    return TerminalProgress(Screen(stderr=True))


class _Shown:
    """HTML below a cell."""

    def __init__(self, html: str) -> None:
        self._display = import_module("IPython.display")
        self._handle = self._display.display(self._display.HTML(html), display_id=True)

    def update(self, html: str) -> None:
        self._handle.update(self._display.HTML(html))
