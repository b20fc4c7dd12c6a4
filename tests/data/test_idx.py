"""IDX files built by hand, MNIST's and EMNIST's folders, and the real MNIST where it is."""

import gzip
import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from convscope.data.emnist import find_emnist, read_emnist_folder, read_emnist_zip
from convscope.data.idx import identify, parse_idx, read_idx, read_idx_folder
from convscope.errors import RequestError, WorkError

Pack = Callable[[NDArray[np.uint8]], bytes]
Write = Callable[..., Path]
CUBE = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("zipped", [False, True])
def test_an_array_comes_back(idx: Pack, tmp_path: Path, zipped: bool):  # noqa: FBT001
    path = tmp_path / "a.gz"  # the name does not matter
    path.write_bytes(gzip.compress(idx(CUBE)) if zipped else idx(CUBE))
    assert (read_idx(path) == CUBE).all()


def test_a_file_of_several_gzip_members_is_one_array(idx: Pack):
    packed, middle = idx(CUBE), len(idx(CUBE)) // 2
    members = gzip.compress(packed[:middle]) + gzip.compress(packed[middle:])
    for file in (members, gzip.compress(packed), gzip.compress(packed) + bytes(8)):
        assert (parse_idx(io.BytesIO(file), where="file") == CUBE).all()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: b"", "is not an IDX file"),
        (lambda data: b"\x89PNG" + data, "is not an IDX file"),
        (lambda data: b"\0\0\x08\x00" + data[4:], "is not an IDX file"),
        (lambda data: b"\0\0\x08\xff" + data[4:], "is not an IDX file"),
        (lambda data: b"\0\0\x0d" + data[3:], "elements of type 0x0d"),
        (lambda data: data[:9], "truncated or damaged"),
        (lambda data: data[:-1], "24 bytes after its header, for 2 x 3 x 4, but has 23"),
        (lambda data: data + b"\0", "but has more"),
        (lambda data: data[:4] + struct.pack(">3I", 60_000, 60_000, 3), "claims 60000 x 60000 x 3"),
        (lambda data: gzip.compress(data)[:-12], "truncated or damaged"),
        (lambda data: gzip.compress(data)[:-8] + b"\0" * 8, "truncated or damaged"),
        (lambda data: gzip.compress(data)[:10] + b"\xff" * 9, "truncated or damaged"),
    ],
)  # fmt: skip
def test_what_is_not_exactly_idx_is_refused(
    idx: Pack, tmp_path: Path, spoil: Callable[[bytes], bytes], message: str
):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(spoil(idx(CUBE)))
    with pytest.raises(RequestError) as caught:
        read_idx(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_nothing_is_inflated_beyond_what_the_header_says(idx: Pack):
    bomb = gzip.compress(idx(CUBE) + bytes(200_000_000), 1)
    tracemalloc.start()
    with pytest.raises(RequestError, match="but has more"):
        parse_idx(io.BytesIO(bomb), where="bomb")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10_000_000


def test_a_header_that_promises_much_takes_no_memory(tmp_path: Path):
    lie = tmp_path / "lie"
    lie.write_bytes(struct.pack(">BBBB3I", 0, 0, 8, 3, 1000, 1000, 1000) + b"few")
    tracemalloc.start()
    with pytest.raises(RequestError, match="but has 3"):
        read_idx(lie)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10_000_000


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("dot", ["-", "."])
def test_a_folder_is_found_under_its_usual_names(idx_folder: Write, zipped: bool, dot: str):  # noqa: FBT001
    kinds = (f"images{dot}idx3-ubyte", f"labels{dot}idx1-ubyte")
    data = read_idx_folder(idx_folder(kinds=kinds, zipped=zipped), "mnist")
    assert data.classes == tuple("0123456789")
    assert data.labels.tolist() == [0, 1, 2, 1, 2, 0]
    assert data.split.tolist() == ["train"] * 4 + ["test"] * 2
    assert [data.images.key(n) for n in (0, 3, 4)] == ["train/00000", "train/00003", "test/00000"]
    assert data.images.image(5).size == (4, 5)
    assert len(data) == len(data.images) == 6


def test_a_source_without_a_test_set_is_all_training(idx_folder: Write):
    folder = idx_folder()
    for path in folder.glob("t10k*"):
        path.unlink()
    assert set(read_idx_folder(folder, "mine").split.tolist()) == {"train"}


def test_names_of_classes_belong_to_the_source(idx_folder: Write):
    folder = idx_folder()
    assert read_idx_folder(folder, "fashion-mnist").classes[9] == "Ankle boot"
    assert read_idx_folder(folder, "kmnist").classes[3] == "tsu"
    assert read_idx_folder(folder, "mine").classes == ("0", "1", "2")


def test_a_folder_that_does_not_fit_together_is_refused(idx_folder: Write, idx: Pack):
    with pytest.raises(RequestError, match="has no train-images-idx3-ubyte"):
        read_idx_folder(idx_folder(names=("a", "b")), "mnist")
    with pytest.raises(RequestError, match=r"labels.*: label 1 is 10, expected 0 to 9"):
        read_idx_folder(idx_folder(([0, 10], [0])), "mnist")
    folder = idx_folder()
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(idx(np.zeros(3, np.uint8)))
    with pytest.raises(RequestError, match=r"has 4 images, but .* 3 labels"):
        read_idx_folder(folder, "mnist")
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(idx(CUBE))
    with pytest.raises(RequestError, match="expected one label per image"):
        read_idx_folder(folder, "mnist")
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(RequestError, match="needs train-labels-idx1-ubyte"):
        read_idx_folder(folder, "mnist")


def test_images_of_no_size_are_refused(idx_folder: Write, idx: Pack):
    folder = idx_folder()
    (folder / "train-images-idx3-ubyte.gz").write_bytes(idx(np.zeros((4, 0, 5), np.uint8)))
    with pytest.raises(RequestError, match="expected images x height x width"):
        read_idx_folder(folder, "mnist")


@pytest.mark.parametrize(
    ("part", "labels", "names"),
    [
        ("balanced", ([0, 46, 10], [36]), ["0", "t", "A", "a"]),
        ("letters", ([1, 26, 2], [3]), ["a", "z", "b", "c"]),
        ("byclass", ([61, 35, 0], [36]), ["z", "Z", "0", "a"]),
        ("bymerge", ([46, 45, 0], [36]), ["t", "r", "0", "a"]),
        ("digits", ([9, 1, 0], [2]), ["9", "1", "0", "2"]),
    ],
)
def test_emnist_is_turned_upright_and_named(
    idx_folder: Write, part: str, labels: tuple[list[int], list[int]], names: list[str]
):
    folder = idx_folder(labels, names=(f"emnist-{part}-train", f"emnist-{part}-test"))
    assert find_emnist(folder) == (part,)
    data = read_emnist_folder(folder, part)
    assert [data.classes[label] for label in data.labels] == names
    stored = read_idx(folder / f"emnist-{part}-train-images-idx3-ubyte.gz")
    assert (np.asarray(data.images.image(1)) == stored[1].T).all()
    archive = folder / "gzip.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in folder.glob("emnist*"):
            zipped.write(path, f"gzip/{path.name}")
    again = read_emnist_zip(archive, part)
    assert again.images.read(3)[1] == data.images.read(3)[1]
    assert again.labels.tolist() == data.labels.tolist()


def test_emnist_has_as_many_classes_as_its_paper_says(idx_folder: Write):
    for part, count in {"balanced": 47, "byclass": 62, "bymerge": 47, "letters": 26}.items():
        folder = idx_folder(([1], [1]), names=(f"emnist-{part}-train", f"emnist-{part}-test"))
        assert len(read_emnist_folder(folder, part).classes) == count


def test_letters_do_not_begin_at_zero(idx_folder: Write):
    folder = idx_folder(([0], [1]), names=("emnist-letters-train", "emnist-letters-test"))
    with pytest.raises(RequestError, match="label 0 is 0, expected 1 to 26"):
        read_emnist_folder(folder, "letters")


def test_a_damaged_archive_is_named(tmp_path: Path):
    archive = tmp_path / "gzip.zip"
    archive.write_bytes(b"PK no")
    with pytest.raises(WorkError, match=r"gzip\.zip is damaged"):
        read_emnist_zip(archive, "balanced")
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("gzip/other", b"")
    with pytest.raises(WorkError, match=r"gzip\.zip is damaged"):
        read_emnist_zip(archive, "balanced")


def test_the_real_mnist_is_what_its_authors_say(real_mnist: Path):
    data = read_idx_folder(real_mnist, "mnist")
    assert identify(real_mnist) == "mnist"
    assert data.counts("train").tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert data.counts("test").tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    train = data.images.parts[0].pixels
    assert train.shape == (60_000, 28, 28)
    assert round(float(train.mean()) / 255, 4) == 0.1307  # the mean that everybody normalizes by
    assert round(float(train.std()) / 255, 4) == 0.3081
