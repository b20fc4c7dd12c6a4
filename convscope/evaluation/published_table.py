"""What papers state of a network, beside what was measured."""

from collections.abc import Sequence

from convscope.data.dataset import Dataset
from convscope.evaluation.tables import Rows
from convscope.models import OpenedModel
from convscope.published import PublishedResult, published_results
from convscope.zoo import ZOO
from convscope.zoo.libraries import library_of

_IMAGENET = 1000  # classes


def published_of(opened: OpenedModel, dataset: Dataset, split: str) -> tuple[PublishedResult, ...]:
    """What papers state of a network of the zoo on the images that it was evaluated on.

    Named data are known by their name, and are so on their test images; ImageNet, which people have
    as files, by its thousand classes.
    """
    name = _network(opened)
    if name not in ZOO:
        return ()
    if ZOO[name].num_classes == _IMAGENET == len(opened.card.classes):
        return published_results(name, "imagenet")
    return published_results(name, dataset.name) if split == "test" else ()


def _network(opened: OpenedModel) -> str:
    """The network's name in the zoo, also where a library has the same network."""
    name = opened.name if opened.run is None else str(opened.run.read_config()["model"])
    library = library_of(name)
    if library is None:
        return name
    own = library[1]
    return own if own in ZOO and ZOO[own].torchvision_names is not None else name


def published_table(
    published: Sequence[PublishedResult], top1: float, top5: float | None, protocol: str
) -> Rows:
    """A header, the own errors, and a row for each stated figure."""
    rows = [["", "top-1 error", "top-5 error", ""]]
    rows.append(
        ["here", _percent(1 - top1), _percent(None if top5 is None else 1 - top5), protocol]
    )
    rows += [
        ["published", _percent(one.error), _percent(one.top5_error), _source(one)]
        for one in published
    ]
    return rows


def _source(one: PublishedResult) -> str:
    scales = f" at {', '.join(map(str, one.scales))}" if one.scales else ""
    crops = {"center": "center crop", "ten": "ten crops", "144": "144 crops"}.get(
        one.crops, one.crops
    )
    return f"{crops}{scales}: {one.source}" if crops else one.source


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"
