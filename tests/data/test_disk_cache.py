"""Images from the disk have the bits of those from memory, and are decoded once for all."""

import os
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from convscope.card import Card
from convscope.data.cache import address, space, store
from convscope.data.cache.choice import Caching
from convscope.data.cache.source import CachedBatchSource
from convscope.data.cache.space import GB, make_room, stored_segments
from convscope.data.cache.tables import FILES, IMAGES, PIXELS, Tables, pixels_id, table
from convscope.data.dataset import ArrayImages, ConcatImages, Dataset, FileImages, SubsetImages
from convscope.data.folder import read_folder
from convscope.data.labeled import NumberedImages
from convscope.data.loading import MemoryBatchSource, StreamingBatchSource, load_images

DISK, SIDE = Caching("disk"), 9
CARD = Card(
    classes=("a", "b"), input_size=(8, 8), in_channels=3, resize_mode="crop", reading="fast",
    mean=(0.0,) * 3, std=(1.0,) * 3,
)  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder of decoded images, for this test alone; files count as unchanged at once."""
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "decoded"))
    monkeypatch.setattr(store, "_SETTLED", -3_600_000_000_000)
    return tmp_path / "decoded"


@pytest.fixture
def folder(tmp_path):
    """Photographs of two sizes and one of 16 bits; every third is for validation."""
    random, root = np.random.default_rng(0), tmp_path / "photos"
    root.mkdir()
    for number in range(11):
        size = (30, 20) if number % 2 else (13, 26)
        pixels = random.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{number:02d}.png")
    return root


def data_in(root):
    paths = tuple(sorted(path.name for path in root.iterdir()))
    return Dataset(
        name="photos", classes=("a", "b"), images=FileImages(root, paths),
        labels=np.arange(len(paths)) % 2,
        split=np.where(np.arange(len(paths)) % 3, "train", "val"),
    )  # fmt: skip


@pytest.fixture
def decoded(monkeypatch):
    """The names of files that are decoded, and of those that are only read."""
    names, read = [], FileImages.read

    def noted(self, index, card=None):
        names.append(self.paths[index])
        return read(self, index, card)

    monkeypatch.setattr(FileImages, "read", noted)
    return names


@pytest.fixture
def digested(monkeypatch):
    names, digest = [], FileImages.digest

    def noted(self, index):
        names.append(self.paths[index])
        return digest(self, index)

    monkeypatch.setattr(FileImages, "digest", noted)
    return names


def assert_same(loaded, expected):
    """The same bits, in any order and batches, of what a training uses; and the same findings."""
    split, random = expected.dataset.split, np.random.default_rng(1)
    is_larger = split == "train" if expected.larger else np.zeros(len(split), bool)
    fed, larger = (
        np.array_split(random.permutation(np.flatnonzero(mask & (split != ""))), 3)
        for mask in (~is_larger, is_larger)
    )
    both = loaded.batch_source.batches(fed), expected.batch_source.batches(fed)
    assert all(torch.equal(one, other) for one, other in zip(*both, strict=True))
    if expected.larger is not None:
        for one, other in zip(
            loaded.larger.images(larger), expected.larger.images(larger), strict=True
        ):
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert loaded.fingerprint == expected.fingerprint
    assert np.array_equal(loaded.pixel_digests, expected.pixel_digests)
    assert loaded.problems == expected.problems
    assert loaded.value_range == expected.value_range
    assert loaded.dataset.warnings == expected.dataset.warnings
    assert np.array_equal(loaded.dataset.split, expected.dataset.split)


@pytest.mark.parametrize("side", [None, SIDE])
@pytest.mark.parametrize("workers", [1, 3])
def test_the_disk_feeds_the_bits_of_memory_and_decodes_once(folder, decoded, side, workers):
    data = data_in(folder)
    expected = load_images(data, CARD, larger_side=side)
    for time_ in range(3):
        decoded.clear()
        loaded = load_images(data, CARD, larger_side=side, caching=DISK, workers=workers)
        assert sorted(decoded) == ([] if time_ else list(data.images.paths))
        assert isinstance(loaded.batch_source, CachedBatchSource)
        assert_same(loaded, expected)
    [said] = loaded.kept
    assert "kept on disk: 11, " in said
    assert "bytes each, in " in said


def test_memory_is_not_a_map_of_the_file(folder):
    """What is fed belongs to the training: it may be written to, and is no page of a file."""
    loaded = load_images(data_in(folder), CARD, caching=DISK)
    [[batch]] = [list(loaded.batch_source.batches([np.arange(4)]))]
    batch += 1
    [again] = loaded.batch_source.batches([np.arange(4)])
    assert not torch.equal(batch, again)


def test_another_split_adds_what_is_not_there(folder, decoded):
    data = data_in(folder)
    load_images(data, CARD, larger_side=SIDE, caching=DISK)
    decoded.clear()
    turned = data.with_split(np.where(np.arange(11) % 3, "val", "train"))
    loaded = load_images(turned, CARD, larger_side=SIDE, caching=DISK)
    assert len(decoded) == 11
    expected, everything = load_images(turned, CARD, larger_side=SIDE), [np.arange(11)]
    assert_same(loaded, expected)
    sources = loaded.batch_source.batches(everything), expected.batch_source.batches(everything)
    assert torch.equal(*map(next, sources))  # also what is kept in another way
    decoded.clear()
    load_images(data, CARD, larger_side=SIDE, caching=DISK)
    load_images(turned, CARD, larger_side=SIDE, caching=DISK)
    assert decoded == []


@pytest.mark.parametrize(
    "change", [dict(input_size=(7, 8)), dict(reading="whole"), dict(resize_mode="stretch")]
)
def test_images_that_are_scaled_otherwise_are_others(folder, decoded, change):
    data, other = data_in(folder), replace(CARD, **change)
    load_images(data, CARD, caching=DISK)
    assert_same(load_images(data, other, caching=DISK), load_images(data, other))
    assert len(decoded) == 33
    normalized = replace(CARD, mean=(0.5,) * 3, classes=("c", "d"))  # no pixel depends on these
    load_images(data, normalized, caching=DISK)
    assert len(decoded) == 33


def test_a_file_that_changed_is_noticed_and_alone_read_again(folder, decoded, digested):
    data, changed = data_in(folder), folder / "03.png"
    load_images(data, CARD, caching=DISK)
    decoded.clear()
    before = changed.stat()
    content = bytearray(changed.read_bytes())
    Image.fromarray(np.full((30, 20, 3), 7, np.uint8)).save(changed, compress_level=0)
    changed.write_bytes(changed.read_bytes()[: len(content)].ljust(len(content), b"\0"))
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))  # size and time are the same
    assert changed.stat().st_size == before.st_size
    loaded = load_images(data, CARD, caching=DISK)
    assert set(digested) <= {"03.png"}
    assert set(decoded) == {"03.png"}
    assert_same(loaded, load_images(data, CARD))


def test_a_status_that_says_nothing_is_not_trusted(folder, decoded, digested, monkeypatch):
    """A file that changed within the tick of a clock in which it was read: its status is equal."""
    monkeypatch.setattr(store, "_SETTLED", 2_000_000_000)
    data = data_in(folder)
    load_images(data, CARD, caching=DISK)
    decoded.clear()
    load_images(data, CARD, caching=DISK)
    assert digested == list(data.images.paths)
    assert decoded == []


def test_data_that_were_moved_are_known_by_their_content(folder, decoded, digested, tmp_path):
    load_images(data_in(folder), CARD, caching=DISK)
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    decoded.clear()
    load_images(data_in(moved), CARD, caching=DISK)
    assert len(digested) == 11
    load_images(data_in(moved), CARD, caching=DISK)
    assert len(digested) == 11  # their status was noted
    assert decoded == []


def test_files_are_found_in_sources_of_sources(folder, decoded):
    plain = data_in(folder)
    images = ConcatImages(
        (
            SubsetImages(plain.images, np.array([3, 1])),
            NumberedImages(plain.images, "n/"),
        )
    )
    data = Dataset(
        name="joined", classes=("a", "b"), images=images, labels=np.zeros(13, int),
        split=np.full(13, "train"),
    )  # fmt: skip
    assert_same(load_images(data, CARD, caching=DISK), load_images(data, CARD))
    decoded.clear()
    load_images(data, CARD, caching=DISK)
    load_images(plain, CARD, caching=DISK)
    assert decoded == []


def test_unreadable_images_are_found_each_time(folder, decoded):
    (folder / "04.png").write_bytes((folder / "04.png").read_bytes()[:100])
    data = data_in(folder)
    expected = load_images(data, CARD, larger_side=SIDE)
    for _ in range(2):
        assert_same(load_images(data, CARD, larger_side=SIDE, caching=DISK), expected)
    decoded.clear()
    Image.new("RGB", (30, 20)).save(folder / "04.png")
    assert load_images(data, CARD, larger_side=SIDE, caching=DISK).problems == ()
    assert set(decoded) == {"04.png"}


def test_deep_images_share_a_range_also_when_one_is_added(folder, decoded):
    for name, most in (("deep1.png", 900), ("deep2.png", 3000)):
        Image.fromarray(np.linspace(0, most, 400, dtype=np.uint16).reshape(20, 20)).save(
            folder / name
        )
    data = data_in(folder)
    for _ in range(2):
        expected = load_images(data, CARD, larger_side=SIDE)
        assert expected.value_range == (0, 4095)
        assert_same(load_images(data, CARD, larger_side=SIDE, caching=DISK), expected)
        known = replace(CARD, value_range=(0, 4095))  # as when a run is resumed
        decoded.clear()
        resumed = load_images(data, known, larger_side=SIDE, caching=DISK)
        assert decoded == []
        assert_same(resumed, load_images(data, known, larger_side=SIDE))
    Image.fromarray(np.full((20, 20), 60000, np.uint16)).save(folder / "deep3.png")
    more = data_in(folder)
    decoded.clear()
    loaded = load_images(more, CARD, caching=DISK, larger_side=SIDE)
    assert_same(loaded, load_images(more, CARD, larger_side=SIDE))
    assert loaded.value_range == (0, 65535)


def test_where_images_are_kept(folder, monkeypatch, cache):
    data = data_in(folder)

    def kind(mode, fraction=0.5, side=None):
        caching = Caching(mode, fraction)
        return type(load_images(data, CARD, larger_side=side, caching=caching).batch_source)

    assert kind("auto") is kind("ram") is MemoryBatchSource
    assert not cache.exists()
    assert kind("none") is kind("ram", 0) is kind("none", side=SIDE) is StreamingBatchSource
    assert not cache.exists()
    assert kind("auto", 0) is kind("disk") is CachedBatchSource
    assert kind("auto", 0, SIDE) is kind("disk", 0, SIDE) is CachedBatchSource
    # Panoramas are larger than was estimated: found too large for memory, they go to the disk.
    for path in folder.iterdir():
        Image.new("RGB", (400, 12)).save(path)
    monkeypatch.setattr("convscope.data.loaded.free_memory", lambda: 20_000)
    assert kind("ram", 0.5, SIDE) is StreamingBatchSource
    assert kind("auto", 0.5, SIDE) is CachedBatchSource


def test_images_that_are_no_files_stay_where_they_are(cache):
    data = Dataset(
        name="made", classes=("a", "b"), labels=np.zeros(3, int), split=np.full(3, "train"),
        images=ArrayImages(np.zeros((3, 8, 8, 3), np.uint8)),
    )  # fmt: skip
    loaded = load_images(data, CARD, caching=DISK)
    assert isinstance(loaded.batch_source, MemoryBatchSource)
    assert loaded.kept[0].startswith("The images of made are not files of their own")
    assert not cache.exists()


@pytest.mark.parametrize(("kib", "most"), [(1, 8), (100, 16)])
def test_what_is_read_ahead_is_bounded(folder, monkeypatch, kib, most):
    """192 bytes an image, 8 a piece: one piece at least, four batches of four at most."""
    loaded = load_images(data_in(folder), CARD, caching=DISK)
    monkeypatch.setattr("convscope.data.cache.source.AHEAD", kib << 10)
    asked, read = [], CachedBatchSource._read
    monkeypatch.setattr(
        CachedBatchSource, "_read", lambda self, index: asked.append(index) or read(self, index)
    )
    batches = [np.arange(4)] * 12
    for taken, batch in enumerate(loaded.batch_source.batches(batches)):
        time.sleep(0.005)
        assert len(batch) == 4
        assert len(asked) - 4 * (taken + 1) <= most


def segment(root, name, size, used):
    """A complete segment of `size` bytes, last used at `used`."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".pixels").write_bytes(bytes(size))
    path.with_suffix(".index").write_bytes(b"")
    os.utime(path.with_suffix(".index"), ns=(used, used))


