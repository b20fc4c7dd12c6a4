"""Which images a run was trained and validated on, by content: `images.safetensors`."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.data.dataset import SPLITS, Split
from convscope.data.loading import LoadedDataset
from convscope.errors import RequestError
from convscope.runs.folder import Run
from convscope.runs.tensor_file import load_tensors, save_tensors

IMAGES = "images.safetensors"
"""Digests of the images of each split, see `convscope.data.pixel_digests`."""

_OF_PIXELS = {"digest": "pixels"}


def write_trained_images(run: Run, loaded: LoadedDataset) -> None:
    """Write the digests of all images of a training, by split."""
    digests = {
        split: torch.from_numpy(loaded.pixel_digests[loaded.dataset.indices(split)])
        for split in SPLITS
    }
    save_tensors(run.path / IMAGES, digests, _OF_PIXELS)


@dataclass(frozen=True)
class TrainedImages:
    """The digests of a run's images."""

    digests: dict[Split, AbstractSet[bytes]]

    def split_of(self, digests: NDArray[np.uint8]) -> NDArray[np.str_]:
        """(n,) of "train", "val" or "" for the digests (n, 16) of images; train comes first."""

        def find(digest: bytes) -> Literal["train", "val", ""]:
            if digest in self.digests["train"]:
                return "train"
            return "val" if digest in self.digests["val"] else ""

        return np.array([find(row.tobytes()) for row in digests], dtype="<U5")


def read_trained_images(run: Run) -> TrainedImages | None:
    """The images of a run; None for a run of an earlier version, which does not have them, or by
    their pixels as they were resized for its network, which say nothing of other images.

    Raises RequestError for a file of other tensors, CorruptFileError for a damaged one.
    """
    if not (run.path / IMAGES).exists():
        return None
    stored = load_tensors(run.path / IMAGES)
    if stored.metadata != _OF_PIXELS:
        return None
    for split in SPLITS:
        found = stored.tensors.get(split)
        if found is None or found.dtype != torch.uint8 or found.ndim != 2:
            raise RequestError(f"{run.path / IMAGES} has no digests of the {split} images.")
    return TrainedImages(
        {split: {row.tobytes() for row in stored.tensors[split].numpy()} for split in SPLITS}
    )
