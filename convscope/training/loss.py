"""What a step minimizes."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from convscope.card import Card
from convscope.forward import logits_of
from convscope.inference import to_logits
from convscope.layers import AUXILIARY_WEIGHT, ModelOutput


@dataclass(frozen=True, eq=False)
class CrossEntropy:
    """Mean cross-entropy of a batch, in nats, in float32 at least.

    Targets are class indices (n,), or shares of the classes (n, classes), as of mixed images. The
    mean is weighted: -Σ w_c t_ic log p_ic over images i and classes c, divided by Σ w_c t_ic, where
    t are the shares, after label smoothing above the line and before it below. So shares of 0 and 1
    have the loss of their indices, and images that are mixed by lambda with a permutation of
    themselves have λ times the loss of their own labels and (1 - λ) times that of the others'.
    (torch's `cross_entropy` divides by n where targets are shares, by the sum of the weights where
    they are indices.)

    For a network that returns probabilities, it is -ln p of the true class: no second softmax is
    applied.

    Attributes:
        card: says what the network returns.
        weights: (classes,) of the classes, None for equal ones.
        label_smoothing: fraction of each target that is spread over all classes.
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
        if isinstance(output, ModelOutput):
            main, auxiliary = output
        else:
            main = logits_of(output, len(targets), len(self.card.classes), name="The network")
        loss, logits = self._of(main, targets)
        for other in auxiliary:
            loss = loss + AUXILIARY_WEIGHT * self._of(other, targets)[0]
        return loss, logits

    def _of(self, output: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        logits = to_logits(output.float() if output.itemsize < _BYTES else output, self.card)
        how: Any = dict(weight=self.weights, label_smoothing=self.label_smoothing)
        if targets.ndim == 1:
            return F.cross_entropy(logits, targets, **how), logits
        shares = targets.to(logits.dtype)
        total = (shares if self.weights is None else shares * self.weights).sum()
        return F.cross_entropy(logits, shares, **how, reduction="sum") / total, logits


def num_correct(logits: Tensor, targets: Tensor) -> int:
    """How many images have their largest logit at their class.

    Of mixed images (targets of n, classes), at the class with the largest share.
    """
    predicted = logits.argmax(1)
    if targets.ndim == 1:
        return int((predicted == targets).sum())
    shares = targets.gather(1, predicted[:, None])[:, 0]
    return int((shares == targets.amax(1)).sum())


_BYTES = torch.float32.itemsize


def class_weights(
    counts: NDArray[np.int64], kind: Literal["none", "balanced"], device: torch.device
) -> Tensor | None:
    """Weights that make every class count the same in the loss: n / (classes · count)."""
    if kind == "none":
        return None
    weights = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return torch.tensor(weights, dtype=torch.float32, device=device)
