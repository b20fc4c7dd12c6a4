"""The IDX format of MNIST and similar data sets, plain or gzipped: http://yann.lecun.com/exdb/mnist/.

offset      type            content
0           2 bytes         zero
2           byte            type of the elements: 0x08 (unsigned byte) is the only one supported
3           byte            number of dimensions
4           uint32 each     the dimensions, big-endian
then        byte each       the elements, row-major
"""

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import ArrayImages, ConcatImages, Dataset
from convscope.errors import RequestError
from convscope.regular_files import open_regular

MAX_ELEMENTS = 2_000_000_000  # EMNIST ByClass, the largest known, has 547 million
CHUNK = 1 << 20
_GZIP = 31  # zlib's window bits for a gzip file of one member
_LONGEST = 4 + 4 * 4  # bytes of a header

CLASSES: dict[str, tuple[str, ...]] = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ),
    "kmnist": ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
}  # fmt: skip
FIRST_LABELS = {"mnist": "5041921314", "fashion-mnist": "9003027255"}
"""The first labels of the training set, which tell apart data sets with the same file names."""


@dataclass(frozen=True)
class IdxFiles:
    """The (images, labels) files of one source; `test` is None if there are none."""

    train: tuple[Path, Path]
    test: tuple[Path, Path] | None


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read one IDX file of bytes, gzipped or not, as its content says.

    Never unpacks more than the header states. Raises RequestError, naming the file, for any other
    file.
    """
    try:
        with open_regular(path) as file:
            return parse_idx(file, where=str(path))
    except OSError as error:
        raise RequestError(f"{path} could not be read: {error.strerror or error}.") from error


def parse_idx(file: BinaryIO, *, where: str) -> NDArray[np.uint8]:
    """Read IDX from a seekable stream; `where` names it in errors. Raises RequestError."""
    zipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if zipped and (pixels := _at_once(file, where)) is not None:
        return pixels
    file.seek(0)
    try:
        stream = gzip.GzipFile(fileobj=file) if zipped else file
        shape = _header(stream, where)
        expected = math.prod(shape)
        data = _at_most(stream, expected + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error) as error:
        raise RequestError(
            f"{where} is truncated or damaged ({error}). Download it again."
        ) from error
    if len(data) != expected:
        found = "more" if len(data) > expected else f"{len(data):,}"
        raise RequestError(
            f"{where} should have {expected:,} bytes after its header, for {_times(shape)}, but "
            f"has {found}. Download it again."
        )
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _at_once(file: BinaryIO, where: str) -> NDArray[np.uint8] | None:
    """A gzipped IDX file by one call of zlib, beside which other threads can work; None for a file
    of several members, and for whatever is refused.
    """
    packed, unpacker = file.read(), zlib.decompressobj(_GZIP)
    try:
        shape = _header(BytesIO(zlib.decompressobj(_GZIP).decompress(packed, _LONGEST)), where)
        start = 4 + 4 * len(shape)
        size = start + math.prod(shape)
        data = unpacker.decompress(packed, size + 1)
    except (RequestError, zlib.error, struct.error):
        return None
    if len(data) != size or not unpacker.eof or unpacker.unused_data:
        return None
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _header(stream: BinaryIO | gzip.GzipFile, where: str) -> tuple[int, ...]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or not 1 <= magic[3] <= 4:
        raise RequestError(f"{where} is not an IDX file: it starts with {magic[:4]!r}.")
    if magic[2] != 0x08:
        raise RequestError(
            f"{where} has elements of type 0x{magic[2]:02x}; only bytes (0x08) are supported."
        )
    shape = struct.unpack(f">{magic[3]}I", stream.read(4 * magic[3]))
    if math.prod(shape) > MAX_ELEMENTS:
        raise RequestError(
            f"{where} claims {_times(shape)} bytes; at most {MAX_ELEMENTS:,} are supported."
        )
    return shape


def _at_most(stream: BinaryIO | gzip.GzipFile, count: int) -> bytes:
    """Read up to `count` bytes in chunks: memory grows with the data, whatever the header says."""
    chunks = BytesIO()
    while (left := count - chunks.tell()) and (chunk := stream.read(min(CHUNK, left))):
        chunks.write(chunk)
    return chunks.getvalue()


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def find_idx(folder: Path, *, prefix: str = "", test: str = "t10k") -> IdxFiles | None:
    """The files of a source in a folder; None if the training images are missing.

    Names are `<prefix>train-images-idx3-ubyte`, with or without `.gz`; some copies have `.` for the
    second `-`. Raises RequestError for images without labels.
    """
    pairs: list[tuple[Path, Path] | None] = []
    for part in ("train", test):
        images = _find(folder, f"{prefix}{part}-images", "idx3-ubyte")
        labels = _find(folder, f"{prefix}{part}-labels", "idx1-ubyte")
        if images and not labels:
            raise RequestError(f"{images} needs {prefix}{part}-labels-idx1-ubyte[.gz] beside it.")
        pairs.append((images, labels) if images and labels else None)
    return IdxFiles(pairs[0], pairs[1]) if pairs[0] else None


def identify(folder: Path) -> str | None:
    """The source of the files: "mnist" or "fashion-mnist" by their labels, or None."""
    files = find_idx(folder)
    if files is None:
        return None
    try:
        first = "".join(map(str, read_idx(files.train[1])[:10]))
    except RequestError:  # reported when all is read
        return None
    return next((name for name, labels in FIRST_LABELS.items() if labels == first), None)


def _find(folder: Path, stem: str, kind: str) -> Path | None:
    names = (f"{stem}{dot}{kind}{end}" for end in ("", ".gz") for dot in ("-", "."))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_idx_folder(folder: Path, name: str, *, classes: tuple[str, ...] = ()) -> Dataset:
    """Read MNIST or a source in its format: grayscale images, train and, if present, test.

    Args:
        folder: with the files that `find_idx` looks for.
        name: of the source; "mnist", "fashion-mnist" and "kmnist" have known class names.
        classes: class names for any other source; numbers by default.
    """
    files = find_idx(folder)
    if files is None:
        raise RequestError(
            f"{folder} has no train-images-idx3-ubyte[.gz]. Put the four files of {name} into it."
        )
    train = read_pair(*files.train)
    test = read_pair(*files.test) if files.test else None
    last = max(int(part[1].max()) for part in (train, test) if part)
    names = CLASSES.get(name, classes) or tuple(str(label) for label in range(max(last, 1) + 1))
    for part, pair in ((train, files.train), (test, files.test)):
        if part and pair:
            refuse_labels(part[1], pair[1], count=len(names))
    return concat_splits(name, names, train, test, are_published=name in CLASSES)


def read_pair(images: Path, labels: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read images (n, height, width) and their labels (n,)."""
    return check_pair(read_idx(images), read_idx(labels), str(images), str(labels))


