"""The images in which each filter of a layer has its largest values, kept while images pass."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_WAITING = 4  # peaks of each filter, on average, that are merged at once


class StrongestImages:
    """For each filter the `count` images with the largest peaks, and where the peaks are.

    A peak is the largest value of a filter in one image, so that each image occurs once. Of equal
    peaks the earlier image comes first, and of equal values in one image the first unit in the
    order of rows.
    """

    def __init__(self, num_filters: int, count: int) -> None:
        self._values = torch.full((num_filters, count), -torch.inf)
        self._images = torch.full((num_filters, count), -1)
        self._positions = torch.full((num_filters, count), -1)
        self._waiting: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    @property
    def values(self) -> Tensor:
        """(filters, count) float32, descending; -inf where there are fewer images."""
        self._merge()
        return self._values

    @property
    def images(self) -> Tensor:
        """(filters, count), the indices of the images; -1 where there are fewer."""
        self._merge()
        return self._images

    @property
    def positions(self) -> Tensor:
        """(filters, count), of the unit in its map, row by row; -1 where there are fewer."""
        self._merge()
        return self._positions

    def update(self, units: Tensor, peaks: Tensor, indices: NDArray[np.int64]) -> None:
        """Take a batch: `units` (n, c, h, w) or (n, c), their `peaks` (n, c) as float32."""
        filters, rows = self._entering(peaks).T.nonzero(as_tuple=True)
        positions = torch.zeros(len(rows), dtype=torch.int64)
        if units.ndim == 4 and units[0, 0].numel() > 1 and len(rows):
            maps = units[rows.to(units.device), filters.to(units.device)]
            positions = torch.from_numpy(maps.flatten(1).float().cpu().numpy().argmax(1))
        images = torch.from_numpy(indices)[rows]
        self._waiting.append((filters, peaks[rows, filters], images, positions))
        if sum(len(each) for each, *_ in self._waiting) >= _WAITING * len(self._values):
            self._merge()

    def _entering(self, peaks: Tensor) -> Tensor:
        """(n, c) bool: which peaks may be among the strongest, few more than are."""
        least, count = self._values[:, -1], self._values.shape[1]
        is_entering = peaks > least
        if len(peaks) > count and bool((least == -torch.inf).any()):  # the first batches
            is_entering &= peaks >= peaks.topk(count, dim=0).values[-1]
        return is_entering

    def _merge(self) -> None:
        """Put the peaks that wait among the kept ones."""
        waiting, self._waiting = self._waiting, []
        if not sum(len(each) for each, *_ in waiting):
            return
        owners, *entering = (torch.cat(each) for each in zip(*waiting, strict=True))
        owners, by_filter = owners.sort(stable=True)  # of each filter, in their order
        counts = torch.bincount(owners, minlength=len(self._values))
        filters = counts.nonzero()[:, 0]
        counts = counts[filters]
        places = torch.arange(len(filters)).repeat_interleave(counts)
        slots = torch.arange(len(owners)) - (counts.cumsum(0) - counts)[places]
        order: Tensor | None = None
        kept = (self._values, -torch.inf), (self._images, -1), (self._positions, -1)
        for (own, filler), new in zip(kept, entering, strict=True):  # the values decide
            more = torch.full((len(filters), int(counts.max())), filler, dtype=own.dtype)
            more[places, slots] = new[by_filter]
            both = torch.cat([own[filters], more], 1)
            if order is None:
                order = both.argsort(dim=1, descending=True, stable=True)[:, : own.shape[1]]
            own[filters] = both.gather(1, order)

    def state(self) -> Mapping[str, Tensor]:
        """The tensors to save, and to load into another one with `load`."""
        return {"values": self.values, "images": self.images, "positions": self.positions}

    def load(self, state: Mapping[str, Tensor]) -> None:
        for name, own in self.state().items():
            own.copy_(state[name])
