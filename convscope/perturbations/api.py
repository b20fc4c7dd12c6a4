"""`convscope.robustness`: accuracy on corrupted images, and what moved images do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.card import Card, refuse_objects
from convscope.data.normalize import normalize
from convscope.data.source import DataLike
from convscope.errors import RequestError
from convscope.evaluation.figures import Figure, mean, numbered, proportion
from convscope.evaluation.measure import compute_metrics
from convscope.evaluation.opening import open_trained
from convscope.evaluation.result import groups_of
from convscope.evaluation.selection import DataRequest
from convscope.features.image_set import ImageSet, open_images
from convscope.forward import call_network, like_parameters
from convscope.inference import inference_mode
from convscope.models import ModelLike, OpenedModel
from convscope.perturbations.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from convscope.perturbations.moves import (
    Matrix,
    correlation,
    follows,
    moved,
    moves,
    predictions_and_maps,
)
from convscope.runs.own_code import Consent
from convscope.weights.source import WeightsSource

IMAGES = 500
_BATCH = 50
_SEED = 0

ActivityProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Moved:
    """What one move of the images does.

    Attributes:
        kind: "shift", "flip", "rotation" or "scale".
        name: how far: "2 px", "10°", "x 0.5".
        same: the share of images whose answer stays.
        accuracy: of the moved images.
        maps: the correlation of the last maps of moved images with the maps moved likewise: 1 where
            they move along; None where there are no maps.
    """

    kind: str
    name: str
    same: Figure
    accuracy: Figure
    maps: float | None


@dataclass(frozen=True)
class RobustnessResult:
    """What `convscope.robustness` returns.

    Attributes:
        model, data: what was measured on which images.
        images: how many.
        error: of the images as they are, with its interval.
        errors: by corruption, the error at each of five strengths.
        mean_error: over all corruptions and strengths (not divided by the errors of AlexNet, as the
            paper's mCE is), with its interval over images, or over groups of them.
        moved: shifts, flips, rotations and scales.
    """

    model: str
    data: str
    images: int
    error: Figure
    errors: dict[str, tuple[Figure, ...]]
    mean_error: Figure
    moved: tuple[Moved, ...]

    def corruption_rows(self) -> list[list[str]]:
        """A header and a row for each corruption: its error at each strength, and their mean."""
        head = ["error", *map(str, range(1, STRENGTHS + 1)), "mean"]
        return [
            head,
            *(
                [
                    name,
                    *(f"{each.value:.1%}" for each in figures),
                    f"{np.mean([each.value for each in figures]):.1%}",
                ]
                for name, figures in self.errors.items()
            ),
        ]

    def moved_rows(self) -> list[list[str]]:
        """A header and a row for each move."""
        return [
            ["images", "answers that stay", "accuracy", "maps that move along"],
            *(
                [
                    f"{each.kind} {each.name}",
                    f"{each.same.value:.1%}",
                    f"{each.accuracy.value:.1%}",
                    "–" if each.maps is None else f"{each.maps:.2f}",
                ]
                for each in self.moved
            ),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Values of JSON."""
        return {
            "model": self.model,
            "data": self.data,
            "images": self.images,
            "error": self.error.to_dict(),
            "mean_corruption_error": self.mean_error.to_dict(),
            "corruptions": {
                name: [each.to_dict() for each in figures] for name, figures in self.errors.items()
            },
            "moved": [
                {
                    "kind": each.kind,
                    "name": each.name,
                    "same": each.same.to_dict(),
                    "accuracy": each.accuracy.to_dict(),
                    "maps": each.maps,
                }
                for each in self.moved
            ],
        }


def robustness(
    run: ModelLike,
    data: DataLike | None = None,
    *,
    corruptions: Sequence[str] | None = None,
    max_images: int = IMAGES,
    model: str | nn.Module | None = None,
    trust: bool = False,
    weights: WeightsSource | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    data_dir: str | Path | None = None,
    on_progress: ActivityProgress = lambda activity, done, total: None,
) -> RobustnessResult:
    """Measure a trained network on corrupted and on moved test images.

    At most `max_images` are taken, evenly out of all, of the run's own test images or of `data`.
    `corruptions` are names of `convscope.perturbations.corruptions.CORRUPTIONS`, by default all,
    each at five strengths. They are applied to the images as they are fed, before normalization.

    Raises RequestError for unknown corruptions, and as `evaluate` does.
    """
    names = list(corruptions or CORRUPTIONS)
    for name in names:
        if name not in CORRUPTIONS:
            raise RequestError(
                f"There is no corruption {name!r}. Corruptions: {', '.join(CORRUPTIONS)}."
            )
    if max_images < 2:
        raise RequestError("`max_images` must be at least 2.")
    opened = open_trained(
        run, weights=weights, pretrained=pretrained, card=card, consent=Consent(model, trust)
    )
    refuse_objects(opened.card)
    folder = Path(data_dir) if data_dir else None
    request = DataRequest(split=None, data_dir=folder, image_column=None, label_column=None)
    images = open_images(
        opened, data, request, on_progress=lambda d, t: on_progress("Reading images", d, t)
    )
    measured = _Measured.of(opened, images, max_images)
    errors: dict[str, tuple[Figure, ...]] = {}
    wrong = np.zeros(len(measured.indices))
    for number, name in enumerate(names):
        on_progress("Corrupting images", number, len(names))
        found = [measured.wrong(_Corruption(name, k)) for k in range(1, STRENGTHS + 1)]
        errors[name] = tuple(measured.share(each) for each in found)
        wrong += np.sum(found, axis=0) / (STRENGTHS * len(names))
    on_progress("Corrupting images", len(names), len(names))
    return RobustnessResult(
        opened.name if opened.run is None else str(opened.run.path),
        images.description,
        len(measured.indices),
        measured.share(measured.wrong(lambda images: images)),
        errors,
        mean(wrong, measured.groups),
        tuple(measured.moved(on_progress)),
    )


@dataclass(frozen=True)
class _Corruption:
    name: str
    strength: int

    def __call__(self, images: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(_SEED)
        return corrupt(images, self.name, self.strength, generator)


@dataclass(frozen=True)
class _Measured:
    """A network, and images of which each is changed in several ways."""

    opened: OpenedModel
    set: ImageSet
    indices: NDArray[np.int64]
    truth: NDArray[Any]
    groups: NDArray[np.int64] | None

    @classmethod
    def of(cls, opened: OpenedModel, images: ImageSet, most: int) -> "_Measured":
        every = images.indices
        count = min(most, len(every))
        indices = every[np.arange(count) * len(every) // count]
        dataset = images.loaded.dataset
        groups = numbered(groups_of(dataset, indices))
        return cls(opened, images, indices, dataset.truth(indices), groups)

    def batches(self) -> list[Tensor]:
        """The bytes as numbers of 0..1, (n, c, h, w)."""
        parts = [
            self.indices[start : start + _BATCH] for start in range(0, len(self.indices), _BATCH)
        ]
        source = self.set.loaded.batch_source
        return [batch.permute(0, 3, 1, 2).float() / 255 for batch in source.batches(parts)]

    def wrong(self, change: Callable[[Tensor], Tensor]) -> NDArray[np.float64]:
        """Whether each image (n,) is answered wrongly when it is changed."""
        net, card = self.opened.net, self.opened.card
        with inference_mode(net):
            outputs = [
                call_network(net, self._fed(change(batch)), len(card.classes)).float()
                for batch in self.batches()
            ]
        found = compute_metrics(torch.cat(outputs), self.truth, card)
        return (~found.is_correct).astype(np.float64)

    def share(self, wrong: NDArray[np.float64]) -> Figure:
        """An error with its interval, which counts images of a group as dependent."""
        if self.groups is None:
            return proportion(float(wrong.sum()), len(wrong))
        return mean(wrong, self.groups)

    def moved(self, on_progress: ActivityProgress) -> list[Moved]:
        net, card = self.opened.net, self.opened.card
        known = [
            (kind, name, matrix)
            for kind, each in moves(card.input_size).items()
            for name, matrix in each.items()
        ]
        classes, batches = len(card.classes), self.batches()
        before = [predictions_and_maps(net, self._fed(batch), classes) for batch in batches]
        own = compute_metrics(torch.cat([out.float() for out, _ in before]), self.truth, card)
        found: list[Moved] = []
        for number, (kind, name, matrix) in enumerate(known):
            on_progress("Moving images", number, len(known))
            outputs, maps = self._moved(batches, [old for _, old in before], matrix)
            after = compute_metrics(outputs, self.truth, card)
            same = (after.predicted == own.predicted).reshape(len(self.indices), -1).all(1)
            found.append(
                Moved(
                    kind,
                    name,
                    self.share(same.astype(np.float64)),
                    self.share(after.is_correct.astype(np.float64)),
                    maps,
                )
            )
        on_progress("Moving images", len(known), len(known))
        return found

    def _moved(
        self, batches: Sequence[Tensor], before: Sequence[Tensor], matrix: Matrix
    ) -> tuple[Tensor, float | None]:
        outputs: list[Tensor] = []
        sums = (0.0, 0.0, 0.0)
        for batch, old in zip(batches, before, strict=True):
            fed = self._fed(moved(batch, matrix))
            out, new = predictions_and_maps(self.opened.net, fed, len(self.opened.card.classes))
            outputs.append(out.float())
            a, b, c = follows(old, new, matrix)
            sums = (sums[0] + a, sums[1] + b, sums[2] + c)
        return torch.cat(outputs), correlation(sums)

    def _fed(self, images: Tensor) -> Tensor:
        """Images (n, c, h, w) of 0..1 as the network gets them."""
        bytes_ = (images * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous()
        fed = normalize(bytes_, self.opened.card, channels_last=False)
        return like_parameters(self.opened.net, fed)
