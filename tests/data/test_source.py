"""The word DATA: names before paths, folders before downloads, neighbors for what is neither."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.data import source
from convscope.data.download import RemoteFile
from convscope.data.source import NAMES, open_source
from convscope.data.urls import REMOTE_FILES
from convscope.errors import RequestError, WorkError

Plant = Callable[..., Path]
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """An empty cache, and downloads that only say that they were asked for."""
    asked: list[str] = []

    def refuse(remote: RemoteFile, folder: Path, *, on_progress: object = None) -> Path:
        assert on_progress is None
        asked.append(f"{folder.name}/{remote.name}")
        raise WorkError("no network")

    monkeypatch.setattr(source, "fetch", refuse)
    monkeypatch.setenv("CONVSCOPE_DATA", str(tmp_path / "cache"))
    return asked


def test_every_name_has_its_files_or_needs_none():
    for name in NAMES:
        if name not in source.BUNDLED:
            assert source._source(name).remotes
    sums = [remote.md5 for remotes in REMOTE_FILES.values() for remote in remotes]
    assert len(sums) == len(set(sums)) == 15
    assert all(len(md5) == 32 and int(md5, 16) for md5 in sums)
    assert all(
        url.endswith(remote.name) for remotes in REMOTE_FILES.values() for remote in remotes
        for url in remote.urls
    )  # fmt: skip


def test_digits_need_nothing():
    assert len(open_source("digits")) == 1797


@pytest.mark.parametrize("where", ["here", "here/mnist"])
def test_a_data_directory_is_searched_itself_and_by_name(
    idx_folder: Write, tmp_path: Path, where: str, no_network: list[str]
):
    idx_folder(where=where)
    data = open_source("mnist", data_dir=tmp_path / "here")
    assert (data.name, len(data)) == ("mnist", 6)
    assert no_network == []


@pytest.mark.parametrize("where", ["cache", "cache/kmnist"])
def test_the_environments_directory_is_searched_too(idx_folder: Write, tmp_path: Path, where: str):
    idx_folder(where=where)
    (tmp_path / "empty").mkdir()
    assert open_source("kmnist").classes[0] == "o"
    assert open_source("kmnist", data_dir=tmp_path / "empty").classes[0] == "o"


def test_every_kind_of_name_is_found_by_its_own_files(idx_folder: Write, tmp_path: Path):
    for part in ("balanced", "letters"):
        names = (f"emnist-{part}-train", f"emnist-{part}-test")
        idx_folder(([1, 2], [3]), names=names, where="here/emnist")
    assert len(open_source("emnist", data_dir=tmp_path / "here").classes) == 47
    assert len(open_source("emnist-letters", data_dir=tmp_path / "here").classes) == 26
    with pytest.raises(RequestError, match="has several selections"):
        open_source(str(tmp_path / "here" / "emnist"))


def test_what_is_nowhere_is_downloaded(no_network: list[str]):
    for name, first in {
        "mnist": "mnist/train-images-idx3-ubyte.gz",
        "emnist-letters": "emnist/gzip.zip",
        "cifar100": "cifar100/cifar-100-binary.tar.gz",
    }.items():
        with pytest.raises(WorkError):
            open_source(name)
        assert no_network.pop() == first


def test_a_damaged_download_is_fetched_again_and_a_users_file_is_not(
    idx_folder: Write, tmp_path: Path, no_network: list[str]
):
    for where in ("cache/mnist", "mine"):
        (idx_folder(where=where) / "t10k-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8bno")
    with pytest.raises(RequestError, match="mine"):
        open_source("mnist", data_dir=tmp_path / "mine")
    assert no_network == []
    with pytest.raises(WorkError):
        open_source("mnist")
    assert no_network == ["mnist/train-images-idx3-ubyte.gz"]


def test_one_sources_files_are_not_taken_for_anothers(idx_folder: Write, no_network: list[str]):
    beginnings = {
        "mnist": [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
        "fashion-mnist": [9, 0, 0, 3, 0, 2, 7, 2, 5, 5],
    }
    for name, labels in beginnings.items():
        folder = idx_folder((labels, [1]), where=f"of-{name}")
        assert open_source(name, data_dir=folder).name == name
        assert open_source(str(folder)).name == name
        for other in {"mnist", "fashion-mnist", "kmnist"} - {name}:
            with pytest.raises(WorkError):
                open_source(other, data_dir=folder)
    assert len(no_network) == 4


def test_a_name_wins_over_a_path_unless_it_is_written_as_one(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, no_network: list[str]
):
    monkeypatch.chdir(plant(*(f"{name}/{c}/1.png" for name in ("digits", "mnist") for c in "ab")))
    with pytest.raises(WorkError):
        open_source("mnist")
    assert no_network
    assert len(open_source("./mnist")) == 2
    assert len(open_source("digits")) == 1797
    assert len(open_source("./digits")) == 2


def test_paths_are_told_by_what_they_hold(plant: Plant, idx_folder: Write):
    root = plant("a/1.png", "b/1.png")
    assert open_source(str(root)).classes == ("a", "b")
    (root / "t.csv").write_text("path,label\na/1.png,x\nb/1.png,y\n")
    assert open_source(str(root / "t.csv")).classes == ("x", "y")
    assert open_source(str(idx_folder())).name == "idx"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("mnits", "Did you mean 'mnist'? Sources: digits, scenes"),
        ("MNIST", "Did you mean 'mnist'?"),
        ("fashion_mnist", "Did you mean 'fashion-mnist'?"),
        ("", "'' is neither a named source nor a path"),
        ("zebra", "'zebra' is neither a named source nor a path. Sources: digits"),
        ("no/such/folder", "no/such/folder does not exist."),
        ("gone.csv", "gone.csv does not exist."),
        ("a\0b", "a"),
        ("x" * 5000, "is not a path"),
        ("~nobody-of-that-name/x", "is not a path"),
    ],
)
def test_a_word_that_means_nothing_is_told_its_neighbors(
    word: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError) as caught:
        open_source(word)
    assert message in str(caught.value)


def test_single_files_are_explained(plant: Plant):
    root = plant("a/1.png")
    with pytest.raises(RequestError, match=r"1\.png is a single file\. Pass a folder"):
        open_source(str(root / "a" / "1.png"))
    (root / "data.7z").touch()
    with pytest.raises(RequestError, match=r"data\.7z is an archive\. Unpack it"):
        open_source(str(root / "data.7z"))


def test_a_forbidden_path_is_named(plant: Plant, monkeypatch: pytest.MonkeyPatch):
    root = plant("a/1.png", "b/1.png")

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(source.cifar, "find_cifar", refuse)  # as is_file does in such a folder
    with pytest.raises(RequestError, match="root cannot be read: permission denied"):
        open_source(str(root))


def test_a_data_directory_must_be_there(tmp_path: Path):
    with pytest.raises(RequestError, match=r"data directory .* does not exist"):
        open_source("mnist", data_dir=tmp_path / "gone")


def test_opening_a_folder_imports_neither_torch_nor_the_network(plant: Plant):
    root = plant("a/1.png", "b/1.png")
    program = (
        "import sys; from convscope.data.source import open_source; open_source(sys.argv[1]);"
        "print([m for m in ('torch', 'requests') if m in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(root)], capture_output=True, check=True, text=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert said.stdout == "[]\n"


def test_the_real_mnist_is_opened_in_a_moment(real_mnist: Path):
    data = open_source("mnist", data_dir=real_mnist.parent)
    assert len(data) == 70_000
