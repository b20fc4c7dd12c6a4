"""Tables with a column of 0 and 1 for each class."""

from collections.abc import Sequence

from convscope.data.csv_rows import Sheet

_ZERO = frozenset({"0", "0.0", "0.", "false", "False", "FALSE"})
_ONE = frozenset({"1", "1.0", "1.", "true", "True", "TRUE"})


def one_hot_columns(sheet: Sheet, columns: Sequence[int]) -> list[int]:
    """Those of the columns that have a header and only 0 and 1 in them."""
    return [
        column
        for column in columns
        if sheet.header[column] and set(sheet.column(column)) <= _ZERO | _ONE
    ]


def is_one_hot(sheet: Sheet, columns: Sequence[int]) -> bool:
    """Whether there are at least two columns, and exactly one 1 in each row."""
    return len(columns) > 1 and all(
        sum(row.cell(column) in _ONE for column in columns) == 1 for row in sheet.rows
    )


def class_of(cells: Sequence[str]) -> int:
    """Which of the cells of a one-hot row is 1."""
    return next(place for place, cell in enumerate(cells) if cell in _ONE)
