"""CIFAR-10 and CIFAR-100 in the binary version: https://www.cs.toronto.edu/~kriz/cifar.html.

A record of CIFAR-10 is 1 byte of label and 3,072 bytes of pixels: a red, a green and a blue plane
of 32 rows of 32. CIFAR-100 has two label bytes, coarse and fine; the fine one is used.
"""

import gzip
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import Dataset
from convscope.data.idx import concat_splits, refuse_labels
from convscope.errors import RequestError
from convscope.regular_files import open_regular, read_regular

PIXELS = 3 * 32 * 32
MAX_FILE = 200_000_000  # bytes; the largest, CIFAR-100's train.bin, has 153,700,000
CHUNK = 1 << 20
MAX_MEMBERS = 100  # in the archive; the real ones have 8


@dataclass(frozen=True)
class Layout:
    """The files of one of the two data sets, and the number of label bytes in a record."""

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    names: str
    classes: int
    label_bytes: int

    @property
    def files(self) -> tuple[str, ...]:
        return (*self.train, *self.test, self.names)


LAYOUTS = {
    "cifar10": Layout(
        "cifar10",
        tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        ("test_batch.bin",),
        "batches.meta.txt",
        classes=10,
        label_bytes=1,
    ),
    "cifar100": Layout(
        "cifar100",
        ("train.bin",),
        ("test.bin",),
        "fine_label_names.txt",
        classes=100,
        label_bytes=2,
    ),
}


def find_cifar(folder: Path) -> str | None:
    """`"cifar10"` or `"cifar100"` if the folder has the first of its files, else None."""
    return next(
        (name for name, layout in LAYOUTS.items() if (folder / layout.train[0]).is_file()), None
    )


def read_cifar_folder(folder: Path, name: str) -> Dataset:
    """Read the unpacked binary version. Raises RequestError, naming the file that is wrong."""
    layout, contents = LAYOUTS[name], dict[str, bytes]()
    for file in layout.files:
        path = folder / file
        try:
            if path.is_file():
                _refuse_size(path, path.stat().st_size)
                contents[file] = read_regular(path)
        except OSError as error:
            raise RequestError(f"{path} could not be read: {error.strerror or error}.") from error
    return _dataset(layout, contents, folder)


def read_cifar_archive(archive: Path, name: str) -> Dataset:
    """Read the downloaded `cifar-10-binary.tar.gz` or CIFAR-100's; nothing is unpacked to disk.

    Only regular files of the expected names are read, whatever folder they are in.
    """
    layout, contents = LAYOUTS[name], dict[str, bytes]()
    try:
        with (
            open_regular(archive) as zipped,
            gzip.open(zipped) as unzipped,
            tarfile.open(fileobj=unzipped, mode="r|") as tar,
        ):
            for count, member in enumerate(tar):
                _refuse_size(archive, member.size)
                if count >= MAX_MEMBERS:
                    raise RequestError(f"{archive} has too many members to be {name}.")
                file = member.name.rpartition("/")[2]
                content = tar.extractfile(member) if member.isreg() else None
                if content is not None and file in layout.files:
                    contents[file] = content.read(MAX_FILE)
            while unzipped.read(CHUNK):  # the checksum is at the end
                pass
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise RequestError(
            f"{archive} could not be read as a .tar.gz ({error}). Download it again."
        ) from error
    return _dataset(layout, contents, archive)


def _refuse_size(where: Path, size: int) -> None:
    if size > MAX_FILE:
        raise RequestError(f"{where}: a file of {size:,} bytes is too large for CIFAR.")


def _dataset(layout: Layout, contents: Mapping[str, bytes], where: Path) -> Dataset:
    if missing := [file for file in layout.files if file not in contents]:
        raise RequestError(
            f"{where} lacks {', '.join(missing)} of the binary version of {layout.name}."
        )
    names = tuple(contents[layout.names].decode("utf-8", "replace").split())
    if len(names) != layout.classes:
        raise RequestError(
            f"{where}: {layout.names} has {len(names)} names, expected {layout.classes}."
        )
    train, test = (
        _join([_records(contents[file], layout, f"{where}: {file}") for file in files])
        for files in (layout.train, layout.test)
    )
    return concat_splits(layout.name, names, train, test)


def _join(
    parts: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _records(
    data: bytes, layout: Layout, where: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pixels (n, 32, 32, 3) and labels (n,) of one file."""
    size = layout.label_bytes + PIXELS
    if not data or len(data) % size:
        raise RequestError(
            f"{where} is truncated: its {len(data):,} bytes are not a multiple of {size:,}, the "
            "size of a record."
        )
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, size)
    labels = records[:, layout.label_bytes - 1]
    refuse_labels(labels, where, count=layout.classes)
    planes = records[:, layout.label_bytes :].reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels
