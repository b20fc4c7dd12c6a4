"""Linear probes: how well a linear classifier tells the classes from each layer's features.

Alain & Bengio, "Understanding intermediate layers using linear classifier probes", 2016. What rises
from layer to layer is how directly the classes can be read, which people call abstraction.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.card import Card
from convscope.data.dataset import Split
from convscope.data.source import DataLike
from convscope.device import choose_device, threads_set
from convscope.errors import RequestError
from convscope.evaluation.delong import auc_figures
from convscope.evaluation.opening import open_trained
from convscope.evaluation.selection import DataRequest
from convscope.features.image_set import open_images
from convscope.features.layer_pass import LayerPass
from convscope.features.linear import STEPS, Scores, fit_linear
from convscope.features.pooled import PooledFeatures, pooled_features, spread
from convscope.features.probes_result import Baseline, LayerProbe, ProbesResult
from convscope.inference import answers
from convscope.models import ModelLike, OpenedModel
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms
from convscope.weights.source import WeightsSource

ActivityProgress = Callable[[str, int, int], None]

MOST = (5000, 2000)
"""Images of the train and the test split that are taken at most."""
_SPLITS: tuple[Split, Split] = ("train", "test")


@takes_synonyms
def probes(
    run: ModelLike,
    data: DataLike | None = None,
    *,
    layers: str | Sequence[str] | None = None,
    max_train: int = MOST[0],
    max_images: int = MOST[1],
    model: str | nn.Module | None = None,
    trust: bool = False,
    weights: WeightsSource | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    data_dir: str | Path | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    on_progress: ActivityProgress = lambda activity, done, total: None,
) -> ProbesResult:
    """Fit a linear classifier to the features of each layer, and test it on other images.

    The features are the units behind the activation function; of maps, the mean of each: what is
    there, wherever in the image. The classifier is multinomial logistic regression with an L2
    penalty (scikit-learn's C = 1) on standardized features. It is fitted to at most `max_train`
    images of the train split and tested on at most `max_images` of the test split, evenly out of
    all, of the run's own data or of `data`, which need both splits. Where an image may have several
    labels, there is a logistic regression for each label, with the area under its ROC curve.

    Raises RequestError for unknown layers, and as `evaluate` does.
    """
    if min(max_train, max_images) < 2:
        raise RequestError("`max_train` and `max_images` must be at least 2.")
    opened = open_trained(
        run, weights=weights, pretrained=pretrained, card=card, consent=Consent(model, trust)
    )
    named = [layers] if isinstance(layers, str) else layers
    with threads_set(threads):
        layer_pass = LayerPass(
            opened.net, opened.card, named, batch_size=batch_size, device=choose_device(device)
        )
        return probe_layers(
            opened,
            layer_pass,
            data,
            counts=(max_train, max_images),
            data_dir=data_dir,
            on_progress=on_progress,
        )


def probe_layers(
    opened: OpenedModel,
    layer_pass: LayerPass,
    data: DataLike | None,
    *,
    counts: tuple[int, int] = MOST,
    data_dir: str | Path | None = None,
    on_progress: ActivityProgress = lambda activity, done, total: None,
) -> ProbesResult:
    """Probe the layers of a pass, with at most so many images of the train and the test split."""
    (train, truth, _), (test, wanted, described) = (
        _features(opened, layer_pass, data, split, most, data_dir, on_progress)
        for split, most in zip(_SPLITS, counts, strict=True)
    )
    classes = opened.card.classes
    found: list[LayerProbe] = []
    for number, layer in enumerate(layer_pass.layers):
        count = STEPS * len(layer_pass.layers)

        def on_step(done: int, before: int = STEPS * number, count: int = count) -> None:
            on_progress("Fitting classifiers", before + done, count)

        score = fit_linear(train.vectors[layer.name], truth, len(classes), on_step)
        again, scores = (score(each.vectors[layer.name]) for each in (train, test))
        size = train.vectors[layer.name].shape[1]
        found += _probes_of(layer.name, size, classes, (again, truth), (scores, wanted))
    return ProbesResult(
        opened.name,
        described,
        tuple(found),
        len(truth),
        _baselines(classes, answers(torch.from_numpy(test.logits), opened.card).numpy(), wanted),
        tuple(filter(None, [opened.note])),
    )


def _probes_of(
    name: str,
    size: int,
    classes: Sequence[str],
    train: tuple[Scores, NDArray[Any]],
    test: tuple[Scores, NDArray[Any]],
) -> list[LayerProbe]:
    """The probe of a layer, or those of each label, from scores and truth of both splits."""
    again, hits = _is_correct(*train).mean(0), _is_correct(*test).sum(0)
    count = len(test[1])
    if test[1].ndim == 1:
        return [LayerProbe(name, size, int(hits), count, float(again))]
    areas, _ = auc_figures(test[1] == 1, test[0], classes)
    return [
        LayerProbe(name, size, int(hits[k]), count, float(again[k]), label, areas[k])
        for k, label in enumerate(classes)
    ]


def _baselines(
    classes: Sequence[str], said: NDArray[np.int64], truth: NDArray[Any]
) -> tuple[Baseline, ...]:
    hits = (said == truth).sum(0)
    if truth.ndim == 1:
        return (Baseline(int(hits), float(np.bincount(truth).max() / len(truth))),)
    shares = truth.mean(0)
    return tuple(
        Baseline(int(hits[k]), float(max(shares[k], 1 - shares[k])), label)
        for k, label in enumerate(classes)
    )


def _is_correct(scores: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether images are classified right, (n,); of several labels each, (n, classes)."""
    return scores.argmax(1) == truth if truth.ndim == 1 else (scores > 0) == truth


def _features(
    opened: OpenedModel,
    layer_pass: LayerPass,
    data: DataLike | None,
    split: Split,
    most: int,
    data_dir: str | Path | None,
    on_progress: ActivityProgress,
) -> tuple[PooledFeatures, NDArray[Any], str]:
    """Features and classes, or labels, of the images of a split, and which images these are."""
    request = DataRequest(
        split=split, data_dir=Path(data_dir) if data_dir else None, image_column=None,
        label_column=None,
    )  # fmt: skip
    images = open_images(opened, data, request, on_progress=partial(on_progress, "Reading images"))
    indices = spread(images.indices, most)
    features = pooled_features(
        layer_pass, images.loaded.batch_source, indices,
        on_progress=partial(on_progress, f"Computing features ({split})"),
    )  # fmt: skip
    truth = np.asarray(images.loaded.dataset.truth(indices), np.int64)
    return features, truth, images.description
