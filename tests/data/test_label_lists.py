"""Tables of several labels an image: columns of yes and no, and lists in cells."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from convscope.data.dataset import Dataset
from convscope.data.source import open_source
from convscope.errors import RequestError

Open = Callable[..., Dataset]
FILES = [f"{n}.png" for n in range(5)]


@pytest.fixture
def opened(plant: Callable[..., Path]) -> Open:
    """Read a table of a header and the cells behind each of five images."""
    root = plant(*FILES)

    def read(header: str, *rows: str, **options: str) -> Dataset:
        lines = [f"{file},{row}" for file, row in zip(FILES, rows, strict=False)]
        path = root / "t.csv"
        path.write_text("\n".join([f"image,{header}", *lines, *rows[len(FILES) :]]))
        return open_source(path, **options)  # type: ignore[arg-type]

    return read


def labels(data: Dataset) -> Mapping[str, set[str]]:
    assert data.targets is not None
    return {
        data.images.key(n): {data.classes[column] for column in np.flatnonzero(row)}
        for n, row in enumerate(data.targets)
    }


def test_columns_say_yes_and_no_in_many_ways(opened: Open):
    rows = ("M,1,0,", "F,yes,NO,x", "M,False,true,0.0", "F,,,", "M,1.0,absent,Positive")
    data = opened("sex,N,D,G", *rows, label_column="N,D,G")
    assert list(labels(data).values()) == [{"N"}, {"N", "G"}, {"D"}, set[str](), {"N", "G"}]
    assert any("4 empty cells are taken as no" in warning for warning in data.warnings)
    assert any("sex" in warning for warning in data.warnings)  # a column that is not used


def test_without_names_the_columns_of_0_and_1_are_the_labels(opened: Open):
    rows = ("1,0,0", "1,1,0", "0,0,0", "0,1,0")
    data = opened("a,b,c", *rows, task="multi-label")
    assert list(labels(data).values()) == [{"a"}, {"a", "b"}, set[str](), {"b"}]
    assert any("no images of 'c'; these labels are left out" in said for said in data.warnings)
    with pytest.raises(RequestError, match="task='multi-label'"):
        opened("a,b,c", *rows)


def test_exactly_one_label_in_each_row_is_said(opened: Open):
    rows = ("1,0", "0,1", "1,0")
    data = opened("a,b", *rows, label_column="a,b")
    assert any("each row has exactly one label" in said for said in data.warnings)
    alone = opened("a,b", *rows, label_column="a,b", task="single-label")
    assert (alone.targets, alone.labels.tolist()) == (None, [0, 1, 0])
    with pytest.raises(RequestError, match="do not have one 1 in each row"):
        opened("a,b", "1,1", "0,1", label_column="a,b", task="ordinal")


@pytest.mark.parametrize("cell", ["-1", "2", "0.5", "maybe"])
def test_a_cell_that_is_neither_yes_nor_no_is_refused_by_its_row(opened: Open, cell: str):
    with pytest.raises(RequestError, match=rf"row 3: '{cell}' in the column 'b' is neither yes"):
        opened("a,b", "1,0", f"0,{cell}", label_column="a,b")


@pytest.mark.parametrize(
    "cells",
    [
        ("a|b, c", "No Finding", " b, c |a|a", "b, c", ""),  # a comma within a label
        ("a;b, c", "none", "b, c;a", '"b, c"', "nan"),
        ("['a'; 'b, c']", "[]", "[b, c;a]", "['b, c']", "[]"),
    ],
)
def test_lists_are_divided_at_one_sign(opened: Open, cells: tuple[str, ...]):
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    data = opened("labels", *quoted, task="multi-label")
    both, none = {"a", "b, c"}, set[str]()
    assert data.classes == ("a", "b, c")
    assert list(labels(data).values()) == [both, none, both, {"b, c"}, none]
    sign = "|" if "|" in cells[0] else ";"
    assert any(f"its labels are divided at '{sign}'" in said for said in data.warnings)
    assert any("taken as no label: " in said for said in data.warnings)


def test_a_list_stays_a_class_where_several_labels_are_not_asked_for(opened: Open):
    data = opened("label", "a;b", "a", "b", "a;b")
    assert (data.targets, data.classes) == (None, ("a", "a;b", "b"))
    assert any("`task='multi-label'` divides them" in said for said in data.warnings)


def test_rows_of_one_image_are_put_together(opened: Open):
    data = opened("label", "a", "b", "", "a", "b", "0.png,c", "0.png,a", task="multi-label")
    assert labels(data)["0.png"] == {"a", "c"}
    assert labels(data)["2.png"] == set[str]()
    assert any("repeated rows put together: 2" in said for said in data.warnings)


def test_a_table_without_any_label_is_refused(opened: Open):
    with pytest.raises(RequestError, match="no image has a label"):
        opened("label", "none", "", task="multi-label")
    with pytest.raises(RequestError, match="no image has a label"):
        opened("a,b", "0,0", "0,", label_column="a,b")
