"""The images in which each filter of a layer has its largest values, kept while images pass."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class StrongestImages:
    """For each filter the `count` images with the largest peaks, and where the peaks are.

    A peak is the largest value of a filter in one image, so that each image occurs once. Of equal
    peaks the earlier image comes first, and of equal values in one image the first unit in the
    order of rows.

    Attributes:
        values: (filters, count) float32, descending; -inf where there are fewer images.
        images: (filters, count), the indices of the images; -1 where there are fewer.
        positions: (filters, count), of the unit in its map, row by row.
    """

    def __init__(self, num_filters: int, count: int) -> None:
        self.values = torch.full((num_filters, count), -torch.inf)
        self.images = torch.full((num_filters, count), -1)
        self.positions = torch.full((num_filters, count), -1)

    def update(self, units: Tensor, peaks: Tensor, indices: NDArray[np.int64]) -> None:
        """Take a batch: `units` (n, c, h, w) or (n, c), their `peaks` (n, c) as float32."""
        is_entering = peaks > self.values[:, -1]
        filters = is_entering.any(0).nonzero()[:, 0]
        if not len(filters):
            return
        is_entering, peaks = is_entering[:, filters], peaks[:, filters]
        positions = torch.zeros(peaks.shape, dtype=torch.int64)
        if units.ndim == 4:
            rows, columns = is_entering.nonzero(as_tuple=True)
            maps = units[rows.to(units.device), filters[columns].to(units.device)]
            firsts = maps.flatten(1).float().cpu().numpy().argmax(1)
            positions[rows, columns] = torch.from_numpy(firsts)
        images = torch.from_numpy(indices)[:, None].expand(peaks.shape)
        candidates = torch.where(is_entering, peaks, -torch.inf).T
        values = torch.cat([self.values[filters], candidates], 1)
        values, order = values.sort(dim=1, descending=True, stable=True)
        kept = order[:, : self.values.shape[1]]
        self.values[filters] = values[:, : self.values.shape[1]]
        for own, new in ((self.images, images), (self.positions, positions)):
            own[filters] = torch.cat([own[filters], new.T], 1).gather(1, kept)

    def state(self) -> Mapping[str, Tensor]:
        """The tensors to save, and to load into another one with `load`."""
        return {"values": self.values, "images": self.images, "positions": self.positions}

    def load(self, state: Mapping[str, Tensor]) -> None:
        for name, own in self.state().items():
            own.copy_(state[name])
