"""Load images from the cache on disk, and add to it those that are not there."""

import numpy as np

from convscope.data.cache.choice import amount, hindrance
from convscope.data.cache.disk_cache import DiskCache
from convscope.data.cache.source import CachedBatchSource
from convscope.data.loaded import LoadedDataset, LoadRequest


def load_from_disk(request: LoadRequest) -> tuple[LoadedDataset | None, str]:
    """Load images from the cache, adding what is missing; or nothing, and a sentence that says why
    the disk does not take them.
    """
    dataset, workers = request.dataset, request.workers
    if why_not := hindrance(dataset):
        return None, why_not
    is_train = dataset.split == "train"
    cache = DiskCache(
        dataset.images, request.card, is_train, request.larger_side, workers, request.on_progress
    )
    try:
        cache.open(
            limit=request.caching.disk_bytes,
            image_bytes=request.needed / max(1, len(dataset)),
            on_wait=lambda: request.on_message(
                "Another process is decoding images into the cache; waiting for it."
            ),
        )
        if cache.reason and not cache.kept().are_there.any():
            return None, f"Decoded images are not kept on disk: {cache.reason}."
        cache.fill()
    finally:
        cache.close()
    fed, whole = request.streamed(cache.reading)
    source = CachedBatchSource(cache.places(is_whole=False), fed.load, workers)
    larger = None
    if whole is not None:
        larger = CachedBatchSource(cache.places(is_whole=True), whole.load, workers)
    return request.loaded(cache.reading, source, larger, _describe(cache)), ""


def _describe(cache: DiskCache) -> str:
    """What is said of images that are kept on disk."""
    places = cache.kept()
    total, count = int(places.num_bytes().sum()), int(np.count_nonzero(places.are_there))
    words = (
        f"Decoded images are kept on disk: {count:,}, {amount(total)}, "
        f"{total // max(count, 1):,} bytes each, in {cache.folder}."
    )
    rest = len(places.rows) - count - len(cache.reading.problems)
    if cache.reason and rest:
        words += f" {rest:,} more are decoded again in every epoch: {cache.reason}."
    return words
