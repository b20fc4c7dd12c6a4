"""Load images in batches. Every image is decoded and checked before a training starts.

If the resized bytes of all images fit in memory, they are kept there once, and a batch is a gather.
If not, threads decode each batch while the one before is in use.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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
from convscope.data.depth import ValueRange
from convscope.data.pixel_digests import SIZE, digest_image, digests_in_memory
from convscope.data.resize import resize_array, resize_image
from convscope.data.survey import ImageSurvey, describe_notes
from convscope.errors import WorkError
from convscope.memory import free_memory

ProgressCallback = Callable[[int, int], None]
"""Called with the number of images that are done, and their total."""

_CHUNK = 64  # images per task of a thread
_PREFETCH = 4  # batches decoded ahead of the one in use
_FAST = 0.0015  # seconds per image, below which threads only contend for the interpreter's lock
_TIMEOUT = 300.0  # seconds to wait for a chunk before the disk is taken for gone


_T = TypeVar("_T")


class BatchSource(Protocol):
    """The resized images of a data set, in batches."""

    def batches(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        """For each array of indices, yield its images: bytes (n, h, w, c)."""
        ...


@dataclass(frozen=True)
class MemoryBatchSource:
    """All images as one tensor of bytes (n, h, w, c)."""

    pixels: Tensor

    def batches(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        for indices in batches:
            yield self.pixels.index_select(0, torch.from_numpy(indices))


@dataclass(frozen=True)
class StreamingBatchSource:
    """Images that are decoded again for each batch, a few batches ahead."""

    images: ImageSource
    card: Card
    workers: int

    def batches(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        remaining = iter(batches)
        with _pool(self.workers) as pool:
            queue = [self._start(pool, indices) for indices in islice(remaining, _PREFETCH)]
            while queue:
                rows = queue.pop(0)
                yield torch.from_numpy(np.stack([_wait(row, self.images) for row in rows]))
                queue += [self._start(pool, indices) for indices in islice(remaining, 1)]

    def _start(
        self, pool: ThreadPoolExecutor, indices: NDArray[np.int64]
    ) -> "list[Future[NDArray[np.uint8]]]":
        return [pool.submit(self._load, int(index)) for index in indices]

    def _load(self, index: int) -> NDArray[np.uint8]:
        try:
            return resize_image(self.images.image(index), self.card)
        except UnreadableImage as error:  # it could be read when the data were checked
            raise WorkError(
                f"{self.images.key(index)} could be read before training, but now {error}. "
                "Restore it, then resume; data must not change during a training."
            ) from error


@dataclass(frozen=True)
class LoadedDataset:
    """A data set whose images are checked and can be loaded.

    Attributes:
        dataset: as opened, except that unreadable images belong to no split.
        batch_source: the resized images.
        problems: (key, reason) of each unreadable image.
        fingerprint: 32 hexadecimal digits that depend on keys, contents, labels and classes only.
        value_range: by which images of more than 8 bits were scaled: the card's, else that of all
            of them; None if there are none.
        pixel_digests: (n, 16) of the decoded images, see `pixel_digests`; zeros for unreadable
            ones.
    """

    dataset: Dataset
    batch_source: BatchSource
    problems: tuple[tuple[str, str], ...]
    fingerprint: str
    pixel_digests: NDArray[np.uint8] = field(repr=False)
    value_range: ValueRange | None = None


def load_images(
    dataset: Dataset,
    card: Card,
    *,
    workers: int = 2,
    cache_fraction: float = 0.5,
    on_progress: ProgressCallback = lambda done, total: None,
) -> LoadedDataset:
    """Decode every image once, and keep all in memory if they take at most `cache_fraction` of the
    free memory. Nothing is written to disk.

    If the card has no value range, it is that of all images of more than 8 bits; those that would
    have another one by themselves are decoded a second time.
    """
    height, width = card.input_size
    num_bytes = len(dataset) * height * width * card.in_channels
    fits = num_bytes <= cache_fraction * free_memory()
    pixels = _resize_all(dataset.images, card) if fits else None
    if pixels is not None:
        source, pixel_digests = torch.from_numpy(pixels), digests_in_memory(dataset.images)
        fingerprint = _fingerprint(dataset, ())
        return LoadedDataset(dataset, MemoryBatchSource(source), (), fingerprint, pixel_digests)
    out = np.zeros((len(dataset), height, width, card.in_channels), np.uint8) if fits else None
    survey = ImageSurvey()
    pixel_digests = np.zeros((len(dataset), SIZE), np.uint8)
    digests, problems = _decode_all(
        dataset.images, card, out, pixel_digests, workers, on_progress, survey
    )
    notes = {dataset.images.key(index): note for index, note in sorted(survey.notes.items())}
    warnings = [*describe_notes(notes)]
    if card.value_range is None and survey.value_range is not None:
        card = replace(card, value_range=survey.value_range)
        warnings += survey.describe_depth(dataset.images.key)
        if out is not None:
            for index in survey.unlike(survey.value_range):
                out[index] = resize_image(dataset.images.image(index), card)
    split = dataset.split.copy()
    split[list(problems)] = ""
    readable = dataset.with_split(split)
    readable = readable.with_warnings(warnings)
    batch_source = (
        StreamingBatchSource(dataset.images, card, workers)
        if out is None
        else MemoryBatchSource(torch.from_numpy(out))
    )
    keyed_problems = tuple(
        (dataset.images.key(index), problems[index]) for index in sorted(problems)
    )
    fingerprint = _fingerprint(dataset, digests)
    return LoadedDataset(
        readable, batch_source, keyed_problems, fingerprint, pixel_digests, card.value_range
    )


def _resize_all(images: ImageSource, card: Card) -> NDArray[np.uint8] | None:
    """All images at once, resized, if they are arrays in memory that need no scaling; else None."""
    match images:
        case ArrayImages():
            return resize_array(images.pixels, card)
        case ConcatImages():
            parts = [_resize_all(part, card) for part in images.parts]
            resized = [part for part in parts if part is not None]
            return np.concatenate(resized) if len(resized) == len(parts) else None
        case SubsetImages():
            source = _resize_all(images.source, card)
            return None if source is None else source[images.indices]
        case _:
            return None


def _arrays(images: ImageSource) -> list[NDArray[Any]] | None:
    """The arrays that determine images in memory; None if any image is not in one."""
    match images:
        case ArrayImages():
            return [images.pixels]
        case ConcatImages():
            parts = [_arrays(part) for part in images.parts]
            known = [part for part in parts if part is not None]
            return [array for part in known for array in part] if len(known) == len(parts) else None
        case SubsetImages():
            inner = _arrays(images.source)
            return None if inner is None else [images.indices, *inner]
        case _:
            return None


def _decode_all(
    images: ImageSource,
    card: Card,
    out: NDArray[np.uint8] | None,
    pixel_digests: NDArray[np.uint8],
    workers: int,
    on_progress: ProgressCallback,
    survey: ImageSurvey,
) -> tuple[list[bytes], dict[int, str]]:
    """The digest of each image's file, and the reason why, by index, for each that cannot be read.

    The resized images are written to `out`, the digests of all pixels to `pixel_digests`.
    """
    digests = [b""] * len(images)
    problems: dict[int, str] = {}

    def work(start: int) -> int:
        indices = range(start, min(start + _CHUNK, len(images)))
        for index in indices:
            try:
                image, digests[index] = images.read(index)
                pixels = resize_image(image, card)
                survey.add(index, image)
            except UnreadableImage as error:
                problems[index] = str(error)
            else:
                pixel_digests[index] = digest_image(image)
                if out is not None:
                    out[index] = pixels
        return len(indices)

    start_time = time.perf_counter()
    with _pool(1) as pool:
        done = _wait(pool.submit(work, 0), images)
    is_fast = time.perf_counter() - start_time < _FAST * done
    rest = range(done, len(images), _CHUNK)
    with _pool(1 if is_fast else workers) as pool:
        on_progress(done, len(images))
        for start, chunk in [(start, pool.submit(work, start)) for start in rest]:
            done += _wait(chunk, images, start)
            on_progress(done, len(images))
    return digests, problems


@contextmanager
def _pool(workers: int) -> Generator[ThreadPoolExecutor]:
    """A pool whose threads are not awaited at the end: one may hang on a disk that is gone."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="convscope-decode")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _wait(future: "Future[_T]", images: ImageSource, start: int = 0) -> _T:
    try:
        return future.result(timeout=_TIMEOUT)
    except FutureTimeoutError as error:
        raise WorkError(
            f"No image could be read for {_TIMEOUT:.0f} s, near {images.key(start)}. "
            "Is its disk or network share still there?"
        ) from error


def _fingerprint(dataset: Dataset, digests: Sequence[bytes]) -> str:
    """A digest of the data: of files with their paths, of images in memory in their order."""
    hasher = blake2b(digest_size=16)
    hasher.update("\0".join(dataset.classes).encode("utf-8", "surrogateescape"))
    pixels = _arrays(dataset.images)
    if pixels is not None:
        for array in [dataset.labels.astype("<i8"), *pixels]:
            hasher.update(np.ascontiguousarray(array).data)
        return hasher.hexdigest()
    keys = [dataset.images.key(index) for index in range(len(dataset))]
    for key, label, digest in sorted(zip(keys, dataset.labels.tolist(), digests, strict=True)):
        hasher.update(f"{key}\0{label}\0".encode("utf-8", "surrogateescape") + digest)
    return hasher.hexdigest()
