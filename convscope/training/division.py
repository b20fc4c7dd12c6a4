"""How the images of a training are divided: into one test split, or as one fold of several."""

from collections.abc import Sequence

from convscope.data.dataset import Dataset
from convscope.data.folds import Fold
from convscope.data.split import fill_splits
from convscope.training.config import TrainConfig


def divide(
    opened: Dataset,
    config: TrainConfig,
    fold: Fold | None = None,
    *,
    copies: Sequence[Sequence[int]] = (),
) -> Dataset:
    """Give every image its split; `opened` has those of its source. `copies` stay together."""
    if fold is not None:
        return fold.split(opened, val=config.val, seed=config.split_seed, copies=copies)
    return fill_splits(
        opened, val=config.val, test=config.test, seed=config.split_seed, copies=copies
    )
