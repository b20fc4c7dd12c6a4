"""All that happens to a training image in an epoch, in its order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.data.augment import bordered, crop_and_flip, crop_and_flip_params
from convscope.data.augment_kinds import SHIFTED, CropPadding, Kind
from convscope.data.augmentation.color import ColorJitter
from convscope.data.augmentation.draws import VERTICAL_FLIP, Draws
from convscope.data.augmentation.erasing import Erasing
from convscope.data.augmentation.geometry import (
    Affine,
    Maps,
    flips,
    warp,
    warp_window,
    windows,
)
from convscope.data.augmentation.own_function import OwnFunction
from convscope.data.augmentation.policies import Choice, Policy, apply_colors, geometric_maps
from convscope.data.fit_objects import visible
from convscope.data.resized_crops import Crops, cut


@dataclass(frozen=True)
class Augmentation:
    """What happens to a training image in each epoch: a function of (seed, epoch, index) alone.

    Geometry comes first, as one resampling, then colors, the policy's, the user's own function, and
    erasing.

    Attributes:
        padding: of shifted images.
        border_mode: what that border is.
        crops: how windows are cut from larger images, for the kinds that do so.
        horizontal_flip: probability of mirroring left to right; None for that of the kind.
        vertical_flip: probability of mirroring upside down.
        affine: rotation, translation, zoom and shear, about the middle of what is cut.
        input_size: (height, width) of the images, where boxes are moved along.
    """

    kind: Kind
    padding: int
    seed: int
    crops: Crops | None = None
    horizontal_flip: float | None = None
    vertical_flip: float = 0.0
    affine: Affine | None = None
    color: ColorJitter | None = None
    policy: Policy | None = None
    function: OwnFunction | None = None
    erasing: Erasing | None = None
    border_mode: CropPadding = "constant"
    input_size: tuple[int, int] | None = None

    @property
    def border(self) -> int:
        """Pixels around an image that is shifted."""
        return self.padding if self.kind in SHIFTED else 0

    @property
    def only_shifts(self) -> bool:
        """Whether images are at most shifted and mirrored left to right."""
        return not (self.crops or self.vertical_flip or self._warps or self._recolors)

    @property
    def _warps(self) -> bool:
        return self.policy is not None or self.affine is not None

    @property
    def _recolors(self) -> bool:
        return any((self.color, self.policy, self.function, self.erasing))

    def __call__(self, pixels: Tensor, indices: NDArray[np.int64], *, epoch: int) -> Tensor:
        """The images at `indices` as `epoch` shows them, bytes (n, h, w, c)."""
        draws, size = Draws(self.seed, epoch, indices), (pixels.shape[1], pixels.shape[2])
        choices = self._choices(draws, size)
        corners, across, upside_down = self._placed(draws)
        shown = crop_and_flip(pixels, corners, across, padding=self.border, mode=self.border_mode)
        maps = self._maps(draws, choices, size)
        moved = _moved(maps)
        shown = _upside_down(shown, pixels, upside_down & ~moved)
        if moved.any():
            shown = shown.clone() if shown is pixels else shown
            where = torch.from_numpy(moved)
            mirrored = self.border if self.border_mode == "reflect" else 0
            images = bordered(pixels[where].numpy(), mirrored, self.border_mode)
            sizes = np.tile(images.shape[1:3], (len(indices), 1))
            corners = corners - self.border + mirrored
            boxes = np.concatenate([corners, np.tile(size, (len(indices), 1))], 1)
            sources = windows(boxes.astype(np.float64), sizes, size)
            sources = sources @ flips(across, upside_down) @ np.linalg.inv(maps)
            shown[where] = warp(torch.from_numpy(images), sources[moved], size)
        return self._recolored(shown, draws, choices)

    def cut(
        self, images: Sequence[NDArray[np.uint8]], indices: NDArray[np.int64], *, epoch: int
    ) -> Tensor:
        """Windows of larger images, each (height, width, c), as `epoch` shows them (n, h, w, c)."""
        if self.crops is None:
            raise ValueError(f"{self.kind} cuts no windows")
        draws, size = Draws(self.seed, epoch, indices), self.crops.size
        choices = self._choices(draws, size)
        sizes = np.array([image.shape[:2] for image in images], np.int64).reshape(-1, 2)
        boxes = self.crops.boxes(sizes, indices, seed=self.seed, epoch=epoch)
        _, across, upside_down = self._placed(draws)
        maps = self._maps(draws, choices, size)
        moved = _moved(maps)
        shown = torch.empty(len(images), *size, images[0].shape[2], dtype=torch.uint8)
        still = np.flatnonzero(~moved)
        if len(still):
            shown[torch.from_numpy(still)] = cut(
                [images[index] for index in still.tolist()], boxes[still], across[still], size=size,
                interpolation=self.crops.interpolation,
            )  # fmt: skip
        shown = _upside_down(shown, None, upside_down & ~moved)
        sources = flips(across, upside_down) @ np.linalg.inv(maps)
        for index in np.flatnonzero(moved).tolist():
            image, box = torch.from_numpy(images[index]), boxes[index].astype(np.float64)
            shown[index] = warp_window(image, sources[index : index + 1], box, size)
        return self._recolored(shown, draws, choices)

    def moved(
        self,
        objects: NDArray[np.float32],
        indices: NDArray[np.int64],
        *,
        epoch: int,
        sizes: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float32]:
        """Objects (n, objects, 10), see `Objects.padded`, where they are in the images of `epoch`.

        A box becomes the smallest upright one around its four moved corners, so that of a turned
        image it is larger than its object. It ends at the edges, and an object of which less than a
        quarter is left need not be found; see `convscope.data.fit_objects`. Where windows are cut
        from larger images, of these `sizes` (height, width) (n, 2), boxes are shares of those.
        """
        draws = Draws(self.seed, epoch, indices)
        size = self.input_size
        corners, across, upside_down = self._placed(draws)
        is_still = not (self.border or across.any() or upside_down.any() or self._warps)
        if size is None or (is_still and self.crops is None):
            return objects
        maps = self._maps(draws, self._choices(draws, size), size) @ flips(across, upside_down)
        extent = np.array([size[1], size[0]], np.float64)
        scale, shift = extent, (self.border - corners)[:, ::-1]  # x, y in pixels, before the others
        if self.crops is not None:
            if sizes is None:
                raise ValueError("windows need the sizes of the images that they are cut from")
            boxes = self.crops.boxes(sizes, indices, seed=self.seed, epoch=epoch)
            zoom = extent / boxes[:, :1:-1]
            scale, shift = (zoom * sizes[:, ::-1])[:, None, None], -zoom * boxes[:, 1::-1]
        moved = objects.copy()
        left, top, right, bottom = np.moveaxis(objects[..., 1:5].astype(np.float64), -1, 0)
        x = np.stack([left, right, left, right], -1)
        y = np.stack([top, top, bottom, bottom], -1)
        points = np.stack([x, y], -1) * scale + shift[:, None, None] - extent / 2
        linear, offset = maps[:, None, :2, :2], maps[:, None, None, :2, 2]
        points = (points @ linear.transpose(0, 1, 3, 2) + offset + extent / 2) / extent
        placed = np.concatenate([points.min(-2), points.max(-2)], -1)
        inside, states = visible(placed, objects[..., 5].astype(np.int64))
        moved[..., 1:5], moved[..., 5] = inside, states
        return moved

    def _placed(
        self, draws: Draws
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """The corner of each shifted image (n, 2); whether it is mirrored, and upside down (n,)."""
        corners, across = crop_and_flip_params(
            draws.indices, kind=self.kind, padding=self.padding, seed=draws.seed, epoch=draws.epoch,
            flip=self.horizontal_flip,
        )  # fmt: skip
        return corners, across, draws.happens(VERTICAL_FLIP, self.vertical_flip)

    def _choices(self, draws: Draws, size: tuple[int, int]) -> list[list[Choice]]:
        return [] if self.policy is None else self.policy.choices(draws, size)

    def _maps(self, draws: Draws, choices: list[list[Choice]], size: tuple[int, int]) -> Maps:
        """Where the pixels of each cut and mirrored image go."""
        maps = np.tile(np.eye(3), (len(draws), 1, 1))
        if self.affine is not None:
            maps = self.affine.maps(draws, size)
        return geometric_maps(choices, size) @ maps if choices else maps

    def _recolored(self, shown: Tensor, draws: Draws, choices: list[list[Choice]]) -> Tensor:
        if self.color is not None:
            shown = self.color(shown, draws)
        if choices:
            shown = apply_colors(shown, choices)
        if self.function is not None:
            shown = self.function(shown, draws)
        if self.erasing is not None:
            shown = self.erasing(shown, draws)
        return shown


def _moved(maps: Maps) -> NDArray[np.bool_]:
    """Which images (n,) a map changes at all."""
    return (maps != np.eye(3)).any((1, 2))


def _upside_down(shown: Tensor, source: Tensor | None, which: NDArray[np.bool_]) -> Tensor:
    """Images (n, h, w, c) of which some are mirrored upside down; `source` is left as it is."""
    if not which.any():
        return shown
    mirrored, where = shown.clone() if shown is source else shown, torch.from_numpy(which)
    mirrored[where] = shown[where].flip(1)
    return mirrored
