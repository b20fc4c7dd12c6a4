"""The terminal: what is printed on it commands nothing and hides nothing."""

import sys
from io import TextIOWrapper
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from convscope.words.visible import visible, visible_lines

_PIPED = 1000  # columns where output is no terminal: nothing is wrapped or cut


class Screen(Console):
    """A console on standard output, or with `stderr` on standard error."""

    def __init__(self, *, stderr: bool = False) -> None:
        stream: TextIO = sys.stderr if stderr else sys.stdout
        if isinstance(stream, TextIOWrapper):  # it may lack letters that names have
            stream.reconfigure(errors="backslashreplace")
        width = None if stream.isatty() else _PIPED
        super().__init__(
            stderr=stderr, highlight=False, emoji=False, soft_wrap=True, width=width
        )  # nor is :cat: a cat

    def say(self, text: str = "") -> None:
        """Print one line; a line break in it is visible."""
        self.print(visible(text), markup=False)

    def show(self, block: str) -> None:
        """Print lines that end with newlines, as they are; the names in them are `visible`."""
        self.print(block, markup=False, end="")

    def render_str(self, text: str, **options: Any) -> Text:
        """Text as rich prints it, also in the cells of its tables."""
        return super().render_str(visible_lines(text), **options)


def cell(text: str) -> str:
    """A text as a cell of rich's tables, in which brackets are no markup."""
    return escape(visible(text))
