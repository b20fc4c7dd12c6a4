"""What a training says of its image files before it reads them: shortcuts, and what is cut off."""

from collections.abc import Iterator, Mapping

from convscope.card import Card
from convscope.data.dataset import Dataset
from convscope.data.fit_losses import describe_losses
from convscope.data.shortcuts import Shortcut, sample_properties, shortcuts_of
from convscope.training.callbacks.base import CallbackList

_MAX_HEADERS = 2000  # that are read, in about half a second
_SIZES = ("size", "resolution", "aspect ratio")
_ALSO = 2  # further properties that a sentence names


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
    labels = None if dataset.is_multi_label else dataset.labels
    sizes = [_size(each) for each in properties.values()]
    chosen = [0 if labels is None else int(labels[index]) for index in properties]
    for sentence in describe_losses(sizes, chosen, dataset.classes, card, min_size=min_size):
        user.message(sentence)


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
