"""What `probes` returns: how well linear classifiers read classes or labels from layers."""

from dataclasses import dataclass
from typing import Any

from convscope.evaluation.figures import Figure
from convscope.evaluation.metrics import wilson_interval
from convscope.words import visible


@dataclass(frozen=True)
class LayerProbe:
    """What a linear classifier reads from a layer.

    Attributes:
        layer: its name.
        num_features: units of a dense layer, or maps, of which the means are taken.
        num_correct: of `num_images` test images.
        train_accuracy: on the images that the classifier was fitted to; far above the accuracy, it
            is overfitted, and more training images would help.
        label: the label that is told from its absence, where an image may have several; else "".
        area: under the ROC curve of that label, with DeLong's interval; None without labels.
    """

    layer: str
    num_features: int
    num_correct: int
    num_images: int
    train_accuracy: float
    label: str = ""
    area: Figure | None = None

    @property
    def accuracy(self) -> float:
        return self.num_correct / self.num_images

    @property
    def interval(self) -> tuple[float, float]:
        """Of the accuracy, 95%, Wilson."""
        return wilson_interval(self.num_correct, self.num_images)

    def to_dict(self) -> dict[str, Any]:
        """The figures as values of JSON."""
        values: dict[str, Any] = {
            "layer": self.layer,
            "num_features": self.num_features,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "num_images": self.num_images,
            "train_accuracy": self.train_accuracy,
        }
        if self.area is not None:
            values |= {"label": self.label, "auc": self.area.to_dict()}
        return values

    def __str__(self) -> str:
        low, high = self.interval
        what = f"  {visible(self.label)}" if self.label else ""
        area = "" if self.area is None else f"  AUC {self.area}"
        share = f"{self.accuracy:7.2%}  ({low:.2%} to {high:.2%})"
        share = f"{self.accuracy:7.2%}  ({low:.2%} to {high:.2%})"
        size = f"{self.num_features:7,} features{what}"
        return f"{visible(self.layer):24} {size}  {share}{area}"


@dataclass(frozen=True)
class Baseline:
    """What probes are compared with, of the test images.

    Attributes:
        network_correct: how many the network itself predicts right.
        majority: the share of the most frequent class; of a label, of having it or not.
        label: which label, where an image may have several; else "".
    """

    network_correct: int
    majority: float
    label: str = ""


@dataclass(frozen=True)
class ProbesResult:
    """Probes of the layers of a network, in the order of the network.

    Attributes:
        model: what the network is called.
        data: which images were tested.
        layers: one for each layer; where an image may have several labels, for each label of it.
        num_train: images to which the classifiers were fitted.
        baselines: one, or one for each label.
    """

    model: str
    data: str
    layers: tuple[LayerProbe, ...]
    num_train: int
    baselines: tuple[Baseline, ...]
    notes: tuple[str, ...] = ()

    def of(self, layer: str) -> tuple[LayerProbe, ...]:
        """The probes of a layer: one, or one for each label."""
        return tuple(each for each in self.layers if each.layer == layer)

    @property
    def lines(self) -> list[str]:
        """What was measured, and what the largest class and the network reach."""
        count = self.layers[0].num_images
        fitted = (
            f"Linear probes of {self.model}: fitted to {self.num_train:,} training images, tested "
            f"on {count:,} ({self.data})."
        )
        return [fitted, *(_line(each, count) for each in self.baselines)]

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in (*map(visible, self.lines), *self.layers))

    def to_dict(self) -> dict[str, Any]:
        """All figures as values of JSON."""
        count = self.layers[0].num_images
        beside = [
            {"network_accuracy": each.network_correct / count, "majority": each.majority}
            for each in self.baselines
        ]
        if any(each.label for each in self.baselines):
            names = [each.label for each in self.baselines]
            compared: dict[str, Any] = {"labels": dict(zip(names, beside, strict=True))}
        else:
            compared = beside[0]
        return {
            "model": self.model,
            "data": self.data,
            "num_train": self.num_train,
            **compared,
            "layers": [each.to_dict() for each in self.layers],
            "notes": list(self.notes),
        }


def _line(baseline: Baseline, count: int) -> str:
    right = f"predicts {baseline.network_correct / count:.2%} right."
    if not baseline.label:
        return (
            f"The most frequent class is {baseline.majority:.2%} of these; the network itself "
            f"{right}"
        )
    return (
        f"{baseline.label}: a constant answer is right for {baseline.majority:.2%} of these; the "
        f"network itself {right}"
    )
