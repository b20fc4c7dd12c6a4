"""What a training does about images with equal pixels, once all images are decoded."""

from dataclasses import replace

import numpy as np

from convscope.data.dataset import Dataset
from convscope.data.duplicates import (
    Duplicates,
    copies_by_digest,
    count_images,
    describe_pairs,
    find_duplicates,
)
from convscope.data.folds import Fold
from convscope.data.loading import LoadedDataset
from convscope.errors import RequestError
from convscope.training.callbacks.base import CallbackList
from convscope.training.config import TrainConfig
from convscope.training.division import divide

_MORE = "`check` lists all of them, and finds copies that were scaled, turned or cropped."


def settle_duplicates(
    opened: Dataset,
    loaded: LoadedDataset,
    config: TrainConfig,
    user: CallbackList,
    fold: Fold | None = None,
) -> LoadedDataset:
    """The images with splits that have none in common, as `config.duplicates` says.

    Splits that convscope makes are made again, with copies together; `opened` has those of the
    source, of which copies are refused, dropped, or allowed. In splits that their publisher made,
    as of MNIST, they are allowed. The user is told of them, and of copies within a split.

    Raises RequestError for copies across the splits of the source, unless they are allowed, and for
    a class of which too few images remain.
    """
    loaded = _together(opened, loaded, config, user, fold)
    found = find_duplicates(loaded.dataset, loaded.pixel_digests)
    if found.across:
        loaded = _settle_across(found, loaded, config, user)
        found = find_duplicates(loaded.dataset, loaded.pixel_digests)
    if sentences := [*found.describe_relabeled(), *found.describe_repeated()]:
        for sentence in (*sentences, _MORE):
            user.message(sentence)
    return loaded


def _together(
    opened: Dataset,
    loaded: LoadedDataset,
    config: TrainConfig,
    user: CallbackList,
    fold: Fold | None,
) -> LoadedDataset:
    """The images with those splits made again that have copies of one image and are convscope's.

    A fold is made again wherever there are copies: all folds must divide the images alike.
    """
    before = loaded.dataset
    copies = copies_by_digest(loaded.pixel_digests)
    divided = [each for each in copies if len({*before.split[each].tolist()} - {""}) > 1]
    if not divided and (fold is None or not copies):
        return loaded
    filled = divide(opened, config, fold, copies=copies)
    split = np.where(before.split == "", "", filled.split)  # those that cannot be read
    if (split == before.split).all():
        return loaded
    if divided:
        pairs = [(each[0], copy) for each in divided for copy in each[1:]]
        user.message(
            f"{before.name}: images with equal pixels are kept in one split: "
            f"{describe_pairs(before, pairs)}."
        )
    return replace(loaded, dataset=before.with_split(split))


def _settle_across(
    found: Duplicates, loaded: LoadedDataset, config: TrainConfig, user: CallbackList
) -> LoadedDataset:
    dataset, said = loaded.dataset, found.describe_across()
    if dataset.has_published_splits:
        user.message(f"{dataset.name}, as it was published, has {said}. They are left as they are.")
        return loaded
    if config.duplicates == "error":
        raise RequestError(
            f"{dataset.name} has {said}. Their pixels are equal, so accuracy on them says little "
            "about new images. Remove them, or let `duplicates='drop'` leave them out of the "
            "earlier split; `duplicates='allow'` trains in spite of them."
        )
    if config.duplicates == "allow":
        user.message(f"{dataset.name} has {said}. Accuracy on them says little about new images.")
        return loaded
    return _drop(found, loaded, user)


def _drop(found: Duplicates, loaded: LoadedDataset, user: CallbackList) -> LoadedDataset:
    """Leave out of training what is in validation or test, and of validation what is in test."""
    dataset = loaded.dataset
    split = dataset.split.copy()
    for indices in copies_by_digest(loaded.pixel_digests):
        names = dataset.split[indices]
        last = next(name for name in ("test", "val", "train", "") if name in names)
        split[[i for i in indices if dataset.split[i] != last]] = ""
    dropped = np.flatnonzero(split != dataset.split)
    remaining = dataset.with_split(split)
    for name in ("train", "val"):
        before, after = dataset.counts(name), remaining.counts(name)
        if lost := np.flatnonzero((before > 0) & (after == 0)).tolist():
            raise RequestError(
                f"{dataset.name} has {found.describe_across()}. Without them no image of "
                f"{dataset.classes[lost[0]]!r} remains in {name}. Add others."
            )
    user.message(
        f"{dataset.name} has {found.describe_across()}. "
        f"{count_images(dropped)} left out of the earlier split."
    )
    return replace(loaded, dataset=remaining)
