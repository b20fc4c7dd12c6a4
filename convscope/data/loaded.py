"""A data set whose images were all decoded once, and what it was asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.data.batch_sources import BatchSource, LargerImages
from convscope.data.cache.choice import Caching, estimated_bytes
from convscope.data.cache.store import are_stored
from convscope.data.dataset import Dataset
from convscope.data.depth import ValueRange
from convscope.data.fingerprint import fingerprint_of
from convscope.data.first_reading import FirstReading, ProgressCallback
from convscope.data.streaming import StreamingBatchSource
from convscope.data.survey import describe_notes
from convscope.memory import free_memory


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
        kept: sentences on where decoded images are kept, for the user.
    """

    dataset: Dataset
    batch_source: BatchSource
    problems: tuple[tuple[str, str], ...]
    fingerprint: str
    pixel_digests: NDArray[np.uint8] = field(repr=False)
    value_range: ValueRange | None = None
    larger: LargerImages | None = None
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class LoadRequest:
    """What `load_images` was asked for."""

    dataset: Dataset
    card: Card
    workers: int
    larger_side: int | None
    caching: Caching
    on_progress: ProgressCallback
    on_message: Callable[[str], None]

    @property
    def budget(self) -> float:
        """Bytes that may be kept in memory."""
        return 0 if self.caching.mode == "none" else self.caching.fraction * free_memory()

    @property
    def needed(self) -> float:
        """Bytes that all decoded images take, as is estimated."""
        return estimated_bytes(self.dataset, self.card, self.larger_side)

    def final_card(self, reading: FirstReading) -> Card:
        """The card with the range of all images of more than 8 bits."""
        return replace(self.card, value_range=self.card.value_range or reading.survey.value_range)

    def streamed(
        self, reading: FirstReading
    ) -> tuple[StreamingBatchSource, StreamingBatchSource | None]:
        """Images that are decoded when they are asked for: as they are fed, and larger ones."""
        images = self.dataset.images
        digests = reading.digests if are_stored(images) else None
        fed = StreamingBatchSource(images, self.final_card(reading), self.workers, digests=digests)
        return fed, None if self.larger_side is None else replace(fed, side=self.larger_side)

    def loaded(
        self,
        reading: FirstReading,
        batch_source: BatchSource,
        larger: LargerImages | None,
        kept: str,
    ) -> LoadedDataset:
        """The data set, with the warnings that come from reading all images."""
        images, problems, survey = self.dataset.images, reading.problems, reading.survey
        notes = {images.key(index): note for index, note in sorted(survey.notes.items())}
        warnings = [*describe_notes(notes), *survey.describe_windows()]
        if self.card.value_range is None:
            warnings += survey.describe_depth(images.key)
        split = self.dataset.split.copy()
        split[list(problems)] = ""
        return LoadedDataset(
            self.dataset.with_split(split).with_warnings(warnings),
            batch_source,
            tuple((images.key(index), problems[index]) for index in sorted(problems)),
            fingerprint_of(self.dataset, reading.digests),
            reading.pixel_digests,
            self.final_card(reading).value_range,
            larger,
            (kept,) if kept else (),
        )
