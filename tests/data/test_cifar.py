"""CIFAR's binary version, built by hand, as a folder and as the archive."""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from convscope.data.cifar import find_cifar, read_cifar_archive, read_cifar_folder
from convscope.errors import RequestError

TEN = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def record(labels: list[int], seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, 3072, dtype=np.uint8)
    return bytes(labels) + pixels.tobytes()


def files(name: str) -> dict[str, bytes]:
    if name == "cifar10":
        batches = {f"data_batch_{n}.bin": record([n], n) + record([n + 1], n) for n in range(1, 6)}
        return batches | {
            "test_batch.bin": record([9], 9),
            "batches.meta.txt": "\n".join([*TEN, ""]).encode(),
        }
    return {
        "train.bin": record([3, 99], 1) + record([0, 7], 2),
        "test.bin": record([19, 0], 3),
        "fine_label_names.txt": "\n".join(f"kind_{n}" for n in range(100)).encode(),
    }


Write = Callable[[dict[str, bytes]], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Write:
    def write(content: dict[str, bytes]) -> Path:
        for name, data in content.items():
            (tmp_path / name).write_bytes(data)
        return tmp_path

    return write


@pytest.fixture
def archive(tmp_path: Path) -> Write:
    def write(content: dict[str, bytes]) -> Path:
        path = tmp_path / "cifar.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for name, data in content.items():
                member = tarfile.TarInfo(f"cifar-batches-bin/{name}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        return path

    return write


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_folder_and_archive_say_the_same(folder: Write, archive: Write, name: str):
    here = read_cifar_folder(folder(files(name)), name)
    packed = read_cifar_archive(archive(files(name)), name)
    for data in (here, packed):
        assert data.name == name
        assert data.labels.tolist() == (
            [1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 9] if name == "cifar10" else [99, 7, 0]
        )
        assert data.split.tolist().count("test") == 1
    assert here.classes == packed.classes
    assert [here.images.read(n)[1] for n in range(len(here))] == [
        packed.images.read(n)[1] for n in range(len(packed))
    ]


def test_red_green_and_blue_stand_where_the_format_says(folder: Write):
    data = read_cifar_folder(folder(files("cifar10")), "cifar10")
    raw = files("cifar10")["data_batch_1.bin"]
    image = data.images.image(0)
    assert (image.mode, image.size) == ("RGB", (32, 32))
    for row, column in ((0, 0), (0, 1), (1, 0), (31, 31)):
        place = 1 + 32 * row + column
        assert image.getpixel((column, row)) == (raw[place], raw[place + 1024], raw[place + 2048])
    assert data.classes == tuple(TEN)


def test_the_two_are_told_apart(folder: Write, tmp_path: Path):
    assert find_cifar(tmp_path) is None
    assert find_cifar(folder(files("cifar100"))) == "cifar100"
    assert find_cifar(folder(files("cifar10"))) == "cifar10"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ({"data_batch_3.bin": b""}, "data_batch_3.bin is truncated: its 0 bytes"),
        ({"data_batch_3.bin": bytes(3072)}, "its 3,072 bytes are not a multiple of 3,073"),
        ({"test_batch.bin": record([10], 0)}, "test_batch.bin: label 0 is 10, expected 0 to 9"),
        ({"batches.meta.txt": b"one two"}, "has 2 names, expected 10"),
    ],
)
def test_wrong_content_is_named(
    folder: Write, archive: Write, spoil: dict[str, bytes], message: str
):
    for read, where in ((read_cifar_folder, folder), (read_cifar_archive, archive)):
        with pytest.raises(RequestError) as caught:
            read(where(files("cifar10") | spoil), "cifar10")
        assert message in str(caught.value)


def test_missing_files_are_named(folder: Write, archive: Write):
    content = files("cifar10")
    del content["data_batch_4.bin"], content["test_batch.bin"]
    for read, where in ((read_cifar_folder, folder), (read_cifar_archive, archive)):
        with pytest.raises(RequestError, match=r"lacks data_batch_4\.bin, test_batch\.bin"):
            read(where(content), "cifar10")


def hostile(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(bytes(member.size)) if member.isreg() else None)
    return path


def test_an_archive_writes_nothing_and_follows_nothing(tmp_path: Path):
    link = tarfile.TarInfo("train.bin")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard = tarfile.TarInfo("test.bin")
    hard.type, hard.linkname = tarfile.LNKTYPE, "train.bin"
    pipe = tarfile.TarInfo("fine_label_names.txt")
    pipe.type = tarfile.FIFOTYPE
    up = tarfile.TarInfo("../../escaped")
    up.size = 3
    path = hostile(tmp_path / "x.tar.gz", up, link, hard, pipe)
    with pytest.raises(RequestError, match=r"lacks train\.bin, test\.bin, fine_label_names\.txt"):
        read_cifar_archive(path, "cifar100")
    assert list(tmp_path.iterdir()) == [path]


def test_an_archive_is_bounded(tmp_path: Path):
    many = [tarfile.TarInfo(f"{n}") for n in range(200)]
    with pytest.raises(RequestError, match="too many members"):
        read_cifar_archive(hostile(tmp_path / "many.tar.gz", *many), "cifar10")
    large = tarfile.TarInfo("data_batch_1.bin")
    large.size = 5_000_000_000
    path = tmp_path / "large.tar.gz"
    path.write_bytes(gzip.compress(large.tobuf() + bytes(10_240)))
    with pytest.raises(RequestError, match="a file of 5,000,000,000 bytes"):
        read_cifar_archive(path, "cifar10")


def test_a_damaged_archive_is_refused(archive: Write, tmp_path: Path):
    whole = archive(files("cifar100")).read_bytes()
    path = tmp_path / "cut.tar.gz"
    for data in (b"", b"no", whole[: len(whole) // 2], whole[:-8] + bytes(8), whole[:-4]):
        path.write_bytes(data)
        with pytest.raises(RequestError, match=r"cut\.tar\.gz"):
            read_cifar_archive(path, "cifar100")
