"""Parquet files and folders of `save_to_disk`, against what pyarrow and `datasets` read."""

import importlib
import importlib.util
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convscope.data.source import open_source
from convscope.data.unreadable import UnreadableImage
from convscope.errors import RequestError

arrow: Any = pytest.importorskip("pyarrow")
parquet: Any = importlib.import_module("pyarrow.parquet")

FEATURES = {
    "image": {"_type": "Image"},
    "label": {"names": ["cat", "dog"], "_type": "ClassLabel"},
}
METADATA = {"huggingface": json.dumps({"info": {"features": FEATURES}})}
KIND = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])


def photo(shade: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), (shade, 100, 200 - shade)).save(stream, "PNG")
    return stream.getvalue()


def table(
    labels: Sequence[int | None],
    *,
    paths: Sequence[str | None] = (),
    first: int = 0,
    **columns: Any,
) -> Any:
    """A table as the hub has it: images of a shade each, and labels with names."""
    named = paths or [None] * len(labels)
    images = [{"bytes": photo(first + n), "path": path} for n, path in enumerate(named)]
    data = {"image": arrow.array(images, KIND), "label": arrow.array(labels, arrow.int64())}
    data |= {name: arrow.array(values) for name, values in columns.items()}
    return arrow.table(data).replace_schema_metadata(METADATA)


def save(folder: Path, tables: Sequence[Any]) -> Path:
    """A folder as `save_to_disk` writes it."""
    folder.mkdir(parents=True)
    names = [f"data-{n:05d}-of-{len(tables):05d}.arrow" for n in range(len(tables))]
    for name, content in zip(names, tables, strict=True):
        with (
            arrow.OSFile(str(folder / name), "wb") as sink,
            arrow.ipc.new_stream(sink, content.schema) as writer,
        ):
            for batch in content.to_batches(max_chunksize=2):
                writer.write_batch(batch)
    state = {"_data_files": [{"filename": name} for name in names]}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": FEATURES}))
    return folder


def shades(data: Any) -> list[int]:
    images = (np.asarray(data.images.image(index)) for index in range(len(data)))
    return [int(pixels[0, 0, 0]) for pixels in images]


@pytest.mark.parametrize("compression", ["snappy", "none", "zstd"])
def test_the_hubs_files_are_read_with_names_and_splits(tmp_path: Path, compression: str):
    for name, labels, first in (
        ("train-00000-of-00002", [0, 1, 0, 1, 1], 10), ("train-00001-of-00002", [1, 0], 20),
        ("validation-00000-of-00001", [1, 0], 30),
    ):  # fmt: skip
        path = tmp_path / "data" / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True)
        content = table(labels, first=first)
        parquet.write_table(content, path, compression=compression, row_group_size=2)
    for source in (tmp_path, tmp_path / "data", f"{tmp_path}/data/*.parquet"):
        data = open_source(source)
        assert data.classes == ("cat", "dog")
        assert data.labels.tolist() == [0, 1, 0, 1, 1, 1, 0, 1, 0]
        assert data.split.tolist() == ["train"] * 7 + ["val"] * 2
        assert shades(data) == [10, 11, 12, 13, 14, 20, 21, 30, 31]
        assert [shades(data)[index] for index in (6, 0, 8)] == [21, 10, 31]  # in any order


