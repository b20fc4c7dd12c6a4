"""`localize`: find the objects that a classifier names, and score the boxes by ILSVRC's rule."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor, nn

from convscope.card import Card, refuse_objects
from convscope.data.boxes.files import read_boxes
from convscope.data.classes import quote_names
from convscope.data.dataset import Split
from convscope.data.source import DataLike
from convscope.errors import RequestError
from convscope.evaluation.opening import open_trained
from convscope.evaluation.selection import DataRequest
from convscope.features.image_set import open_images
from convscope.localization.component import Edges
from convscope.localization.finder import Finder, Method, Regression
from convscope.localization.located import LocatedImages, Progress
from convscope.localization.maps import THRESHOLD, MapMethod
from convscope.localization.placing import to_input
from convscope.localization.regression import EPOCHS, BoxRegressor, Features, train_regressor
from convscope.localization.result import LocalizationResult
from convscope.models import ModelLike
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms
from convscope.weights.class_names import ClassNamesLike
from convscope.weights.preprocessing import InputSettings
from convscope.weights.source import WeightsSource

METHODS: tuple[Method, ...] = (*get_args(MapMethod), *get_args(Regression))
_FEWEST = 10  # images from which a regressor is trained


@takes_synonyms
def localize(
    run: ModelLike,
    data: DataLike | None = None,
    *,
    boxes: str | Path,
    method: Method = "grad-cam",
    threshold: float = THRESHOLD,
    layer: str | None = None,
    split: Split | None = None,
    max_images: int | None = None,
    epochs: int = EPOCHS,
    seed: int = 0,
    model: str | nn.Module | None = None,
    trust: bool = False,
    weights: WeightsSource | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    class_names: ClassNamesLike | None = None,
    data_dir: str | Path | None = None,
    on_progress: Progress = lambda activity, done, total: None,
) -> LocalizationResult:
    """Find the objects that a trained classifier names, and score the boxes by ILSVRC's rule.

    `run`, `data`, `split`, `model`, `trust`, `weights`, `pretrained`, `card` and `class_names` are
    those of `convscope.evaluate`. `boxes` are the true ones: a folder of Pascal VOC's XML files, a
    JSON file of COCO's, or a CSV file; see `convscope.data.boxes` for what their numbers mean.

    By default boxes are made without having seen any: around the largest part of a class's map
    (`method`: grad-cam, cam, hires-cam, layer-cam, as in `attribute`; `layer` as there) above
    `threshold` of its maximum. "regressor" trains one on the boxes of the training split, the same
    for all classes, "regressor-per-class" one with a box for each, over `epochs` from `seed`; the
    classifier stays as it is.

    An image counts as localized where one of its five most probable classes is right and its box
    overlaps a true one of that class by at least 0.5. Images without a true box are left out.

    Raises RequestError for images that have several labels, for boxes of no image, and for what
    cannot be read.
    """
    _check(method, threshold, max_images, epochs)
    opened = open_trained(
        run,
        weights=weights,
        pretrained=pretrained,
        card=card,
        class_names=class_names,
        settings=InputSettings(),
        consent=Consent(model, trust),
    )
    refuse_objects(opened.card)
    if opened.card.task == "multi-label":
        raise RequestError(
            f"{opened.name} gives an image any number of labels, and localization by ILSVRC's rule "
            "is of one class. Take a network of single labels."
        )
    truth = read_boxes(boxes)
    request = DataRequest(
        split=split,
        data_dir=Path(data_dir) if data_dir else None,
        image_column=None,
        label_column=None,
    )
    images = open_images(
        opened, data, request, on_progress=lambda done, total: on_progress("reading", done, total)
    )
    located = LocatedImages(opened, truth, images, max_images)
    if not len(located.indices):
        raise RequestError(
            f"{boxes} has no box for any of the {len(images.indices):,} images of "
            f"{images.description}: the first image is "
            f"{images.keys([int(images.indices[0])])[0]}, and the first boxes are of "
            f"{next(iter(truth))}."
        )
    regressor = None
    if method in get_args(Regression):
        taught = open_images(opened, data, replace(request, split="train"))
        trained = LocatedImages(opened, truth, taught, None)
        regressor = _trained(
            trained, is_per_class=method == "regressor-per-class", epochs=epochs, seed=seed,
            on_progress=on_progress,
        )  # fmt: skip
    finder = Finder(opened, method, threshold, layer, regressor)
    found = [*located.images(finder.boxes, on_progress)]
    return LocalizationResult(
        model=opened.name if opened.run is None else str(opened.run.path),
        data=images.description,
        method=_described(method, threshold),
        classes=opened.card.classes,
        images=tuple(found),
        pictures=tuple(located.pictures(found)),
        notes=tuple(located.notes()),
    )


def _check(method: str, threshold: float, max_images: int | None, epochs: int) -> None:
    if method not in METHODS:
        raise RequestError(f"`method` must be one of {', '.join(METHODS)}, not {method!r}.")
    if not 0 < threshold < 1:
        raise RequestError(f"`threshold` is a share of the map's maximum, not {threshold}.")
    if (max_images is not None and max_images < 1) or epochs < 1:
        raise RequestError("`max_images` and `epochs` must be at least 1.")


def _described(method: str, threshold: float) -> str:
    if method in get_args(Regression):
        return {"regressor": "a regressor of one box", "regressor-per-class":
                "a regressor of a box for each class"}[method]  # fmt: skip
    return f"{method} above {threshold:.0%} of its maximum"


def _trained(
    taught: LocatedImages, *, is_per_class: bool, epochs: int, seed: int, on_progress: Progress
) -> tuple[BoxRegressor, Features]:
    """A regressor of the boxes of some images: of each, the largest."""
    if len(taught.indices) < _FEWEST:
        raise RequestError(
            f"Of the training images, {len(taught.indices)} have boxes; a regressor needs "
            f"{_FEWEST} at least. Without boxes: `method='grad-cam'`."
        )
    opened, dataset = taught.opened, taught.set.loaded.dataset
    card, labels = opened.card, dataset.labels[taught.indices]
    if is_per_class and len(np.unique(labels)) < len(card.classes):
        missing = [name for label, name in enumerate(card.classes) if label not in labels]
        raise RequestError(
            f"No training image of {quote_names(missing)} has a box, so none can be regressed for "
            "it. Choose `method='regressor'`, which has one box for all classes."
        )
    rows, boxes, features = list[Tensor](), list[Edges](), None
    for indices, inputs in taught.batches():
        features = features or Features.of(opened.net, inputs[:1])
        rows.append(features.compute(opened.net, inputs))
        for index in indices:
            size = taught.size(index)
            boxes.append(to_input(max(taught.boxes[index], key=_area), size, card))
        on_progress("features", len(boxes), len(taught.indices))
    assert features is not None
    height, width = card.input_size
    targets = torch.tensor(boxes) / torch.tensor([width, height, width, height])
    net = train_regressor(
        torch.cat(rows),
        targets,
        torch.from_numpy(labels),
        num_classes=len(card.classes),
        is_per_class=is_per_class,
        epochs=epochs,
        seed=seed,
        on_epoch=lambda epoch, _loss: on_progress("training", epoch, epochs),
    )
    return net, features


def _area(box: Edges) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
