"""Tables as people have them: headers, separators, paths of other machines, labels, groups."""

from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.data.column_names import names_a_group
from convscope.data.dataset import Dataset
from convscope.data.source import open_source
from convscope.data.table import read_table
from convscope.errors import RequestError

Plant = Callable[..., Path]
Open = Callable[..., Dataset]


@pytest.fixture
def opened(plant: Plant) -> Open:
    """Read a table beside cat/0.png, cat/1.png, dog/2.png, dog/3.png."""
    root = plant("cat/0.png", "cat/1.png", "dog/2.png", "dog/3.png")

    def read(text: str | bytes, name: str = "t.csv", **options: str) -> Dataset:
        path = root / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_table(path, **options)

    return read


def keys(data: Dataset) -> list[str]:
    return [data.images.key(index) for index in range(len(data))]


FOUR = ["cat/0.png", "cat/1.png", "dog/2.png", "dog/3.png"]


def table(
    header: str, row: Callable[[str, str], str] = lambda path, label: f"{path},{label}"
) -> str:
    return "\n".join([*([header] if header else []), *(row(path, path[:3]) for path in FOUR)])


@pytest.mark.parametrize(
    "header",
    [
        "filename,label", "filepath,label", "image,label", "file,class", "image_path,category",
        "Image Path,Label", "filenames,cats", "FILE,CLASS", "img,y", "ImageId,ClassName",
        "id_code,diagnosis", "image_id,dx", "fname,target", "Image Index,Finding Labels",
        "id,breed", "path,retinopathy_grade", "what,ever", "", "image,level",
    ],
)  # fmt: skip
def test_headers_of_others_are_understood(opened: Open, header: str):
    data = opened(table(header))
    assert keys(data) == FOUR
    assert data.classes == ("cat", "dog")
    assert data.labels.tolist() == [0, 0, 1, 1]


def test_columns_that_no_header_explains_are_said(opened: Open):
    assert "labels are taken from the column 'grade_x'" in opened(table("path,grade_x")).warnings[0]
    said = opened(table("")).warnings[0]
    assert "no header: images are in column 1, labels in column 2" in said


def test_columns_are_named_by_options_in_any_case_or_counted(opened: Open):
    text = table("a,b,c,d", lambda path, label: f"{path},x{path},{label},{path[-5]}")
    assert opened(text, image_column="A", label_column="c").classes == ("cat", "dog")
    assert opened(text, image_column="1", label_column="4").classes == ("0", "1", "2", "3")
    with pytest.raises(
        RequestError, match=r"`label_column='e'`: .* has no such column.*a, b, c, d"
    ):
        opened(text, image_column="a", label_column="e")
    bare = table("", lambda path, label: f"{path},x,{label},7")
    with pytest.raises(RequestError, match="labels may be in 'column 2', 'column 3'"):
        opened(bare)
    assert opened(bare, label_column="3").classes == ("cat", "dog")


def test_the_column_of_labels_is_not_its_number(opened: Open):
    text = table(
        "class_id,path,class_name", lambda path, label: f"{label == 'cat':d},{path},{label}"
    )
    assert opened(text).classes == ("cat", "dog")


