"""`evaluate`: measure the network of a run on its test images, or on other data."""

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card, ResizeMode
from convscope.data.dataset import SPLITS, Dataset, SubsetImages
from convscope.data.loading import LoadedDataset, ProgressCallback, load_images
from convscope.data.options import INDEPENDENT
from convscope.data.source import DataLike, open_source
from convscope.data.spellings import tie_names
from convscope.device import choose_device, threads_set
from convscope.errors import RequestError, WorkError
from convscope.evaluation.measure import EvaluationOutputs, compute_metrics, compute_outputs
from convscope.evaluation.metrics import Metrics
from convscope.evaluation.opening import open_trained
from convscope.models import ModelLike
from convscope.runs.data import open_run_data
from convscope.synonyms import takes_synonyms
from convscope.weights.class_names import ClassNamesLike
from convscope.weights.preprocessing import InputSettings, PerChannel
from convscope.weights.source import WeightsSource
from convscope.zoo.check import reads_channels_last


@dataclass(frozen=True)
class EvaluationResult:
    """The result of an evaluation.

    Attributes:
        outputs: metrics, and the prediction for each image.
        data: a description of the images: "the test split of digits".
        notes: sentences for the user, on missing classes and unreadable images for example.
    """

    outputs: EvaluationOutputs
    data: str
    notes: tuple[str, ...]

    @property
    def metrics(self) -> Metrics:
        return self.outputs.metrics


@takes_synonyms
def evaluate(
    run: ModelLike,
    data: DataLike | None = None,
    *,
    split: Literal["train", "val", "test"] | None = None,
    data_dir: str | Path | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    weights: WeightsSource | None = None,
    class_names: ClassNamesLike | None = None,
    input_size: int | tuple[int, int] | None = None,
    resize_mode: ResizeMode | None = None,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
    batch_size: int = 256,
    device: str = "auto",
    threads: int | None = None,
    on_progress: ProgressCallback = lambda done, total: None,
) -> EvaluationResult:
    """Evaluate the best weights of a run, on every image exactly once.

    Without `data`, on a split of the run's own data, by default the test split. With `data`, on
    their `split`, by default their test split, or all images if they have none; classes are matched
    by name. `image_column` and `label_column` name those of a CSV file, where its header does not.

    `run` may also be a network: a name with `weights`, or a module that has them. Then `data` is
    needed, and `class_names`, `input_size`, `resize_mode`, `mean` and `std` are what the weights
    do not say themselves.

    Raises RequestError if run and data do not match, WorkError if the network's outputs are not
    finite.
    """
    if min(batch_size, 1 if threads is None else threads) < 1:
        raise RequestError("`batch_size` and `threads` must be at least 1.")
    if split not in (None, *SPLITS):
        raise RequestError(
            f"`split` must be {', '.join(map(repr, SPLITS))} or None, not {split!r}."
        )
    settings = InputSettings(input_size=input_size, resize_mode=resize_mode, mean=mean, std=std)
    opened = open_trained(run, weights=weights, class_names=class_names, settings=settings)
    net, card, folder = opened.net, opened.card, opened.run
    config = folder.read_config() if folder else {}
    torch_device = choose_device(device)
    directory = Path(data_dir) if data_dir else None
    if data is None:
        if folder is None:
            raise RequestError(
                f"{opened.name} is not a run, and has no test images of its own. Name the data."
            )
        dataset, indices = open_run_data(folder, config, split or "test", directory)
        description = f"the {split or 'test'} split of {dataset.name}"
    else:
        dataset = open_source(
            data,
            data_dir=directory,
            image_column=image_column,
            label_column=label_column,
            group_column=INDEPENDENT,
            default_names=card.classes,
            for_training=False,
        )
        dataset = match_classes(dataset, card)
        indices, description = _select(dataset, split)
    loaded = load_images(
        _subset(dataset, indices), card, workers=os.cpu_count() or 1, on_progress=on_progress
    )
    readable = loaded.dataset.indices("test")
    notes = _notes(loaded, card, config, is_run_data=data is None)
    notes = (opened.note, *notes) if opened.note else notes
    if not len(readable):
        raise RequestError(f"There is no readable image in {description}.")
    with threads_set(threads):
        net.to(torch_device)
        network_outputs = compute_outputs(
            net,
            loaded.batch_source,
            readable,
            card,
            batch_size=batch_size,
            device=torch_device,
            channels_last=reads_channels_last(
                net, in_channels=card.in_channels, input_size=card.input_size
            ),
        )
    outputs = compute_metrics(network_outputs, loaded.dataset.labels[readable], card)
    if not math.isfinite(outputs.metrics.loss):
        raise WorkError(
            f"The network of {folder.path if folder else opened.name} has outputs that are not "
            "finite: its weights are bad."
        )
    return EvaluationResult(outputs, description, notes)


def match_classes(dataset: Dataset, card: Card) -> Dataset:
    """The data with labels in the order of the card's classes, matched by name.

    A class that is spelled alike one of the card is that one, which a warning says.

    Raises RequestError for a class that the network was not trained on.
    """
    ties = tie_names(dataset.classes, card.classes)
    if ties:
        said = ", ".join(f"{name!r} as {known!r}" for name, known in ties.items())
        dataset = dataset.with_warnings([f"{dataset.name}: classes taken: {said}."])
    names = [ties.get(name, name) for name in dataset.classes]
    unknown = [name for name in names if name not in card.classes]
    if unknown:
        raise RequestError(
            f"{dataset.name} has classes that the network was not trained on: "
            f"{', '.join(map(repr, unknown))}. It knows {', '.join(card.classes)}."
        )
    indices = np.array([card.classes.index(name) for name in names], np.int64)
    return replace(dataset, classes=card.classes, labels=indices[dataset.labels])


def _select(dataset: Dataset, split: str | None) -> tuple[NDArray[np.int64], str]:
    """The indices of the images to evaluate, and a description of them."""
    if split is None and not (dataset.split == "test").any():
        return np.arange(len(dataset)), f"all of {dataset.name}"
    indices = np.flatnonzero(dataset.split == (split or "test"))
    if not len(indices):
        raise RequestError(
            f"{dataset.name} has no {split} split. Leave out `split` to use all of it."
        )
    return indices, f"the {split or 'test'} split of {dataset.name}"


def _subset(dataset: Dataset, indices: NDArray[np.int64]) -> Dataset:
    """A data set of the selected images alone, as its test split."""
    groups = None if dataset.groups is None else [dataset.groups[index] for index in indices]
    return replace(
        dataset,
        images=SubsetImages(dataset.images, indices),
        labels=dataset.labels[indices],
        split=np.full(len(indices), "test"),
        groups=groups,
    )


def _notes(
    loaded: LoadedDataset, card: Card, config: dict[str, Any], *, is_run_data: bool
) -> tuple[str, ...]:
    counts = loaded.dataset.counts("test")
    missing = [name for name, count in zip(card.classes, counts, strict=True) if not count]
    notes = list(loaded.dataset.warnings)
    if missing:
        notes.append(f"No images of {', '.join(missing)}: these classes are not evaluated.")
    if loaded.problems:
        key, reason = loaded.problems[0]
        notes.append(
            f"Images that could not be read: {len(loaded.problems)}, first {key}, which {reason}."
        )
    if not is_run_data and loaded.dataset.name == config.get("dataset", {}).get("name"):
        notes.append(
            "The network may have been trained on these images. Without DATA, evaluate uses the "
            "test split, which was set aside."
        )
    return tuple(notes)
