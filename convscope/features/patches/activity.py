"""How active each filter of a layer is over a data set, and for which classes."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor


class Activity:
    """Sums over images, for each filter of a layer.

    Attributes:
        images: how many were seen.
        largest, smallest: (filters,), of all units in all images.
        active_units: (filters,) float64, how many units were above 0.
        active_images: (filters,) float64, how many images had a unit above 0.
        sums: (filters,) float64, over images of the mean over a map.
        class_sums: (filters, classes) float64, the same over the images of each class.
        class_images: (classes,) float64, the number of images of each class.
    """

    def __init__(self, num_filters: int, num_classes: int) -> None:
        self.images = torch.zeros((), dtype=torch.float64)
        self.largest = torch.full((num_filters,), -torch.inf)
        self.smallest = torch.full((num_filters,), torch.inf)
        self.active_units = torch.zeros(num_filters, dtype=torch.float64)
        self.active_images = torch.zeros(num_filters, dtype=torch.float64)
        self.sums = torch.zeros(num_filters, dtype=torch.float64)
        self.class_sums = torch.zeros(num_filters, num_classes, dtype=torch.float64)
        self.class_images = torch.zeros(num_classes, dtype=torch.float64)

    def update(self, units: Tensor, has_class: Tensor) -> Tensor:
        """Take a batch of units (n, c, h, w) or (n, c); return each filter's peaks, (n, c).

        `has_class` is (n, classes) float64: 1 where an image is of a class.
        """
        peaks, lows, means, active = _reduced(units)
        self.images += len(units)
        torch.maximum(self.largest, peaks.amax(0), out=self.largest)
        torch.minimum(self.smallest, lows.amin(0), out=self.smallest)
        self.active_units += active.sum(0)
        self.active_images += peaks.clamp_min(0).sign().sum(0)  # sums of bool are slow
        self.sums += means.sum(0)
        self.class_sums += means.T @ has_class
        self.class_images += has_class.sum(0)
        return peaks

    @property
    def is_finite(self) -> bool:
        """Whether all units of all images were finite."""
        return bool(self.sums.isfinite().all())

    def means(self) -> Tensor:
        """(filters,) the mean of all units over all images."""
        return self.sums / self.images

    def class_means(self) -> Tensor:
        """(filters, classes) the mean over the images of a class; NaN without any."""
        return self.class_sums / self.class_images

    def state(self) -> Mapping[str, Tensor]:
        """The tensors to save, and to load into another one with `load`."""
        return dict(vars(self))

    def load(self, state: Mapping[str, Tensor]) -> None:
        for name, own in self.state().items():
            own.copy_(state[name])


def _reduced(units: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each map its largest and smallest unit, float32, its mean and the number of its units
    above 0, float64: (n, c) on the CPU.

    A few images at a time, whose units stay in the processor's cache for all four.
    """
    maps, dim = _maps(units)
    per_image, positions = maps[:1].numel(), maps.shape[dim]
    step = len(maps) if maps.device.type != "cpu" else max(_CHUNK // max(per_image, 1), 1)
    if positions == 1:
        only = maps.squeeze(dim)
        parts = [(only, only, only, only.clamp_min(0).sign())]
    else:
        starts = range(0, len(maps), step)
        parts = [_of_maps(maps[start : start + step], dim) for start in starts]
    peaks, lows, sums, active = (torch.cat(each).cpu() for each in zip(*parts, strict=True))
    return peaks.float(), lows.float(), (sums / positions).double(), active.double()


def _of_maps(maps: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    peaks, lows = maps.amax(dim), maps.amin(dim)
    rectified = maps if bool((lows >= 0).all()) else maps.clamp_min(0)
    return peaks, lows, maps.sum(dim), rectified.sign().sum(dim, dtype=torch.float32)


_CHUNK = 1 << 17  # units, 512 KiB


def _maps(units: Tensor) -> tuple[Tensor, int]:
    """Units with all positions along one axis, without a copy, and that axis."""
    if units.ndim == 2:
        return units[..., None], 2
    last = units.movedim(1, -1)
    if last.is_contiguous():  # channels-last memory
        return last.flatten(1, 2), 1
    return units.flatten(2), 2


def selectivity(class_means: list[float]) -> float | None:
    """The class selectivity index: (m - r) / (m + r), from 0 to 1.

    m is the largest mean activation of a class, r the mean over the other classes. 0 means that a
    filter responds to all classes alike, 1 that it responds to one alone.

    None where it is not defined: for fewer than two classes with images, and for means below 0 or
    all 0.

    Source: Morcos et al. 2018, On the importance of single directions for generalization.

        >>> selectivity([3.0, 1.0, 1.0]), selectivity([2.0, 2.0]), selectivity([-1.0, 2.0])
        (0.5, 0.0, None)
    """
    means = sorted(mean for mean in class_means if not math.isnan(mean))
    if len(means) < 2 or means[0] < 0 or means[-1] == 0:
        return None
    rest = sum(means[:-1]) / (len(means) - 1)
    return (means[-1] - rest) / (means[-1] + rest)