@pytest.mark.parametrize("mark", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("said", ["", "sep={}\r\n"])
def test_what_spreadsheets_write_is_read(opened: Open, mark: str, separator: str, said: str):
    rows = table("file,label").replace(",", separator).replace("\n", "\r\n\r\n")
    data = opened((said.format(separator) + rows).encode(mark))
    assert keys(data) == FOUR


def test_a_list_of_paths_and_numbers_is_read(opened: Open):
    data = opened("cat/0.png 0\ncat/1.png 0\n\ndog/2.png 10\ndog/3.png 9\n", "train.txt")
    assert data.classes == ("0", "9", "10")
    assert keys(data) == FOUR


def test_quoted_names_may_have_commas_and_others_are_told_with_row_and_remedy(
    opened: Open, plant: Plant
):
    plant("cat/a, b.png")
    assert len(opened(table("path,label") + '\n"cat/a, b.png",cat')) == 5
    with pytest.raises(RequestError, match=r"row 6 has 3 cells.*2: cat/a, b.png,cat\. .*in double"):
        opened(table("path,label") + "\ncat/a, b.png,cat")
    assert len(opened(table("path,label", lambda p, y: f"{p},{y},,"))) == 4


@pytest.mark.parametrize(
    "spell",
    [
        lambda path: path.replace("/", "\\"),
        lambda path: ".\\" + path.replace("/", "\\"),
        lambda path: "C:\\Users\\me\\data\\" + path.replace("/", "\\"),
        lambda path: f"/home/me/data/{path}",
        lambda path: f"dataset/{path}",
        lambda path: path.upper(),
        lambda path: path.removesuffix(".png"),
        lambda path: path.rpartition("/")[2],
        lambda path: path.rpartition("/")[2].removesuffix(".png"),
    ],
)  # fmt: skip
def test_paths_of_other_machines_lead_to_the_files_here(opened: Open, spell: Callable[[str], str]):
    data = opened(table("path,label", lambda path, label: f"{spell(path)},{label}"))
    assert keys(data) == FOUR
    moved = not ("\\" in spell("a/b") and ":" not in spell("a/b"))
    assert any("found by their names" in warning for warning in data.warnings) == moved


def test_a_path_that_may_be_two_files_is_not_guessed(opened: Open, plant: Plant):
    plant("x/0.png", "y/0.png")
    data = opened("path,label\n0.png,cat\ndog/2.png,dog\nno/1.png,cat\n")
    assert keys(data) == ["0.png", "dog/2.png", "no/1.png"]


def test_labels_that_are_surely_the_same_are_merged(opened: Open):
    data = opened(
        'path,label\ncat/0.png,"été "\ncat/1.png,"""été"""\ndog/2.png,e\u0301te\u0301\ndog/3.png,b'
    )
    assert data.classes == ("b", "été")
    data = opened("path,label\ncat/0.png,3\ncat/1.png,3.0\ndog/2.png,10\ndog/3.png,9.5")
    assert data.classes == ("3", "9.5", "10")
    assert "taken as the same class: '3', '3.0'" in data.warnings[0]
    assert opened("path,label\ncat/0.png,v3\ncat/1.png,3.0\ndog/2.png,3").classes == (
        "3",
        "3.0",
        "v3",
    )


def test_labels_that_differ_in_case_are_warned_about_but_matched_over_splits(opened: Open):
    text = "path,label,split\ncat/0.png,Cat,train\ncat/1.png,cat,{}\ndog/2.png,dog,train\n"
    data = opened(text.format("train"))
    assert data.classes == ("Cat", "cat", "dog")
    assert "'Cat' and 'cat' are trained as different classes" in data.warnings[-1]
    assert opened(text.format("test")).classes == ("Cat", "dog")


def test_a_one_hot_table_is_understood(opened: Open):
    rows = ["cat/0.png,1.0,0.0,0", "cat/1.png,0,1,0", "dog/2.png,0,0,1", "dog/3.png,0,0,1"]
    data = opened("\n".join(["image,MEL,NV,BCC", *rows]))
    assert data.classes == ("BCC", "MEL", "NV")
    assert data.labels.tolist() == [1, 2, 0, 0]
    assert "classes are its columns of 0 and 1: 'MEL', 'NV', 'BCC'" in data.warnings[0]
    assert opened("\n".join(["image,cat,dog", *(r[:-2] for r in rows[:2])])).classes == (
        "cat",
        "dog",
    )


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("subset", ["Training", "TRAIN", "test", "validation"], ["train", "train", "test", "val"]),
        ("is_test", ["0", "1", "0", "0"], ["train", "test", "train", "train"]),
        ("is_train", ["1", "0", "1", "1"], ["train", "test", "train", "train"]),
        ("split", ["tr", "te", "tr", "tr"], ["train", "test", "train", "train"]),
        ("is_valid", ["False", "True", "False", "False"], ["train", "val", "train", "train"]),
        ("fold", ["0", "1", "2", "3"], [""] * 4),
    ],
)  # fmt: skip
def test_splits_are_read_from_columns_by_other_names(
    opened: Open, header: str, cells: list[str], expected: list[str]
):
    labels = ["cat", "dog", "dog", "cat"]
    rows = [",".join(row) for row in zip(FOUR, labels, cells, strict=True)]
    data = opened("\n".join([f"path,label,{header}", *rows]))
    assert data.split.tolist() == expected
    assert any("unused columns: fold" in w for w in data.warnings) == (header == "fold")


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("patient", "member"), ("patient_id", "member"), ("PatientID", "member"),
        ("patientid", "member"), ("Patient ID", "member"), ("Subject", "member"),
        ("case_no", "member"), ("StudyInstanceUID", "member"), ("person", "member"),
        ("video", "member"), ("lesion_id", "member"), ("camera_id", "id"), ("id", "id"),
        ("Patient Age", None),
        ("image_id", None), ("class_id", None), ("covid", None), ("age", None), ("cases", None),
    ],
)  # fmt: skip
def test_headers_of_groups_are_known(header: str, kind: str | None):
    assert names_a_group(header) == kind


