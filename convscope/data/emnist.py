"""EMNIST, digits and letters in six selections: Cohen et al. 2017, https://arxiv.org/abs/1702.05373.

Its IDX files hold every image transposed, which is undone here; the labels of `letters` start at 1.
"""

import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import Dataset
from convscope.data.idx import (
    IdxFiles,
    check_pair,
    concat_splits,
    find_idx,
    parse_idx,
    read_pair,
    refuse_labels,
)
from convscope.errors import RequestError, WorkError

Selection = Literal["byclass", "bymerge", "balanced", "letters", "digits", "mnist"]

MERGED = digits + ascii_uppercase + "abdefghnqrt"  # the 15 other small letters look like capitals
CLASSES: dict[Selection, str] = {
    "byclass": digits + ascii_uppercase + ascii_lowercase,
    "bymerge": MERGED,
    "balanced": MERGED,
    "letters": ascii_lowercase,
    "digits": digits,
    "mnist": digits,
}
FIRST: dict[Selection, int] = {"letters": 1}

MAX_MEMBER = 400_000_000  # bytes of a file in the archive; the largest has 200 million

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def selection(name: str) -> Selection:
    """The selection of a source's name: `emnist-letters` is letters, `emnist` is balanced."""
    _, _, part = name.partition("-")
    return cast("Selection", part or "balanced")


def find_emnist(folder: Path) -> tuple[Selection, ...]:
    """The selections whose files are in a folder."""
    return tuple(part for part in get_args(Selection) if _files(folder, part))


def _files(folder: Path, part: Selection) -> IdxFiles | None:
    return find_idx(folder, prefix=f"emnist-{part}-", test="test")


def read_emnist_folder(folder: Path, part: Selection) -> Dataset:
    """Read the files `emnist-<part>-train-images-idx3-ubyte[.gz]` and their three companions."""
    files = _files(folder, part)
    if files is None or files.test is None:
        raise RequestError(f"{folder} needs all four files emnist-{part}-...-ubyte[.gz].")
    pairs = {"train": files.train, "test": files.test}
    return _dataset(part, lambda which: read_pair(*pairs[which]))


def read_emnist_zip(archive: Path, part: Selection) -> Dataset:
    """Read the four files of one selection from NIST's `gzip.zip`; nothing is unpacked to disk.

    Raises WorkError if the archive is damaged.
    """

    def read(which: str) -> Pair:
        images, labels = (
            f"gzip/emnist-{part}-{which}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")
        )
        return check_pair(_member(zipped, images), _member(zipped, labels), images, labels)

    try:
        with zipfile.ZipFile(archive) as zipped:
            return _dataset(part, read)
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, zlib.error, NotImplementedError) as e:
        raise WorkError(f"{archive} is damaged ({e}). Delete it and try again.") from e


def _member(zipped: zipfile.ZipFile, name: str) -> NDArray[np.uint8]:
    with zipped.open(name) as member:
        data = member.read(MAX_MEMBER + 1)
    if len(data) > MAX_MEMBER:
        raise WorkError(f"{zipped.filename}: {name} is larger than {MAX_MEMBER:,} bytes.")
    return parse_idx(BytesIO(data), where=f"{zipped.filename}: {name}")


def _dataset(part: Selection, read: Callable[[str], Pair]) -> Dataset:
    names, first = tuple(CLASSES[part]), FIRST.get(part, 0)

    def upright(which: str) -> Pair:
        pixels, labels = read(which)
        refuse_labels(labels, f"emnist-{part}-{which}", count=len(names), first=first)
        return np.ascontiguousarray(pixels.transpose(0, 2, 1)), labels - np.uint8(first)

    return concat_splits(f"emnist-{part}", names, upright("train"), upright("test"))
