"""Pipes, devices and sockets given as files are refused at once, wherever a file is named."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import convscope
from convscope.atomic import write_atomically
from convscope.cli.config import read_settings
from convscope.data.decode import UnreadableImage, decode
from convscope.data.folder import read_folder
from convscope.data.loading import load_images
from convscope.data.source import open_source
from convscope.errors import ConvscopeError, WorkError
from convscope.explanation.grid import find_filter
from convscope.regular_files import NotRegularError, TooLargeError, open_regular, read_regular
from convscope.runs.folder import Run
from convscope.runs.tensor_file import load_tensors
from convscope.weights.class_names import parse_class_names
from convscope.weights.read import read_contents
from convscope.weights.source import open_weights
from convscope.zoo.table_file import read_table
from tests.data.test_loading import card

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs in its file system")


@pytest.fixture(autouse=True)
def _no_hang():
    """End a test that waits, after a time that no refusal takes."""

    def stop(*_: object) -> None:
        raise AssertionError("it waited for somebody to write")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(params=["pipe", "link", "device", "socket"])
def make(request, tmp_path, monkeypatch):
    """Make a file of a name that is no file."""
    monkeypatch.chdir(tmp_path)

    def make(name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        match request.param:
            case "pipe":
                os.mkfifo(path)
            case "link":
                os.mkfifo(tmp_path / "pipe")
                path.symlink_to(tmp_path / "pipe")
            case "device":
                path.symlink_to("/dev/zero")
            case _:
                with socket.socket(socket.AF_UNIX) as server:
                    server.bind(name)  # relative: the length of a socket's path is limited
        return path

    return make


def of_run(path: Path) -> object:
    return Run.open(path.parent).read_config()


READERS = {
    "image.jpg": decode,
    "table.csv": lambda path: open_source(str(path)),
    "cifar-10-binary.tar.gz": lambda path: open_source(str(path)),
    "net.toml": lambda path: read_table(str(path)),
    "settings.toml": read_settings,
    "weights.pth": read_contents,
    "weights.safetensors": load_tensors,
    "start.safetensors": lambda path: open_weights(str(path)),
    "names.txt": parse_class_names,
    "filter.csv": lambda path: find_filter(str(path)),
    "config.toml": of_run,
}


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_refused_at_once(make, name):
    path = make(name)
    with pytest.raises((ConvscopeError, UnreadableImage)) as caught:
        READERS[name](path)
    assert any(word in str(caught.value) for word in ("a pipe", "a device", "a socket", "no file"))


def test_settings_from_a_pipe_are_refused_in_plain_words(tmp_path):
    os.mkfifo(tmp_path / "settings.toml")
    with pytest.raises(ConvscopeError, match=r"read: it is a pipe \(FIFO\), not a file\.$"):
        read_settings(tmp_path / "settings.toml")


@pytest.mark.parametrize(
    "name", ["splits.csv", "images.safetensors", "model.safetensors", "log.txt"]
)
def test_resume_refuses_a_pipe_in_the_run(tmp_path, digits_run, name):
    run = tmp_path / "run"
    shutil.copytree(digits_run, run)
    (run / name).unlink()
    os.mkfifo(run / name)
    with pytest.raises(ConvscopeError, match=name):
        convscope.resume(run, steps=10_000)


def test_in_a_folder_of_images_it_is_left_out(make, tmp_path):
    for label in "ab":
        (tmp_path / "data" / label).mkdir(parents=True)
        Image.new("L", (8, 8), 90).save(tmp_path / "data" / label / "whole.png")
    path = make("data/a/other.png")
    (tmp_path / "data" / "b" / "folder.png").mkdir()
    data = read_folder(tmp_path / "data")
    assert path.is_symlink() or "1 special (pipe, device, socket)" in data.warnings[-1]
    loaded = load_images(data, card())
    known = dict(loaded.problems)
    if path.is_symlink():  # links are followed when they are read
        assert known["a/other.png"].startswith(("is a pipe", "is a device"))
    assert len(known) == path.is_symlink()
    keys = {loaded.dataset.images.key(index) for index in range(len(loaded.dataset))}
    assert keys - set(known) == {"a/whole.png", "b/whole.png"}


def test_a_file_that_becomes_a_pipe_while_it_is_opened_does_not_block(tmp_path, monkeypatch):
    """The check comes first; between it and the opening, anything may happen."""
    os.mkfifo(tmp_path / "image.png")
    (tmp_path / "file").write_bytes(b"x")
    with monkeypatch.context() as patch:
        whole = (tmp_path / "file").stat()
        patch.setattr("convscope.regular_files.os.stat", lambda _path: whole)
        with pytest.raises(NotRegularError, match="a pipe"):
            open_regular(tmp_path / "image.png")


def test_files_are_read_as_they_are(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"line\r\nline\n")
    assert read_regular(path) == read_regular(str(path), limit=11) == b"line\r\nline\n"
    with pytest.raises(TooLargeError):
        read_regular(path, limit=10)
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "none")


@pytest.mark.skipif(not Path("/proc/self/pagemap").exists(), reason="it is a file of Linux")
def test_a_file_of_proc_without_a_size_is_empty_and_not_read():
    assert read_regular("/proc/self/pagemap") == b""  # 512 GB, were it read
    with pytest.raises(UnreadableImage, match="is empty"):
        decode(Path("/proc/self/pagemap"))


def test_nothing_is_written_in_place_of_a_device_or_pipe(tmp_path):
    os.mkfifo(tmp_path / "out.csv")
    with pytest.raises(WorkError, match="a pipe"):
        write_atomically(tmp_path / "out.csv", "text")
    assert not (tmp_path / "out.csv").is_file()


def test_process_substitution_is_told_on_the_command_line(digits_run):
    """A shell hands over `<(...)` as /dev/fd/63, a pipe."""
    reader, writer = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "convscope", "predict", digits_run, f"/dev/fd/{reader}"],
            pass_fds=[reader],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(reader)
        os.close(writer)
    assert done.returncode != 0
    assert "is a pipe (FIFO), not a file" in done.stdout + done.stderr
