"""Objects of any number of images in part files: a row for each, as `predict` has them."""

import csv

import pytest

import convscope
from convscope.errors import RequestError
from tests.conversion.test_boxes import network, picture
from tests.explanation.test_boxes import anchored

for package in ("onnx", "onnxruntime", "onnxscript"):
    pytest.importorskip(package)

COLUMNS = ["path", "label", "score", "left", "top", "right", "bottom", "error"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("batch") / "exported"
    return convscope.export(network(anchored), path, engine="onnxruntime", threads=1).path


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    out = tmp_path_factory.mktemp("images")
    for number in range(5):
        picture((30 + number, 40 - number), number).save(out / f"{number}.png")
    (out / "bad.jpg").write_bytes(b"no image")
    return out


def read(output):
    if output.suffix == ".csv":
        rows = []
        for path in sorted(output.glob("part-*.csv")):
            with path.open(newline="") as file:
                rows += [*csv.DictReader(file)]
        return rows
    parquet = pytest.importorskip("pyarrow.parquet")
    return [
        row
        for path in sorted(output.glob("part-*.parquet"))
        for row in parquet.read_table(path).to_pylist()
    ]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("min_score", [0.05, 0.97, None])
def test_each_object_has_a_row_and_an_image_without_one_too(
    folder, images, tmp_path, suffix, min_score
):
    output = tmp_path / f"out.{suffix}"
    written = convscope.batch_predict(folder, images, output, part_size=4, min_score=min_score)
    assert (written.num_images, written.num_unreadable, written.num_parts) == (6, 1, 2)
    rows = read(output)
    assert [*rows[0]] == COLUMNS
    plain = convscope.predict(folder, images, min_score=min_score)
    expected = {}
    for one in plain:
        expected[one.path] = [(each.label, each.score, *each.box) for each in one.objects]
    empty = sum(not found for found in expected.values())
    assert empty if min_score == 0.97 else max(map(len, expected.values())) > 1
    found = {}
    for row in rows:
        if row["error"]:
            assert dict(plain.unreadable)[row["path"]] == row["error"]
            continue
        one = found.setdefault(row["path"], [])
        if row["label"]:
            one.append((row["label"], *(float(row[name]) for name in COLUMNS[2:7])))
    assert found.keys() == expected.keys()
    for path, boxes in expected.items():
        assert [one[0] for one in found[path]] == [one[0] for one in boxes]
        for one, other in zip(found[path], boxes, strict=True):
            assert one[1:] == pytest.approx(other[1:], abs=2e-6)


def test_another_least_score_is_another_request(folder, images, tmp_path):
    convscope.batch_predict(folder, images, tmp_path / "out.csv", min_score=0.1)
    with pytest.raises(RequestError, match="min_score differ"):
        convscope.batch_predict(folder, images, tmp_path / "out.csv", min_score=0.2)
    with pytest.raises(RequestError, match="allowed: 0 to 1"):
        convscope.batch_predict(folder, images, tmp_path / "other.csv", min_score=2)
