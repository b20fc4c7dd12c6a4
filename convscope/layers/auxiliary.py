"""What a network with auxiliary classifiers answers while it trains."""

from typing import NamedTuple

from torch import Tensor

AUXILIARY_WEIGHT = 0.3
"""What the loss of each auxiliary classifier counts beside the main one.

Reference: Szegedy et al., 2015, https://arxiv.org/abs/1409.4842, section 5.
"""


class ModelOutput(NamedTuple):
    """The logits (n, classes) of the main classifier, and of each auxiliary one, from below.

    The loss of a step is loss(logits) + AUXILIARY_WEIGHT · Σ loss(auxiliary). In eval mode a
    network answers with its main logits alone, a plain tensor.
    """

    logits: Tensor
    aux_logits: tuple[Tensor, ...]