def test_a_column_of_patients_is_asked_about_and_obeyed(opened: Open):
    text = table("path,label,patient_id,age", lambda path, label: f"{path},{label},{path[:2]},50")
    with pytest.raises(
        RequestError, match=r"Set `group_column='patient_id'` to keep them together"
    ):
        opened(text)
    assert opened(text, group_column="patient_id").groups == ("ca", "ca", "do", "do")
    assert opened(text, group_column="none").groups is None
    assert opened(text, group_pattern=r"\d").groups == ("0", "1", "2", "3")
    assert "unused columns: age" in opened(text, group_column="patient_id").warnings[0]
    with pytest.raises(RequestError, match="exclude each other"):
        opened(text, group_column="patient_id", group_pattern=".")


def test_a_patient_of_each_image_is_noted_and_a_number_of_the_class_is_no_group(opened: Open):
    text = table("path,label,patient,genus_id", lambda path, y: f"{path},{y},{path[-5]},{y}")
    data = opened(text)
    assert data.groups is None
    assert any("patient is another in each row" in warning for warning in data.warnings)


@pytest.mark.parametrize("rows", [["1,1", "0,1", "1,0"], ["1,0", "0,0", "0,1"], [".9,.1", "0,1"]])
def test_columns_of_several_classes_are_not_taken_for_labels(opened: Open, rows: list[str]):
    lines = [f"{path},{row}" for path, row in zip(FOUR, rows, strict=False)]
    with pytest.raises(RequestError, match=r"columns of 0 and 1, but not one|labels may be in"):
        opened("\n".join(["image,cat,dog", *lines]))


def test_a_word_that_is_no_split_among_splits_is_told_with_its_row(opened: Open):
    text = "path,label,Usage\ncat/0.png,cat,Training\ndog/2.png,dog,PublicTest\n"
    with pytest.raises(RequestError, match="row 3: 'PublicTest' is not a split"):
        opened(text)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["mass|effusion", "mass"], "'mass|effusion' look like several in one"),
        (['"a, b"', "b"], "'a, b' look like several in one"),
        (["0.25", "7"], "'0.25' look like measurements"),
        (["1", "01"], "'01' and '1' are trained as different classes"),
    ],
)
def test_labels_that_may_be_no_classes_are_said(opened: Open, labels: list[str], said: str):
    data = opened(f"path,label\ncat/0.png,{labels[0]}\ncat/1.png,{labels[1]}\n")
    assert any(said in warning for warning in data.warnings)
    assert len(data.classes) == 2


def test_usual_labels_are_not_doubted(opened: Open):
    rows = "cat/0.png,1.0\ncat/1.png,2.0\n", 'cat/0.png,"lab, black"\ncat/1.png,"lab, white"\n'
    for text in rows:
        assert not opened(f"path,label\n{text}").warnings


def test_a_class_called_none_is_said(opened: Open):
    data = opened("path,label\ncat/0.png,None\ncat/1.png,a\n")
    assert "a class for itself is 'None' (1)" in data.warnings[0]


@pytest.mark.parametrize("name", ["labels.xlsx", "labels.feather", "labels.jsonl", "labels.ods"])
def test_tables_of_other_kinds_are_told_what_to_save(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(
        RequestError, match=r"is an? [\w ]+; a table is read from a CSV file\. Save it"
    ):
        open_source(str(tmp_path / name))


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-le", "utf-16-be"])
def test_other_encodings_of_spreadsheets_are_read(opened: Open, encoding: str):
    text = "path;label\ncat/0.png;Caf\u00e9\ncat/1.png;na\u00efve\ndog/2.png;Caf\u00e9\n"
    data = opened(text.encode(encoding))
    assert data.classes == ("Caf\u00e9", "na\u00efve")
    is_said = any("is read as Windows-1252, as in 'Caf\u00e9'" in one for one in data.warnings)
    assert is_said == (not encoding.startswith("utf"))
