"""What a step minimizes."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from convscope.card import Card
from convscope.inference import to_logits
from convscope.layers import AUXILIARY_WEIGHT, ModelOutput
from convscope.training.config import TrainConfig


def loss_and_logits(
    answer: Tensor | ModelOutput,
    targets: Tensor,
    card: Card,
    *,
    weights: Tensor | None,
    smoothing: float,
) -> tuple[Tensor, Tensor]:
    """The mean cross-entropy of a batch, in nats, and the logits (n, classes) that count.

    That of each auxiliary classifier is added, times AUXILIARY_WEIGHT. Of a network that returns
    probabilities, it is -ln p of the true class: no second softmax is applied.
    """
    output, auxiliary = answer if isinstance(answer, ModelOutput) else (answer, ())
    logits = to_logits(output, card)
    loss = F.cross_entropy(logits, targets, weights, label_smoothing=smoothing)
    for other in auxiliary:
        own = F.cross_entropy(to_logits(other, card), targets, weights, label_smoothing=smoothing)
        loss = loss + AUXILIARY_WEIGHT * own
    return loss, logits


def class_weights(
    counts: NDArray[np.int64], settings: TrainConfig, device: torch.device
) -> Tensor | None:
    """Weights that make every class count the same in the loss: n / (classes · count)."""
    if settings.class_weights == "none":
        return None
    weights = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return torch.tensor(weights, dtype=torch.float32, device=device)
