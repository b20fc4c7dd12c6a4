"""Find the images that are meant, and read them in batches ahead of the network."""

import os
import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.card import Card
from convscope.data.depth import note_of, size_of, to_bytes
from convscope.data.image_files import find_image_files
from convscope.data.images import ImageLike, list_images, name_image, open_image
from convscope.data.resize import resize_image
from convscope.data.unreadable import UnreadableImage
from convscope.data.walk import describe_left_out
from convscope.errors import RequestError
from convscope.predictions.result import THUMBNAILS, thumbnail


@dataclass(frozen=True)
class LoadedImage:
    """An image for the network (h, w, c), its width and height as it was, what is to say of it, and
    a small copy of the first.
    """

    name: str
    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    note: str
    thumbnail: Image.Image | None


Unreadable = tuple[str, str]
"""The name of an image, and why it could not be read."""


def find_images(images: ImageLike | Iterable[ImageLike]) -> tuple[list[ImageLike], list[str]]:
    """All images that are meant, in order: each file once, folders sorted; and notes on others."""
    _refuse_data_set(images)
    listed = list_images(images)
    if not listed:
        raise RequestError("Pass at least one image: a file, folder, glob pattern, or an array.")
    found: dict[object, ImageLike] = {}
    left_out: Counter[str] = Counter()
    for index, image in enumerate(listed):
        if isinstance(image, str | os.PathLike):
            files = find_image_files(image)
            found |= {path: path for path in files.paths}
            left_out += files.left_out
        else:
            found[index] = image
    notes = [f"Left out files that are not read as images: {describe_left_out(left_out)}."]
    return list(found.values()), notes if left_out else []


def _refuse_data_set(images: object) -> None:
    torch_data: Any = sys.modules.get("torch.utils.data")
    if torch_data and isinstance(images, torch_data.Dataset | torch_data.DataLoader):
        raise RequestError(
            "`predict` takes images. For a data set with labels there is `evaluate(run, "
            "dataset).per_image`; else `predict(run, [image for image, _ in dataset])`."
        )


class ImageBatches:
    """The batches of one of `size` processes that take turns, read by threads.

    Reading begins at once, and goes on ahead of the batch in use. Iterating yields, per batch, its
    readable images, and the others. Use it in a `with` block, which ends the threads.

    Args:
        only_pillow: scale by Pillow, so that PyTorch is not imported.
        thumbnails: of how many of the first images there are small copies.
    """

    def __init__(
        self,
        images: Sequence[ImageLike],
        card: Card,
        batch_size: int,
        *,
        rank: int = 0,
        size: int = 1,
        only_pillow: bool = False,
        thumbnails: int = THUMBNAILS,
    ) -> None:
        self._images, self._card, self._batch_size = images, card, batch_size
        self._only_pillow, self._thumbnails = only_pillow, thumbnails
        self.num_images, self._in_turn = len(images), size * batch_size
        workers = min(os.cpu_count() or 1, len(images))
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="convscope-decode")
        self._starts = iter(range(0, len(images), batch_size)[rank::size])
        self._ahead: deque[list[Future[LoadedImage | Unreadable]]] = deque()
        for _ in range(1 + -(-2 * workers // batch_size)):
            self._begin_next()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def __iter__(self) -> Iterator[tuple[list[LoadedImage], list[Unreadable]]]:
        while self._ahead:
            results = [future.result() for future in self._ahead.popleft()]
            self._begin_next()
            yield (
                [result for result in results if isinstance(result, LoadedImage)],
                [result for result in results if isinstance(result, tuple)],
            )

    def num_done(self, batches: int) -> int:
        """How many images all processes have had, once each had so many batches."""
        return min(batches * self._in_turn, self.num_images)

    def _begin_next(self) -> None:
        start = next(self._starts, None)
        if start is not None:
            stop = min(start + self._batch_size, len(self._images))
            futures = [self._pool.submit(self._load, index) for index in range(start, stop)]
            self._ahead.append(futures)

    def _load(self, index: int) -> LoadedImage | Unreadable:
        name = name_image(self._images[index], index)
        try:
            image = open_image(self._images[index], self._card)
            pixels = resize_image(image, self._card, only_pillow=self._only_pillow)
            is_shown = index < self._thumbnails
            small = thumbnail(to_bytes(image, self._card.value_range)) if is_shown else None
        except UnreadableImage as error:
            return name, str(error)
        return LoadedImage(name, pixels, size_of(image), note_of(image), small)
