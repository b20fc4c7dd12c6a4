"""The output of a network with auxiliary classifiers in training mode."""

from typing import NamedTuple

from torch import Tensor

AUXILIARY_WEIGHT = 0.3
"""Weight of the loss of each auxiliary classifier, relative to the main one.

Reference: Szegedy et al., 2015, https://arxiv.org/abs/1409.4842, section 5.
"""


class ModelOutput(NamedTuple):
    """The logits (n, num_classes) of the main classifier and of the auxiliary ones, in order.

    The loss of a step is loss(logits) + AUXILIARY_WEIGHT · Σ loss(aux_logits). In eval mode a
    network returns a plain tensor, the logits of its main classifier.
    """

    logits: Tensor
    aux_logits: tuple[Tensor, ...]
