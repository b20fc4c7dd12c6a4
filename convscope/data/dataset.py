"""A data set of any source: images, labels, classes, and the split of each image."""

import os
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.boxes.truth import Objects
from convscope.card import NO_LABEL, Card
from convscope.data.boxes.faults import BoxFault
from convscope.data.decode import decode_image, read_file
from convscope.data.depth import DecodedImage

Split = Literal["train", "val", "test"]

SPLITS: tuple[Split, ...] = ("train", "val", "test")


class ImageSource(Protocol):
    """n images, each with a stable key, each decoded by itself."""

    def __len__(self) -> int: ...

    def key(self, index: int) -> str:
        """The key that identifies an image: its path below the root, or `train/00017`."""
        ...

    def image(self, index: int, card: Card | None = None) -> DecodedImage:
        """The image, upright; a file is decoded as `card` says, without one at its own size.

        Raises UnreadableImage with the reason.
        """
        ...

    def read(self, index: int, card: Card | None = None) -> tuple[DecodedImage, bytes]:
        """The image as by `image`, and a 16-byte digest of its content."""
        ...


@runtime_checkable
class FileSource(Protocol):
    """A source of images that are files, or the contents of files."""

    def file(self, index: int) -> Path | bytes | None:
        """The path of an image, or its content; None for one that is not a file."""
        ...


def file_of(images: ImageSource, index: int) -> Path | bytes | None:
    """The path of an image, or the content of its file; None for one that is not a file."""
    return images.file(index) if isinstance(images, FileSource) else None


class FileStatus(NamedTuple):
    """Where an image is stored, and what changes as its content does.

    Attributes:
        name: the absolute path of its file, and its place within, if the file holds several.
        size: of the file, in bytes.
        modified, changed: times of its content and of its entry in the file system, nanoseconds.
    """

    name: str
    size: int
    modified: int
    changed: int


@runtime_checkable
class StoredImages(Protocol):
    """Images that lie in files, or in parts of files."""

    def status(self, index: int) -> FileStatus | None:
        """The status of an image's file, which changes if the image does; None: only its digest
        tells. Raises OSError if there is no file.
        """
        ...

    def digest(self, index: int) -> bytes:
        """The digest that `read` returns, without decoding. Raises UnreadableImage."""
        ...


@dataclass(frozen=True, eq=False)
class ArrayImages:
    """Images in memory: bytes (n, height, width) or (n, height, width, 3)."""

    pixels: NDArray[np.uint8]
    prefix: str = ""

    def __len__(self) -> int:
        return len(self.pixels)

    def key(self, index: int) -> str:
        return f"{self.prefix}{index:05d}"

    def image(self, index: int, card: Card | None = None) -> Image.Image:
        del card
        return Image.fromarray(self.pixels[index])

    def read(self, index: int, card: Card | None = None) -> tuple[Image.Image, bytes]:
        del card
        return self.image(index), _digest(self.pixels[index].tobytes())


