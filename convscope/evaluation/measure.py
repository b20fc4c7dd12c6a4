"""Run a network on images and compute its metrics."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.boxes.coding import BoxCoding
from convscope.boxes.detections import SHOWN, Detections
from convscope.boxes.loss import box_losses
from convscope.boxes.matching import Matches
from convscope.boxes.suppression import detections
from convscope.boxes.truth import unpadded
from convscope.card import Card
from convscope.data.dataset import name_answer
from convscope.data.fit_objects import areas_in_pixels, within_images
from convscope.data.loading import BatchSource
from convscope.data.normalize import normalize
from convscope.distributed.group import ALONE, Group
from convscope.evaluation.detection import measure_detections
from convscope.evaluation.kept_outputs import KeptOutputs
from convscope.evaluation.metrics import Metrics
from convscope.evaluation.multi_label import (
    AnyMetrics,
    MultiLabelMetrics,
)
from convscope.forward import call_network
from convscope.inference import inference_mode, probabilities, to_logits
from convscope.losses import image_losses
from convscope.memory import is_out_of_memory, release_memory
from convscope.predictions.decided import Answers, certainties, decide

_T = TypeVar("_T")


@dataclass(frozen=True)
class EvaluationOutputs:
    """Metrics, and the prediction for each image, in the order of the evaluated indices.

    Attributes:
        predicted: (n,) index of the predicted class; where an image has several labels,
            (n, classes), whether each is predicted.
        confidence: (n,) its probability; of several labels, that of the least sure answer.
        losses: (n,) as `convscope.losses` has them, for cross-entropies in nats.
        probabilities: (n, classes).
        is_correct: (n,) whether the prediction is the truth; of several labels, whether all are.
        network_outputs: (n, classes) what the network returned.
        answers: what the rules of the card make of it.
        card: by which classes were predicted, one for each image; else None.
        found: the boxes found in each image, where it was asked for objects. Then `predicted` is
            (n, classes), whether an image has a box of each class with a score of SHOWN or more,
            `probabilities` the highest score of each class, and `confidence` of any.
        matches: of each class, which of these boxes are right, by COCO's rule.
    """

    metrics: AnyMetrics
    predicted: NDArray[Any]
    confidence: NDArray[np.float64]
    losses: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    is_correct: NDArray[np.bool_]
    network_outputs: NDArray[np.float32]
    answers: Answers
    card: Card | None = None
    found: tuple[Detections, ...] = ()
    matches: tuple[Matches, ...] = ()

    @cached_property
    def energies(self) -> NDArray[np.float64] | None:
        """(n,), see `convscope.decision_rules.CertaintyName`; None of several labels, and where the
        network returns probabilities.
        """
        if self.card is None:
            return None
        return certainties(self.network_outputs, self.probabilities, self.card).get("energy")

    def answer(self, index: int) -> str:
        """The predicted class or labels of an image."""
        return name_answer(self.predicted[index], self.metrics.classes)


def compute_outputs(
    net: nn.Module,
    batch_source: BatchSource,
    indices: NDArray[np.int64],
    card: Card,
    *,
    batch_size: int,
    device: torch.device,
    channels_last: bool = True,
    on_progress: Callable[[int], None] = lambda done: None,
    group: Group = ALONE,
    kept: KeptOutputs | None = None,
) -> Tensor:
    """The network's outputs for the images at `indices`: float32 (n, num_outputs), on the CPU.

    Every module's mode is restored. The processes of a group take the batches in turn, each the
    same as of one process alone, and all get all outputs. `on_progress` gets the number of images
    of each batch, or of the batches that the processes compute at the same time. Outputs that are
    `kept` are not computed again.
    """

    def answer(pixels: Tensor) -> Tensor:
        images = normalize(pixels.to(device), card, channels_last=channels_last)
        return compute_logits(net, images, card.num_outputs)

    with inference_mode(net):
        return in_batches(
            batch_source.batches,
            answer,
            indices,
            card.num_outputs,
            batch_size=batch_size,
            on_progress=on_progress,
            group=group,
            kept=kept,
        )


def in_batches(
    load: Callable[[Sequence[NDArray[np.int64]]], Iterator[_T]],
    answer: Callable[[_T], Tensor],
    indices: NDArray[np.int64],
    num_classes: int,
    *,
    batch_size: int,
    on_progress: Callable[[int], None] = lambda done: None,
    group: Group = ALONE,
    kept: KeptOutputs | None = None,
) -> Tensor:
    """What `answer` says of each batch that `load` loads: float32 (n, classes), on the CPU; see
    `compute_outputs`.
    """
    batches = [indices[at : at + batch_size] for at in range(0, len(indices), batch_size)]
    outputs = torch.zeros(len(indices), num_classes)
    known = kept.load(num_classes) if kept else {}
    own = range(group.rank, len(batches), group.size)
    loaded = iter(load([batches[number] for number in own if number not in known]))
    for first in range(0, len(batches), group.size):
        for number in own[first // group.size : first // group.size + 1]:
            answers = known.get(number)
            if answers is None:
                answers = answer(next(loaded)).float().cpu()
                if kept is not None:
                    kept.add(number, answers)
            start = number * batch_size
            outputs[start : start + len(answers)] = answers
        on_progress(sum(map(len, batches[first : first + group.size])))
    group.add_up([outputs], "at the outputs of an evaluation")
    return outputs


def compute_logits(net: nn.Module, images: Tensor, num_classes: int) -> Tensor:
    """The logits of images; in two halves where memory is lacking for all of them at once."""
    try:
        return call_network(net, images, num_classes)
    except (RuntimeError, MemoryError) as error:
        if len(images) == 1 or not is_out_of_memory(error):
            raise
    release_memory()
    half = len(images) // 2
    parts = images[:half], images[half:]
    return torch.cat([compute_logits(net, part, num_classes) for part in parts])


def compute_metrics(
    outputs: Tensor,
    truth: NDArray[Any],
    card: Card,
    *,
    intervals: bool = False,
    similar: Sequence[Sequence[int]] | None = None,
) -> EvaluationOutputs:
    """The metrics of a network's outputs (n, classes). Ties go to the first class.

    `truth` is (n,) indices of classes; where an image has several labels, (n, classes) of 0 and 1;
    of objects (n, objects, 10) as `Objects.padded`. `intervals` are those of average precision,
    `similar` groups of classes, see `measure_detections`.
    """
    if card.boxes is not None:
        return _of_objects(outputs, truth, card, card.boxes, intervals, similar)
    targets = torch.from_numpy(truth)
    losses = image_losses(to_logits(outputs, card).double(), targets, card.task).numpy()
    shares = probabilities(outputs, card)
    if card.task == "multi-label":
        return _of_labels(outputs, shares.numpy(), truth.astype(bool), losses, card)
    classes = len(card.classes)
    answers = decide(outputs.numpy(), shares.numpy(), card)
    predicted = answers.predicted
    confidence = np.take_along_axis(shares.numpy(), predicted[:, None], 1)[:, 0]
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    target_output = outputs.gather(1, targets[:, None])
    comes_first = torch.arange(classes) < targets[:, None]
    rank = ((outputs > target_output) | ((outputs == target_output) & comes_first)).sum(1)
    metrics = Metrics(
        classes=card.classes,
        confusion=confusion,
        loss=float(losses.mean()),
        num_correct_top5=int((rank < 5).sum()) if classes > 5 else None,
        is_ordinal=card.task == "ordinal",
    )
    return EvaluationOutputs(
        metrics=metrics,
        predicted=predicted,
        confidence=confidence,
        losses=losses,
        probabilities=shares.numpy(),
        is_correct=predicted == truth,
        network_outputs=outputs.numpy(),
        answers=answers,
        card=card,
    )


def _of_objects(
    outputs: Tensor,
    truth: NDArray[Any],
    card: Card,
    coding: BoxCoding,
    intervals: bool,  # noqa: FBT001
    similar: Sequence[Sequence[int]] | None,
) -> EvaluationOutputs:
    """What `compute_metrics` returns of boxes."""
    losses = box_losses(outputs.double(), torch.from_numpy(truth).double(), coding).numpy()
    objects = unpadded(truth)
    found = within_images(detections(outputs.float().numpy(), coding), objects.images, card)
    metrics, is_correct, matches = measure_detections(
        found,
        objects,
        losses,
        card.classes,
        intervals=intervals,
        similar=similar,
        areas=areas_in_pixels(found, objects.images, card) if intervals else None,
    )
    scores = np.zeros((len(found), len(card.classes)))
    for row, one in zip(scores, found, strict=True):
        np.maximum.at(row, one.labels, one.scores)
    highest = scores.max(1, initial=0)
    predicted = scores >= SHOWN
    return EvaluationOutputs(
        metrics=metrics,
        predicted=predicted,
        confidence=highest,
        losses=losses,
        probabilities=scores,
        is_correct=is_correct,
        network_outputs=outputs.numpy(),
        answers=Answers(scores, predicted),
        found=tuple(found),
        matches=matches,
    )


def _of_labels(
    outputs: Tensor,
    shares: NDArray[np.float64],
    truth: NDArray[np.bool_],
    losses: NDArray[np.float64],
    card: Card,
) -> EvaluationOutputs:
    """What `compute_metrics` returns where an image has any number of labels."""
    answers = decide(outputs.numpy(), shares, card)
    predicted = answers.predicted
    metrics = MultiLabelMetrics.of(
        shares, truth, predicted, classes=card.classes, loss=float(losses.mean())
    )
    sure = np.where(predicted, shares, 1 - shares).min(1)
    is_correct = (predicted == truth).all(1)
    return EvaluationOutputs(
        metrics=metrics,
        predicted=predicted,
        confidence=sure,
        losses=losses,
        probabilities=shares,
        is_correct=is_correct,
        network_outputs=outputs.numpy(),
        answers=answers,
    )
