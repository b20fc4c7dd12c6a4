"""How the images of a training are divided: into one test split, or as one fold of several."""

from collections.abc import Sequence

import numpy as np

from convscope.data.dataset import Dataset
from convscope.data.folds import Fold
from convscope.data.split import fill_splits
from convscope.training.config import TrainConfig

VALIDATION = 0.1
"""The share of the training images that is held out for validation, unless another is set."""

_FEWEST = 100  # validation images: of fewer, an accuracy is uncertain by ten points and more


def divide(
    opened: Dataset,
    config: TrainConfig,
    fold: Fold | None = None,
    *,
    copies: Sequence[Sequence[int]] = (),
) -> Dataset:
    """Give every image its split; `opened` has those of its source. `copies` stay together."""
    val = validation_share(opened, config)
    if fold is not None:
        return fold.split(opened, val=val, seed=config.split_seed, copies=copies)
    return fill_splits(opened, val=val, test=config.test, seed=config.split_seed, copies=copies)


def validation_share(opened: Dataset, config: TrainConfig) -> float:
    """The share of the training images that is held out for validation, where none is the data's.

    Left open it is a tenth; none from trained weights, if it were fewer than 100 images and they
    chose nothing: neither the best weights nor a rate nor the end of the training. By hand, too,
    EfficientNet-Lite0 lost 5 points to a tenth of 400 images.
    """
    if config.val is not None:
        return config.val
    config = config.with_defaults()
    is_needed = (
        not config.fine_tunes
        or config.restore_best_weights
        or config.early_stopping_patience > 0
        or config.lr_schedule == "plateau"
    )
    num_images = int(np.isin(opened.split, ("train", "")).sum())
    return VALIDATION if is_needed or VALIDATION * num_images >= _FEWEST else 0.0
