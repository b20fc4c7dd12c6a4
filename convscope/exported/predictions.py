"""Predictions by an exported network, without PyTorch."""

from collections.abc import Callable, Iterable

from convscope.data.images import ImageLike
from convscope.exported.ahead import opened_ahead
from convscope.exported.classifier import open_classifier
from convscope.exported.folder import ExportedModel
from convscope.predictions.answering import BatchAnswers, answer_batches
from convscope.predictions.loading import ImageBatches, find_images
from convscope.predictions.object_options import ObjectOptions


def predict_exported(
    model: ExportedModel,
    images: ImageLike | Iterable[ImageLike],
    *,
    top: int,
    batch_size: int | None,
    threads: int | None,
    objects: ObjectOptions,
    rank: int = 0,
    size: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[BatchAnswers], list[str]]:
    """The batches of one of `size` processes that take turns, and notes on the images.

    Raises what `open_classifier` and `find_images` raise.
    """
    listed, notes = find_images(images)
    card = model.card
    batch_size = batch_size or model.default_batch_size
    batches = ImageBatches(listed, card, batch_size, rank=rank, size=size, only_pillow=True)
    with batches:  # which reads the first images while the engine is opened
        ahead = opened_ahead(model.path) if threads is None else None
        classifier = ahead or open_classifier(
            model, threads=threads, batch_size=min(batch_size, len(listed)), spin=False
        )
        answer = classifier.answerer(objects)
        answers = answer_batches(
            batches,
            answer,
            card,
            top=top,
            least_score=objects.least_score,
            on_progress=on_progress,
        )
        return answers, notes
