"""What Prometheus is told; of several processes the sum, by files that they share."""

import os
from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    multiprocess,
)
from prometheus_client.exposition import choose_encoder

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where several processes keep their files; read by prometheus_client when it is imported."""

_SECONDS = (.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10)  # fmt: skip
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)

disable_created_metrics()  # or each counter has a second series


class Metrics:
    """Counts of one process.

    Attributes:
        requests: answered, by path and status.
        request_seconds: from a request's header to the end of its answer, by path.
        images: by outcome: predicted or unreadable.
        decode_seconds: of an image.
        reloads: of the network, by outcome: replaced or refused.
    """

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "convscope_requests", "Requests answered.", ["path", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "convscope_request_seconds",
            "Time of a request.",
            ["path"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.images = Counter(
            "convscope_images", "Images of answered requests.", ["outcome"], registry=registry
        )
        self.decode_seconds = Histogram(
            "convscope_decode_seconds",
            "Time to decode and scale an image.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.reloads = Counter(
            "convscope_reloads", "Exports found in the folder.", ["outcome"], registry=registry
        )
        self._batch_images = Histogram(
            "convscope_batch_images", "Images computed together.", buckets=_SIZES, registry=registry
        )
        self._batch_seconds = Histogram(
            "convscope_batch_seconds",
            "Time of a batch in the engine.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._queue = Gauge(
            "convscope_queue_images",
            "Images that wait or are being decoded.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._queue_length: Callable[[], int] = lambda: 0

    def observe_batch(self, images: int, seconds: float) -> None:
        """Count a batch of the engine."""
        self._batch_images.observe(images)
        self._batch_seconds.observe(seconds)

    def watch_queue(self, length: Callable[[], int]) -> None:
        """Have the length of the queue by `length`, whenever it is wanted."""
        self._queue_length = length

    def update(self) -> None:
        """Note what only this process knows, for the others."""
        self._queue.set(self._queue_length())

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type, in the format that a scraper accepts."""
        self.update()
        encode, content_type = choose_encoder(accept)
        if FOLDER_VARIABLE not in os.environ:
            return encode(self._registry), content_type
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together)
        return encode(together), content_type
