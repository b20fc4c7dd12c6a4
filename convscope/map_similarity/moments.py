"""Sums and products of a layer's maps over images, in a few groups of images, in one pass."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from convscope.features.similarity import Matrix

Numbers = NDArray[np.float64]

GROUPS = 10
"""Groups of images, each of which is left out in turn to see how sure a figure is."""


class Moments:
    """Sums over all units of the images seen so far, in float64.

    Image n, in the order in which they come, is in group n modulo `GROUPS`. Memory: GROUPS · k²
    numbers for k maps, whatever the number of images.

    Attributes:
        counts: (groups,) units of a map.
        sums: (groups, k).
        products: (groups, k, k) of every two maps, unit by unit.
        largest, smallest: (k,) values of a unit.
    """

    def __init__(self, num_maps: int) -> None:
        self.counts = np.zeros(GROUPS)
        self.sums = np.zeros((GROUPS, num_maps))
        self.products = np.zeros((GROUPS, num_maps, num_maps))
        self.largest = np.full(num_maps, -np.inf)
        self.smallest = np.full(num_maps, np.inf)
        self._num_images = 0

    def add(self, units: Tensor) -> None:
        """Add a batch: (n, k, h, w) or (n, k)."""
        maps = units.detach().flatten(2) if units.ndim > 2 else units.detach()[..., None]
        flat = maps.movedim(1, 0).flatten(1)
        self.largest = np.maximum(self.largest, flat.amax(1).double().cpu().numpy())
        self.smallest = np.minimum(self.smallest, flat.amin(1).double().cpu().numpy())
        for offset in range(min(GROUPS, len(maps))):
            group = (self._num_images + offset) % GROUPS
            rows = maps[offset::GROUPS].movedim(1, 0).flatten(1).double()
            self.counts[group] += rows.shape[1]
            self.sums[group] += rows.sum(1).cpu().numpy()
            self.products[group] += (rows @ rows.T).cpu().numpy()
        self._num_images += len(maps)

    def covariance(self, without: int | None = None) -> Matrix:
        """(k, k), over the units of all images, or of those outside of one group."""
        count, total, products = self._totals(without)
        mean = total / count
        return products / count - np.outer(mean, mean)

    def second_moments(self) -> Matrix:
        """(k, k): the mean of the product of every two maps."""
        count, _, products = self._totals(None)
        return products / count

    @property
    def mean(self) -> Numbers:
        """(k,)."""
        count, total, _ = self._totals(None)
        return total / count

    def _totals(self, without: int | None) -> tuple[float, Numbers, Matrix]:
        kept = [group for group in range(GROUPS) if group != without]
        return self.counts[kept].sum(), self.sums[kept].sum(0), self.products[kept].sum(0)


def to_correlation(covariance: Matrix) -> Matrix:
    """(k, k): of a map that is constant, 0 with every map, itself included.

    What rounding alone leaves of a variance counts as 0.
    """
    variance = np.diag(covariance)
    tiny = np.finfo(np.float64).eps * 1e3 * max(float(variance.max(initial=0.0)), 1e-300)
    deviation = np.sqrt(np.where(variance > tiny, variance, 0))
    scale = np.where(deviation > 0, deviation, np.inf)
    return np.clip(covariance / scale[:, None] / scale, -1, 1)


def effective_rank(covariance: Matrix) -> float:
    """exp(-Σ p ln p) of the shares p that the eigenvalues of a covariance matrix have of their sum.

    k for k uncorrelated maps of one variance, 1 where all are multiples of one; 0 if none varies.

    Reference: Roy & Vetterli, "The effective rank", EUSIPCO 2007, definition 1.

        >>> round(effective_rank(np.diag([2.0, 2.0, 0.0])), 6)
        2.0
    """
    values = np.clip(np.linalg.eigvalsh(covariance), 0, None)
    if not values.sum() > 0:
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
