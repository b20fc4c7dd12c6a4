"""Groups that a regular expression finds in the names of files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.data.group_pattern import groups_by_pattern
from convscope.data.source import open_source
from convscope.data.split import fill_splits
from convscope.errors import RequestError

Plant = Callable[..., Path]


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        (r"(\d+)_(left|right)", ("12", "13", "12", "")),
        (r"(left|right)|(?P<group>\d+)$", ("", "", "", "")),
        (r"(?P<side>left|right)?.*?(?P<group>\d)", ("1", "1", "1", "7")),
        (r"\d+", ("12", "13", "12", "7")),
        (r"^(\w)/", ("a", "a", "b", "b")),
    ],
)
def test_the_named_group_counts_or_the_first_or_the_whole_match(
    pattern: str, groups: tuple[str, ...]
):
    keys = ["a/12_left.jpg", "a/13_right.jpg", "b/12_right.jpg", "b/7.jpg"]
    if not any(groups):
        with pytest.raises(RequestError, match="matches none of the 4 images of DATA, the first"):
            groups_by_pattern(keys, pattern, where="DATA")
        return
    found, warnings = groups_by_pattern(keys, pattern, where="DATA")
    assert found == groups
    assert ("3 of 4 images are in 2 groups" in warnings[0]) == ("" in groups)
    assert ("'b/7.jpg'" in warnings[0]) == ("" in groups)


def test_an_invalid_expression_is_told():
    with pytest.raises(RequestError, match="is not a regular expression: missing"):
        groups_by_pattern(["a"], "(", where="DATA")


def test_both_eyes_of_a_patient_fall_into_one_split_of_a_folder(plant: Plant):
    root = plant(*(f"{c}/{n}_{eye}.png" for c in "ab" for n in range(30) for eye in ("l", "r")))
    data = fill_splits(open_source(str(root), group_pattern=r"(\d+)_[lr]"), val=0.2, test=0.2)
    splits: dict[str, set[str]] = {}
    for index, split in enumerate(data.split.tolist()):
        patient = data.images.key(index).split("/")[1].split("_")[0]
        splits.setdefault(patient, set()).add(split)
    assert all(len(found) == 1 for found in splits.values())
    assert set().union(*splits.values()) == {"train", "val", "test"}


def test_a_pattern_suits_the_paths_of_a_table_too(plant: Plant):
    root = plant(*(f"{n}_{eye}.png" for n in range(4) for eye in ("l", "r")))
    rows = [f"{n}_{eye}.png,{'ab'[n % 2]}" for n in range(4) for eye in ("l", "r")]
    (root / "t.csv").write_text("path,label\n" + "\n".join(rows))
    assert open_source(str(root / "t.csv"), group_pattern=r"\d+").groups == tuple("00112233")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_column": "y"}, "`label_column` is for a CSV file"),
        ({"image_column": "y"}, "`image_column` is for a CSV file"),
        ({"group_column": "y"}, "`group_column` is for a CSV file"),
    ],
)
def test_a_folder_has_no_columns(plant: Plant, options: dict[str, str], message: str):
    with pytest.raises(RequestError, match=message):
        open_source(str(plant("a/1.png", "b/1.png")), **options)


def test_a_named_source_has_no_files_to_group():
    with pytest.raises(RequestError, match="`group_pattern` is for a folder of class folders or"):
        open_source("digits", group_pattern=".")
