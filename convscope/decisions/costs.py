"""Cost matrices: what it costs to predict a class for an image of another."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.classes import quote_names
from convscope.decision_rules import Costs, problem_of_costs
from convscope.errors import RequestError
from convscope.regular_files import read_regular

_LARGEST = 10_000_000  # bytes of a file


CostsLike = (
    str | Path | Sequence[Sequence[float]] | NDArray[Any] | Mapping[str, Mapping[str, float]]
)
"""A CSV file, numbers with commas and a semicolon behind each row, rows of numbers in the order of
the classes, or {true class: {predicted class: cost}}.
"""


def parse_costs(costs: CostsLike, classes: Sequence[str]) -> Costs:
    """The costs of predicting a class (column) for an image of a class (row).

    A CSV file has the names of the classes in its first row and its first column, in any order, or
    numbers alone, in the order of the classes.

    Raises RequestError for other numbers of rows or columns, unknown classes, what is no number, a
    cost below 0, and a right answer that costs more than a wrong one.
    """
    rows = _rows(costs, classes)
    problem = problem_of_costs(rows, classes)
    if problem:
        raise RequestError(
            f"`costs`: {'a row is a true class, a column a predicted one. ' * ('right' in problem)}"
            f"The matrix {problem}."
        )
    return rows


def _rows(costs: CostsLike, classes: Sequence[str]) -> Costs:
    if isinstance(costs, Mapping):
        table = [["", *classes]]
        for name, row in costs.items():
            table.append([name, *(str(row.get(other, "")) for other in classes)])
        return _named(table, classes)
    if isinstance(costs, str | Path):
        text = str(costs)
        if ";" in text and not Path(text).exists():
            table = [row.split(",") for row in text.split(";") if row.strip()]
        else:
            table = _table(Path(text).expanduser())
        if table and any(_number(cell) is None for cell in table[0]):
            return _named(table, classes)
        return tuple(tuple(_checked(cell) for cell in row) for row in table)
    return tuple(tuple(_checked(str(cell)) for cell in row) for row in np.asarray(costs).tolist())


def _table(path: Path) -> list[list[str]]:
    try:
        text = read_regular(path, limit=_LARGEST).decode("utf-8-sig")
        rows = [*csv.reader(text.splitlines())]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestError(
            f"`costs`: {path} could not be read as CSV. Name a file, or numbers with a semicolon "
            "behind each row: '0,1;5,0'."
        ) from error
    return [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]


def _named(table: Sequence[Sequence[str]], classes: Sequence[str]) -> Costs:
    """The costs in a table whose first row and first column are names."""
    columns, names = [*table[0][1:]], [row[0] for row in table[1:]]
    for found, what in ((columns, "columns"), (names, "rows")):
        if sorted(found) != sorted(classes):
            raise RequestError(
                f"`costs`: the {what} are {quote_names(found)}; they must be the classes, "
                f"{quote_names([*classes])}."
            )
    cells = {row[0]: dict(zip(columns, row[1:], strict=False)) for row in table[1:]}
    return tuple(
        tuple(_checked(cells[name].get(other, "")) for other in classes) for name in classes
    )


def _checked(cell: str) -> float:
    number = _number(cell)
    if number is None:
        raise RequestError(f"`costs`: {cell!r} is not a number.")
    return number


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
