"""The loss of each image, by the task of a network's card: for training steps and for metrics."""

from torch import Tensor
from torch.nn import functional as F

from convscope.card import TaskName


def image_losses(logits: Tensor, targets: Tensor, task: TaskName) -> Tensor:
    """The loss of each image: float (n,).

    The cross-entropy of one class; of several labels the mean binary cross-entropy; of grades
    `squared_emd`.

    Args:
        logits: (n, classes).
        targets: (n,) indices of classes, or (n, classes) shares; of several labels, 0 and 1 or what
            lies between.
    """
    if task == "multi-label":
        targets = targets.to(logits.dtype)
        return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)
    if task == "ordinal":
        return squared_emd(logits, targets)
    if targets.is_floating_point():
        targets = targets.to(logits.dtype)
    return F.cross_entropy(logits, targets, reduction="none")


def squared_emd(logits: Tensor, targets: Tensor) -> Tensor:
    """The squared earth mover's distance of each image's grades: float (n,), from 0 to classes - 1.

    Σ_k (P_k - T_k)² over all grades k, where P_k and T_k are the predicted and the true probability
    of grade k or a lower one: a mistake costs the more, the more grades it is off (Hou, Yu and
    Samaras, 2017, "Squared earth mover's distance-based loss for training deep neural networks").
    As the ranked probability score (Epstein, 1969) it is a proper score: the expected loss is least
    where the probabilities are the true ones, so they can be read as probabilities.

    Args:
        logits: (n, classes), the grades in ascending order; their softmax is the prediction.
        targets: (n,) indices of grades, or (n, classes) shares.
    """
    if not targets.is_floating_point():
        targets = F.one_hot(targets.long(), logits.shape[1])
    difference = logits.softmax(1) - targets.to(logits.dtype)
    return difference.cumsum(1).square().sum(1)