def test_the_longest_unused_are_removed_first(cache):
    for number, name in enumerate(["1-a/old", "1-b/kept", "1-a/newer", "1-b/newest"]):
        segment(cache, name, 100, number)
    keep = {cache / "1-b/kept.pixels"}
    assert make_room(cache, 150, limit=450, keep=keep) == ""
    assert [one.path.stem for one in stored_segments(cache)] == ["kept", "newer", "newest"]
    assert make_room(cache, 250, limit=350, keep=keep) == ""
    assert [one.path.stem for one in stored_segments(cache)] == ["kept"]
    why = make_room(cache, 350, limit=400, keep=keep)
    assert "of the 0.0 GB that it may take" in why
    assert [one.path.stem for one in stored_segments(cache)] == ["kept"]


def test_space_is_left_on_the_disk(cache, monkeypatch):
    segment(cache, "1-a/one", 100, 0)
    disk = type("Usage", (), {"free": 5 * GB})
    monkeypatch.setattr(space.shutil, "disk_usage", lambda path: disk)
    assert make_room(cache, int(2.4 * GB), limit=None, keep=()) == ""
    assert make_room(cache, int(2.6 * GB), limit=None, keep=()).endswith("0.0 GB are in use")
    assert "2.0 GB are left alone" in make_room(cache, int(3.5 * GB), limit=9 * GB, keep=())
    assert len(stored_segments(cache)) == 1


