"""Classify batches of images, by whatever computes the probabilities."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.boxes.detections import Detections
from convscope.card import Card
from convscope.data.survey import describe_notes
from convscope.predictions.decided import Answers
from convscope.predictions.loading import ImageBatches, Unreadable
from convscope.predictions.ranking import locate_objects, rank_classes
from convscope.predictions.result import Prediction, Predictions

Answer = Callable[[NDArray[np.uint8]], Answers | Sequence[Detections]]
"""From bytes (n, h, w, c) of the network's input size to answers, or objects, for n images."""


@dataclass(frozen=True)
class BatchAnswers:
    """What is known of the images of one batch."""

    predictions: list[Prediction]
    unreadable: list[Unreadable]
    thumbnails: list[Image.Image]
    noted: dict[str, str]


def answer_batches(
    batches: ImageBatches,
    answer: Answer,
    card: Card,
    *,
    top: int,
    on_progress: Callable[[int, int], None],
) -> list[BatchAnswers]:
    """Classify batch after batch; `on_progress` is told after each how many images of all processes
    are done, and of how many.
    """
    answers: list[BatchAnswers] = []
    for number, (images, unreadable) in enumerate(batches, start=1):
        predictions: list[Prediction] = []
        if images:
            answered = answer(np.stack([image.pixels for image in images]))
            names = [image.name for image in images]
            if isinstance(answered, Answers):
                predictions = rank_classes(names, answered, card, top)
            else:
                sizes = [image.size for image in images]
                predictions = locate_objects(names, sizes, answered, card)
        thumbnails = [image.thumbnail for image in images if image.thumbnail]
        noted = {image.name: image.note for image in images if image.note}
        answers.append(BatchAnswers(predictions, unreadable, thumbnails, noted))
        on_progress(batches.num_done(number), batches.num_images)
    return answers


def collect(
    of_processes: Sequence[Sequence[BatchAnswers]], notes: Sequence[str], card: Card
) -> Predictions:
    """The batches in order, which the processes took in turn."""
    turns = itertools.zip_longest(*of_processes)
    answers = [answers for turn in turns for answers in turn if answers is not None]
    noted = {name: note for part in answers for name, note in part.noted.items()}
    return Predictions(
        tuple(one for part in answers for one in part.predictions),
        tuple(one for part in answers for one in part.unreadable),
        (*notes, *describe_notes(noted)),
        tuple(one for part in answers for one in part.thumbnails),
        card.classes,
    )
