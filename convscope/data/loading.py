"""From pictures to batches: every picture is decoded and looked at before training trusts it.

Where the prepared bytes of all pictures fit in memory they are kept there, one copy, and a batch is
a gather. Where they do not, each batch is decoded by threads while the one before is worked on.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitedTooLong
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.card import Card
from convscope.data.dataset import ArrayImages, ConcatImages, Dataset, ImageSource, SubsetImages
from convscope.data.decode import UnreadableImage
from convscope.data.duplicates import find_duplicates
from convscope.data.resize import resize_array, resize_image
from convscope.device import free_memory
from convscope.errors import WorkError

ProgressCallback = Callable[[int, int], None]
"""Called with how many pictures are done, and of how many."""

_CHUNK = 64  # pictures that a thread takes at a time
_AHEAD = 4  # batches decoded ahead of the one in work
_SMALL = 0.0015  # seconds a picture, below which threads only fight over the interpreter's lock
_PATIENCE = 300.0  # seconds to wait for a chunk before saying that the disk does not answer


_T = TypeVar("_T")


class BatchSource(Protocol):
    """The prepared pictures of a data set, by index."""

    def batches(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        """For each array of indices its pictures, bytes (n, h, w, c)."""
        ...


@dataclass(frozen=True)
class MemoryBatchSource:
    """All pictures as one tensor of bytes (n, h, w, c)."""

    pixels: Tensor

    def batches(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        for indices in batches:
            yield self.pixels.index_select(0, torch.from_numpy(indices))


@dataclass(frozen=True)
class StreamingBatchSource:
    """Pictures decoded again each time they are asked for, a few batches ahead."""

    images: ImageSource
    card: Card
    workers: int

    def batches(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        coming = iter(batches)
        with _pool(self.workers) as pool:
            queue = [self._start(pool, indices) for indices in islice(coming, _AHEAD)]
            while queue:
                rows = queue.pop(0)
                yield torch.from_numpy(np.stack([_wait(row, self.images) for row in rows]))
                queue += [self._start(pool, indices) for indices in islice(coming, 1)]

    def _start(
        self, pool: ThreadPoolExecutor, indices: NDArray[np.int64]
    ) -> "list[Future[NDArray[np.uint8]]]":
        return [pool.submit(self._one, int(index)) for index in indices]

    def _one(self, index: int) -> NDArray[np.uint8]:
        try:
            return resize_image(self.images.image(index), self.card)
        except UnreadableImage as error:  # it was readable when the data were checked
            raise WorkError(
                f"{self.images.key(index)} could be read before training and now {error}. "
                "Leave the data as they are while a training runs, then resume."
            ) from error


@dataclass(frozen=True)
class LoadedDataset:
    """Data ready to feed a network.

    Attributes:
        dataset: as it was opened, with the unreadable pictures in no split.
        batch_source: its pixels.
        problems: (key, reason) of each picture that could not be read.
        fingerprint: 32 hex digits that depend on keys, contents and classes, on nothing else.
    """

    dataset: Dataset
    batch_source: BatchSource
    problems: tuple[tuple[str, str], ...]
    fingerprint: str


def load_images(
    dataset: Dataset,
    card: Card,
    *,
    workers: int = 2,
    cache_fraction: float = 0.5,
    on_progress: ProgressCallback = lambda done, total: None,
) -> LoadedDataset:
    """Decode every picture once, completely, and keep the bytes if they take no more than
    `cache_fraction` of the memory that is free. Nothing is written anywhere.
    """
    height, width = card.input_size
    need = len(dataset) * height * width * card.in_channels
    keep = need <= cache_fraction * free_memory()
    whole = _whole(dataset.images, card) if keep else None
    if whole is not None:
        return LoadedDataset(
            dataset, MemoryBatchSource(torch.from_numpy(whole)), (), _fingerprint(dataset, ())
        )
    out = np.zeros((len(dataset), height, width, card.in_channels), np.uint8) if keep else None
    digests, problems = _decode_all(dataset.images, card, out, workers, on_progress)
    split = dataset.split.copy()
    split[list(problems)] = ""
    usable = dataset.with_split(split).with_warnings(
        find_duplicates(dataset.with_split(split), digests)
    )
    batch_source = (
        StreamingBatchSource(dataset.images, card, workers)
        if out is None
        else MemoryBatchSource(torch.from_numpy(out))
    )
    named = tuple((dataset.images.key(index), problems[index]) for index in sorted(problems))
    return LoadedDataset(usable, batch_source, named, _fingerprint(dataset, digests))


def _whole(pictures: ImageSource, card: Card) -> NDArray[np.uint8] | None:
    """Pictures that lie in memory already, prepared all at once; None where that cannot be."""
    match pictures:
        case ArrayImages():
            return resize_array(pictures.pixels, card)
        case ConcatImages():
            parts = [_whole(part, card) for part in pictures.parts]
            found = [part for part in parts if part is not None]
            return np.concatenate(found) if len(found) == len(parts) else None
        case SubsetImages():
            all_of_them = _whole(pictures.source, card)
            return None if all_of_them is None else all_of_them[pictures.indices]
        case _:
            return None


def _arrays(pictures: ImageSource) -> Iterator[NDArray[Any]]:
    """What decides pictures that lie in memory; nothing where they are files."""
    match pictures:
        case ArrayImages():
            yield pictures.pixels
        case ConcatImages():
            for part in pictures.parts:
                yield from _arrays(part)
        case SubsetImages():
            inner = list(_arrays(pictures.source))
            yield from ([pictures.indices, *inner] if inner else [])
        case _:
            pass


def _decode_all(
    pictures: ImageSource,
    card: Card,
    out: NDArray[np.uint8] | None,
    workers: int,
    on_progress: ProgressCallback,
) -> tuple[list[bytes], dict[int, str]]:
    """The digest of each picture, and the reason for each that cannot be read."""
    digests = [b""] * len(pictures)
    problems: dict[int, str] = {}

    def work(start: int) -> int:
        indices = range(start, min(start + _CHUNK, len(pictures)))
        for index in indices:
            try:
                picture, digests[index] = pictures.read(index)
                pixels = resize_image(picture, card)
            except UnreadableImage as error:
                problems[index] = str(error)
            else:
                if out is not None:
                    out[index] = pixels
        return len(indices)

    began = time.perf_counter()
    with _pool(1) as pool:
        done = _wait(pool.submit(work, 0), pictures)
    small = time.perf_counter() - began < _SMALL * done
    rest = range(done, len(pictures), _CHUNK)
    with _pool(1 if small else workers) as pool:
        on_progress(done, len(pictures))
        for start, chunk in [(start, pool.submit(work, start)) for start in rest]:
            done += _wait(chunk, pictures, start)
            on_progress(done, len(pictures))
    return digests, problems


@contextmanager
def _pool(workers: int) -> Generator[ThreadPoolExecutor]:
    """Threads that nobody waits for at the end: one may hang on a disk that has gone."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="convscope-decode")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _wait(future: "Future[_T]", pictures: ImageSource, start: int = 0) -> _T:
    try:
        return future.result(timeout=_PATIENCE)
    except WaitedTooLong as error:
        raise WorkError(
            f"No picture came for {_PATIENCE:.0f} s, near {pictures.key(start)}. "
            "Is the disk or the network share it lies on still there?"
        ) from error


def _fingerprint(dataset: Dataset, digests: Sequence[bytes]) -> str:
    """One name for the data: files count by their path, pictures in memory by their order."""
    whole = blake2b(digest_size=16)
    whole.update("\0".join(dataset.classes).encode("utf-8", "surrogateescape"))
    pixels = list(_arrays(dataset.images))
    if pixels:
        for array in [dataset.labels.astype("<i8"), *pixels]:
            whole.update(np.ascontiguousarray(array).data)
        return whole.hexdigest()
    keys = [dataset.images.key(index) for index in range(len(dataset))]
    for key, label, digest in sorted(zip(keys, dataset.labels.tolist(), digests, strict=True)):
        whole.update(f"{key}\0{label}\0".encode("utf-8", "surrogateescape") + digest)
    return whole.hexdigest()
