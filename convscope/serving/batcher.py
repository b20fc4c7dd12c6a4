"""Puts images that arrive at about the same time into one batch for the engine."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.boxes.detections import Detections
from convscope.predictions.decided import Answers

Answer = Answers | Detections
Classify = Callable[[NDArray[np.uint8]], Sequence[Answers] | Sequence[Detections]]
"""Bytes (n, h, w, c) to an answer for each of n images."""


class QueueFullError(Exception):
    """As many images wait as may."""


@dataclass(eq=False)
class QueuedImage:
    """An image on its way to an answer.

    Attributes:
        deadline: after which nobody waits for the answer, by `time.monotonic`.
        answer: the answer for it, or what is wrong with it.
        classify, pixels: what computes the answer, and from which bytes (h, w, c); set once it is
            decoded.
        size: width and height as it came; set likewise.
        since: when it was decoded.
    """

    deadline: float
    answer: Future[Answer] = field(default_factory=Future[Any])
    classify: Classify | None = None
    pixels: NDArray[np.uint8] | None = None
    size: tuple[int, int] = (0, 0)
    since: float = 0.0

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for the answer."""
        return not self.answer.cancelled() and time.monotonic() < self.deadline


class Batcher:
    """A thread that computes batches of images for requests of any number of threads.

    A batch begins as soon as the engine is free. It waits for more images for at most `max_delay`
    seconds, and only while some are being decoded, so an image that is alone never waits.

    Args:
        max_batch_size: images of a batch at most.
        max_delay: see above.
        queue_size: images that may wait or be decoded; the batch that is computed does not count.
        observe: called with the number of images of each batch and the seconds that it took.
    """

    def __init__(
        self,
        *,
        max_batch_size: int,
        max_delay: float,
        queue_size: int,
        observe: Callable[[int, float], None] = lambda _images, _seconds: None,
    ) -> None:
        self._max_batch_size, self._max_delay = max_batch_size, max_delay
        self._queue_size, self._observe = queue_size, observe
        self._condition = threading.Condition()
        self._images: deque[QueuedImage] = deque()
        self._num_decoding = 0
        self._seconds_per_image = 0.0
        self._is_ending = False
        self._thread = threading.Thread(target=self._run, name="convscope-engine", daemon=True)
        self._thread.start()

    @property
    def num_waiting(self) -> int:
        """Images that wait or are being decoded."""
        return len(self._images) + self._num_decoding

    @property
    def seconds_to_wait(self) -> float:
        """An estimate of the time until the images that wait are answered."""
        return self.num_waiting * self._seconds_per_image

    def admit(self, count: int) -> None:
        """Take a place for each of `count` images, before they are decoded.

        Each is followed by `put` or `withdraw`. Raises QueueFullError where there is no room.
        """
        with self._condition:
            if self.num_waiting + count > self._queue_size:
                raise QueueFullError
            self._num_decoding += count

    def withdraw(self, count: int = 1) -> None:
        """Give the places of admitted images back."""
        with self._condition:
            self._num_decoding -= count
            self._condition.notify()

    def put(self, image: QueuedImage) -> None:
        """Queue an admitted image that is decoded."""
        image.since = time.monotonic()
        with self._condition:
            self._num_decoding -= 1
            self._images.append(image)
            self._condition.notify()

    def close(self) -> None:
        """End the thread, once the images that wait are answered."""
        with self._condition:
            self._is_ending = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next_batch():
            wanted = [
                image
                for image in batch
                if image.is_wanted and image.answer.set_running_or_notify_cancel()
            ]
            if wanted:
                begin = time.monotonic()
                _compute(wanted)
                seconds = time.monotonic() - begin
                self._seconds_per_image += 0.1 * (seconds / len(wanted) - self._seconds_per_image)
                self._observe(len(wanted), seconds)

    def _next_batch(self) -> Sequence[QueuedImage]:
        """The images of the next batch, all for one network; none when the thread should end."""
        with self._condition:
            while not self._images:
                if self._is_ending:
                    return ()
                self._condition.wait()
            end = self._images[0].since + self._max_delay
            while self._num_decoding and len(self._images) < self._max_batch_size:
                if (left := end - time.monotonic()) <= 0:
                    break
                self._condition.wait(left)
            batch = [self._images.popleft()]
            while self._images and len(batch) < self._max_batch_size:
                if self._images[0].classify != batch[0].classify:
                    break  # the network was replaced in between
                batch.append(self._images.popleft())
            return batch


def _compute(images: Sequence[QueuedImage]) -> None:
    classify = images[0].classify
    try:
        assert classify is not None
        answers = classify(np.stack([image.pixels for image in images if image.pixels is not None]))
    except BaseException as error:  # noqa: BLE001 -- whoever waits for an answer gets it
        for image in images:
            image.answer.set_exception(error)
        return
    for image, answer in zip(images, answers, strict=True):
        image.answer.set_result(answer)
