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
        is_entering = (peaks > self.values[:, -1]).T
        filters = is_entering.any(1).nonzero()[:, 0]
        if not len(filters):
            return
        owners, rows = is_entering[filters].nonzero(as_tuple=True)  # by filter, in their order
        counts = torch.bincount(owners, minlength=len(filters))
        slots = torch.arange(len(owners)) - (counts.cumsum(0) - counts)[owners]
        channels = filters[owners]
        positions = torch.zeros(len(rows), dtype=torch.int64)
        if units.ndim == 4:
            maps = units[rows.to(units.device), channels.to(units.device)]
            positions = torch.from_numpy(maps.flatten(1).float().cpu().numpy().argmax(1))
        count, width = self.values.shape[1], int(counts.max())
        entering = (
            (self.values, peaks[rows, channels], -torch.inf),
            (self.images, torch.from_numpy(indices)[rows], -1),
            (self.positions, positions, -1),
        )
        order: Tensor | None = None
        for own, new, filler in entering:  # the values first, which decide
            more = torch.full((len(filters), width), filler, dtype=own.dtype)
            more[owners, slots] = new
            both = torch.cat([own[filters], more], 1)
            if order is None:
                order = both.argsort(dim=1, descending=True, stable=True)[:, :count]
            own[filters] = both.gather(1, order)

    def state(self) -> Mapping[str, Tensor]:
        """The tensors to save, and to load into another one with `load`."""
        return {"values": self.values, "images": self.images, "positions": self.positions}

    def load(self, state: Mapping[str, Tensor]) -> None:
        for name, own in self.state().items():
            own.copy_(state[name])
