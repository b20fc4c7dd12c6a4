"""Tar and zip files of class folders: the same data set as the folder, read where they lie."""

import io
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from convscope.card import Card
from convscope.data.archives import open_archive
from convscope.data.loading import load_images
from convscope.data.source import open_source
from convscope.data.unreadable import UnreadableImage
from convscope.errors import RequestError

CARD = Card(
    classes=("a", "b"),
    input_size=(8, 8),
    in_channels=3,
    resize_mode="pad",
    mean=(0.5,) * 3,
    std=(0.5,) * 3,
)
KEYS = [f"{split}/{name}/{n}.png" for split in ("train", "val") for name in "ab" for n in range(3)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve small images, all different, in splits of classes."""
    random = np.random.default_rng(0)
    for key in KEYS:
        path = tmp_path / "photos" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (9, 8, 3), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def tar_of(folder: Path, *, mode: Literal["w", "w:gz"] = "w") -> Path:
    path = folder.with_suffix(".tar" if mode == "w" else ".tar.gz")
    with tarfile.open(path, mode) as tar:
        tar.add(folder, arcname=".")
    return path


def stored_zip_of(folder: Path) -> Path:
    return zip_of(folder, zipfile.ZIP_STORED)


def zip_of(folder: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", method) as archive:
        for key in KEYS:
            archive.write(folder / key, key)
    return path


@pytest.mark.parametrize(
    "pack",
    [tar_of, zip_of, stored_zip_of],
    ids=["tar", "zip", "zip-stored"],
)
def test_an_archive_is_the_data_set_of_its_folder(folder: Path, pack: Callable[[Path], Path]):
    plain, packed = open_source(folder), open_source(pack(folder))
    assert (packed.name, packed.classes) == (plain.name, plain.classes)
    assert packed.labels.tolist() == plain.labels.tolist()
    assert packed.split.tolist() == plain.split.tolist()
    for index in range(len(plain)):
        assert packed.images.key(index) == plain.images.key(index)
        image, digest = packed.images.read(index)
        assert np.array_equal(np.asarray(image), np.asarray(plain.images.image(index)))
        assert digest == plain.images.read(index)[1]
    assert load_images(packed, CARD).fingerprint == load_images(plain, CARD).fingerprint


def test_every_kind_of_tar_is_listed(folder: Path, tmp_path: Path):
    long = (
        folder / "train" / "a" / f"{'long' * 40}-\u00e9.png"
    )  # a name for GNU's and pax's headers
    long.write_bytes((folder / KEYS[0]).read_bytes())
    for name, form in (("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
        path = tmp_path / f"{name}.tar"
        with tarfile.open(path, "w", format=form) as tar:
            tar.add(folder, arcname="deep/photos")
        data = open_source(path)
        assert len(data) == 13
        assert any(key.endswith(f"/train/a/{long.name}") for key in map(data.images.key, range(13)))
        assert data.images.image(12).size == (8, 9)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("headers", [{}, {"comment": "of all"}], ids=["", "global"])
def test_members_lie_where_tarfile_finds_them(tmp_path: Path, form: int, headers: dict[str, str]):
    path = tmp_path / "t.tar"
    odd = {} if form == tarfile.GNU_FORMAT else headers
    with tarfile.open(path, "w", format=form, pax_headers=odd) as tar:
        for n in range(40):
            name = f"{'deep/' * (30 if n % 7 == 3 else 1)}c{n % 2}/\u00e9{n}.png"
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 37 * n, (1.5 if n % 11 == 0 else 1)
            tar.addfile(info, io.BytesIO(bytes(37 * n)))
            if n % 9 == 0:
                folder = tarfile.TarInfo(f"folder{n}")
                folder.type = tarfile.DIRTYPE
                tar.addfile(folder)
    ours = {name: (one.offset, one.size) for name, one in open_archive(path).members.items()}
    with tarfile.open(path) as tar:
        theirs = {m.name: (m.offset_data, m.size) for m in tar.getmembers() if m.isfile()}
    assert len(theirs) == 40
    assert ours == theirs


def test_links_devices_and_names_that_lead_out_are_never_read(folder: Path, tmp_path: Path):
    (tmp_path / "secret.png").write_bytes((folder / KEYS[0]).read_bytes())
    with tarfile.open(tar_of(folder), "a") as tar:
        for kind, target in ((tarfile.SYMTYPE, "../secret.png"), (tarfile.LNKTYPE, KEYS[0])):
            link = tarfile.TarInfo(f"train/a/link{kind.decode()}.png")
            link.type, link.linkname = kind, target
            tar.addfile(link)
        for name in ("../secret.png", "/train/a/out.png", "train/a/../../x.png"):
            tar.addfile(tarfile.TarInfo(name))
    data = open_source(folder.with_suffix(".tar"))
    assert len(data) == 12
    assert "2 links or devices" in data.warnings[0]
    assert "3 names that lead out of it" in data.warnings[0]


def test_links_in_a_zip_are_not_read(folder: Path):
    path = zip_of(folder)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("train/a/link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "../../secret.png")
        archive.writestr("train/a/../../x.png", b"")
    data = open_source(path)
    assert len(data) == 12
    assert "1 links or devices, 1 names that lead out of it" in data.warnings[0]


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.97])
def test_an_archive_that_is_cut_off_is_refused(folder: Path, kept: float):
    for path in (tar_of(folder), zip_of(folder)):
        content = path.read_bytes().rstrip(b"\0")
        path.write_bytes(content[: int(len(content) * kept)])
        with pytest.raises(RequestError, match=r"cut off or damaged|is damaged|no end mark"):
            open_source(path)


def test_a_damaged_header_is_not_the_end(folder: Path):
    path = tar_of(folder)
    with tarfile.open(path) as tar:
        offset = tar.getmembers()[8].offset
    content = bytearray(path.read_bytes())
    content[offset : offset + 512] = b"x" * 512
    path.write_bytes(content)
    with tarfile.open(path) as tar:
        assert len(tar.getmembers()) == 8  # tarfile says nothing
    with pytest.raises(RequestError, match=f"cut off or damaged at byte {offset:,}"):
        open_source(path)


def test_what_follows_the_end_is_said(folder: Path):
    path = tar_of(folder)
    path.write_bytes(path.read_bytes() * 2)
    assert "is not read. If archives were joined by cat" in open_source(path).warnings[0]


def test_damage_within_an_image_is_a_problem_of_that_image(folder: Path):
    path = zip_of(folder, zipfile.ZIP_STORED)
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo(KEYS[4]).header_offset
    content = bytearray(path.read_bytes())
    content[offset + 100] ^= 1
    path.write_bytes(content)
    loaded = load_images(open_source(path), CARD)
    assert loaded.problems == ((KEYS[4], "is in photos.zip, which is cut off or damaged there"),)


@pytest.mark.parametrize("pack", [tar_of, zip_of], ids=["tar", "zip"])
def test_a_change_after_opening_is_noticed(folder: Path, pack: Callable[[Path], Path]):
    path = pack(folder)
    data = open_source(path)
    content = path.read_bytes()
    path.write_bytes(content + bytes(512))
    with pytest.raises(UnreadableImage, match="has changed since it was opened"):
        data.images.image(0)
    path.unlink()
    with pytest.raises(UnreadableImage, match="does not exist any more"):
        data.images.image(0)


def test_compressed_archives_are_refused_with_the_command(folder: Path):
    path = tar_of(folder, mode="w:gz")
    with pytest.raises(RequestError, match=r"gzip -dc photos\.tar\.gz > photos\.tar"):
        open_source(path)
    with pytest.raises(RequestError, match="compressed as a whole"):
        open_source(path.rename(folder.with_suffix(".tar")))  # told by content, not by name


def test_encrypted_members_are_counted(folder: Path):
    path = zip_of(folder)
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\x01\x02")
    content[at + 8] |= 1  # the flag of the first member in the central directory
    path.write_bytes(content)
    data = open_source(path)
    assert len(data) == 11
    assert "1 encrypted" in data.warnings[0]


def test_many_threads_read_the_same_images(folder: Path):
    data = open_source(zip_of(folder))
    expected = [data.images.read(index)[1] for index in range(12)]
    seen: list[list[bytes]] = []

    def read() -> None:
        seen.append([data.images.read(index)[1] for index in range(12)])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [expected] * 4


def test_what_is_no_data_set_is_explained(tmp_path: Path, png: bytes):
    path = tmp_path / "flat.tar"
    with tarfile.open(path, "w") as tar:
        for name, content in (("1.png", png), ("2.png", png), ("labels.csv", b"path,label\n")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    with pytest.raises(RequestError, match=r"flat\.tar/labels\.csv\? Then unpack the archive"):
        open_source(path)
    for name in ("junk.tar", "junk.zip"):
        (tmp_path / name).write_bytes(b"junk" * 300)
        with pytest.raises(RequestError, match="is not a tar or zip file, or is damaged"):
            open_source(tmp_path / name)
