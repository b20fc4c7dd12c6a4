"""Groups of other data: intervals count their images as dependent."""

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.errors import RequestError


@pytest.fixture(scope="module")
def copies(tmp_path_factory, digits_run):
    """Each of 40 test images five times, in a folder by class and in a table with a patient."""
    root = tmp_path_factory.mktemp("copies")
    source = convscope.evaluate(digits_run, split="val")
    images, rows = source.loaded.dataset.images, ["path,label,patient"]
    for number, index in enumerate(source.indices[:40].tolist()):
        name = source.metrics.classes[source.labels[number]]
        (root / "folder" / name).mkdir(parents=True, exist_ok=True)
        for copy in range(5):
            path = f"folder/{name}/p{number:02d}_{copy}.png"
            Image.fromarray(np.asarray(images.image(index))).save(root / path)
            rows.append(f"{path},{name},p{number:02d}")
    (root / "table.csv").write_text("\n".join(rows) + "\n")
    return root


def test_a_column_and_a_pattern_give_the_same_wider_intervals(digits_run, copies):
    table, folder = str(copies / "table.csv"), str(copies / "folder")
    alone = convscope.evaluate(digits_run, table, group_column="none")
    column = convscope.evaluate(digits_run, table, group_column="patient")
    pattern = convscope.evaluate(digits_run, folder, group_pattern=r"(p\d+)_")
    assert alone.details.num_groups is None
    assert column.details.num_groups == pattern.details.num_groups == 40
    assert alone.top1 == column.top1 == pattern.top1
    wide, narrow = (np.diff(each.details.loss.interval)[0] for each in (column, alone))
    assert wide == pytest.approx(narrow * 5**0.5, rel=0.05)
    assert pattern.details.loss.interval == pytest.approx(column.details.loss.interval)
    assert sorted({row["group"] for row in column.per_image}) == [f"p{n:02d}" for n in range(40)]


@pytest.mark.parametrize("option", ["group_column", "group_pattern"])
def test_groups_of_a_runs_own_data_and_of_named_data_are_refused(digits_run, option):
    with pytest.raises(RequestError, match=f"`{option}` is for other data"):
        convscope.evaluate(digits_run, **{option: "patient"})
    with pytest.raises(RequestError, match=f"`{option}` is for "):
        convscope.evaluate(digits_run, "digits", **{option: "patient"})
