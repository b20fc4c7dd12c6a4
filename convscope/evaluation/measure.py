"""Run a network on images and compute its metrics."""

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
from convscope.forward import call_network
from convscope.inference import inference_mode, probabilities, to_logits
from convscope.memory import is_out_of_memory, release_memory


@dataclass(frozen=True)
class EvaluationOutputs:
    """Metrics, and the prediction for each image, in the order of the evaluated indices.

    Attributes:
        predicted: (n,) index of the most probable class.
        confidence: (n,) its probability.
        losses: (n,) cross-entropy in nats.
        probabilities: (n, classes).
    """

    metrics: Metrics
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    losses: NDArray[np.float64]
    probabilities: NDArray[np.float64]


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
) -> Tensor:
    """The network's outputs for the images at `indices`: float32 (n, classes), on the CPU.

    Every module's mode is restored. `on_progress` gets the size of each batch.
    """
    batches = [indices[start : start + batch_size] for start in range(0, len(indices), batch_size)]
    outputs: list[Tensor] = []
    with inference_mode(net):
        for batch, pixels in zip(batches, batch_source.batches(batches), strict=True):
            images = normalize(pixels.to(device), card, channels_last=channels_last)
            outputs.append(compute_logits(net, images, len(card.classes)).float().cpu())
            on_progress(len(batch))
    return torch.cat(outputs) if outputs else torch.empty(0, len(card.classes))


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


def compute_metrics(outputs: Tensor, labels: NDArray[np.int64], card: Card) -> EvaluationOutputs:
    """The metrics of a network's outputs (n, classes). Ties go to the first class."""
    targets = torch.from_numpy(labels)
    classes = len(card.classes)
    losses = F.cross_entropy(to_logits(outputs, card).double(), targets, reduction="none").numpy()
    shares = probabilities(outputs, card)
    confidence, predicted = shares.max(1)
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, predicted.numpy()), 1)
    target_output = outputs.gather(1, targets[:, None])
    comes_first = torch.arange(classes) < targets[:, None]
    rank = ((outputs > target_output) | ((outputs == target_output) & comes_first)).sum(1)
    metrics = Metrics(
        classes=card.classes,
        confusion=confusion,
        loss=float(losses.mean()),
        num_correct_top5=int((rank < 5).sum()) if classes > 5 else None,
    )
    return EvaluationOutputs(metrics, predicted.numpy(), confidence.numpy(), losses, shares.numpy())