@dataclass(frozen=True, eq=False)
class FileImages:
    """Image files: `paths` are POSIX strings relative to `root`."""

    root: Path
    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def key(self, index: int) -> str:
        return self.paths[index]

    def path(self, index: int) -> Path:
        return self.root / self.paths[index]

    def file(self, index: int) -> Path:
        return self.path(index)

    def status(self, index: int) -> FileStatus:
        path = os.path.join(self._absolute_root, self.paths[index])  # noqa: PTH118 -- ten times as fast
        status = os.stat(path)  # noqa: PTH116
        return FileStatus(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    @cached_property
    def _absolute_root(self) -> str:
        return str(self.root.absolute())

    def digest(self, index: int) -> bytes:
        return _digest(read_file(self.path(index)))

    def image(self, index: int, card: Card | None = None) -> DecodedImage:
        return decode_image(self.path(index), card)

    def read(self, index: int, card: Card | None = None) -> tuple[DecodedImage, bytes]:
        content = read_file(self.path(index))
        return decode_image(content, card), _digest(content)


@dataclass(frozen=True, eq=False)
class ConcatImages:
    """Several sources, one after the other: a train file and a test file, for example."""

    parts: tuple[ImageSource, ...]

    @cached_property
    def starts(self) -> list[int]:
        return [0, *accumulate(map(len, self.parts))]

    def __len__(self) -> int:
        return self.starts[-1]

    def locate(self, index: int) -> tuple[ImageSource, int]:
        """The source that an image is from, and its index there."""
        part = bisect_right(self.starts, index) - 1
        return self.parts[part], index - self.starts[part]

    def key(self, index: int) -> str:
        part, offset = self.locate(index)
        return part.key(offset)

    def file(self, index: int) -> Path | bytes | None:
        part, offset = self.locate(index)
        return file_of(part, offset)

    def image(self, index: int, card: Card | None = None) -> DecodedImage:
        part, offset = self.locate(index)
        return part.image(offset, card)

    def read(self, index: int, card: Card | None = None) -> tuple[DecodedImage, bytes]:
        part, offset = self.locate(index)
        return part.read(offset, card)


@dataclass(frozen=True, eq=False)
class SubsetImages:
    """Some images of another source, by index."""

    source: ImageSource
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def key(self, index: int) -> str:
        return self.source.key(int(self.indices[index]))

    def file(self, index: int) -> Path | bytes | None:
        return file_of(self.source, int(self.indices[index]))

    def image(self, index: int, card: Card | None = None) -> DecodedImage:
        return self.source.image(int(self.indices[index]), card)

    def read(self, index: int, card: Card | None = None) -> tuple[DecodedImage, bytes]:
        return self.source.read(int(self.indices[index]), card)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Labeled images.

    Attributes:
        name: of the source: "mnist", or the folder's name.
        classes: class names; a label is an index into them.
        images: of all splits.
        labels: (n,) indices of classes; with `targets`, a number for each combination of labels.
        split: (n,) of "train", "val", "test", or "" where it is undecided.
        groups: the group of each image (a patient, for example), or None if there are no groups.
        has_published_splits: whether its publisher divided it, as MNIST's did.
        warnings: sentences for the user.
        targets: (n, classes) of 0 and 1, which of the classes each image has, where it may have
            any number of them; None where it has one.
        columns: what else a table says of each image, (n,) cells by the column's name.
        objects: the boxes of the objects in each image, with their classes; None where only classes
            are known.
        box_faults: boxes that were cut or left out, as they are written, and why.
        has_stated_sizes: whether the sizes in `objects` are what a file says, and not the images'.
    """

    name: str
    classes: tuple[str, ...]
    images: ImageSource
    labels: NDArray[np.int64]
    split: NDArray[np.str_]
    groups: Sequence[str] | None = None
    has_published_splits: bool = False
    warnings: tuple[str, ...] = ()
    targets: NDArray[np.uint8] | None = None
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    objects: Objects | None = None
    box_faults: tuple[BoxFault, ...] = ()
    has_stated_sizes: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    def indices(self, split: Split | Literal[""]) -> NDArray[np.int64]:
        """The indices of the images of one split, ascending."""
        return np.flatnonzero(self.split == split)

    def counts(self, split: Split | Literal[""]) -> NDArray[np.int64]:
        """The number of images of each class in a split."""
        if self.targets is not None:
            return self.targets[self.indices(split)].sum(axis=0, dtype=np.int64)
        return np.bincount(self.labels[self.indices(split)], minlength=len(self.classes))

    @property
    def is_multi_label(self) -> bool:
        """Whether an image may have any number of the classes."""
        return self.targets is not None

    def truth(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """The labels of some images: (n,), or, where there may be several, (n, classes); of objects
        (n, objects, 10), see `Objects.padded`.
        """
        if self.objects is not None:
            return self.objects.padded(indices)
        return self.labels[indices] if self.targets is None else self.targets[indices]

    def has_class(self, indices: NDArray[np.int64], label: int) -> NDArray[np.bool_]:
        """Whether each of some images is of a class, or has it among its labels."""
        if self.targets is None:
            return self.labels[indices] == label
        return self.targets[indices, label] == 1

    def label_text(self, index: int) -> str:
        """The class of an image, or its labels."""
        return name_answer(
            self.labels[index] if self.targets is None else self.targets[index], self.classes
        )

    def with_targets(self, targets: NDArray[Any], classes: Sequence[str]) -> "Dataset":
        """The data with images that have any number of classes: (n, classes) of 0 and 1."""
        targets = np.ascontiguousarray(targets, np.uint8)
        _, labels = np.unique(targets, axis=0, return_inverse=True)
        return replace(
            self,
            classes=tuple(classes),
            targets=targets,
            labels=labels.reshape(-1).astype(np.int64),
        )

    def subset(self, indices: NDArray[np.int64], split: Split | Literal[""]) -> "Dataset":
        """Some of the images alone, as one split."""
        return replace(
            self,
            images=SubsetImages(self.images, indices),
            labels=self.labels[indices],
            targets=None if self.targets is None else self.targets[indices],
            objects=None if self.objects is None else self.objects.subset(indices),
            split=np.full(len(indices), split, dtype="<U5"),
            groups=None if self.groups is None else [self.groups[index] for index in indices],
            columns={
                name: [cells[index] for index in indices] for name, cells in self.columns.items()
            },
        )

    def with_objects(self, objects: Objects) -> "Dataset":
        """The data with the boxes of its objects, and which classes each image has by them."""
        present = objects.present(len(self.classes))
        return replace(self.with_targets(present, self.classes), objects=objects)

    def with_split(self, split: NDArray[np.str_]) -> "Dataset":
        return replace(self, split=split)

    def with_warnings(self, warnings: Sequence[str]) -> "Dataset":
        return replace(self, warnings=(*self.warnings, *warnings))


def name_answer(answer: Any, classes: Sequence[str]) -> str:
    """The name of a class by its index; of several labels the names of those that are set.

    >>> name_answer(1, ["cat", "dog"]), name_answer(np.array([1, 1]), ["cat", "dog"])
    ('dog', 'cat; dog')
    >>> name_answer(np.array([0, 0]), ["cat", "dog"])
    'no label'
    """
    if np.ndim(answer) == 0:
        return classes[int(answer)]
    return "; ".join(classes[int(index)] for index in np.flatnonzero(answer)) or NO_LABEL


def keys_of(images: ImageSource) -> list[str]:
    """The keys of all images, in their order."""
    if isinstance(images, ConcatImages):
        return [key for part in images.parts for key in keys_of(part)]
    return [images.key(index) for index in range(len(images))]


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()
