"""The IDX format of MNIST and its kin, plain or gzipped: http://yann.lecun.com/exdb/mnist/.

offset      type            what
0           2 bytes         zero
2           byte            type of the elements: 0x08 is unsigned byte, the only one read here
3           byte            number of dimensions
4           uint32 each     the dimensions, big-endian
then        byte each       the elements, the last dimension fastest
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

MAX_ELEMENTS = 2_000_000_000  # EMNIST ByClass, the largest known, has 547 million
CHUNK = 1 << 20

CLASSES: dict[str, tuple[str, ...]] = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ),
    "kmnist": ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
}  # fmt: skip
FIRST_LABELS = {"mnist": "5041921314", "fashion-mnist": "9003027255"}
"""The first labels of the training set, which tell apart what lies under the same names."""


@dataclass(frozen=True)
class IdxFiles:
    """The files of one source; `test` is None where there is none."""

    train: tuple[Path, Path]
    test: tuple[Path, Path] | None


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read one IDX file of bytes, gzipped or not, told by its content.

    Nothing beyond the size that the header states is ever unpacked. Raises RequestError, naming the
    file, for whatever is not exactly such a file.
    """
    try:
        with path.open("rb") as file:
            return parse_idx(file, where=str(path))
    except OSError as error:
        raise RequestError(f"{path} could not be read: {error.strerror or error}.") from error


def parse_idx(file: BinaryIO, *, where: str) -> NDArray[np.uint8]:
    """Read IDX from a seekable stream; `where` names it in errors. Raises RequestError."""
    zipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    try:
        stream = gzip.GzipFile(fileobj=file) if zipped else file
        shape = _header(stream, where)
        wanted = math.prod(shape)
        data = _at_most(stream, wanted + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error) as error:
        raise RequestError(f"{where} is cut off or damaged ({error}). Get it again.") from error
    if len(data) != wanted:
        fault = "more" if len(data) > wanted else f"{len(data):,}"
        raise RequestError(
            f"{where} should hold {wanted:,} bytes after its header, for {_times(shape)}, "
            f"and holds {fault}. Get it again."
        )
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _header(stream: BinaryIO | gzip.GzipFile, where: str) -> tuple[int, ...]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or not 1 <= magic[3] <= 4:
        raise RequestError(f"{where} is not an IDX file: it begins with {magic[:4]!r}.")
    if magic[2] != 0x08:
        raise RequestError(
            f"{where} holds elements of type 0x{magic[2]:02x}; only bytes (0x08) are read."
        )
    shape = struct.unpack(f">{magic[3]}I", stream.read(4 * magic[3]))
    if math.prod(shape) > MAX_ELEMENTS:
        raise RequestError(f"{where} claims {_times(shape)} bytes; more than can be read.")
    return shape


def _at_most(stream: BinaryIO | gzip.GzipFile, count: int) -> bytes:
    """Read up to `count` bytes in chunks, so that memory follows the data and not the header."""
    chunks = BytesIO()
    while (left := count - chunks.tell()) and (chunk := stream.read(min(CHUNK, left))):
        chunks.write(chunk)
    return chunks.getvalue()


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def find_idx(folder: Path, *, prefix: str = "", test: str = "t10k") -> IdxFiles | None:
    """The files of a source in a folder, or None where its training images are not there.

    Names are `<prefix>train-images-idx3-ubyte`, with `.` for the second `-` in some copies, with or
    without `.gz`. Raises RequestError where images lack their labels.
    """
    pairs: list[tuple[Path, Path] | None] = []
    for part in ("train", test):
        images = _find(folder, f"{prefix}{part}-images", "idx3-ubyte")
        labels = _find(folder, f"{prefix}{part}-labels", "idx1-ubyte")
        if images and not labels:
            raise RequestError(f"{images} has no {prefix}{part}-labels-idx1-ubyte[.gz] beside it.")
        pairs.append((images, labels) if images and labels else None)
    return IdxFiles(pairs[0], pairs[1]) if pairs[0] else None


def whose(folder: Path) -> str | None:
    """Whose files these are: "mnist" or "fashion-mnist" by their labels, or None."""
    files = find_idx(folder)
    if files is None:
        return None
    try:
        first = "".join(map(str, read_idx(files.train[1])[:10]))
    except RequestError:  # whoever reads it all will say so
        return None
    return next((name for name, labels in FIRST_LABELS.items() if labels == first), None)


def _find(folder: Path, stem: str, kind: str) -> Path | None:
    names = (f"{stem}{dot}{kind}{end}" for end in ("", ".gz") for dot in ("-", "."))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_idx_folder(folder: Path, name: str, *, classes: tuple[str, ...] = ()) -> Dataset:
    """Read MNIST or a source in its format: gray pictures, train and (where it is there) test.

    Args:
        folder: holds the files that `find_idx` looks for.
        name: "mnist", "fashion-mnist" or "kmnist" decide the names of the classes.
        classes: their names for any other; numbers where none are given.
    """
    files = find_idx(folder)
    if files is None:
        raise RequestError(
            f"{folder} has no train-images-idx3-ubyte[.gz]. Put the four files of {name} there."
        )
    train = read_pair(*files.train)
    test = read_pair(*files.test) if files.test else None
    last = max(int(part[1].max()) for part in (train, test) if part)
    names = CLASSES.get(name, classes) or tuple(str(label) for label in range(max(last, 1) + 1))
    for part, pair in ((train, files.train), (test, files.test)):
        if part and pair:
            refuse_labels(part[1], pair[1], count=len(names))
    return joined(name, names, train, test)


def read_pair(images: Path, labels: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read pictures (n, height, width) and labels (n,) that belong together."""
    return paired(read_idx(images), read_idx(labels), str(images), str(labels))


def paired(
    pixels: NDArray[np.uint8], numbers: NDArray[np.uint8], images: str, labels: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Check that pictures and labels belong together; the names are those of their files."""
    if pixels.ndim != 3 or 0 in pixels.shape:
        raise RequestError(f"{images} holds {_times(pixels.shape)}, not pictures x height x width.")
    if numbers.ndim != 1:
        raise RequestError(f"{labels} holds {_times(numbers.shape)}, not one label a picture.")
    if len(pixels) != len(numbers):
        raise RequestError(
            f"{images} has {len(pixels):,} pictures and {labels} {len(numbers):,} labels; "
            "they do not belong together."
        )
    return pixels, numbers


def refuse_labels(
    numbers: NDArray[np.uint8], where: Path | str, *, count: int, first: int = 0
) -> None:
    """Raise RequestError for the first label that is not in first..first + count - 1."""
    wrong = np.flatnonzero((numbers < first) | (numbers >= first + count))
    if len(wrong):
        raise RequestError(
            f"{where}: label {wrong[0]:,} is {numbers[wrong[0]]}; "
            f"allowed are {first} to {first + count - 1}."
        )


def joined(
    name: str,
    classes: tuple[str, ...],
    train: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    test: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None,
) -> Dataset:
    """Put a train part and a test part, pictures and labels each, into one data set."""
    parts = [("train", train), *([("test", test)] if test else [])]
    return Dataset(
        name=name,
        classes=classes,
        images=ConcatImages(tuple(ArrayImages(pixels, f"{part}/") for part, (pixels, _) in parts)),
        labels=np.concatenate([labels for _, (_, labels) in parts]).astype(np.int64),
        split=np.repeat([part for part, _ in parts], [len(labels) for _, (_, labels) in parts]),
    )