def check_pair(
    pixels: NDArray[np.uint8], numbers: NDArray[np.uint8], images: str, labels: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Check that images and labels match; `images` and `labels` are the names of their files."""
    if pixels.ndim != 3 or 0 in pixels.shape:
        raise RequestError(
            f"{images} has shape {_times(pixels.shape)}, expected images x height x width."
        )
    if numbers.ndim != 1:
        raise RequestError(
            f"{labels} has shape {_times(numbers.shape)}, expected one label per image."
        )
    if len(pixels) != len(numbers):
        raise RequestError(
            f"{images} has {len(pixels):,} images, but {labels} has {len(numbers):,} labels."
        )
    return pixels, numbers


def refuse_labels(
    numbers: NDArray[np.uint8], where: Path | str, *, count: int, first: int = 0
) -> None:
    """Raise RequestError for the first label that is not in first..first + count - 1."""
    wrong = np.flatnonzero((numbers < first) | (numbers >= first + count))
    if len(wrong):
        raise RequestError(
            f"{where}: label {wrong[0]:,} is {numbers[wrong[0]]}, expected {first} to "
            f"{first + count - 1}."
        )


def concat_splits(
    name: str,
    classes: tuple[str, ...],
    train: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    test: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None,
    *,
    are_published: bool = True,
) -> Dataset:
    """A data set of a train part and, if given, a test part: (images, labels) each."""
    parts = [("train", train), *([("test", test)] if test else [])]
    return Dataset(
        name=name,
        classes=classes,
        images=ConcatImages(tuple(ArrayImages(pixels, f"{part}/") for part, (pixels, _) in parts)),
        labels=np.concatenate([labels for _, (_, labels) in parts]).astype(np.int64),
        split=np.repeat([part for part, _ in parts], [len(labels) for _, (_, labels) in parts]),
        has_published_splits=are_published,
    )
