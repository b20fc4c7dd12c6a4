"""What is wrong with the disk, the cache or the data costs time at most, never a pixel."""

import errno
import os
import resource
import shutil
import signal
import threading
from pathlib import Path

import filelock
import numpy as np
import pytest
from PIL import Image

from convscope.data.cache import lock, space, writer
from convscope.data.cache.address import folder_name
from convscope.data.cache.choice import Caching
from convscope.data.cache.source import CachedBatchSource
from convscope.data.dataset import FileImages
from convscope.data.loading import MemoryBatchSource, StreamingBatchSource, load_images
from convscope.errors import WorkError
from tests.data.test_disk_cache import (
    CARD,
    DISK,
    SIDE,
    assert_same,
    cache,
    data_in,
    decoded,
    folder,
)
from tests.forked import FORKS

__all__ = ["cache", "decoded", "folder"]


def load(root, **more):
    return load_images(data_in(root), CARD, larger_side=SIDE, caching=DISK, workers=1, **more)


def in_memory(root):
    return load_images(data_in(root), CARD, larger_side=SIDE)


def files(cache, ending):
    return sorted(cache.glob(f"*/*{ending}"))


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("position", [0, 100, -1])
@pytest.mark.parametrize("ending", [".pixels", ".index"])
def test_a_flipped_bit_is_found_and_written_anew(folder, cache, decoded, ending, position):
    expected = in_memory(folder)
    load(folder)
    flip(files(cache, ending)[0], position)
    assert_same(load(folder), expected)
    assert_same(load(folder), expected)
    decoded.clear()
    assert_same(load(folder), expected)
    assert decoded == []
    assert len(files(cache, ".pixels")) == len(files(cache, ".index")) == 1


@pytest.mark.parametrize("ending", [".pixels", ".index"])
@pytest.mark.parametrize("rest", [0, 50, None])
def test_a_file_that_was_cut_off_or_removed_is_written_anew(folder, cache, decoded, ending, rest):
    expected = in_memory(folder)
    load(folder)
    [path] = files(cache, ending)
    path.unlink() if rest is None else os.truncate(path, rest)
    assert_same(load(folder), expected)
    decoded.clear()
    assert_same(load(folder), expected)
    assert decoded == []


@pytest.mark.parametrize("harm", ["cut off", "removed", "zeros"])
def test_a_cache_that_is_lost_in_mid_epoch_costs_no_pixel(folder, cache, harm):
    expected, loaded = in_memory(folder), load(folder)
    [path] = files(cache, ".pixels")
    if harm == "cut off":
        os.truncate(path, 10)
    elif harm == "removed":
        shutil.rmtree(path.parent)
    else:
        path.write_bytes(bytes(path.stat().st_size))
    assert_same(loaded, expected)
    assert_same(load(folder), expected)


def test_the_cache_goes_on_without_the_files(folder):
    expected, loaded = in_memory(folder), load(folder)
    kept = list(loaded.larger.images([loaded.dataset.indices("train")]))
    (folder / "01.png").unlink()
    (folder / "02.png").write_bytes(b"")
    Image.new("RGB", (30, 20)).save(folder / "04.png")
    [images] = expected.larger.images([expected.dataset.indices("train")])
    [again] = loaded.larger.images([loaded.dataset.indices("train")])
    for one, other, first in zip(images, again, kept[0], strict=True):
        assert np.array_equal(one, other)
        assert np.array_equal(one, first)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("gone", r"01\.png could be read before training, but now does not exist\. Restore it"),
        ("cut off", r"01\.png could be read before training, but now is truncated"),
        ("another", r"01\.png has changed since this training checked its data\. Restore it"),
    ],
)
@pytest.mark.parametrize("mode", ["none", "disk"])
def test_a_file_that_changes_in_mid_epoch_is_named(folder, cache, harm, said, mode):
    """Where images are decoded again, also those that the cache has lost."""
    loaded = load_images(data_in(folder), CARD, caching=Caching(mode))
    if mode == "disk":
        os.truncate(files(cache, ".pixels")[0], 0)
    path = folder / "01.png"
    before = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(before[:200]) if harm == "cut off" else Image.new("L", (3, 3)).save(path)
    with pytest.raises(WorkError, match=said):
        list(loaded.batch_source.batches([np.arange(11)]))
    path.write_bytes(before)
    if mode == "none":
        assert_same(loaded, load_images(data_in(folder), CARD))


def full(number, error):
    """A disk that refuses the write of this number, and all after it."""
    real, count = writer._write_all, 0

    def write(file, content):
        nonlocal count
        count += 1
        if count >= number:
            file.write(content[:7])
            raise OSError(error, os.strerror(error))
        real(file, content)

    return write


@pytest.mark.parametrize("number", [1, 5, 11])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_costs_time_only(folder, cache, monkeypatch, number, error):
    monkeypatch.setattr(writer, "_write_all", full(number, error))
    monkeypatch.setattr(writer, "SEGMENT", 1000)  # of which some are complete before
    loaded = load(folder)
    assert_same(loaded, in_memory(folder))
    assert "decoded again in every epoch: " + os.strerror(error) in loaded.kept[0]
    assert len(files(cache, ".pixels")) == len(files(cache, ".index"))
    monkeypatch.undo()


