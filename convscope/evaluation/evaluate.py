"""The verb `evaluate`: how good a run's network is on its own test images, or on others."""

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.data.dataset import Dataset, SubsetImages
from convscope.data.loading import LoadedDataset, ProgressCallback, load_images
from convscope.data.source import open_source
from convscope.data.split import apply_splits
from convscope.device import choose_device, threads_set
from convscope.errors import RequestError, WorkError
from convscope.evaluation.measure import EvaluationOutputs, compute_logits, compute_metrics
from convscope.evaluation.metrics import Metrics
from convscope.runs.folder import Run
from convscope.runs.network import load_network
from convscope.zoo.check import reads_channels_last


@dataclass(frozen=True)
class EvaluationResult:
    """An evaluation, what it was made on, and what whoever reads it should know.

    Attributes:
        data: the images, in words: "the test split of digits".
        notes: sentences on classes that are missing, images that could not be read, and the like.
    """

    outputs: EvaluationOutputs
    data: str
    notes: tuple[str, ...]

    @property
    def metrics(self) -> Metrics:
        return self.outputs.metrics


def evaluate(
    run: str | Path,
    data: str | None = None,
    *,
    split: Literal["train", "val", "test"] | None = None,
    data_dir: str | Path | None = None,
    batch_size: int = 256,
    device: str = "auto",
    threads: int | None = None,
    on_progress: ProgressCallback = lambda done, total: None,
) -> EvaluationResult:
    """Evaluate the best weights of a run; every image is seen exactly once.

    Without `data`: the test split that the run set aside. With it: the `split` of those data, the
    test split if they have one, else all of them; classes are matched by name.

    Raises RequestError where run and data do not belong together, WorkError for a network whose
    answers are no numbers.
    """
    if min(batch_size, 1 if threads is None else threads) < 1:
        raise RequestError("`batch_size` and `threads` must be at least 1.")
    folder = Run.open(run)
    config = folder.read_config()
    net, card = load_network(folder)
    place = choose_device(device)
    directory = Path(data_dir) if data_dir else None
    if data is None:
        dataset, indices, words = own_images(folder, config, split or "test", directory)
    else:
        dataset = match_classes(open_source(data, data_dir=directory), card)
        indices, words = _chosen(dataset, split)
    loaded = load_images(
        _only(dataset, indices), card, workers=os.cpu_count() or 1, on_progress=on_progress
    )
    usable = loaded.dataset.indices("test")
    notes = _notes(loaded, card, config, own=data is None)
    if not len(usable):
        raise RequestError(f"There is no readable image in {words}.")
    with threads_set(threads):
        net.to(place)
        logits = compute_logits(
            net,
            loaded.batch_source,
            usable,
            card,
            batch_size=batch_size,
            device=place,
            channels_last=reads_channels_last(
                net, in_channels=card.in_channels, input_size=card.input_size
            ),
        )
    outputs = compute_metrics(logits, loaded.dataset.labels[usable], card)
    if not math.isfinite(outputs.metrics.loss):
        raise WorkError(
            f"The network of {folder.path} answers with what is no number; its weights are bad."
        )
    return EvaluationResult(outputs, words, notes)


def match_classes(dataset: Dataset, card: Card) -> Dataset:
    """The data with their labels counted in the order of the card, matched by name.

    Raises RequestError for a class that the network was not trained on.
    """
    unknown = [name for name in dataset.classes if name not in card.classes]
    if unknown:
        raise RequestError(
            f"{dataset.name} has classes that the network was not trained on: "
            f"{', '.join(map(repr, unknown))}. It knows {', '.join(card.classes)}."
        )
    places = np.array([card.classes.index(name) for name in dataset.classes], np.int64)
    return replace(dataset, classes=card.classes, labels=places[dataset.labels])


def own_images(
    run: Run, config: dict[str, Any], split: str, directory: Path | None
) -> tuple[Dataset, NDArray[np.int64], str]:
    """A run's data, the indices of one of its splits, and these in words."""
    own = Path(config["data_dir"]) if "data_dir" in config else None
    dataset = open_source(config["data"], data_dir=directory or own)
    dataset = apply_splits(dataset, run.read("splits.csv"))
    indices = np.flatnonzero(dataset.split == split)
    return dataset, indices, f"the {split} split of {dataset.name}"


def _chosen(dataset: Dataset, split: str | None) -> tuple[NDArray[np.int64], str]:
    if split is None and not (dataset.split == "test").any():
        return np.arange(len(dataset)), f"all of {dataset.name}"
    indices = np.flatnonzero(dataset.split == (split or "test"))
    if not len(indices):
        raise RequestError(
            f"{dataset.name} has no {split} split. Leave out `split` to use all of it."
        )
    return indices, f"the {split or 'test'} split of {dataset.name}"


def _only(dataset: Dataset, indices: NDArray[np.int64]) -> Dataset:
    """The data with the chosen images alone, called its test split."""
    groups = None if dataset.groups is None else [dataset.groups[index] for index in indices]
    return replace(
        dataset,
        images=SubsetImages(dataset.images, indices),
        labels=dataset.labels[indices],
        split=np.full(len(indices), "test"),
        groups=groups,
    )


def _notes(
    loaded: LoadedDataset, card: Card, config: dict[str, Any], *, own: bool
) -> tuple[str, ...]:
    counts = loaded.dataset.counts("test")
    missing = [name for name, count in zip(card.classes, counts, strict=True) if not count]
    notes = list(loaded.dataset.warnings)
    if missing:
        notes.append(f"No images of {', '.join(missing)}: nothing is said of these classes.")
    if loaded.problems:
        key, reason = loaded.problems[0]
        notes.append(
            f"{len(loaded.problems)} images could not be read, {key} for one: it {reason}."
        )
    if not own and loaded.dataset.name == config.get("dataset", {}).get("name"):
        notes.append(
            "These may be images that the network was trained on; without DATA, evaluate uses the "
            "test split that was set aside."
        )
    return tuple(notes)
