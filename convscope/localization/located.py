"""Images with the true boxes of their class, and what is guessed of them."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from convscope.boxes.truth import COUNTS
from convscope.data.boxes.box import BoxesByImage
from convscope.data.boxes.files import boxes_of_images
from convscope.data.classes import quote_names
from convscope.data.depth import size_of, to_bytes
from convscope.data.normalize import normalize
from convscope.data.spellings import match_names
from convscope.data.synsets import SYNSET
from convscope.evaluation.measure import compute_logits
from convscope.features.image_set import ImageSet
from convscope.inference import inference_mode, probabilities
from convscope.localization.component import Edges
from convscope.localization.pictures import SHOWN, Picture
from convscope.localization.placing import to_image
from convscope.localization.result import LocatedImage
from convscope.localization.scoring import GUESSES, Guess, score_image
from convscope.models import OpenedModel

Progress = Callable[[str, int, int], None]
"""Called with an activity, how much of it is done, and all of it."""
_BATCH = 32


class LocatedImages:
    """The images of a set that have true boxes of their class."""

    def __init__(
        self,
        opened: OpenedModel,
        truth: BoxesByImage,
        images: ImageSet,
        max_images: int | None,
    ) -> None:
        self.opened, self.set = opened, images
        dataset = images.loaded.dataset
        keys = images.keys([int(index) for index in images.indices])
        every = boxes_of_images(truth, keys)
        names = sorted({box.label for box in chain.from_iterable(every)})
        places = dict(zip(names, match_names(names, opened.card.classes), strict=True))
        self.unknown = [
            name for name in names if places[name] is None and name and not SYNSET.fullmatch(name)
        ]
        self.boxes: dict[int, tuple[Edges, ...]] = {}
        for index, boxes in zip(images.indices.tolist(), every, strict=True):
            label = int(dataset.labels[index])
            own = tuple(
                box.edges
                for box in boxes
                if box.state == COUNTS and _is_of(box.label, places[box.label], label)
            )
            if own:
                self.boxes[index] = own
        self.without = len(keys) - len(self.boxes)
        chosen = [index for index in images.indices.tolist() if index in self.boxes]
        self.indices: NDArray[np.int64] = np.array(chosen[:max_images], np.int64)

    def notes(self) -> Iterator[str]:
        if self.without:
            yield f"Images without a true box of their class are left out: {self.without:,}."
        if self.unknown:
            yield f"Boxes of classes that the network does not have: {quote_names(self.unknown)}."
        if len(self.indices) < len(self.boxes):
            yield f"The first {len(self.indices):,} of {len(self.boxes):,} images with boxes."

    def batches(self) -> Iterator[tuple[list[int], Tensor]]:
        """The indices of some images, and what the network is fed."""
        size = _BATCH
        batches = [self.indices[at : at + size] for at in range(0, len(self.indices), size)]
        loaded = self.set.loaded.batch_source.batches(batches)
        for indices, pixels in zip(batches, loaded, strict=True):
            yield indices.tolist(), normalize(pixels, self.opened.card, channels_last=False)

    def size(self, index: int) -> tuple[int, int]:
        """The width and height of an image's file."""
        return size_of(self.set.loaded.dataset.images.image(index))

    def images(
        self,
        boxes_of: Callable[[Tensor, Sequence[int]], Sequence[Edges | None]],
        on_progress: Progress,
    ) -> Iterator[LocatedImage]:
        card, net = self.opened.card, self.opened.net
        dataset = self.set.loaded.dataset
        done = 0
        for indices, inputs in self.batches():
            with inference_mode(net):
                shares = probabilities(compute_logits(net, inputs, len(card.classes)), card)
            for index, image, row in zip(indices, inputs, shares, strict=True):
                order = row.argsort(descending=True, stable=True)
                best: list[int] = list(map(int, order[:GUESSES]))
                truth, size = int(dataset.labels[index]), self.size(index)
                labels = [*best, *([] if truth in best else [truth])]
                made = boxes_of(image[None].clone(), labels)
                placed = [box and to_image(box, size, card) for box in made]
                guesses = tuple(map(Guess, best, placed))
                known = placed[labels.index(truth)]
                boxes = self.boxes[index]
                yield LocatedImage(
                    dataset.images.key(index), size, truth, boxes, guesses,
                    tuple(row[best].tolist()), known,
                    score_image(guesses, truth, boxes, known),
                )  # fmt: skip
                done += 1
                on_progress("localizing", done, len(self.indices))

    def pictures(self, found: Sequence[LocatedImage]) -> Iterator[Picture]:
        """Of the images that are shown, half of them wrong as far as there are so many."""
        wrong = [n for n, one in enumerate(found) if not one.score.found1]
        right = [n for n, one in enumerate(found) if one.score.found1]
        half = max(SHOWN // 2, SHOWN - len(right))
        dataset, card = self.set.loaded.dataset, self.opened.card
        for number in [*wrong[:half], *right[: SHOWN - min(len(wrong), half)]]:
            one = found[number]
            image = dataset.images.image(int(self.indices[number]))
            guess, name = one.guesses[0], card.classes
            said = f"{name[guess.label]} ({one.probabilities[0]:.0%})"
            judged = "found" if one.score.found1 else "not found"
            overlap = "" if one.score.overlap is None else f", overlap {one.score.overlap:.2f}"
            caption = f"{one.path}: {name[one.truth]}; says {said}; {judged}{overlap}"
            yield Picture.of(to_bytes(image, card.value_range), one.boxes, guess.box, caption)


def _is_of(name: str, place: int | None, label: int) -> bool:
    """Whether a box is of an image's class. Boxes without a class are, and so are those of a
    synset, by which ImageNet's have no other: all objects of an image are of its class.
    """
    return place == label or not name or (place is None and SYNSET.fullmatch(name) is not None)
