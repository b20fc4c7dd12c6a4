"""At every instant the old file or the new one, whole; proven by failing each operation in turn."""

import errno
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from convscope.atomic import WriteError, remove_leftovers, write_atomically
from convscope.errors import WorkError

OPERATIONS = ["write", "fsync", "replace"]


def fail_at(monkeypatch, operation, number):
    """Make one system call fail with an errno."""

    def refuse(*_args, **_words):
        raise OSError(number, os.strerror(number))

    if operation == "write":
        real = Path.open

        def opened(path, mode):
            file = real(path, mode)

            class Refusing:
                def __enter__(self):
                    return self

                def __exit__(self, *_):
                    file.close()

                write = refuse

            return Refusing()

        monkeypatch.setattr(Path, "open", opened)
    else:
        monkeypatch.setattr(os, operation, refuse)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, operation, number
):
    path = tmp_path / "file"
    write_atomically(path, "old")
    with monkeypatch.context() as patch:
        fail_at(patch, operation, number)
        with pytest.raises(WorkError, match=str(path)) as caught:
            write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert ("No space left" in str(caught.value)) == (number == errno.ENOSPC)


def test_without_a_failure_the_new_file_is_there(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, "old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_others_may_read_what_the_umask_lets_them(tmp_path):
    before = os.umask(0o022)
    try:
        write_atomically(tmp_path / "file", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


KILLED = """
import os, sys
from convscope import atomic
def die(*_, **__): os._exit(9)
setattr(os, sys.argv[2], die)
atomic.write_atomically(__import__("pathlib").Path(sys.argv[1]), "new")
"""


@pytest.mark.parametrize("operation", ["fsync", "replace", "close"])
def test_a_process_killed_in_the_middle_leaves_one_of_both(tmp_path, operation):
    path = tmp_path / "file"
    write_atomically(path, "old")
    done = subprocess.run([sys.executable, "-c", KILLED, path, operation], check=False)
    assert done.returncode == 9
    assert path.read_text() == ("new" if operation == "close" else "old")
    remove_leftovers(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_file_size_limit_is_told_and_loses_nothing(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    code = (
        "import resource, sys, pathlib; from convscope.atomic import write_atomically\n"
        "from convscope.errors import WorkError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_atomically(pathlib.Path(sys.argv[1]), b'x' * 100_000)\n"
        "except WorkError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert "No space left" in done.stdout
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Free some disk space"),
        (errno.EDQUOT, "quota"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EACCES, "writable for you"),
        (errno.EROFS, "Make the file system of"),
        (errno.EIO, "Check the disk"),
    ],
)
def test_each_refusal_has_its_remedy(tmp_path, monkeypatch, number, remedy):
    fail_at(monkeypatch, "replace", number)
    with pytest.raises(WriteError, match=re.escape(remedy)):
        write_atomically(tmp_path / "file", "new")


def test_a_folder_that_cannot_be_synced_is_not_told_as_unchanged(tmp_path, monkeypatch):
    path, real, count = tmp_path / "file", os.fsync, itertools.count(1)
    write_atomically(path, "old")

    def fsync(handle):
        if next(count) == 2:  # the folder's
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(WriteError, match="It has its new content, which a power failure may undo"):
        write_atomically(path, "new")
    assert path.read_text() == "new"
