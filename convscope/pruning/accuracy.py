"""The images of a run, and how many of them a network predicts right, before pruning and after."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.card import Card
from convscope.data.dataset import Split
from convscope.data.loading import LoadedDataset, load_images
from convscope.errors import RequestError
from convscope.evaluation.batch_size import choose_feeding
from convscope.evaluation.measure import EvaluationOutputs, compute_metrics, compute_outputs
from convscope.evaluation.paired import PairedAccuracy
from convscope.pruning.rounds import Images
from convscope.runs.data import open_run_data
from convscope.runs.folder import Run


def read_images(
    run: Run,
    config: dict[str, Any],
    card: Card,
    split: Split,
    count: int | None,
    *,
    data_dir: Path | None,
) -> Images:
    """The images of a split of the run's data, at most `count` of them at equal distances."""
    dataset, indices = open_run_data(run, config, split, data_dir)
    if count is not None and len(indices) > count:
        indices = indices[np.linspace(0, len(indices) - 1, count).astype(np.int64)]
    if not len(indices):
        raise RequestError(f"The data of {run.path} have no {split} split.")
    some = dataset.subset(indices, "test")
    loaded = load_images(some, card, workers=os.cpu_count() or 1)
    return Images(loaded, loaded.dataset.indices("test"))


def validation(
    read: Callable[[Split, int | None], Images],
    net: nn.Module,
    card: Card,
    config: dict[str, Any],
    max_drop: float | None,
) -> tuple[Images | None, Callable[[nn.Module], bool]]:
    """The validation images, and whether a network is good enough on them."""
    has_images = bool(config.get("dataset", {}).get("val"))
    images = read("val", None) if has_images else None
    if max_drop is None:
        return images, lambda net: True
    if images is None:
        raise RequestError(
            "`max_drop` is measured on validation images, of which the run has none. Leave it out."
        )
    least = accuracy(net, card, images) - max_drop / 100
    return images, lambda each: accuracy(each, card, images) >= least


def _outputs(net: nn.Module, card: Card, images: Images) -> EvaluationOutputs:
    loaded: LoadedDataset = images.loaded
    device = torch.device("cpu")
    channels_last, size = choose_feeding(net, card, device)
    outputs = compute_outputs(
        net,
        loaded.batch_source,
        images.indices,
        card,
        batch_size=size,
        device=device,
        channels_last=channels_last,
    )
    return compute_metrics(outputs, loaded.dataset.truth(images.indices), card)


def accuracy(net: nn.Module, card: Card, images: Images) -> float:
    return float(_outputs(net, card, images).is_correct.mean())


def compare(before: nn.Module, after: nn.Module, card: Card, images: Images) -> PairedAccuracy:
    right: list[NDArray[np.bool_]] = [
        _outputs(net, card, images).is_correct for net in (before, after)
    ]
    return PairedAccuracy.of(*right)
