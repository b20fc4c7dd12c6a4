"""What a step minimizes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from convscope.boxes.loss import box_losses, num_found
from convscope.card import Card, TaskName
from convscope.forward import logits_of
from convscope.inference import to_logits
from convscope.layers import AUXILIARY_WEIGHT, ModelOutput
from convscope.losses import squared_emd


@dataclass(frozen=True, eq=False)
class BatchLoss:
    """Mean loss of a batch, in float32 at least, by the task of the card.

    Of one class `class_loss`, of several labels `label_loss`, of grades `grade_loss`. Targets are
    class indices (n,), or shares of the classes (n, classes), as of mixed images; of several labels
    always (n, labels); of objects (n, objects, 10), see `convscope.boxes.loss`.

    For a network that returns probabilities, these count: no second softmax or sigmoid is applied.

    Attributes:
        card: says what the network returns.
        weights: (classes,) of the classes, None for equal ones; of several labels, by which images
            that have one count in its loss.
        label_smoothing: fraction of each target that is spread over all classes; of several labels,
            over yes and no.
    """

    card: Card
    weights: Tensor | None = None
    label_smoothing: float = 0.0

    def __call__(self, output: object, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, and the logits (n, classes) of the main classifier.

        The loss of each auxiliary classifier of ours is added, times AUXILIARY_WEIGHT. Raises
        NetworkError for an output without logits; see `convscope.forward.main_output`.
        """
        auxiliary: tuple[Tensor, ...] = ()
        if self.card.boxes is not None:
            main = logits_of(output, len(targets), self.card.num_outputs, name="The network")
            main = main.float() if main.itemsize < _BYTES else main
            return box_losses(main, targets, self.card.boxes).mean(), main
        if isinstance(output, ModelOutput):
            main, auxiliary = output
        else:
            main = logits_of(output, len(targets), len(self.card.classes), name="The network")
        loss, logits = self._of(main, targets)
        for other in auxiliary:
            loss = loss + AUXILIARY_WEIGHT * self._of(other, targets)[0]
        return loss, logits

    def weight(self, targets: Tensor) -> Tensor | int:
        """What the sum of the losses of some images is divided by, to be their mean."""
        if self.weights is None or self.card.task == "multi-label":
            return len(targets)
        return _of_images(self.weights, targets).sum()

    def num_correct(self, logits: Tensor, targets: Tensor) -> int:
        """How many images have their largest logit at their class, every label right, or every
        object found.

        Of mixed images (targets of n, classes), at the class with the largest share; of several
        labels, with those that have at least one half.
        """
        if self.card.boxes is not None:
            return num_found(logits, targets, self.card.boxes)
        if self.card.task == "multi-label":
            return int(((logits >= 0) == (targets >= _HALF)).all(1).sum())
        predicted = logits.argmax(1)
        if targets.ndim == 1:
            return int((predicted == targets).sum())
        shares = targets.gather(1, predicted[:, None])[:, 0]
        return int((shares == targets.amax(1)).sum())

    def _of(self, output: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        logits = to_logits(output.float() if output.itemsize < _BYTES else output, self.card)
        if self.card.task == "multi-label":
            return label_loss(logits, targets, self.weights, self.label_smoothing), logits
        if self.card.task == "ordinal":
            return grade_loss(logits, targets, self.weights), logits
        return class_loss(logits, targets, self.weights, self.label_smoothing), logits


def class_loss(
    logits: Tensor, targets: Tensor, weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """The cross-entropy of one class, in nats, a weighted mean.

    -Σ w_c t_ic log p_ic over images i and classes c, divided by Σ w_c t_ic, where t are the shares,
    after label smoothing above the line and before it below. So shares of 0 and 1 have the loss of
    their indices, and images that are mixed by lambda with a permutation of themselves have λ times
    the loss of their own labels and (1 - λ) times that of the others'. (torch's `cross_entropy`
    divides by n where targets are shares, by the sum of the weights where they are indices.)
    """
    how: Any = dict(weight=weights, label_smoothing=label_smoothing)
    if targets.ndim == 1:
        return F.cross_entropy(logits, targets, **how)
    shares = targets.to(logits.dtype)
    total = (shares if weights is None else shares * weights).sum()
    return F.cross_entropy(logits, shares, **how, reduction="sum") / total


def label_loss(
    logits: Tensor, targets: Tensor, weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """The binary cross-entropy of several labels, in nats, the mean over images and labels."""
    targets = targets.to(logits.dtype) * (1 - label_smoothing) + label_smoothing / 2
    return F.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights)


def grade_loss(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """The squared earth mover's distance of grades, see `convscope.losses`: a weighted mean."""
    losses = squared_emd(logits, targets)
    if weights is None:
        return losses.mean()
    of_images = _of_images(weights.to(losses.dtype), targets)
    return (losses * of_images).sum() / of_images.sum()


def _of_images(weights: Tensor, targets: Tensor) -> Tensor:
    """The weight of each image, by its class or by the shares of its classes."""
    return targets @ weights.to(targets.dtype) if targets.is_floating_point() else weights[targets]


_BYTES = torch.float32.itemsize
_HALF = 0.5  # of a target


def class_weights(
    counts: NDArray[np.int64], num_images: int, task: TaskName, device: torch.device
) -> Tensor:
    """Weights that make every class count the same in the loss: n / (classes · count).

    Of several labels, how many times as many images are without each as have it: (n - count) /
    count, so that both together count the same.

    Args:
        counts: (classes,) images of each class, or with each label, of `num_images`.
    """
    present = np.maximum(counts, 1)
    if task == "multi-label":
        weights = (num_images - counts) / present
    else:
        weights = counts.sum() / (len(counts) * present)
    return torch.tensor(weights, dtype=torch.float32, device=device)