def test_a_small_limit_says_so_and_training_goes_on(folder):
    loaded = load_images(data_in(folder), CARD, caching=replace(DISK, disk_bytes=1000))
    assert isinstance(loaded.batch_source, MemoryBatchSource)
    assert loaded.kept[0].startswith("Decoded images are not kept on disk: it would take 0.0 GB of")


def test_earlier_formats_are_removed_later_ones_are_not_touched(folder, cache, monkeypatch):
    monkeypatch.setattr(address, "FORMAT", 2)
    digest = "0" * 24
    for name in (f"1-{digest}", f"3-{digest}", "photographs of mine"):
        segment(cache, f"{name}/one", 10, 0)
    load_images(data_in(folder), CARD, caching=DISK)
    names = {path.name for path in cache.iterdir()}
    assert f"1-{digest}" not in names
    assert {f"3-{digest}", "photographs of mine"} < names
    assert len(names) == 3


def test_another_version_of_a_decoder_reads_nothing_of_it(folder, decoded, monkeypatch):
    load_images(data_in(folder), CARD, caching=DISK)
    monkeypatch.setattr(address, "version", lambda name: "99.0")
    load_images(data_in(folder), CARD, caching=DISK)
    assert len(decoded) == 22


def test_an_index_is_read_as_it_was_written_or_refused():
    shape = (2, 3, 3)
    rows = [(pixels_id(b"d", is_whole=True, value_range=None), 0, shape, 7)]
    tables = Tables(
        table([(b"n" * 16, 1, 2, 3, b"d" * 16)], FILES),
        table([(b"d" * 16, b"p" * 16, 1, 0, (0, 9), (1, 8), 0, -1)], IMAGES),
        table(rows, PIXELS), ("a note",), 18,
    )  # fmt: skip
    content = tables.to_bytes()
    again = Tables.from_bytes(content)
    for name in ("files", "images", "pixels"):
        assert getattr(again, name).tobytes() == getattr(tables, name).tobytes()
    assert (again.notes, again.size) == (("a note",), 18)
    for wrong in (content[:-1], content[:40], b"", content.replace(b"a note", b"A note")):
        with pytest.raises(ValueError, match="digest"):
            Tables.from_bytes(wrong)
    with pytest.raises(ValueError, match="outside"):
        Tables.from_bytes(replace(tables, size=17).to_bytes())


def test_a_folder_read_by_its_classes_is_cached(image_folder, decoded):
    data = read_folder(image_folder)
    load_images(data, CARD, caching=DISK)
    load_images(data, CARD, caching=DISK)
    assert len(decoded) == 36