def test_a_limit_on_the_size_of_files_is_a_full_disk(folder, cache):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (900, limits[1]))
    try:
        loaded = load(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_same(loaded, in_memory(folder))
    assert os.strerror(errno.EFBIG) in loaded.kept[0]
    assert files(cache, ".pixels") == []


@pytest.mark.parametrize("operation", ["fsync", "replace"])
def test_an_index_that_cannot_be_written_leaves_nothing(folder, cache, monkeypatch, operation):
    def refuse(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, operation, refuse)
        loaded = load(folder)
    assert_same(loaded, in_memory(folder))
    assert files(cache, ".pixels") == files(cache, ".index") == []


def test_a_folder_that_cannot_be_written_to_is_named(folder, cache, monkeypatch):
    """A file where the folder should be: it holds root, too."""
    monkeypatch.setenv("CONVSCOPE_CACHE", str(folder / "00.png" / "decoded"))
    loaded = load_images(data_in(folder), CARD, caching=DISK)
    assert isinstance(loaded.batch_source, MemoryBatchSource)
    assert loaded.kept[0].startswith("Decoded images are not kept on disk: it cannot be written to")
    monkeypatch.setenv("CONVSCOPE_CACHE", str(cache))
    load(folder)
    monkeypatch.setattr(lock.filelock, "FileLock", Refused)  # a cache that is only readable
    monkeypatch.setattr(os, "utime", Refused)
    read_only = load(folder)
    assert isinstance(read_only.batch_source, CachedBatchSource)
    assert_same(read_only, in_memory(folder))
    Image.new("RGB", (9, 9)).save(folder / "99.png")
    loaded = load(folder)
    assert "1 more are decoded again in every epoch: it cannot be written to" in loaded.kept[0]
    assert_same(loaded, in_memory(folder))


class Refused:
    def __init__(self, *words, **more):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def test_two_trainings_at_once_decode_each_image_once(folder, decoded):
    waits, results = [], []
    started = threading.Barrier(3)

    def train():
        started.wait()
        results.append(load(folder, on_message=waits.append))

    threads = [threading.Thread(target=train) for _ in range(2)]
    for thread in threads:
        thread.start()
    started.wait()
    for thread in threads:
        thread.join()
    assert len(decoded) == 11
    for loaded in results:
        assert_same(loaded, in_memory(folder))


def test_another_writer_is_waited_for_as_long_as_it_writes(folder, cache, monkeypatch):
    monkeypatch.setattr(lock, "_STALLED", 0.5)
    place = cache / folder_name(CARD, SIDE)
    place.mkdir(parents=True)
    said = []
    with filelock.FileLock(place / ".lock"):
        loaded = load(folder, on_message=said.append)
    assert said == ["Another process is decoding images into the cache; waiting for it."]
    why = f"another process has locked {place} and does not write"
    assert loaded.kept[0] == f"Decoded images are not kept on disk: {why}."
    assert_same(loaded, in_memory(folder))
    held = filelock.FileLock(place / ".lock", thread_local=False)
    held.acquire()
    threading.Timer(0.3, held.release).start()
    assert isinstance(load(folder).batch_source, CachedBatchSource)


def die_at(operation, number, root, place):
    """In a process of its own: load, and be killed at the call of this number."""
    owner = writer if operation == "_write_all" else os
    real, count = getattr(owner, operation), 0

    def counted(*words):
        nonlocal count
        count += 1
        if count == number:
            if operation == "_write_all":
                words[0].write(words[1][: len(words[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*words)

    os.environ["CONVSCOPE_CACHE"] = str(place)
    writer.SEGMENT = 1500
    setattr(owner, operation, counted)
    load(Path(root))


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["_write_all", "fsync", "replace"])
def test_a_kill_at_any_write_loses_nothing_that_was_complete(folder, cache, decoded, operation):
    expected, number = in_memory(folder), 0
    while True:
        number += 1
        shutil.rmtree(cache, ignore_errors=True)
        process = FORKS.Process(target=die_at, args=(operation, number, folder, cache))
        process.start()
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        complete = len(files(cache, ".index"))
        decoded.clear()
        assert_same(load(folder), expected)
        assert len(decoded) == 11 or complete
        assert len(files(cache, ".pixels")) == len(files(cache, ".index"))
        assert files(cache, ".tmp") == []
        decoded.clear()
        load(folder)
        assert decoded == []
    assert number > 3


def test_a_damaged_image_is_decoded_again_and_the_others_are_not(folder, cache, decoded):
    loaded = load(folder)
    flip(files(cache, ".pixels")[0], 0)
    decoded.clear()
    assert_same(loaded, in_memory(folder))
    assert len(set(decoded[:1])) == 1
    assert isinstance(loaded.larger, CachedBatchSource)


def test_a_leftover_is_removed_and_what_is_foreign_stays(folder, cache):
    place = cache / folder_name(CARD, SIDE)
    place.mkdir(parents=True)
    for name in ("0123.pixels", ".0123.index.ab.tmp", "notes.txt"):
        (place / name).write_text("x")
    load(folder)
    assert sorted(path.name for path in place.iterdir() if len(path.name) < 20) == [
        ".lock", "notes.txt",
    ]  # fmt: skip
    assert space.stored_segments(cache)[0].path.parent == place


def test_streamed_images_are_not_compared_where_they_are_no_files(folder):
    source = load_images(data_in(folder), CARD, caching=Caching("none")).batch_source
    assert isinstance(source, StreamingBatchSource)
    assert isinstance(source.source, FileImages)
    assert source.digests is not None
