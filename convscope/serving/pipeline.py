"""From the bytes of image files to probabilities: decoded by threads, computed in batches."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.boxes.detections import Detections
from convscope.card import Card
from convscope.data.decode import decode_image
from convscope.data.depth import size_of
from convscope.data.resize import resize_image
from convscope.data.unreadable import UnreadableImage, limited_pixels, refuse_size
from convscope.http_server.access import Refusal
from convscope.predictions.decided import Answers
from convscope.serving.batcher import Batcher, QueuedImage, QueueFullError
from convscope.serving.metrics import Metrics
from convscope.serving.models import ServedModel
from convscope.serving.settings import ServeSettings

ImageSource = bytes | NDArray[np.uint8]
"""The content of a file, or pixels (h, w, 3): red, green and blue."""


@dataclass(frozen=True)
class LocatedBoxes:
    """The boxes that were found in an image of this (width, height)."""

    found: Detections
    size: tuple[int, int]


Result = Answers | LocatedBoxes | UnreadableImage


class Pipeline:
    """Answers requests by one network, which can be replaced in between.

    Attributes:
        model: the network that the next request gets.
        decoders: threads for all work of a request that is not the engine's.
    """

    def __init__(self, model: ServedModel, settings: ServeSettings, metrics: Metrics) -> None:
        self.model = model
        self._settings, self._metrics = settings, metrics
        self.decoders = ThreadPoolExecutor(settings.num_threads, "convscope-decode")
        self._batcher = Batcher(
            max_batch_size=settings.max_batch_size,
            max_delay=settings.max_delay / 1000,
            queue_size=settings.queue_size,
            observe=metrics.observe_batch,
        )
        metrics.watch_queue(lambda: self._batcher.num_waiting)

    async def classify(self, model: ServedModel, images: Sequence[ImageSource]) -> Sequence[Result]:
        """The answer for each image, or why it cannot be read.

        Raises Refusal where the queue is full (503), or the answer takes too long (504).
        """
        try:
            self._batcher.admit(len(images))
        except QueueFullError:
            raise self._busy() from None
        deadline = time.monotonic() + self._settings.timeout
        queued = [QueuedImage(deadline=deadline) for _ in images]
        for image, source in zip(queued, images, strict=True):
            self.decoders.submit(self._decode, model, source, image)
        waiting = [asyncio.wrap_future(image.answer) for image in queued]
        try:
            async with asyncio.timeout(self._settings.timeout):
                results = [await _result(one) for one in waiting]
                return [
                    LocatedBoxes(one, image.size) if isinstance(one, Detections) else one
                    for one, image in zip(results, queued, strict=True)
                ]
        except TimeoutError:
            raise Refusal(
                504, f"The answer takes more than {self._settings.timeout:g} s. Try again later."
            ) from None
        finally:
            for one in waiting:  # what is not computed yet never will be
                if not one.cancel() and not one.cancelled():
                    one.exception()  # or asyncio would say that nobody asked for it

    def close(self) -> None:
        """End the threads, once what waits is answered."""
        self.decoders.shutdown()
        self._batcher.close()

    def _busy(self) -> Refusal:
        seconds = max(1, round(self._batcher.seconds_to_wait))
        return Refusal(
            503,
            f"{self._settings.queue_size} images wait at most. Try again in {seconds} s.",
            {"Retry-After": str(seconds)},
        )

    def _decode(self, model: ServedModel, source: ImageSource, image: QueuedImage) -> None:
        if not image.is_wanted:
            self._batcher.withdraw()
            return
        begin = time.perf_counter()
        try:
            with limited_pixels(self._settings.max_pixels):
                image.pixels, image.size = _pixels_of(source, model.card)
        except BaseException as error:  # noqa: BLE001 -- whoever waits for an answer gets it
            self._batcher.withdraw()
            if image.answer.set_running_or_notify_cancel():
                image.answer.set_exception(error)
        else:
            self._metrics.decode_seconds.observe(time.perf_counter() - begin)
            has_boxes = model.card.boxes is not None
            image.classify = model.classifier.all_objects if has_boxes else model.classifier.answers
            self._batcher.put(image)


def _pixels_of(source: ImageSource, card: Card) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Bytes (h, w, c) of the input's size, and width and height of the image."""
    if isinstance(source, bytes):
        decoded = decode_image(source, card)
    else:
        refuse_size(source.shape[0] * source.shape[1])
        decoded = Image.fromarray(source)
    return resize_image(decoded, card, only_pillow=True), size_of(decoded)


async def _result(waiting: "asyncio.Future[Any]") -> Answers | Detections | UnreadableImage:
    try:
        return await waiting
    except UnreadableImage as error:
        return error
