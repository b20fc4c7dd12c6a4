"""Whether a map depends on what the network has learned: the same map with random weights.

Reference: Adebayo et al., Sanity Checks for Saliency Maps, 2018, https://arxiv.org/abs/1810.03292,
section 3.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.attribution.raw_map import Values
from convscope.attribution.subject import Subject

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RandomizedWeights:
    """Rank correlations of a map with those of the same network with weights in random order.

    Attributes:
        last: with the weights of the last layer; None where one of the maps is constant.
        all: with those of all layers. Near 1, the map shows the image rather than the network.
    """

    last: float | None
    all: float | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def randomized_weights(
    subject: Subject,
    values: Values,
    compute: Callable[[Subject], Values],
    *,
    seed: int = 0,
) -> RandomizedWeights:
    """Compute a map again with the elements of weights in random order, in one layer and in all.

    The network has its own weights again afterwards, whatever happens.
    """
    layers = weight_tensors(subject.net)
    found: list[float | None] = []
    for chosen in (layers[-1:], layers):
        with in_random_order(chosen, seed):
            changed = Subject(
                subject.net,
                subject.image,
                subject.card,
                subject.target,
                on_batch=subject.on_batch,
            )
            found.append(rank_correlation(values, compute(changed)))
    return RandomizedWeights(*found)


def weight_tensors(net: nn.Module) -> list[torch.Tensor]:
    """The weights that multiply: parameters of two axes or more, in the order of the modules."""
    named = dict(net.named_parameters())  # each once, where layers share it
    return [parameter for parameter in named.values() if parameter.ndim > 1]


@contextmanager
def in_random_order(tensors: Sequence[torch.Tensor], seed: int) -> Generator[None]:
    """Permute the elements of each tensor while the block runs."""
    generator = torch.Generator().manual_seed(seed)
    before = [tensor.detach().clone() for tensor in tensors]
    try:
        with torch.no_grad():
            for tensor, own in zip(tensors, before, strict=True):
                order = torch.randperm(own.numel(), generator=generator).to(own.device)
                tensor.copy_(own.flatten()[order].reshape(own.shape))
        yield
    finally:
        with torch.no_grad():
            for tensor, own in zip(tensors, before, strict=True):
                tensor.copy_(own)


def rank_correlation(a: Values, b: Values) -> float | None:
    """Spearman's; equal values share the mean of their ranks. None if one map is constant.

    >>> rank_correlation(np.array([[1.0, 2, 4]]), np.array([[0.0, 1, 3]]))
    1.0
    """
    ranks = [_ranks(np.nan_to_num(values).flatten()) for values in (a, b)]
    if any(rank.std() == 0 for rank in ranks):
        return None
    return round(float(np.corrcoef(ranks[0], ranks[1])[0, 1]), 12)


def _ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]
