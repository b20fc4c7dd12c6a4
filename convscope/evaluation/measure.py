"""Run a network over images, each exactly once, and count."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.card import Card
from convscope.data.loading import BatchSource
from convscope.data.normalize import normalize
from convscope.evaluation.metrics import Metrics
from convscope.inference import inference_mode, probabilities, to_logits


@dataclass(frozen=True)
class EvaluationOutputs:
    """Metrics, and what each image got, in the order of the indices that were measured.

    Attributes:
        predicted: (n,) the most probable class.
        confidence: (n,) its probability.
        losses: (n,) cross-entropy in nats.
    """

    metrics: Metrics
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    losses: NDArray[np.float64]


def compute_logits(
    net: nn.Module,
    batch_source: BatchSource,
    indices: NDArray[np.int64],
    card: Card,
    *,
    batch_size: int,
    device: torch.device,
    channels_last: bool = True,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Tensor:
    """The logits of some images, float32 (n, classes), on the CPU. Modes are left as found."""
    batches = [indices[start : start + batch_size] for start in range(0, len(indices), batch_size)]
    logits: list[Tensor] = []
    with inference_mode(net):
        for place, pixels in zip(batches, batch_source.batches(batches), strict=True):
            images = normalize(pixels.to(device), card, channels_last=channels_last)
            logits.append(net(images).float().cpu())
            on_progress(len(place))
    return torch.cat(logits) if logits else torch.empty(0, len(card.classes))


def compute_metrics(outputs: Tensor, labels: NDArray[np.int64], card: Card) -> EvaluationOutputs:
    """Count the answers. Ties go to the class that comes first, in top-1 and in top-5 alike."""
    targets = torch.from_numpy(labels)
    classes = len(card.classes)
    losses = F.cross_entropy(to_logits(outputs, card).double(), targets, reduction="none").numpy()
    confidence, predicted = probabilities(outputs, card).max(1)
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, predicted.numpy()), 1)
    own = outputs.gather(1, targets[:, None])
    before = torch.arange(classes) < targets[:, None]
    rank = ((outputs > own) | ((outputs == own) & before)).sum(1)
    metrics = Metrics(
        classes=card.classes,
        confusion=confusion,
        loss=float(losses.mean()),
        num_correct_top5=int((rank < 5).sum()) if classes > 5 else None,
    )
    return EvaluationOutputs(metrics, predicted.numpy(), confidence.numpy(), losses)
