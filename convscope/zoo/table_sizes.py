"""The sizes of a layer table while somebody edits it, row by row, also where some are wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from convscope.arithmetic import Volume
from convscope.errors import RequestError
from convscope.zoo.table_file import COLUMNS, Row, parse_row
from convscope.zoo.table_layers import TableNetwork

MAX_ROWS = 200
_MAX_CELL = 100  # letters


@dataclass(frozen=True)
class SizedRow:
    """What a row of a table makes: its output volume and parameters, or why it cannot be built.

    `output` is None, and `error` empty, below a row that is wrong.
    """

    output: Volume | None
    parameters: int
    error: str = ""


@dataclass(frozen=True)
class TableSizes:
    """The rows of a table, and `error`, what is wrong with the whole: "" for a network to train."""

    rows: tuple[SizedRow, ...]
    error: str

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def is_right(self) -> bool:
        return not self.error and not any(row.error for row in self.rows)


def size_table(
    cells: Sequence[Mapping[str, str]], image: Volume, *, num_classes: int
) -> TableSizes:
    """The sizes of a table's rows, each a cell for the columns that it fills.

    Nothing takes memory, however large the layers are.
    """
    rows = [_parsed(number, texts) for number, texts in enumerate(cells[:MAX_ROWS], 1)]
    sized: list[SizedRow] = []
    error = "" if cells else "Add a row: a network needs a layer."
    if len(cells) > MAX_ROWS:
        error = f"A table has at most {MAX_ROWS} rows here."
    with torch.device("meta"):
        network = TableNetwork(image, num_classes)
        names: set[str] = set()
        is_whole = True
        for row in rows:
            sized.append(_sized(network, row, names, is_whole=is_whole))
            is_whole = is_whole and not sized[-1].error
        last = rows[-1] if rows else None
        if is_whole and isinstance(last, Row) and not error:
            try:
                network.finished(last, checked=True)
            except RequestError as found:
                error = _sentence(found)
    return TableSizes(tuple(sized), error)


def format_table(cells: Sequence[Mapping[str, str]], image: Volume) -> str:
    """A layer table as a file has it. Raises RequestError for cells that are none."""
    lines = [[row.get(column, "").strip() or "." for column in COLUMNS] for row in cells]
    for number, line in enumerate(lines, 1):
        for cell in line:
            _check_cell(cell, f"Row {number}: ")
    table = [list(COLUMNS), *lines]
    widths = [max(len(line[i]) for line in table) for i in range(len(COLUMNS))]
    text = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    )
    size = f"{image.channels}x{image.height}x{image.width}"
    return f'input = "{size}"\nlayers = """\n{text}\n"""\n'


def _parsed(number: int, texts: Mapping[str, str]) -> Row | str:
    """A row, or what is wrong with it."""
    cells = {column: texts.get(column, "").strip() for column in COLUMNS}
    filled = {column: cell for column, cell in cells.items() if cell not in ("", ".")}
    try:
        for cell in filled.values():
            _check_cell(cell)
        return parse_row(f"row {number}", number, cells["layer"], filled)
    except RequestError as error:
        return _sentence(error)


def _check_cell(cell: str, where: str = "") -> None:
    if len(cell) > _MAX_CELL:
        raise RequestError(f"{where}a cell has more than {_MAX_CELL} letters.")
    if len(cell.split()) > 1 or not cell.isprintable() or set(cell) & set('"\\#'):
        raise RequestError(f"{where}a cell is one word, without quotes and #.")


def _sized(network: TableNetwork, row: Row | str, names: set[str], *, is_whole: bool) -> SizedRow:
    if isinstance(row, str):
        return SizedRow(None, 0, row)
    if row.name in names:
        return SizedRow(None, 0, "An earlier row has the same name; give each layer its own.")
    names.add(row.name)
    if not is_whole:
        return SizedRow(None, 0)
    before = len(network.layers)
    try:
        network.add(row)
    except RequestError as error:
        return SizedRow(None, 0, _sentence(error))
    layers = list(network.layers.values())[before:]
    parameters = sum(weight.numel() for layer in layers for weight in layer.parameters())
    return SizedRow(network.volume, parameters)


def _sentence(error: RequestError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]
