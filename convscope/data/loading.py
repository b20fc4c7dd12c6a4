"""Load images in batches. Every image is decoded and checked before a training starts.

If the resized bytes of all images fit in memory, they are kept there once, and a batch is a gather.
If not, they are kept on disk, where `cache` allows it, and threads read each batch while the one
before is in use; or threads decode each batch again.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch

from convscope.card import Card
from convscope.data.batch_sources import BatchSource, LargerImages, MemoryBatchSource
from convscope.data.cache.choice import Caching, describe_memory
from convscope.data.dataset import Dataset
from convscope.data.disk_loading import load_from_disk
from convscope.data.fingerprint import fingerprint_of
from convscope.data.first_reading import FirstReading, ProgressCallback, ReadImage
from convscope.data.larger import KeptBatchSource, KeptImages, ResizedImages
from convscope.data.loaded import LoadedDataset, LoadRequest
from convscope.data.pixel_digests import digests_in_memory
from convscope.data.resize_arrays import resize_all
from convscope.data.streaming import StreamingBatchSource

_AGAIN = "The images do not fit in memory and are decoded again in every epoch."


def load_images(
    dataset: Dataset,
    card: Card,
    *,
    workers: int = 2,
    cache_fraction: float = 0.5,
    larger_side: int | None = None,
    caching: Caching | None = None,
    on_progress: ProgressCallback = lambda done, total: None,
    on_message: Callable[[str], None] = lambda message: None,
) -> LoadedDataset:
    """Decode every image once, and keep all where `caching` says: by default in memory if they
    take at most `cache_fraction` of what is free, and nowhere else. See `CacheMode`.

    With `larger_side`, training images are kept whole, their shorter side at most this; see
    `larger`.

    If the card has no value range, it is that of all images of more than 8 bits; those that would
    have another one by themselves are decoded a second time.
    """
    caching = caching or Caching("ram", cache_fraction)
    request = LoadRequest(dataset, card, workers, larger_side, caching, on_progress, on_message)
    fits, said = request.needed <= request.budget, ""
    if caching.mode == "disk" or (caching.mode == "auto" and not fits):
        loaded, said = load_from_disk(request)
        if loaded is not None:
            return loaded
    loaded = _load_in_memory(request)
    if caching.mode == "auto" and fits and isinstance(loaded.batch_source, StreamingBatchSource):
        loaded = load_from_disk(request)[0] or loaded  # they are larger than was estimated
    return replace(loaded, kept=(said, *loaded.kept)) if said else loaded


def _load_in_memory(request: LoadRequest) -> LoadedDataset:
    """Load images, and keep them in memory if they fit, else nowhere."""
    dataset, card, side = request.dataset, request.card, request.larger_side
    images, budget = dataset.images, request.budget
    fits = request.needed <= budget
    if side is None and fits and (pixels := resize_all(images, card)) is not None:
        with ThreadPoolExecutor(1) as pool:
            fingerprint = pool.submit(fingerprint_of, dataset, ())
            digests = digests_in_memory(images)
        source = MemoryBatchSource(torch.from_numpy(pixels))
        return LoadedDataset(dataset, source, (), fingerprint.result(), digests)
    kept = (
        ResizedImages((len(dataset), *card.input_size, card.in_channels), fits=fits)
        if side is None
        else KeptImages(images, dataset.split == "train", side, budget)
    )
    reading = FirstReading.of_size(len(dataset))
    reading.read_all(
        images, range(len(dataset)), card, kept,
        workers=request.workers, on_progress=request.on_progress,
    )  # fmt: skip
    final = request.final_card(reading)
    if kept.fits and card.value_range is None and final.value_range is not None:
        for index in reading.survey.unlike(final.value_range):
            image = images.image(index, final)
            kept.add(ReadImage(index, image, b"", reading.pixel_digests[index]), final)
    source, larger = _sources(kept, request, reading)
    described = describe_memory(len(dataset), kept.num_bytes, request.caching.mode)
    return request.loaded(reading, source, larger, described if kept.fits else _AGAIN)


def _sources(
    kept: ResizedImages | KeptImages, request: LoadRequest, reading: FirstReading
) -> tuple[BatchSource, LargerImages | None]:
    """Where images come from as they are fed, and training images where they are larger."""
    fed, whole = request.streamed(reading)
    if isinstance(kept, ResizedImages):
        return (MemoryBatchSource(torch.from_numpy(kept.pixels)) if kept.fits else fed), None
    if whole is None or not kept.fits:
        return fed, whole
    return KeptBatchSource(kept.fed, fed.load), KeptBatchSource(kept.whole, whole.load)
