"""Every network's table as it was last reviewed; `scripts/test --write-golden` writes them anew.

A golden file cannot be wrong in its sums: its columns add up to its totals, and its parameters to
the count that `tests/zoo/test_counts.py` has from outside.
"""

import re
from pathlib import Path

import pytest

from convscope.zoo import ENTRIES
from tests.reference.families import each_network
from tests.summaries.test_summary import summary_of
from tests.zoo.test_counts import COUNTS as CLASSIFIERS
from tests.zoo.test_yolo import COUNTS as DETECTORS

COUNTS = CLASSIFIERS | DETECTORS
GOLDEN = Path(__file__).parents[1] / "golden" / "summary"
LONG = 60  # rows beyond which the table is kept with one row for each block


def table_of(name):
    found = summary_of(name)
    return str(found if len(found.rows) <= LONG else found.collapse(1))


@pytest.mark.parametrize("name", each_network(ENTRIES))
def test_the_table_is_the_golden_one(name, write_golden):
    text, path = table_of(name), GOLDEN / f"{name}.txt"
    if write_golden:
        path.write_text(text)
    assert path.read_text() == text


def column(lines, head):
    """The numbers of one column, cut out where its rule stands."""
    heads, rule = lines[2], lines[3]
    for dashes in re.finditer("-+", rule):
        if heads[slice(*dashes.span())].strip() == head:
            cells = [line[slice(*dashes.span())].strip().replace(",", "") for line in lines[4:]]
            return [int(cell or 0) for cell in cells]
    raise AssertionError(f"no column {head}")


@pytest.mark.parametrize("name", ENTRIES)
def test_the_columns_of_the_golden_table_add_up(name):
    lines = (GOLDEN / f"{name}.txt").read_text().splitlines()
    end = next(place for place, line in enumerate(lines) if line.startswith("total"))
    lines = [*lines[: end - 1], lines[end]]  # the rule above the totals left out
    parameters, multiply_adds = (column(lines, head) for head in ("parameters", "multiply-adds"))
    assert sum(parameters[:-1]) == parameters[-1] == COUNTS[name]
    assert sum(multiply_adds[:-1]) == multiply_adds[-1]


def test_no_golden_table_is_left_over():
    assert {path.stem for path in GOLDEN.iterdir()} == set(ENTRIES)
