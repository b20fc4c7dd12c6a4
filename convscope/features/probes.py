"""Linear probes: how well a linear classifier tells the classes from each layer's features.

Alain & Bengio, "Understanding intermediate layers using linear classifier probes", 2016. What rises
from layer to layer is how directly the classes can be read, which people call abstraction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from convscope.evaluation.metrics import wilson_interval
from convscope.evaluation.opening import open_trained
from convscope.evaluation.selection import DataRequest
from convscope.features.image_set import open_images
from convscope.features.layer_pass import LayerPass
from convscope.features.pooled import PooledFeatures, Vectors, pooled_features, spread
from convscope.models import ModelLike, OpenedModel
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms
from convscope.weights.source import WeightsSource
from convscope.words import visible

ActivityProgress = Callable[[str, int, int], None]

_STEPS = 200  # of L-BFGS at most; it ends earlier where nothing changes
_SPLITS: tuple[Split, Split] = ("train", "test")


@dataclass(frozen=True)
class LayerProbe:
    """What a linear classifier reads from a layer.

    Attributes:
        layer: its name.
        num_features: units of a dense layer, or maps, of which the means are taken.
        num_correct: of `num_images` test images.
        interval: of the accuracy, 95%, Wilson.
        train_accuracy: on the images that the classifier was fitted to; far above the accuracy, it
            is overfitted, and more training images would help.
    """

    layer: str
    num_features: int
    num_correct: int
    num_images: int
    train_accuracy: float

    @property
    def accuracy(self) -> float:
        return self.num_correct / self.num_images

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.num_correct, self.num_images)


@dataclass(frozen=True)
class ProbesResult:
    """Probes of the layers of a network, in the order of the network.

    Attributes:
        model: what the network is called.
        data: which images were tested.
        num_train: images to which the classifiers were fitted.
        network_correct: how many of the test images the network itself predicts right.
        majority: the share of the most frequent class of the test images.
    """

    model: str
    data: str
    layers: tuple[LayerProbe, ...]
    num_train: int
    network_correct: int
    majority: float
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """What was measured, and what the largest class and the network reach."""
        count = self.layers[0].num_images
        fitted = (
            f"Linear probes of {self.model}: fitted to {self.num_train:,} training images, tested "
            f"on {count:,} ({self.data})."
        )
        beside = (
            f"The most frequent class is {self.majority:.2%} of these; the network itself predicts "
            f"{self.network_correct / count:.2%} right."
        )
        return [fitted, beside]

    def __str__(self) -> str:
        rows = "".join(
            f"{visible(each.layer):24} {each.num_features:7,} features  {each.accuracy:7.2%}  "
            f"({each.interval[0]:.2%} to {each.interval[1]:.2%})\n"
            for each in self.layers
        )
        return "".join(f"{visible(line)}\n" for line in self.lines) + rows

    def to_dict(self) -> dict[str, Any]:
        """All figures as values of JSON."""
        return {
            "model": self.model,
            "data": self.data,
            "num_train": self.num_train,
            "network_accuracy": self.network_correct / self.layers[0].num_images,
            "majority": self.majority,
            "layers": [
                {
                    "layer": each.layer,
                    "num_features": each.num_features,
                    "accuracy": each.accuracy,
                    "interval": list(each.interval),
                    "num_images": each.num_images,
                    "train_accuracy": each.train_accuracy,
                }
                for each in self.layers
            ],
            "notes": list(self.notes),
        }


@takes_synonyms
def probes(
    run: ModelLike,
    data: DataLike | None = None,
    *,
    layers: str | Sequence[str] | None = None,
    max_train: int = 5000,
    max_images: int = 2000,
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
    all, of the run's own data or of `data`, which need both splits.

    Raises RequestError for unknown layers, and as `evaluate` does.
    """
    if min(max_train, max_images) < 2:
        raise RequestError("`max_train` and `max_images` must be at least 2.")
    opened = open_trained(
        run, weights=weights, pretrained=pretrained, card=card, consent=Consent(model, trust)
    )
    if opened.card.task == "multi-label":
        raise RequestError("`probes` tells classes apart, and these images have several labels.")
    named = [layers] if isinstance(layers, str) else layers
    with threads_set(threads):
        layer_pass = LayerPass(
            opened.net, opened.card, named, batch_size=batch_size, device=choose_device(device)
        )
        (train, truth, _), (test, wanted, described) = (
            _features(opened, layer_pass, data, split, most, data_dir, on_progress)
            for split, most in zip(_SPLITS, (max_train, max_images), strict=True)
        )
        found: list[LayerProbe] = []
        for number, layer in enumerate(layer_pass.layers):
            on_progress("Fitting classifiers", number, len(layer_pass.layers))
            predict = fit_linear(train.vectors[layer.name], truth, len(opened.card.classes))
            hits = int((predict(test.vectors[layer.name]) == wanted).sum())
            again = float((predict(train.vectors[layer.name]) == truth).mean())
            size = train.vectors[layer.name].shape[1]
            found.append(LayerProbe(layer.name, size, hits, len(wanted), again))
    return ProbesResult(
        opened.name,
        described,
        tuple(found),
        len(truth),
        int((test.logits.argmax(1) == wanted).sum()),
        float(np.bincount(wanted).max() / len(wanted)),
        tuple(filter(None, [opened.note])),
    )


def _features(
    opened: OpenedModel,
    layer_pass: LayerPass,
    data: DataLike | None,
    split: Split,
    most: int,
    data_dir: str | Path | None,
    on_progress: ActivityProgress,
) -> tuple[PooledFeatures, NDArray[np.int64], str]:
    """Features and classes of the images of a split, and which images these are."""
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
    labels = np.asarray(images.loaded.dataset.labels[indices], np.int64)
    return features, labels, images.description


def fit_linear(
    vectors: Vectors, labels: NDArray[np.int64], num_classes: int
) -> Callable[[Vectors], NDArray[np.int64]]:
    """Fit multinomial logistic regression; returns what predicts classes (n,) for vectors (n, c).

    Minimizes Σ cross-entropy + |W|² / 2 over standardized features by L-BFGS in float64, from 0; no
    penalty on the biases. A constant feature counts as 0.
    """
    values = torch.from_numpy(vectors).double()
    mean, deviation = values.mean(0), values.std(0, correction=0)
    scale = torch.where(deviation > 1e-12, deviation, torch.inf)
    fed, truth = (values - mean) / scale, torch.from_numpy(labels)
    weight = torch.zeros(num_classes, values.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(num_classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=_STEPS, line_search_fn="strong_wolfe", tolerance_grad=1e-6
    )

    def loss() -> float:
        optimizer.zero_grad()
        logits = fed @ weight.mT + bias
        total = nn.functional.cross_entropy(logits, truth, reduction="sum")
        total = (total + weight.square().sum() / 2) / len(truth)
        torch.autograd.backward([total])
        return float(total.detach())

    with torch.inference_mode(mode=False), torch.enable_grad():
        optimizer.step(loss)

    def predict(others: Vectors) -> NDArray[np.int64]:
        with torch.no_grad():
            logits = (torch.from_numpy(others).double() - mean) / scale @ weight.mT + bias
        return logits.argmax(1).numpy()

    return predict
