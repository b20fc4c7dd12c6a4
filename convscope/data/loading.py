"""Load images in batches. Every image is decoded and checked before a training starts.

If the resized bytes of all images fit in memory, they are kept there once, and a batch is a gather.
If not, threads decode each batch while the one before is in use.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.card import Card
from convscope.data.dataset import Dataset, ImageSource
from convscope.data.decode import UnreadableImage
from convscope.data.depth import ValueRange
from convscope.data.fingerprint import fingerprint_of
from convscope.data.larger import KeptBatchSource, KeptImages, ResizedImages, read_whole
from convscope.data.pixel_digests import SIZE, digest_image, digests_in_memory
from convscope.data.resize import resize_image
from convscope.data.resize_arrays import resize_all
from convscope.data.survey import ImageSurvey, describe_notes
from convscope.errors import WorkError
from convscope.memory import free_memory

ProgressCallback = Callable[[int, int], None]
"""Called with the number of images that are done, and their total."""

_CHUNK = 64  # images per task of a thread
_PREFETCH = 4  # batches at most that are decoded ahead of the one in use
_AHEAD = 32 << 20  # bytes at most of the images that are decoded ahead, if each worker has one
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

    source: ImageSource
    card: Card
    workers: int
    side: int | None = None
    """To which the shorter side of whole images is scaled; None: images are as the card says."""

    def batches(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        for images in self.images(batches):
            stacked = [torch.from_numpy(np.stack(images))]
            images.clear()  # nothing is kept twice while the batch is in use
            yield stacked.pop()

    def images(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[list[NDArray[np.uint8]]]:
        """The images of each batch, of any sizes."""
        coming = (int(index) for indices in batches for index in indices)
        with _pool(self.workers) as pool:
            ahead = deque(
                pool.submit(self.load, index) for index in islice(coming, self.look_ahead(batches))
            )
            for indices in batches:
                images: list[NDArray[np.uint8]] = []
                for index in indices:
                    images.append(_wait(ahead.popleft(), self.source, int(index)))
                    ahead.extend(pool.submit(self.load, index) for index in islice(coming, 1))
                yield images
                del images

    def look_ahead(self, batches: Sequence[NDArray[np.int64]]) -> int:
        """Images that are decoded ahead of those in use: a few batches, as far as 32 MiB reach.

        Whole images are taken for 3:2, as those of most cameras.
        """
        height, width = self.card.input_size
        size = height * width if self.side is None else self.side * self.side * 3 // 2
        fitting = _AHEAD // (size * self.card.in_channels)
        return max(self.workers, min(fitting, sum(map(len, batches[:_PREFETCH]))))

    def load(self, index: int) -> NDArray[np.uint8]:
        """One image (h, w, c). Raises WorkError if it has become unreadable."""
        try:
            image = self.source.image(index, self.card)
            if self.side is not None:
                return read_whole(self.source, index, self.card, self.side, image)
            return resize_image(image, self.card)
        except UnreadableImage as error:  # it could be read when the data were checked
            raise WorkError(
                f"{self.source.key(index)} could be read before training, but now {error}. "
                "Restore it, then resume; data must not change during a training."
            ) from error


LargerImages = StreamingBatchSource | KeptBatchSource
"""Where training images that are larger than the network's input come from."""


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
        larger: the training images from which windows are cut; None if they are fed as the others.
    """

    dataset: Dataset
    batch_source: BatchSource
    problems: tuple[tuple[str, str], ...]
    fingerprint: str
    pixel_digests: NDArray[np.uint8] = field(repr=False)
    value_range: ValueRange | None = None
    larger: LargerImages | None = None


def load_images(
    dataset: Dataset,
    card: Card,
    *,
    workers: int = 2,
    cache_fraction: float = 0.5,
    larger_side: int | None = None,
    on_progress: ProgressCallback = lambda done, total: None,
) -> LoadedDataset:
    """Decode every image once, and keep all in memory if they take at most `cache_fraction` of the
    free memory. Nothing is written to disk.

    With `larger_side`, training images are kept whole, their shorter side at most this; see
    `larger`.

    If the card has no value range, it is that of all images of more than 8 bits; those that would
    have another one by themselves are decoded a second time.
    """
    height, width = card.input_size
    num_bytes = len(dataset) * height * width * card.in_channels
    budget = cache_fraction * free_memory()
    fits = num_bytes <= budget and larger_side is None
    pixels = resize_all(dataset.images, card) if fits else None
    if pixels is not None:
        with ThreadPoolExecutor(1) as pool:
            fingerprint = pool.submit(fingerprint_of, dataset, ())
            digests = digests_in_memory(dataset.images)
        source = MemoryBatchSource(torch.from_numpy(pixels))
        return LoadedDataset(dataset, source, (), fingerprint.result(), digests)
    kept = (
        ResizedImages((len(dataset), height, width, card.in_channels), fits=fits)
        if larger_side is None
        else KeptImages(dataset.images, dataset.split == "train", larger_side, budget)
    )
    survey = ImageSurvey()
    pixel_digests = np.zeros((len(dataset), SIZE), np.uint8)
    digests, problems = _decode_all(
        dataset.images, card, kept, pixel_digests, workers, on_progress, survey
    )
    notes = {dataset.images.key(index): note for index, note in sorted(survey.notes.items())}
    warnings = [*describe_notes(notes), *survey.describe_windows()]
    if card.value_range is None and survey.value_range is not None:
        card = replace(card, value_range=survey.value_range)
        warnings += survey.describe_depth(dataset.images.key)
        if kept.fits:
            for index in survey.unlike(survey.value_range):
                kept.add(index, dataset.images.image(index, card), card)
    split = dataset.split.copy()
    split[list(problems)] = ""
    readable = dataset.with_split(split)
    readable = readable.with_warnings(warnings)
    batch_source, larger = _sources(kept, dataset.images, card, workers)
    keyed_problems = tuple(
        (dataset.images.key(index), problems[index]) for index in sorted(problems)
    )
    fingerprint = fingerprint_of(dataset, digests)
    return LoadedDataset(
        readable, batch_source, keyed_problems, fingerprint, pixel_digests, card.value_range, larger
    )


def _sources(
    kept: "ResizedImages | KeptImages", images: ImageSource, card: Card, workers: int
) -> tuple[BatchSource, LargerImages | None]:
    """Where images come from as they are fed, and training images where they are larger."""
    streamed = StreamingBatchSource(images, card, workers)
    if isinstance(kept, ResizedImages):
        return (MemoryBatchSource(torch.from_numpy(kept.pixels)) if kept.fits else streamed), None
    whole = StreamingBatchSource(images, card, workers, kept.side)
    if not kept.fits:
        return streamed, whole
    return KeptBatchSource(kept.fed, streamed.load), KeptBatchSource(kept.whole, whole.load)


def _decode_all(
    images: ImageSource,
    card: Card,
    kept: ResizedImages | KeptImages,
    pixel_digests: NDArray[np.uint8],
    workers: int,
    on_progress: ProgressCallback,
    survey: ImageSurvey,
) -> tuple[list[bytes], dict[int, str]]:
    """The digest of each image's file, and the reason why, by index, for each that cannot be read.

    The images are added to `kept`, the digests of all pixels to `pixel_digests`.
    """
    digests = [b""] * len(images)
    problems: dict[int, str] = {}

    def work(start: int) -> int:
        indices = range(start, min(start + _CHUNK, len(images)))
        for index in indices:
            try:
                image, digests[index] = images.read(index, card)
                kept.add(index, image, card)
                survey.add(index, image)
            except UnreadableImage as error:
                problems[index] = str(error)
            else:
                pixel_digests[index] = digest_image(image)
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
