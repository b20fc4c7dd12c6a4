"""WebDataset shards: what the library writes, and what it would read wrongly."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convscope.data.file_patterns import expand_braces
from convscope.data.source import open_source
from convscope.errors import RequestError

webdataset: Any = pytest.importorskip("webdataset")
pytestmark = pytest.mark.filterwarnings(  # the library leaves shards open
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


def photo(shade: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), (shade, 100, 200 - shade)).save(stream, "PNG")
    return stream.getvalue()


def shard(
    path: Path, members: Mapping[str, bytes | str] | Sequence[tuple[str, bytes | str]]
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in dict(members).items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def pair(key: str, shade: int, label: str, ending: str = "cls") -> dict[str, bytes | str]:
    return {f"{key}.png": photo(shade), f"{key}.{ending}": label}


def test_shards_of_the_library_are_read_as_it_reads_them(tmp_path: Path):
    pattern = str(tmp_path / "train-%06d.tar")
    with webdataset.ShardWriter(pattern, maxcount=5, verbose=0) as sink:
        for number in range(12):
            picture = np.full((4, 3, 3), number * 9, np.uint8)
            sink.write({"__key__": f"s/{number:04d}", "png": picture, "cls": number % 3})
    braces = str(tmp_path / "train-{000000..000002}.tar")
    theirs = webdataset.WebDataset(braces, shardshuffle=False).decode("pil").to_tuple("png", "cls")
    expected = [(np.asarray(image), label) for image, label in theirs]
    assert len(expected) == 12
    for source in (braces, str(tmp_path), str(tmp_path / "*.tar")):
        data = open_source(source)
        assert set(data.split.tolist()) == {"train"}
        assert data.classes == ("0", "1", "2")
        for index, (pixels, label) in enumerate(expected):
            assert np.array_equal(np.asarray(data.images.image(index)), pixels)
            assert data.labels[index] == label
        assert data.images.key(11) == "train-000002.tar/s/0011.png"


def test_splits_are_known_by_names_and_by_folders(tmp_path: Path):
    for names in (("x-train-0.tar", "x-val-0.tar"), ("train/0.tar", "validation/0.tar")):
        root = tmp_path / names[0].partition("/")[0].partition(".")[0]
        shard(root / names[0], pair("a", 1, "0") | pair("b", 2, "1") | pair("c", 3, "0"))
        shard(root / names[1], pair("a", 4, "1"))
        (root / "classnames.txt").write_text("cat\ndog\n")
        data = open_source(root)
        assert data.classes == ("cat", "dog")
        assert data.counts("train").tolist() == [2, 1]
        assert data.counts("val").tolist() == [0, 1]


def test_one_tar_file_may_be_a_shard(tmp_path: Path):
    path = shard(tmp_path / "pets.tar", pair("a", 1, "cat", "txt") | pair("b", 2, "dog", "txt"))
    data = open_source(path)
    assert (data.name, data.classes) == ("pets", ("cat", "dog"))
    folders = {f"{name}/{n}.{end}": photo(n) for name in "ab" for n in range(2) for end in ("png",)}
    path = shard(tmp_path / "folders.tar", {**folders, "a/0.txt": "a caption"})
    assert open_source(path).classes == ("a", "b")


def test_upper_and_lower_case_endings_may_be_mixed(tmp_path: Path):
    members = {"1.PNG": photo(1), "1.CLS": "0", "2.png": photo(2), "2.cls": "1"}
    assert open_source(shard(tmp_path / "s.tar", members)).labels.tolist() == [0, 1]


def test_two_images_in_a_sample_are_refused_by_name(tmp_path: Path):
    members = {"d.v1/img.001.png": photo(1), "d.v1/img.002.png": photo(2), "d.v1/img.cls": "0"}
    path = shard(tmp_path / "s.tar", members)
    assert len(list(webdataset.WebDataset(str(path), shardshuffle=False))) == 1  # one is lost
    with pytest.raises(RequestError, match=r"s\.tar/d\.v1/img has 2 images, d\.v1/img\.001\.png"):
        open_source(path)


def test_one_of_several_images_can_be_chosen(tmp_path: Path):
    members = pair("a", 1, "0") | pair("b", 2, "1") | {"a.mask.png": photo(7), "b.mask.png": b""}
    data = open_source(shard(tmp_path / "s.tar", members), image_column="png")
    assert data.images.key(0) == "a.png"
    with pytest.raises(RequestError, match=r"one with `image_column`, such as 'png'"):
        open_source(tmp_path / "s.tar")


def test_labels_are_taken_from_json(tmp_path: Path):
    facts = [{"label": "cat", "width": 4}, {"label": "dog", "class": 1}]
    members = pair("a", 1, json.dumps(facts[0]), "json") | pair(
        "b", 2, json.dumps(facts[1]), "json"
    )
    path = shard(tmp_path / "s.tar", members)
    with pytest.raises(RequestError, match=r"s\.tar/b has several labels \(label, class\)"):
        open_source(path)
    assert open_source(path, label_column="label").classes == ("cat", "dog")
    with pytest.raises(RequestError, match=r"s\.tar/a has no label; its keys are label, width"):
        open_source(path, label_column="class")


def labels_of(data: Any) -> list[set[str]]:
    return [{data.classes[n] for n in np.flatnonzero(row)} for row in data.targets]


@pytest.mark.parametrize(
    ("ending", "written", "options"),
    [
        ("json", ['{"labels": ["cat", "dog"]}', '{"labels": []}', '{"labels": ["owl"]}'], {}),
        ("json", ['{"cat": 1, "dog": true, "owl": "no"}', '{"cat": 0, "dog": 0, "owl": 0}',
                  '{"cat": 0, "dog": null, "owl": 1}'], {"label_column": "cat,dog,owl"}),
        ("txt", ["cat\ndog", "", "owl"], {"task": "multi-label"}),
        ("cls", ["cat;dog", "", "owl"], {"task": "multi-label"}),
        ("cls", ["0;1", "", "2"], {"task": "multi-label"}),
        ("json", ['{"labels": [0, 1]}', '{"labels": []}', '{"labels": [2]}'], {}),
    ],
)  # fmt: skip
def test_a_sample_may_have_several_labels(
    tmp_path: Path, ending: str, written: list[str], options: dict[str, str]
):
    first = pair("a", 1, written[0], ending) | pair("b", 2, written[1], ending)
    shard(tmp_path / "train-0.tar", first)
    shard(tmp_path / "train-1.tar", pair("c", 3, written[2], ending))
    (tmp_path / "classnames.txt").write_text("cat\ndog\nowl\n")
    data = open_source(str(tmp_path), **options)
    assert labels_of(data) == [{"cat", "dog"}, set(), {"owl"}]


def test_grades_come_from_shards(tmp_path: Path):
    path = shard(tmp_path / "s.tar", pair("a", 1, "2") | pair("b", 2, "0") | pair("c", 3, "1"))
    data = open_source(path, task="ordinal")
    assert [data.classes[label] for label in data.labels] == ["2", "0", "1"]
    members = pair("a", 1, '{"grade": [2, 0]}', "json") | pair("b", 2, '{"grade": [1]}', "json")
    with pytest.raises(RequestError, match=r"image 0 has 2 labels, and `task='ordinal'`"):
        open_source(shard(tmp_path / "t.tar", members), task="ordinal")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"b.png": photo(2)}, r"s\.tar/b has no label: it has \.png"),
        (pair("b", 2, ""), r"b\.cls of s\.tar is empty"),
        (pair("b", 2, "1\n2"), r"b\.cls of s\.tar is several lines"),
        ({"b.png": photo(2), "b.cls": b"\xff\x00"}, r"b\.cls of s\.tar is not UTF-8"),
        (pair("b", 2, "{", "json"), "the JSON of s.tar/b cannot be read"),
        (pair("b", 2, '{"label": {"1": 2}}', "json"), r"has the label \{'1': 2\}"),
    ],
)
def test_faulty_samples_are_named(tmp_path: Path, members: dict[str, bytes | str], message: str):
    path = shard(tmp_path / "s.tar", pair("a", 1, "0") | members)
    with pytest.raises(RequestError, match=message):
        open_source(path)


def test_what_is_left_out_is_counted(tmp_path: Path):
    members = pair("a", 1, "0") | pair("b", 2, "1") | pair("c", 3, "-1") | {"d.cls": "1"}
    data = open_source(shard(tmp_path / "s.tar", members))
    assert data.labels.tolist() == [0, 1]
    assert "samples without an image are left out: 1." in data.warnings[0]
    assert "1 images have no label (-1)" in data.warnings[1]


def test_captions_are_no_classes(tmp_path: Path):
    members: dict[str, bytes | str] = {}
    for n in range(20):
        members |= pair(f"{n:02d}", n, f"a photo of thing {n}", "txt")
    with pytest.raises(RequestError, match=r"20 different labels for 20 images, as captions are"):
        open_source(shard(tmp_path / "s.tar", members))


def test_a_missing_or_damaged_shard_is_named(tmp_path: Path):
    shard(tmp_path / "t-0.tar", pair("a", 1, "0") | pair("b", 2, "1"))
    with pytest.raises(RequestError, match=r"t-1\.tar does not exist"):
        open_source(f"{tmp_path}/t-{{0..1}}.tar")
    with pytest.raises(RequestError, match=r"No file matches .*u-\*\.tar"):
        open_source(f"{tmp_path}/u-*.tar")
    content = (tmp_path / "t-0.tar").read_bytes()
    (tmp_path / "t-1.tar").write_bytes(content[:700])
    with pytest.raises(RequestError, match=r"t-1\.tar .*damaged"):
        open_source(f"{tmp_path}/t-{{0..1}}.tar")


def test_braces_are_expanded_as_the_library_expands_them():
    from braceexpand import braceexpand  # noqa: PLC0415  comes with webdataset

    for pattern in ("a{0..3}", "a{003..001}b", "{x,y}-{08..11}", "a{9..11}", "plain", "{a,b}{c,}"):
        assert expand_braces(pattern) == list(braceexpand(pattern))
    with pytest.raises(RequestError, match="too many files"):
        expand_braces("{0..999999999}")
    with pytest.raises(RequestError, match=r"100,000,000 files"):
        expand_braces("{0..9999}{0..9999}")


def test_groups_are_found_in_names(tmp_path: Path):
    members: dict[str, bytes | str] = {}
    for n in range(4):
        members |= pair(f"p{n // 2}_{n}", n, str(n % 2))
    data = open_source(shard(tmp_path / "s.tar", members), group_pattern=r"(p\d)_")
    assert data.groups == ("p0", "p0", "p1", "p1")
