"""Tables of paths and labels."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.data.dataset import Dataset
from convscope.data.table import read_table
from convscope.errors import RequestError

Plant = Callable[..., Path]


@pytest.fixture
def table(plant: Plant) -> Callable[[str | bytes], Path]:
    """Write a table beside images p/0.png to p/5.png."""
    root = plant(*(f"p/{n}.png" for n in range(6)))

    def write(text: str | bytes) -> Path:
        path = root / "t.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


Write = Callable[[str | bytes], Path]


def keys(data: Dataset) -> list[str]:
    return [data.images.key(index) for index in range(len(data))]


def test_a_table_is_read_whatever_the_order_of_its_columns(table: Write):
    data = read_table(
        table(
            "age,Label,split, path ,group\n"
            "3,dog,train,p/1.png,x\n"
            "4,cat,valid,./p/0.png,y\n"
            ",cat,,p/2.png,z\n"
        )
    )
    assert data.name == "t"
    assert data.classes == ("cat", "dog")
    assert keys(data) == ["p/0.png", "p/1.png", "p/2.png"]
    assert data.labels.tolist() == [0, 1, 0]
    assert data.split.tolist() == ["val", "train", ""]
    assert data.groups == ("y", "x", "z")
    assert data.images.image(0).size == (2, 2)
    unused, incomplete = data.warnings
    assert "unused columns: age" in unused
    assert "val has no images of 'dog'" in incomplete


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("separator", [b",", b";", b"\t"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_separators_ends_of_lines_and_the_byte_order_mark(
    table: Write, mark: bytes, separator: bytes, end: bytes
):
    lines = [b"path,label", b"p/0.png,\xc3\xa9t\xc3\xa9", b'"p/1.png","b"', b"", b","]
    data = read_table(table(mark + end.join(line.replace(b",", separator) for line in lines)))
    assert data.classes == ("b", "été")
    assert data.groups is None


def test_a_label_with_a_comma_is_quoted(table: Write):
    assert read_table(table('path,label\np/0.png,"a, b"\np/1.png,c')).classes == ("a, b", "c")


def test_absolute_paths_below_the_table_become_relative(table: Write, tmp_path: Path):
    here = tmp_path / "root" / "p"
    data = read_table(table(f"path,label\n{here}/0.png,a\n/etc/hostname.png,b\n"))
    assert keys(data) == ["/etc/hostname.png", "p/0.png"]
    assert data.images.image(1).size == (2, 2)


def test_files_may_be_missing_but_not_all(table: Write):
    assert len(read_table(table("path,label\np/0.png,a\ngone.png,b\n"))) == 2
    with pytest.raises(RequestError, match=r"none of its 2 files exists, the first is .*gone"):
        read_table(table("path,label\ngone.png,a\ngone2.png,b\n"))


def test_a_line_said_twice_is_dropped_with_a_warning(table: Write):
    data = read_table(table("path,label\np/0.png,a\np/1.png,b\n./p/0.png,a\n"))
    assert len(data) == 2
    assert "repeated rows dropped: 1" in data.warnings[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("file,label\n", "has no rows below its header"),
        ("path,age,lable\np/0.png,3,a\np/1.png,4,b", "labels may be in 'age', 'lable'. Say which"),
        ("path\np/0.png\np/1.png", "has no column of labels ('path'). Call it label"),
        ("age,label\n3,a\n4,b", "has no column of image files ('age', 'label'). Call it path"),
        ("path,label,label\np/0.png,a,b", "has the column 'label' twice"),
        ("path,label\np/0.png,nan\np/1.png,a\np/2.png,\n", "is empty in 2 of 3 rows, 2, 4. Fill"),
        ("path,label\np/0.png,a\np/0, 1.png,b\n", "row 3 has 3 cells, and the first row has 2: "),
        ("image,file,y\np/0.png,p/0.png,a\np/1.png,p/2.png,b", "images may be in"),
        ("path,target,category\np/0.png,a,x\np/1.png,b,x", "labels may be in 'target', "),
        ("path,label\np/0.png,a\np/1.png,b\np/0.png,b\np/1.png,a", ", and 1 more such rows"),
        ("image,MEL,NV\np/0.png,1,1\np/1.png,0,1", "2 columns of 0 and 1, but not one 1 in each"),
        (b"PK\3\4 and so on", "is an Excel file or an archive"),
        ("path,label\n", "has no rows"),
        ("path,label\np/0.png,a\np/1.png,\n", "row 3: the label is empty"),
        ("path,label\np/0.png,a\np/1.png\n", "row 3: the label is empty"),
        ("path,label\n  ,a\n", "row 2: the path is empty"),
        ("path,label,split\np/0.png,a,tomorrow\n", "row 2: 'tomorrow' is not a split"),
        ("path,label\np/0.png,a\n\np/0.png,b\n", "rows 2 and 4: p/0.png is listed with the labels"),
        ("path,label,split\np/0.png,a,train\np/0.png,a,test\n", "the splits 'train' and 'test'"),
        ("path,label,split,group\np/0.png,a,train,g7\np/1.png,b,val,g7\n", "2 and 3: group 'g7'"),
        ("path,label\np/0.png,a\n", "has a single class"),
        ("path,label,split\np/0.png,a,train\np/1.png,b,test\n", "images of 'b', train has none"),
        ('path,label\n"p/0.png,a\n', "row 2"),
        (b"path,label\np/0.png,\x81\xfe\n", "is not UTF-8"),
        (b"path,label\np/0.png,\x01\xfe\n", "is not UTF-8"),
        (f"path,label\n{'x' * 9_000},a\n{'y' * 9_000},b\n", "none of its 2 files exists"),
        (f"path,label\n{'x' * 200_000},a\n", "row 2: field larger than field limit"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_reported_with_its_row(table: Write, text: str | bytes, message: str):
    path = table(text)
    with pytest.raises(RequestError) as caught:
        read_table(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(RequestError, match="is a pipe"):
        read_table(tmp_path / "t.csv")


def test_a_table_that_is_not_there_is_told_its_neighbor(table: Write):
    path = table("path,label\n")
    with pytest.raises(RequestError, match=r"Did you mean 't\.csv'\?"):
        read_table(path.with_name("tt.csv"))
