"""The objects that images have: their boxes, classes, and whether they count."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

COUNTS, DIFFICULT, CROWD = 0, 1, 2
"""What is known of an object.

- COUNTS: it is to be found.
- DIFFICULT: finding it is neither right nor wrong: `difficult` of VOC, `ignore` of COCO.
- CROWD: the box holds many objects, each of which may be found: `iscrowd` of COCO.
"""

COLUMNS = 10  # of `padded`
NO_OBJECT = -1


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of many images.

    Attributes:
        starts: (n + 1,) the objects of image i are numbers starts[i] to starts[i + 1] - 1.
        boxes: (m, 4) left, top, right, bottom, float64: pixels of the image, which begins at 0; or
            shares of the network's input.
        labels: (m,) indices of classes.
        states: (m,) COUNTS, DIFFICULT or CROWD.
        sizes: (m, 2) width and height in pixels of the image, whatever `boxes` are in.
        images: (n, 2) width and height of each image in pixels; zeros where nobody needs them.
    """

    starts: NDArray[np.int64]
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    states: NDArray[np.int64]
    sizes: NDArray[np.float64]
    images: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        boxes: Sequence[NDArray[np.float64]],
        labels: Sequence[NDArray[np.int64]],
        states: Sequence[NDArray[np.int64]] | None = None,
        *,
        images: NDArray[np.int64] | None = None,
    ) -> "Objects":
        """The objects of images, from a list with an array for each image."""
        counts = [len(one) for one in labels]
        every = np.concatenate([np.zeros((0, 4)), *boxes]).astype(np.float64)
        label = np.concatenate([np.zeros(0), *labels]).astype(np.int64)
        state = np.zeros(len(label)) if states is None else np.concatenate([np.zeros(0), *states])
        sizes = every[:, 2:] - every[:, :2]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        images = np.zeros((len(counts), 2), np.int64) if images is None else images
        return cls(starts, every, label, state.astype(np.int64), sizes, images)

    def __len__(self) -> int:
        """Images."""
        return len(self.starts) - 1

    def of_image(self, index: int) -> slice:
        """Which of the objects are those of an image."""
        return slice(int(self.starts[index]), int(self.starts[index + 1]))

    def subset(self, indices: NDArray[np.int64]) -> "Objects":
        """The objects of some images, in their order."""
        slices = [self.of_image(int(index)) for index in indices]
        counts = [piece.stop - piece.start for piece in slices]
        chosen = np.concatenate(
            [np.zeros(0, np.int64), *(np.arange(piece.start, piece.stop) for piece in slices)]
        )
        return Objects(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            self.boxes[chosen],
            self.labels[chosen],
            self.states[chosen],
            self.sizes[chosen],
            self.images[indices],
        )

    def relabeled(self, labels: NDArray[np.int64]) -> "Objects":
        """The same objects with other numbers for their classes; those with -1 are left out."""
        image = np.repeat(np.arange(len(self)), np.diff(self.starts))
        kept = labels >= 0
        counts = np.bincount(image[kept], minlength=len(self))
        return Objects(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            self.boxes[kept],
            labels[kept],
            self.states[kept],
            self.sizes[kept],
            self.images,
        )

    def present(self, num_classes: int) -> NDArray[np.uint8]:
        """(n, num_classes) of 0 and 1: which classes each image has, crowds included."""
        found = np.zeros((len(self), num_classes), np.uint8)
        image = np.repeat(np.arange(len(self)), np.diff(self.starts))
        found[image, self.labels] = 1
        return found

    def padded(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """The objects of some images as one array (n, most of an image, 10), for a loss.

        A row is: label, left, top, right, bottom, state, width and height in pixels, and those of
        the image; rows beyond an image's objects have the label -1.
        """
        counts = np.diff(self.starts)[indices]
        rows = np.zeros((len(indices), max(1, int(counts.max(initial=0))), COLUMNS), np.float32)
        rows[..., 0] = NO_OBJECT
        for row, index in zip(rows, indices, strict=True):
            of = self.of_image(int(index))
            n = of.stop - of.start
            row[:n, 0], row[:n, 1:5] = self.labels[of], self.boxes[of]
            row[:n, 5], row[:n, 6:8] = self.states[of], self.sizes[of]
            row[:, 8:] = self.images[index]
        return rows


def unpadded(rows: NDArray[np.float32]) -> Objects:
    """The objects of an array of `padded`."""
    images = [row[row[:, 0] >= 0].astype(np.float64) for row in rows]
    found = Objects.of(
        [row[:, 1:5] for row in images],
        [row[:, 0].astype(np.int64) for row in images],
        [row[:, 5].astype(np.int64) for row in images],
        images=rows[:, 0, 8:].astype(np.int64),
    )
    sizes = np.concatenate([np.zeros((0, 2)), *(row[:, 6:8] for row in images)])
    return replace(found, sizes=sizes)
