"""How boxes are made: around maps, or by a trained regressor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from convscope.localization.component import Edges
from convscope.localization.maps import MapMethod, boxes_of_maps
from convscope.localization.regression import BoxRegressor, Features, regressed_boxes
from convscope.models import OpenedModel

Regression = Literal["regressor", "regressor-per-class"]
Method = Literal[MapMethod, Regression]


@dataclass(frozen=True)
class Finder:
    """How boxes are made: of maps, or by a regressor with its features."""

    opened: OpenedModel
    method: Method
    threshold: float
    layer: str | None
    regressor: tuple[BoxRegressor, Features] | None

    def boxes(self, image: Tensor, labels: Sequence[int]) -> Sequence[Edges | None]:
        """For each class a box in pixels of the input (1, c, h, w)."""
        if self.regressor is not None:
            net, features = self.regressor
            size = int(image.shape[2]), int(image.shape[3])
            return regressed_boxes(net, features.compute(self.opened.net, image), labels, size)
        assert self.method in ("grad-cam", "cam", "hires-cam", "layer-cam")
        return boxes_of_maps(
            self.opened, image, labels, method=self.method, threshold=self.threshold,
            layer=self.layer,
        )  # fmt: skip
