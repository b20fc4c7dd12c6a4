"""Predictions by PyTorch."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.boxes.detections import Detections
from convscope.boxes.suppression import detections
from convscope.data.images import ImageLike
from convscope.data.loading import ProgressCallback
from convscope.data.normalize import normalize
from convscope.device import threads_set
from convscope.distributed.joining import joined, own_device
from convscope.evaluation.batch_size import choose_feeding
from convscope.evaluation.measure import compute_logits
from convscope.evaluation.opening import open_trained
from convscope.inference import probabilities
from convscope.models import ModelLike
from convscope.predictions.answering import answer_batches, collect
from convscope.predictions.decided import Answers, decide
from convscope.predictions.drawing import draw_predictions
from convscope.predictions.loading import ImageBatches, find_images
from convscope.predictions.object_options import ObjectOptions
from convscope.predictions.result import Predictions
from convscope.runs.own_code import Consent
from convscope.weights.class_names import ClassNamesLike
from convscope.weights.preprocessing import InputSettings
from convscope.weights.source import WeightsSource


def predict_by_torch(
    run: ModelLike,
    images: ImageLike | Iterable[ImageLike],
    *,
    consent: Consent,
    weights: WeightsSource | None,
    pretrained: bool,
    class_names: ClassNamesLike | None,
    settings: InputSettings,
    top: int,
    batch_size: int | None,
    device: str,
    threads: int | None,
    objects: ObjectOptions,
    on_progress: ProgressCallback,
    notes: Sequence[str] = (),
) -> Predictions:
    """`predict` for a run or a network; see there."""
    with joined() as group:
        opened = open_trained(
            run,
            weights=weights,
            pretrained=pretrained,
            class_names=class_names,
            settings=settings,
            consent=consent,
        )
        net, card = opened.net, opened.card
        objects.check(card, opened.name)
        torch_device = own_device(device, group)
        net.to(torch_device)
        channels_last, default_size = choose_feeding(net, card, torch_device)
        listed, found = find_images(images)

        def answer(pixels: NDArray[np.uint8]) -> Answers | Sequence[Detections]:
            batch = torch.from_numpy(pixels).to(torch_device)
            fed = normalize(batch, card, channels_last=channels_last)
            outputs = compute_logits(net, fed, card.num_outputs)
            if card.boxes is not None:
                return detections(
                    outputs.float().cpu().numpy(),
                    card.boxes,
                    min_score=objects.asked_score,
                    max_overlap=objects.most_overlap,
                )
            shares = probabilities(outputs, card).cpu().numpy()
            return decide(outputs.float().cpu().numpy(), shares, card)

        batches = ImageBatches(
            listed, card, batch_size or default_size, rank=group.rank, size=group.size
        )
        with threads_set(threads), torch.inference_mode(), batches:
            mine = answer_batches(
                batches,
                answer,
                card,
                top=top,
                least_score=objects.least_score,
                on_progress=on_progress,
            )
        answers = group.gathered(mine, "at the predictions")
        said = [*notes, *([opened.note] if opened.note else []), *found]
        predictions = collect(answers, said, card, objects)
        if objects.draw is not None and group.rank == 0:
            draw_predictions(predictions, listed, card, objects.draw)
    return predictions
