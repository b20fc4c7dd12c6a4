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
from convscope.predictions.object_options import ObjectOptions, describe_faint
from convscope.predictions.ranking import locate_objects, rank_classes
from convscope.predictions.result import Prediction, Predictions

Answer = Callable[[NDArray[np.uint8]], Answers | Sequence[Detections]]
"""From bytes (n, h, w, c) of the network's input size to answers, or objects, for n images."""


@dataclass(frozen=True)
class BatchAnswers:
    """What is known of the images of one batch.

    `faint` are the best scores of images in which there are boxes, and all have too low a score.
    """

    predictions: list[Prediction]
    unreadable: list[Unreadable]
    thumbnails: list[Image.Image]
    noted: dict[str, str]
    faint: list[float]


def answer_batches(
    batches: ImageBatches,
    answer: Answer,
    card: Card,
    *,
    top: int,
    least_score: float = 0.0,
    on_progress: Callable[[int, int], None],
) -> list[BatchAnswers]:
    """Classify batch after batch; of objects, those with a score of `least_score` or more are kept.

    `on_progress` is told after each how many images of all processes
    are done, and of how many.
    """
    answers: list[BatchAnswers] = []
    for number, (images, unreadable) in enumerate(batches, start=1):
        predictions: list[Prediction] = []
        faint: list[float] = []
        if images:
            answered = answer(np.stack([image.pixels for image in images]))
            names = [image.name for image in images]
            if isinstance(answered, Answers):
                predictions = rank_classes(names, answered, card, top)
            else:
                sizes = [image.size for image in images]
                kept = [one.above(least_score) for one in answered]
                predictions = locate_objects(names, sizes, kept, card)
                faint = [
                    float(one.scores[0])
                    for one, shown in zip(answered, kept, strict=True)
                    if len(one) and not len(shown)
                ]
        thumbnails = [image.thumbnail for image in images if image.thumbnail]
        noted = {image.name: image.note for image in images if image.note}
        answers.append(BatchAnswers(predictions, unreadable, thumbnails, noted, faint))
        on_progress(batches.num_done(number), batches.num_images)
    return answers


def collect(
    of_processes: Sequence[Sequence[BatchAnswers]],
    notes: Sequence[str],
    card: Card,
    options: ObjectOptions,
) -> Predictions:
    """The batches in order, which the processes took in turn."""
    turns = itertools.zip_longest(*of_processes)
    answers = [answers for turn in turns for answers in turn if answers is not None]
    noted = {name: note for part in answers for name, note in part.noted.items()}
    faint = [score for part in answers for score in part.faint]
    count = sum(len(part.predictions) for part in answers)
    said = describe_faint(faint, count) if options.min_score is None else []
    return Predictions(
        tuple(one for part in answers for one in part.predictions),
        tuple(one for part in answers for one in part.unreadable),
        (*notes, *describe_notes(noted), *said),
        tuple(one for part in answers for one in part.thumbnails),
        card.classes,
    )
