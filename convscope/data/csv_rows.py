"""The rows of a CSV file, each with its line, whatever separates and ends them."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from convscope.errors import RequestError, nearest
from convscope.regular_files import read_regular
from convscope.words.csv_text import from_cell

DELIMITERS = ",;\t|"
MAX_SHOWN = 60  # characters of a row in a message


@dataclass(frozen=True)
class Row:
    """The cells of one row; `number` is its line in the file, and the first line is 1."""

    number: int
    cells: tuple[str, ...]

    def cell(self, column: int) -> str:
        """A cell without spaces around it; "" where the row is shorter."""
        return self.cells[column].strip() if column < len(self.cells) else ""


@dataclass(frozen=True)
class Sheet:
    """A table: its file, the names of its columns, and its rows.

    Attributes:
        header: as written; empty names and names of columns that have none are "".
        has_header: whether the first line is not a row.
        notes: on how it was read, without the path before them and the period after.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    has_header: bool
    notes: tuple[str, ...] = ()

    def column(self, index: int) -> list[str]:
        return [row.cell(index) for row in self.rows]


def read_sheet(path: Path, is_header: Callable[[Row], bool]) -> Sheet:
    """Read a CSV file. `is_header` says whether its first row names the columns.

    The separator is the comma, semicolon, tab or bar that divides the first line into most cells;
    a line `sep=;` before says it. Text is UTF-8, UTF-16, or else Windows-1252, which includes the
    letters of Latin-1; a note says that. Empty lines are skipped.
    Cells that convscope wrote give their names back: see `convscope.words.csv_text`.

    Raises RequestError for another text, for a file without rows, and, naming the row, for one that
    has more cells than the first.
    """
    text, notes = _text(path)
    rows = list(_rows(path, text))
    if not rows:
        raise RequestError(f"{path} has no rows.")
    first = rows[0]
    width = len(first.cells)
    header = is_header(first)
    for row in rows:
        if any(cell.strip() for cell in row.cells[width:]):
            raise _too_long(path, row, width)
    if not header:
        return Sheet(path, ("",) * width, tuple(rows), has_header=False, notes=notes)
    if len(rows) == 1:
        raise RequestError(f"{path} has no rows below its header.")
    names = tuple(cell.strip() for cell in first.cells)
    return Sheet(path, names, tuple(rows[1:]), has_header=True, notes=notes)


def _too_long(path: Path, row: Row, width: int) -> RequestError:
    text = ",".join(row.cells)
    shown = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
    return RequestError(
        f"{path}, row {row.number} has {len(row.cells)} cells, and the first row has {width}: "
        f"{shown}. If a name has a comma (or another separator) in it, put the name in double "
        'quotes: "a, b.png",cat.'
    )


def _text(path: Path) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and a note if its encoding was not certain."""
    try:
        content = read_regular(path)
    except FileNotFoundError as error:
        hint = nearest(path.name, [p.name for p in path.parent.glob("*")])
        raise RequestError(f"{path} does not exist.{hint}") from error
    except OSError as error:
        raise RequestError(f"{path} could not be read: {error.strerror or error}.") from error
    if content.startswith((b"PK\3\4", b"\xd0\xcf\x11\xe0")):
        raise RequestError(f"{path} is an Excel file or an archive, not text. Save it as CSV.")
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            return content.decode("utf-16"), ()
        if b"\0" in content[:2]:
            return content.decode("utf-16-be" if content[0] == 0 else "utf-16-le"), ()
        return content.decode("utf-8-sig"), ()
    except UnicodeDecodeError as error:
        if text := _as_windows_text(content):
            word = next(word for word in re.split(r"[^\w]+", text) if not word.isascii())
            note = (
                f"it is not UTF-8 and is read as Windows-1252, as in {word!r}; if that is wrong, "
                "save it as UTF-8"
            )
            return text, (note,)
        raise RequestError(f"{path} is not UTF-8 text ({error}). Save it as UTF-8.") from error


def _as_windows_text(content: bytes) -> str | None:
    """The text in the encoding of Excel in Western Europe and America; None if it is none."""
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        return None
    has_letters = re.search(r"[^\W\x00-\x7f]", text)
    return text if has_letters and not re.search(r"[\x00-\x08\x0e-\x1f]", text) else None


def _rows(path: Path, text: str) -> Iterator[Row]:
    first, _, rest = text.partition("\n")
    skipped = 0
    if said := re.fullmatch(r'"?sep=(.)"?\r?', first, re.IGNORECASE):
        delimiter, text, skipped = said[1], rest, 1
    else:
        delimiter = _delimiter(first)
    if delimiter == " ":
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield Row(number, tuple(map(from_cell, line.strip().rsplit(maxsplit=1))))
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield Row(reader.line_num + skipped, tuple(map(from_cell, cells)))
    except csv.Error as error:
        raise RequestError(f"{path}, row {reader.line_num + skipped}: {error}.") from error


def _delimiter(line: str) -> str:
    """The separator that divides a line into most cells; of several, the first in DELIMITERS.

    A space, for a list such as `cats/0.png 3`, if none of them is there.
    """

    def count(delimiter: str) -> int:
        try:
            return len(next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), []))
        except csv.Error:
            return 0

    best = max(DELIMITERS, key=count)
    return " " if count(best) == 1 and " " in line.strip() else best
