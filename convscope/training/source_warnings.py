"""What a training says of its images: shortcuts, what is cut off, tiny and blank ones."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

import numpy as np

from convscope.card import Card
from convscope.data.batch_sources import MemoryBatchSource
from convscope.data.dataset import Dataset
from convscope.data.fit_losses import describe_losses
from convscope.data.loaded import LoadedDataset
from convscope.data.shortcuts import Shortcut, sample_properties, shortcuts_of
from convscope.training.callbacks.base import CallbackList

_MAX_HEADERS = 2000  # that are read, in about half a second
_SIZES = ("size", "resolution", "aspect ratio")
_ALSO = 2  # further properties that a sentence names
_TINY = 0.25  # of the median shorter side, as in convscope.checks.sizes
_BLANK = 3.0  # levels of standard deviation, as in convscope.checks.exposure
_LOOKED_AT, _DECODED = 2000, 100  # images that are looked at, in memory and elsewhere
_REMEDY = "Remove them, or say why they are there; `convscope check` shows all."


def warn_of_files(dataset: Dataset, card: Card, user: CallbackList, *, min_size: int = 1) -> None:
    """Tell the user what headers of the files show: properties that alone tell the class or the
    split, and how much of the images the network will not see.

    Of data that are not files nothing is said. `min_size` is the smallest side of an input that the
    network allows.
    """
    properties = sample_properties(dataset, _MAX_HEADERS)
    shortcuts = shortcuts_of(dataset, properties)
    for subject in ("class", "split"):
        if found := [each for each in shortcuts if each.subject == subject]:
            user.message(f"{dataset.name}: {' '.join(_sentences(found))}")
    for sentence in _tiny(dataset, properties):
        user.message(sentence)
    labels = None if dataset.is_multi_label else dataset.labels
    sizes = [_size(each) for each in properties.values()]
    chosen = [0 if labels is None else int(labels[index]) for index in properties]
    for sentence in describe_losses(sizes, chosen, dataset.classes, card, min_size=min_size):
        user.message(sentence)


def _tiny(dataset: Dataset, properties: Mapping[int, Mapping[str, str]]) -> Iterator[str]:
    """A sentence on images that are much smaller than most."""
    shorter = {index: min(_size(each)) for index, each in properties.items()}
    usual = median(shorter.values()) if shorter else 0
    found = sorted(index for index, side in shorter.items() if side < _TINY * usual)
    if found:
        size = properties[found[0]]["size"]
        yield (
            f"{_of_all(found, len(shorter), dataset)} tiny, less than a quarter of the usual "
            f"{usual:g} pixels, such as {dataset.images.key(found[0])} ({size}). {_REMEDY}"
        )


def warn_of_blank(loaded: LoadedDataset, user: CallbackList) -> None:
    """Tell the user of images that have nearly one gray value at the size of the network's input.

    Some 2,000 images are looked at, spread evenly; 100 where they are not in memory.
    """
    dataset, source = loaded.dataset, loaded.batch_source
    most = _LOOKED_AT if isinstance(source, MemoryBatchSource) else _DECODED
    indices = np.linspace(0, len(dataset) - 1, min(most, len(dataset))).astype(np.int64)
    batches = [indices[start : start + 100] for start in range(0, len(indices), 100)]
    contrasts = [
        pixels.float().mean(3).flatten(1).std(1, correction=0).numpy()
        for pixels in source.batches(batches)
    ]
    found = indices[np.concatenate(contrasts) < _BLANK].tolist()
    if found:
        user.message(
            f"{_of_all(found, len(indices), dataset)} blank, of one shade, such as "
            f"{dataset.images.key(found[0])}. {_REMEDY}"
        )


def _of_all(found: Sequence[int], looked_at: int, dataset: Dataset) -> str:
    """How many of all images, or of those that were looked at."""
    sample = "" if looked_at == len(dataset) else " that were looked at"
    verb = "is" if len(found) == 1 else "are"
    return f"{dataset.name}: {len(found):,} of {looked_at:,} images{sample} {verb}"


def _size(properties: Mapping[str, str]) -> tuple[int, int]:
    width, height = properties["size"].split("x")
    return int(height), int(width)


def _sentences(shortcuts: list[Shortcut]) -> Iterator[str]:
    """The best shortcut, which others there are, and what to do."""
    best, *others = shortcuts
    yield best.describe()
    if others:
        names = " and its ".join(each.name for each in others[:_ALSO])
        yield f"Its {names} {'tells' if len(others) == 1 else 'tell'} it, too."
    if best.subject == "split":
        yield (
            "So the splits come from different sources, and their accuracies say how well the "
            "network does on other sources than its own."
        )
        return
    framing = any(each.name in _SIZES for each in shortcuts)
    remedy = ", or crop and resize all to one framing" if framing else ""
    yield (
        "A network can learn that instead of what the images show: take images of every class from "
        f"every source{remedy}."
    )