def test_a_saved_folder_is_read_where_it_lies(tmp_path: Path):
    folder = save(tmp_path / "pets", [table([0, 1, 0]), table([1, 1], first=3)])
    data = open_source(folder)
    assert (data.name, data.classes, data.labels.tolist()) == (
        "pets",
        ("cat", "dog"),
        [0, 1, 0, 1, 1],
    )
    assert shades(data) == [0, 1, 2, 3, 4]
    both = tmp_path / "both"
    save(both / "train", [table([0, 1, 0])])
    save(both / "test", [table([1, 0], first=9)])
    (both / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    data = open_source(both)
    assert data.split.tolist() == ["train"] * 3 + ["test"] * 2
    assert shades(data) == [0, 1, 2, 9, 10]


@pytest.mark.skipif(not importlib.util.find_spec("datasets"), reason="datasets is not installed")
def test_what_the_library_writes_is_read_as_it_reads_it(tmp_path: Path):
    library: Any = importlib.import_module("datasets")
    images = [Image.new("RGB", (5, 4), (n, 2 * n, 3 * n)) for n in range(40)]
    features = library.Features(
        {"image": library.Image(), "label": library.ClassLabel(names=["cat", "dog"])}
    )
    labels = [n % 2 for n in range(40)]
    theirs = library.Dataset.from_dict({"image": images, "label": labels}, features=features)
    theirs.save_to_disk(tmp_path / "disk", num_shards=3)
    theirs.to_parquet(tmp_path / "one.parquet", batch_size=7)
    for source in (tmp_path / "disk", tmp_path / "one.parquet"):
        data = open_source(source)
        assert data.labels.tolist() == theirs["label"]
        for index in range(40):
            pixels = np.asarray(data.images.image(index))
            assert np.array_equal(pixels, np.asarray(theirs[index]["image"]))


def test_labels_may_be_names_and_images_plain_bytes(tmp_path: Path):
    columns = {"img": [photo(1), photo(2)], "class": ["owl", "ant"], "name": ["x", "y"]}
    parquet.write_table(arrow.table(columns), tmp_path / "t.parquet")
    data = open_source(tmp_path / "t.parquet")
    assert (data.classes, shades(data)) == (("ant", "owl"), [1, 2])
    assert data.images.key(1) == "00001"


def test_paths_of_images_are_their_keys(tmp_path: Path):
    paths = ["p0_1.png", "p0_2.png", "p1_1.png", "p1_2.png"]
    parquet.write_table(table([0, 1, 0, 1], paths=paths), tmp_path / "t.parquet")
    data = open_source(tmp_path / "t.parquet", group_pattern=r"(p\d)_")
    assert [data.images.key(n) for n in range(4)] == paths
    assert data.groups == ("p0", "p0", "p1", "p1")


def test_a_table_of_paths_is_read(tmp_path: Path, png: bytes):
    for n in range(2):
        (tmp_path / f"{n}.png").write_bytes(png)
    columns = {"image_path": ["0.png", "1.png"], "label": ["a", "b"]}
    parquet.write_table(arrow.table(columns), tmp_path / "t.parquet")
    assert open_source(tmp_path / "t.parquet").images.image(1).size == (2, 2)


def test_patients_are_asked_about_and_kept_together(tmp_path: Path):
    parquet.write_table(table([0, 1, 1], patient_id=[7, 7, 8]), tmp_path / "t.parquet")
    with pytest.raises(RequestError, match=r"`group_column='patient_id'` to keep them together"):
        open_source(tmp_path / "t.parquet")
    assert open_source(tmp_path / "t.parquet", group_column="patient_id").groups == ("7", "7", "8")
    assert open_source(tmp_path / "t.parquet", group_column="none").groups is None


def test_withheld_labels_are_left_out(tmp_path: Path):
    parquet.write_table(table([0, -1, 1, 1]), tmp_path / "t.parquet")
    data = open_source(tmp_path / "t.parquet")
    assert (data.labels.tolist(), shades(data)) == ([0, 1, 1], [0, 2, 3])
    assert "1 images have no label (-1)" in data.warnings[0]


def test_paths_without_images_are_explained(tmp_path: Path, png: bytes):
    names = [{"bytes": None, "path": f"{n}.png"} for n in range(2)]
    content = arrow.table({"image": arrow.array(names, KIND), "label": [0, 1]})
    parquet.write_table(content, tmp_path / "t.parquet")
    save(tmp_path / "disk", [content.replace_schema_metadata(METADATA)])
    for source in (tmp_path / "t.parquet", tmp_path / "disk"):
        with pytest.raises(RequestError, match=r"the first, 0\.png, does not exist here"):
            open_source(source)
    for n in range(2):
        (tmp_path / f"{n}.png").write_bytes(png)
    assert open_source(tmp_path / "t.parquet").images.image(1).size == (2, 2)


SEVERAL = [
    ({"label": [["dog", "cat"], [], None]}, {}),
    ({"label": ["dog;cat", "", None]}, {"task": "multi-label"}),
    ({"cat": [True, False, None], "dog": [1.0, 0.0, 0.0]}, {"label_column": "cat,dog"}),
    ({"label": [[1, 1], [0, 0], [0, 0]]}, {"default_names": ["cat", "dog"]}),
    ({"label": [[0, 1], [], []]}, {"default_names": ["cat", "dog"]}),
]


@pytest.mark.parametrize(("columns", "options"), SEVERAL)
def test_an_image_may_have_several_labels(
    tmp_path: Path, columns: dict[str, Any], options: dict[str, Any]
):
    image = [photo(n) for n in range(3)]
    parquet.write_table(arrow.table({"image": image, **columns}), tmp_path / "t.parquet")
    data = open_source(tmp_path / "t.parquet", for_training=False, **options)
    assert data.classes == ("cat", "dog")
    assert data.targets.tolist() == [[1, 1], [0, 0], [0, 0]]


@pytest.mark.parametrize("form", ["Sequence", "List", "list"])
def test_lists_of_class_labels_have_their_names(tmp_path: Path, form: str):
    inner = {"names": ["cat", "dog", "owl"], "_type": "ClassLabel"}
    listed = [inner] if form == "list" else {"feature": inner, "_type": form}
    features = {"image": {"_type": "Image"}, "tags": listed, "note": {"_type": "Value"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    for split, tags in {"train": [[0, 1], [1]], "test": [[2, 1], []]}.items():
        columns = {"image": [photo(1), photo(2)], "tags": tags, "note": ["a", "b"]}
        content = arrow.table(columns).replace_schema_metadata(metadata)
        parquet.write_table(content, tmp_path / f"{split}.parquet")
    data = open_source(tmp_path, for_training=False)
    assert data.classes == ("cat", "dog", "owl")
    assert data.targets[data.split == "train"].tolist() == [[1, 1, 0], [0, 1, 0]]
    assert data.targets[data.split == "test"].tolist() == [[0, 1, 1], [0, 0, 0]]


def test_grades_of_a_column_are_classes(tmp_path: Path):
    columns = {"image": [photo(n) for n in range(3)], "grade": [2, 0, 1]}
    parquet.write_table(arrow.table(columns), tmp_path / "t.parquet")
    data = open_source(tmp_path / "t.parquet", label_column="grade", task="ordinal")
    assert data.labels.tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": [0, 1]}, "no column of images; its columns are label"),
        ({"image": [b"1", b"2"]}, "no column of labels"),
        ({"image": [b"1", b"2"], "label": [0, None]}, "image 1 has no label"),
        ({"image": [b"1", b"2"], "label": [0.5, 1]}, "numbers that are not integers"),
        ({"image": [b"1", b"2"], "label": [0, 1], "class": [1, 0]}, r"\(label, class\)"),
    ],
)
def test_odd_columns_are_explained(tmp_path: Path, columns: dict[str, Any], message: str):
    parquet.write_table(arrow.table(columns), tmp_path / "t.parquet")
    with pytest.raises(RequestError, match=message):
        open_source(tmp_path / "t.parquet")


def test_labels_beyond_the_names_are_refused(tmp_path: Path):
    parquet.write_table(table([0, 1, 2]), tmp_path / "t.parquet")
    with pytest.raises(RequestError, match="has the label 2, and there are 2 class names"):
        open_source(tmp_path / "t.parquet")


def test_cut_off_files_are_named(tmp_path: Path):
    parquet.write_table(table([0, 1]), tmp_path / "t.parquet")
    folder = save(tmp_path / "disk", [table([0, 1, 0, 1])])
    for path in (tmp_path / "t.parquet", folder / "data-00000-of-00001.arrow"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(RequestError, match=r"t\.parquet cannot be read"):
        open_source(tmp_path / "t.parquet")
    with pytest.raises(RequestError, match=r"data-00000-of-00001\.arrow cannot be read"):
        open_source(folder)
    (folder / "data-00000-of-00001.arrow").unlink()
    with pytest.raises(RequestError, match=r"data-00000-of-00001\.arrow cannot be read"):
        open_source(folder)
    (folder / "state.json").write_text('{"_data_files": [{"filename": "../x.arrow"}]}')
    with pytest.raises(RequestError, match=r"names '\.\./x\.arrow', which is not beside it"):
        open_source(folder)


def test_a_file_that_is_cut_off_later_is_a_problem_of_its_images(tmp_path: Path):
    folder = save(tmp_path / "disk", [table([0, 1, 0, 1])])
    data = open_source(folder)
    path = folder / "data-00000-of-00001.arrow"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UnreadableImage, match="has changed since it was opened"):
        data.images.image(3)


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    parquet.write_table(table([0, 1]), tmp_path / "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(RequestError, match=r'pip install "convscope\[huggingface\]"'):
        open_source(tmp_path / "t.parquet")
