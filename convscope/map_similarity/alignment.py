"""Linear CKA of every two maps of a layer: whether they tell the same images apart."""

import numpy as np
from torch import Tensor

from convscope.features.similarity import Matrix
from convscope.map_similarity.moments import GROUPS

IMAGES = 32
"""Images of a minibatch, between which every two are compared."""


class Alignment:
    """Linear centered kernel alignment of maps, estimated from minibatches.

    A map of an image is the vector of its units. Two maps are alike if images that are similar in
    one are similar in the other, wherever their units lie: a pattern that one finds a pixel beside
    the other counts as the same, which correlation does not see. With the Gram matrices K and L of
    a minibatch, HSIC is estimated without bias from their U-centered forms, and

        CKA = Σ HSIC(K, L) / sqrt(Σ HSIC(K, K) · Σ HSIC(L, L))   over the minibatches.

    References: Kornblith, Norouzi, Lee & Hinton, 2019, https://arxiv.org/abs/1905.00414, section 3;
    the estimate: Nguyen, Raghu & Kornblith, 2021, https://arxiv.org/abs/2010.15327, equations 2, 3.
    """

    def __init__(self, num_maps: int) -> None:
        self.sums = np.zeros((GROUPS, num_maps, num_maps))
        self._minibatches = 0

    def add(self, units: Tensor) -> None:
        """Add a batch: (n, k, h, w) or (n, k); what is left of less than 4 images is left out."""
        for start in range(0, len(units), IMAGES):
            some = units[start : start + IMAGES].detach().double()
            if len(some) < _FEWEST:
                continue
            maps = some.flatten(2) if some.ndim > 2 else some[..., None]
            centered = _u_centered(maps.movedim(1, 0)).flatten(1)
            count = len(some)
            group = self._minibatches % GROUPS
            hsic = (centered @ centered.T) / (count * (count - 3))
            self.sums[group] += hsic.cpu().numpy()
            self._minibatches += 1

    def alignment(self, without: int | None = None) -> Matrix:
        """(k, k), about 0..1: 1 for maps that tell images apart alike; 0 for constant ones."""
        kept = [group for group in range(GROUPS) if group != without]
        total = self.sums[kept].sum(0)
        own = np.sqrt(np.clip(np.diag(total), 0, None))
        scale = np.where(own > 0, own, np.inf)
        return np.clip(total / scale[:, None] / scale, -1, 1)


_FEWEST = 4


def _u_centered(maps: Tensor) -> Tensor:
    """The U-centered Gram matrices (k, n, n) of maps (k, n, units), whose diagonal is 0.

    Reference: Székely & Rizzo, 2014, https://arxiv.org/abs/1310.2926, definition 2.
    """
    count = maps.shape[1]
    gram = maps @ maps.transpose(1, 2)
    gram.diagonal(dim1=1, dim2=2).zero_()
    rows = gram.sum(2, keepdim=True) / (count - 2)
    total = gram.sum((1, 2), keepdim=True) / ((count - 1) * (count - 2))
    centered = gram - rows - rows.transpose(1, 2) + total
    centered.diagonal(dim1=1, dim2=2).zero_()
    return centered
