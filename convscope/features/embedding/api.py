"""`embed`: a map of images by what a layer makes of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.card import Card, ResizeMode
from convscope.data.dataset import Split, name_answer
from convscope.data.images import ImageLike, list_images, open_image
from convscope.data.resize import resize_image
from convscope.data.source import DataLike
from convscope.data.unreadable import UnreadableImage
from convscope.device import choose_device, threads_set
from convscope.errors import RequestError
from convscope.errors import nearest as nearest_name
from convscope.evaluation.opening import open_trained
from convscope.evaluation.selection import DataRequest
from convscope.features.embedding.output import check_output, write_map
from convscope.features.embedding.projection import Method, check_method, project
from convscope.features.embedding.result import EmbeddingResult, LabelColors, Neighbors
from convscope.features.embedding.trust import measure_trust, nearest_images
from convscope.features.image_set import ImageSet, open_images
from convscope.features.layer_pass import LayerPass
from convscope.features.pooled import PooledFeatures, pooled_features, spread
from convscope.inference import answers
from convscope.models import ModelLike, OpenedModel
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms
from convscope.weights.class_names import ClassNamesLike
from convscope.weights.preprocessing import InputSettings, PerChannel
from convscope.weights.source import WeightsSource

ActivityProgress = Callable[[str, int, int], None]
"""Gets what is being done, how many images are done, and of how many."""

_FEWEST = 4  # images of a map


@takes_synonyms
def embed(
    run: ModelLike,
    data: DataLike | None = None,
    *,
    layer: str | None = None,
    method: str = "pca",
    max_images: int = 2000,
    label: str | None = None,
    nearest: ImageLike | Iterable[ImageLike] = (),
    num_nearest: int = 6,
    seed: int = 0,
    output: str | Path | None = None,
    split: Split | None = None,
    model: str | nn.Module | None = None,
    trust: bool = False,
    weights: WeightsSource | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    class_names: ClassNamesLike | None = None,
    input_size: int | tuple[int, int] | None = None,
    resize_mode: ResizeMode | None = None,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
    data_dir: str | Path | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    on_progress: ActivityProgress = lambda activity, done, total: None,
) -> EmbeddingResult:
    """Draw a map of images: two that a layer makes alike lie near each other.

    The images are those that `evaluate` takes: without `data`, the test split of the run; at most
    `max_images`, evenly out of all. Each is the vector of its units at `layer`, after the
    activation function; of maps, the mean of each. By default the last hidden layer.

    Args:
        run: a run, or a network with weights, as in `evaluate`.
        data: other data than the run's own.
        layer: by name, as in a recording.
        method: "pca"; "tsne" (scikit-learn, the extra `embed`); "umap" (umap-learn, `umap`).
        label: where an image may have several labels, the one that colors the map at first; by
            default the most frequent one. The page can change it.
        nearest: images of which the `num_nearest` nearest images are found, by the Euclidean
            distance at the layer, as in Krizhevsky et al. (2012).
        output: a page (.html), with a table (.csv) beside it; or the table alone.

    Raises RequestError for an unknown layer or method, and as `evaluate` does.
    """
    if max_images < _FEWEST or num_nearest < 1:
        raise RequestError(
            f"`max_images` must be at least {_FEWEST}, and `num_nearest` at least 1."
        )
    chosen, target = check_method(method), None if output is None else check_output(output)
    opened = open_trained(
        run,
        weights=weights,
        pretrained=pretrained,
        card=card,
        class_names=class_names,
        settings=InputSettings(input_size=input_size, resize_mode=resize_mode, mean=mean, std=std),
        consent=Consent(model, trust),
    )
    _check_label(label, opened.card)
    queries = _queries(nearest, opened.card)
    request = DataRequest(
        split=split,
        data_dir=Path(data_dir) if data_dir else None,
        image_column=image_column,
        label_column=label_column,
    )
    with threads_set(threads):
        layer_pass = _layer_pass(opened, layer, batch_size, device)
        images = open_images(
            opened, data, request, on_progress=partial(on_progress, "Reading images")
        )
        result, features = draw_map(
            opened,
            layer_pass,
            images,
            method=chosen,
            max_images=max_images,
            seed=seed,
            label=label,
            on_progress=on_progress,
        )
        neighbors = _neighbors(layer_pass, queries, features, num_nearest, opened.card)
    result = replace(result, neighbors=neighbors)
    if target is not None:
        write_map(result, target)
    return result


def draw_map(
    opened: OpenedModel,
    layer_pass: LayerPass,
    images: ImageSet,
    *,
    method: Method,
    max_images: int,
    seed: int,
    label: str | None = None,
    on_progress: ActivityProgress,
) -> tuple[EmbeddingResult, PooledFeatures]:
    """The map of an open network at the first layer of a pass, and the vectors it is made of."""
    indices = spread(images.indices, max_images)
    if len(indices) < _FEWEST:
        raise RequestError(f"A map needs {_FEWEST} images; there are {len(indices)}.")
    features = pooled_features(
        layer_pass, images.loaded.batch_source, indices, keep_pixels=True,
        on_progress=partial(on_progress, "Computing features"),
    )  # fmt: skip
    name = layer_pass.layers[0].name
    vectors = features.vectors[name]
    on_progress("Drawing the map", 0, 1)
    points, about = project(vectors, method, seed=seed)
    dataset, classes = images.loaded.dataset, opened.card.classes
    truth = np.asarray(dataset.truth(indices), np.int64)
    said = answers(torch.from_numpy(features.logits), opened.card).numpy()
    colors = _colors(truth, said, classes) if truth.ndim == 2 else ()
    labels, predicted = truth, said
    if colors:
        shown = colors[classes.index(label) if label else int(truth.sum(0).argmax())]
        labels, predicted, classes = shown.labels, shown.predicted, shown.classes
    result = EmbeddingResult(
        model=opened.name,
        data=images.description,
        num_all=len(images.indices),
        layer=name,
        num_features=vectors.shape[1],
        method=method,
        about=about,
        points=points,
        names=tuple(images.keys(indices.tolist())),
        labels=labels,
        predicted=predicted,
        classes=classes,
        pixels=_pixels(features),
        truths=tuple(name_answer(each, opened.card.classes) for each in truth),
        answers=tuple(name_answer(each, opened.card.classes) for each in said),
        colors=colors,
        trust=measure_trust(vectors, points, labels),
        notes=_notes(opened, images),
    )
    return result, features


def _check_label(label: str | None, card: Card) -> None:
    if label is None:
        return
    if card.task != "multi-label":
        raise RequestError(
            "`label` is for images that may have several labels; these have one class each, by "
            "which the map is colored. Leave it out."
        )
    if label not in card.classes:
        raise RequestError(
            f"The network has no label {label!r}.{nearest_name(label, card.classes)}"
        )


def _colors(
    truth: NDArray[np.int64], said: NDArray[np.int64], classes: Sequence[str]
) -> tuple[LabelColors, ...]:
    return tuple(LabelColors(name, truth[:, k], said[:, k]) for k, name in enumerate(classes))


def _layer_pass(
    opened: OpenedModel, layer: str | None, batch_size: int | None, device: str
) -> LayerPass:
    """A pass with one layer: by default the last before that of the classes."""
    names = [layer] if layer is not None else None
    place = choose_device(device)
    if names is None:
        hidden = LayerPass(opened.net, opened.card, None).layers
        names = [hidden[-2 if len(hidden) > 1 else -1].name]
    return LayerPass(opened.net, opened.card, names, batch_size=batch_size, device=place)


def _queries(
    nearest: ImageLike | Iterable[ImageLike], card: Card
) -> list[tuple[str, NDArray[np.uint8]]]:
    listed = list_images(nearest)
    found: list[tuple[str, NDArray[np.uint8]]] = []
    for number, image in enumerate(listed, 1):
        name = str(image) if isinstance(image, str | Path) else f"image {number}"
        try:
            found.append((name, resize_image(open_image(image, card), card)))
        except UnreadableImage as error:
            raise RequestError(f"{name} {str(error).rstrip('.')}.") from error
    return found


def _neighbors(
    layer_pass: LayerPass,
    queries: Sequence[tuple[str, NDArray[np.uint8]]],
    features: PooledFeatures,
    count: int,
    card: Card,
) -> tuple[Neighbors, ...]:
    name = layer_pass.layers[0].name
    found: list[Neighbors] = []
    for image, pixels in queries:
        batch = layer_pass.run(np.zeros(1, np.int64), torch.tensor(pixels)[None])
        units = batch.units[name].float()
        units = units.mean((2, 3)) if units.ndim == 4 else units
        order, distances = nearest_images(features.vectors[name], units[0].cpu().numpy(), count)
        [answer] = answers(batch.logits.float().cpu(), card).numpy()
        predicted = name_answer(answer, card.classes)
        found.append(
            Neighbors(image, pixels, predicted, tuple(order.tolist()), tuple(distances.tolist()))
        )
    return tuple(found)


def _pixels(features: PooledFeatures) -> NDArray[np.uint8]:
    assert features.pixels is not None
    return features.pixels


def _notes(opened: OpenedModel, images: ImageSet) -> tuple[str, ...]:
    return tuple(filter(None, (opened.note, *images.loaded.dataset.warnings)))
