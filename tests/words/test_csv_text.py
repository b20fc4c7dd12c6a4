"""CSV without formulas, from which every name comes back."""

import csv
import io
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convscope.words.csv_text import from_cell, to_cell, to_csv

HOSTILE = st.text(st.sampled_from("=+-@'1.e,;|\t\r\n \"\\u0a\x1b\udcff\uff1da\u3000"))
TEXT = st.one_of(HOSTILE, st.text(st.characters(categories=None)))
NUMBER = re.compile(r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?")


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet may compute a cell: by its first sign, after spaces."""
    cell = cell.strip()
    return cell[:1] in tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20") and not NUMBER.fullmatch(cell)


@example([["", "-0|"]])
@given(st.lists(st.lists(TEXT, min_size=2, max_size=3), min_size=1, max_size=4))
def test_no_cell_is_a_formula_and_every_name_comes_back(rows):
    text = to_csv(rows)
    text.encode()
    assert not {c for c in text if unicodedata.category(c) in ("Cc", "Zl", "Zp")} - {"\n"}
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert [[from_cell(cell) for cell in row] for row in read] == rows
    assert not any(is_formula(cell) for row in read for cell in row)


@given(st.lists(TEXT, min_size=1, max_size=3))
@pytest.mark.parametrize("separator", [";", "|"])
def test_nor_is_a_part_of_a_cell_at_which_a_spreadsheet_cuts(separator, cells):
    for line in to_csv([["name", *cells]]).splitlines():
        parts = re.split(f"[,{separator}]", line.replace('"', ""))
        assert not any(map(is_formula, parts))


@pytest.mark.parametrize("number", ["-1", "+1", "-0.5", "1e-3", "-1.5e+10", "-.5", "-1 "])
def test_numbers_stay_numbers(number):
    assert to_cell(number) == number


def test_only_text_is_changed():
    assert to_csv([["-a", -1, -0.5, True, None]]) == "'-a,-1,-0.5,True,\n"


@pytest.mark.parametrize("name", ["cats/-1.png", "'tis", "C:\\new\\x86", "a=b", "plain", "a, b"])
def test_usual_names_stay(name):
    assert to_cell(name) == name
