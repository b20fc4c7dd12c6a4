"""How an epoch falls into batches, and what a batch holds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from convscope.data.augment import epoch_order
from convscope.data.augment_kinds import Sampling
from convscope.data.augmentation.pipeline import Augmentation
from convscope.data.dataset import Dataset, name_answer
from convscope.data.loading import LoadedDataset, MemoryBatchSource
from convscope.data.mixing import Mix, Mixing
from convscope.distributed.group import ALONE, Group, parts


class Moves(Protocol):
    """Where objects (n, objects, 10) are in the images that an epoch shows."""

    def __call__(
        self, objects: NDArray[np.float32], indices: NDArray[np.int64], *, epoch: int
    ) -> NDArray[np.float32]: ...


@dataclass(eq=False)
class Batch:
    """The images of one step.

    Attributes:
        indices: (n,) of the images in the data set.
        labels: (n,) their classes; where an image has several, a number for the combination.
        epoch: in which they are shown, from 0.
        load: gathers `pixels`.
        mix: how the executor mixes them after normalization, and their targets; None for not.
        targets: (n, classes) of 0 and 1, where an image has any number of labels; else None.
        objects: (n, objects, 10) of the images as they are shown, see `Objects.padded`; else None.
        whole: images of the step, where several processes share it; None where these are all.
        is_spare: whether its images count elsewhere: of a small batch there are none left for this
            process, which takes part in the step all the same.
    """

    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    epoch: int
    load: Callable[[], Tensor]
    mix: Mix | None = None
    targets: NDArray[np.uint8] | None = None
    objects: NDArray[np.float32] | None = None
    whole: int | None = None
    is_spare: bool = False

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        indices: NDArray[np.int64],
        epoch: int,
        load: Callable[[], Tensor],
        moves: Moves | None = None,
    ) -> "Batch":
        """The images of a data set at some indices; `moves` says where augmentation puts boxes."""
        targets = None if dataset.targets is None else dataset.targets[indices]
        objects = None
        if dataset.objects is not None:
            objects = dataset.objects.padded(indices)
            objects = objects if moves is None else moves(objects, indices, epoch=epoch)
        return cls(indices, dataset.labels[indices], epoch, load, targets=targets, objects=objects)

    @property
    def truth(self) -> NDArray[Any]:
        """What the loss compares with: `objects` or `targets`, where there are any, or `labels`."""
        return self.answers if self.objects is None else self.objects

    @property
    def answers(self) -> NDArray[Any]:
        """Which class each image has, or which classes."""
        return self.labels if self.targets is None else self.targets

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def num_here(self) -> int:
        """The images that go through the network here, which others may be mixed into."""
        return len(self) if self.mix is None or self.mix.kept is None else self.mix.kept

    @property
    def num_images(self) -> int:
        """The images of the step, of all processes together."""
        return len(self) if self.whole is None else self.whole

    @cached_property
    def pixels(self) -> Tensor:
        """The augmented images, bytes (n, h, w, c); gathered when first asked for."""
        return self.load()

    @property
    def mixed_pixels(self) -> Tensor:
        """The images as the network sees them, before normalization, rounded to bytes."""
        if self.mix is None:
            return self.pixels
        images = self.pixels.permute(0, 3, 1, 2).float()
        return self.mix.images(images).permute(0, 2, 3, 1).round().to(self.pixels.dtype)

    def label(self, position: int, classes: Sequence[str]) -> str:
        """The label of an image by its class name; of a mixed one by two, with their shares."""
        own = name_answer(self.answers[position], classes)
        if self.mix is None:
            return own
        other = name_answer(self.answers[int(self.mix.partners[position])], classes)
        if own == other:
            return own
        return f"{own} {self.mix.share:.0%}, {other} {1 - self.mix.share:.0%}"


@dataclass(frozen=True)
class TrainingBatches:
    """The batches of every epoch of a training; their number is `len`.

    Of each batch, a process of a group gets its part; what is drawn is the same for any group.
    """

    loaded: LoadedDataset
    augmentation: Augmentation
    batch_size: int
    sampling: Sampling = "shuffle"
    mixing: Mixing | None = None
    group: Group = ALONE

    def __len__(self) -> int:
        return len(self._slices())

    def __call__(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, both counted from 0, from number `start` on.

        Where images lie in memory they are gathered when a batch is asked for its pixels; where
        they do not, they are decoded a few batches ahead.
        """
        slices = self._slices()
        for number, batch in enumerate(self._augmented(epoch, start), start):
            n = slices[number].stop - slices[number].start
            _, mix = self._share(epoch, number, n)
            if self.group.size == 1:
                yield replace(batch, mix=mix) if mix else batch
            else:
                part = parts(n, self.group.size)[self.group.rank]
                yield replace(batch, mix=mix, whole=n, is_spare=part.start == part.stop)

    def _augmented(self, epoch: int, start: int) -> Iterator[Batch]:
        dataset, source = self.loaded.dataset, self.loaded.batch_source
        indices = self._indices(epoch)[start:]
        larger = self.loaded.larger
        if self.augmentation.crops is not None:
            if larger is None:
                raise ValueError("windows need images that were loaded with a larger side")
            for chosen, images in zip(indices, larger.images(indices), strict=True):
                load = partial(self.augmentation.cut, images, chosen, epoch=epoch)
                sizes = np.array([image.shape[:2] for image in images], np.int64).reshape(-1, 2)
                moves = partial(self.augmentation.moved, sizes=sizes)
                yield Batch.of(dataset, chosen, epoch, load, moves)
            return
        if isinstance(source, MemoryBatchSource):
            for chosen in indices:
                load = partial(self._gather, source, chosen, epoch)
                yield Batch.of(dataset, chosen, epoch, load, self.augmentation.moved)
            return
        for chosen, pixels in zip(indices, source.batches(indices), strict=True):
            load = partial(self.augmentation, pixels, chosen, epoch=epoch)
            yield Batch.of(dataset, chosen, epoch, load, self.augmentation.moved)

    def _gather(self, source: MemoryBatchSource, indices: NDArray[np.int64], epoch: int) -> Tensor:
        [pixels] = source.batches([indices])
        return self.augmentation(pixels, indices, epoch=epoch)

    def _indices(self, epoch: int) -> list[NDArray[np.int64]]:
        dataset = self.loaded.dataset
        order = epoch_order(
            dataset.indices("train"),
            dataset.labels,
            seed=self.augmentation.seed,
            epoch=epoch,
            sampling=self.sampling,
        )
        batches = [order[piece] for piece in self._slices()]
        if self.group.size == 1:
            return batches
        return [
            batch[self._share(epoch, number, len(batch))[0]] for number, batch in enumerate(batches)
        ]

    def _slices(self) -> list[slice]:
        return batch_slices(len(self.loaded.dataset.indices("train")), self.batch_size)

    def _share(
        self, epoch: int, number: int, n: int
    ) -> tuple[slice | NDArray[np.int64], Mix | None]:
        """Which images of a batch this process loads, by position, and how it mixes them."""
        mix = None if self.mixing is None else self.mixing.draw(epoch, number, n)
        if self.group.size == 1:
            return slice(None), mix
        part = parts(n, self.group.size)[self.group.rank]
        if part.start == part.stop:
            part = slice(0, 2)
        return (part, None) if mix is None else mix.part(part)


def batch_slices(n: int, size: int) -> list[slice]:
    """Batches of `size`; a last single image joins the batch before, for batch norm's sake."""
    starts = list(range(0, n, size))
    if len(starts) > 1 and size > 1 and n - starts[-1] == 1:
        starts.pop()
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], n], strict=True)]
