"""One face for every source: pictures, labels, classes, and which split each picture is in."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.data.decode import contents, decode

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class ImageSource(Protocol):
    """n pictures, each known by a stable key and decodable by itself."""

    def __len__(self) -> int: ...

    def key(self, index: int) -> str:
        """The name that identifies a picture: its path below the root, or `train/00017`."""
        ...

    def image(self, index: int) -> Image.Image:
        """The picture in mode "L" or "RGB", upright. Raises Unreadable with the reason."""
        ...

    def read(self, index: int) -> tuple[Image.Image, bytes]:
        """`picture`, and 16 bytes that depend on its content alone."""
        ...


@dataclass(frozen=True, eq=False)
class ArrayImages:
    """Pictures that lie in memory: bytes (n, height, width) or (n, height, width, 3)."""

    pixels: NDArray[np.uint8]
    prefix: str = ""

    def __len__(self) -> int:
        return len(self.pixels)

    def key(self, index: int) -> str:
        return f"{self.prefix}{index:05d}"

    def image(self, index: int) -> Image.Image:
        return Image.fromarray(self.pixels[index])

    def read(self, index: int) -> tuple[Image.Image, bytes]:
        return self.image(index), _digest(self.pixels[index].tobytes())


@dataclass(frozen=True, eq=False)
class FileImages:
    """Pictures that are files: `paths` as posix strings relative to `root`."""

    root: Path
    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def key(self, index: int) -> str:
        return self.paths[index]

    def path(self, index: int) -> Path:
        return self.root / self.paths[index]

    def image(self, index: int) -> Image.Image:
        return decode(self.path(index))

    def read(self, index: int) -> tuple[Image.Image, bytes]:
        content = contents(self.path(index))
        return decode(content), _digest(content)


@dataclass(frozen=True, eq=False)
class ConcatImages:
    """Several lots of pictures, one after the other: a train file and a test file, say."""

    parts: tuple[ImageSource, ...]

    @cached_property
    def starts(self) -> list[int]:
        return [0, *accumulate(map(len, self.parts))]

    def __len__(self) -> int:
        return self.starts[-1]

    def _place(self, index: int) -> tuple[ImageSource, int]:
        part = bisect_right(self.starts, index) - 1
        return self.parts[part], index - self.starts[part]

    def key(self, index: int) -> str:
        part, place = self._place(index)
        return part.key(place)

    def image(self, index: int) -> Image.Image:
        part, place = self._place(index)
        return part.image(place)

    def read(self, index: int) -> tuple[Image.Image, bytes]:
        part, place = self._place(index)
        return part.read(place)


@dataclass(frozen=True, eq=False)
class SubsetImages:
    """Some of other pictures, by index."""

    source: ImageSource
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def key(self, index: int) -> str:
        return self.source.key(int(self.indices[index]))

    def image(self, index: int) -> Image.Image:
        return self.source.image(int(self.indices[index]))

    def read(self, index: int) -> tuple[Image.Image, bytes]:
        return self.source.read(int(self.indices[index]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Labeled pictures.

    Attributes:
        name: of the source, as a person would say it: "mnist", or the folder's name.
        classes: their names, in the order that labels count in.
        pictures: all of them, of every split.
        labels: (n,) places in `classes`.
        split: (n,) of "train", "val", "test", or "" where the source does not say.
        groups: who or what each picture belongs to (a patient, say), or None where unknown.
        warnings: sentences that whoever uses these data should read.
    """

    name: str
    classes: tuple[str, ...]
    images: ImageSource
    labels: NDArray[np.int64]
    split: NDArray[np.str_]
    groups: Sequence[str] | None = None
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def indices(self, split: Split | Literal[""]) -> NDArray[np.int64]:
        """The indices of one split's pictures, ascending."""
        return np.flatnonzero(self.split == split)

    def counts(self, split: Split | Literal[""]) -> NDArray[np.int64]:
        """How many pictures each class has in a split."""
        return np.bincount(self.labels[self.indices(split)], minlength=len(self.classes))

    def with_split(self, split: NDArray[np.str_]) -> "Dataset":
        return replace(self, split=split)

    def with_warnings(self, warnings: Sequence[str]) -> "Dataset":
        return replace(self, warnings=(*self.warnings, *warnings))


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()
