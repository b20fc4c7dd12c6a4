r"""CSV that no spreadsheet takes for formulas, and that gives every name back.

In a cell of text, an apostrophe stands before each `=`, `+`, `-` or `@` that begins the cell, or
that follows a comma, semicolon or bar in it, at which some spreadsheets cut. Numbers stay numbers:
`-1` gets none. Control characters are escapes: see `convscope.words.escapes`.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from convscope.words.escapes import escape_controls, unescape

_NUMBER = r"[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?\s*"
_SIGN, _SPACE = r"[=@\uff1d\uff0b\uff0d\uff20]", r"[\s\"]*"
_FIRST = rf"'*{_SIGN}|'*[+-](?!{_NUMBER}$)"  # a cell that goes on behind its number is none
_LATER = rf"'*{_SIGN}|'*[+-](?!{_NUMBER}(?:[,;|]|$))"
_PLAIN = re.compile(r"[0-9A-Za-z_./ ]*")  # no sign that is escaped, or that begins a formula
_UNMARKED, _MARKED = (
    re.compile(f"(^{_SPACE}){mark}({_FIRST})|([,;|]{_SPACE}){mark}({_LATER})") for mark in ("", "'")
)


def to_csv(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV with commas, each ended by a newline; only cells of text are changed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(
        [to_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
    )
    return text.getvalue()


def to_cell(text: str) -> str:
    r"""A text as a cell that is no formula.

    >>> to_cell("=1+1"), to_cell("-1"), to_cell("a;@b"), to_cell("two\nlines")
    ("'=1+1", '-1', "a;'@b", 'two\\u000alines')
    """
    if _PLAIN.fullmatch(text):
        return text
    return _UNMARKED.sub(r"\1\3'\2\4", escape_controls(text))


def from_cell(cell: str) -> str:
    """The text that `to_cell` wrote.

    >>> from_cell("'=1+1"), from_cell("'tis")
    ('=1+1', "'tis")
    """
    if "'" not in cell and "\\" not in cell:  # as in nearly every cell of a list of images
        return cell
    return unescape(_MARKED.sub(r"\1\3\2\4", cell))
