"""`predict`: labels and probabilities for images."""

import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from convscope.card import Card, ResizeMode
from convscope.data.depth import note_of, to_bytes
from convscope.data.image_files import find_image_files
from convscope.data.images import ImageLike, list_images, name_image, open_image
from convscope.data.loading import ProgressCallback
from convscope.data.normalize import normalize
from convscope.data.resize import resize_image
from convscope.data.survey import describe_notes
from convscope.data.unreadable import UnreadableImage
from convscope.data.walk import describe_left_out
from convscope.device import threads_set
from convscope.distributed.group import Group
from convscope.distributed.joining import joined, own_device
from convscope.errors import RequestError
from convscope.evaluation.batch_size import choose_feeding
from convscope.evaluation.measure import compute_logits
from convscope.evaluation.opening import open_trained
from convscope.evaluation.predictions import (
    THUMBNAILS,
    Prediction,
    Predictions,
    expected_grade,
    thumbnail,
)
from convscope.inference import probabilities
from convscope.models import ModelLike
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms
from convscope.weights.class_names import ClassNamesLike
from convscope.weights.preprocessing import InputSettings, PerChannel
from convscope.weights.source import WeightsSource


@takes_synonyms
def predict(
    run: ModelLike,
    images: ImageLike | Iterable[ImageLike],
    *,
    model: str | nn.Module | None = None,
    trust: bool = False,
    weights: WeightsSource | None = None,
    pretrained: bool = False,
    class_names: ClassNamesLike | None = None,
    input_size: int | tuple[int, int] | None = None,
    resize_mode: ResizeMode | None = None,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
    top: int = 5,
    batch_size: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    on_progress: ProgressCallback = lambda done, total: None,
) -> Predictions:
    """Label images: files, folders (all images below them), glob patterns, PIL images, arrays and
    tensors, one or many; see `convscope.data.images` for the arrays that are taken.

    Each prediction has the `top` most probable classes; where an image may have several labels, all
    with a probability of at least one half, and more of them up to `top`. Images that cannot be
    read are listed and do not stop the others.

    A run of a network of your own needs `model`, that code again, or `trust`: see `convscope.load`.

    `run` may also be a network: a name with `weights` (`torchvision:resnet50`, a file) or with
    `pretrained`, its published ones, or a module that has them. Then `class_names`, `input_size`,
    `resize_mode`, `mean` and `std` are what the weights do not say themselves.

    Processes that torchrun started share the images, and each returns the predictions for all.

    `batch_size` images are computed at a time, by default as many as `evaluate` takes.

    Raises RequestError for a path that does not exist or has no images.
    """
    counts = (top, *(1 if count is None else count for count in (batch_size, threads)))
    if not all(isinstance(count, int) and count >= 1 for count in counts):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise RequestError("`top`, `batch_size` and `threads` must be integers, at least 1.")
    settings = InputSettings(input_size=input_size, resize_mode=resize_mode, mean=mean, std=std)
    with joined() as group:
        opened = open_trained(
            run,
            weights=weights,
            pretrained=pretrained,
            class_names=class_names,
            settings=settings,
            consent=Consent(model, trust),
        )
        net, card = opened.net, opened.card
        torch_device = own_device(device, group)
        net.to(torch_device)
        channels_last, default_size = choose_feeding(net, card, torch_device)
        listed, notes = find_images(images)
        notes = [opened.note, *notes] if opened.note else notes
        mine: list[_Answers] = []
        done = 0
        size = batch_size or default_size
        with threads_set(threads), torch.inference_mode():
            for batch, problems in _load_batches(listed, card, size, group):
                predictions: list[Prediction] = []
                if batch:
                    pixels = torch.from_numpy(np.stack([image.pixels for image in batch]))
                    fed = normalize(pixels.to(torch_device), card, channels_last=channels_last)
                    outputs = compute_logits(net, fed, len(card.classes))
                    scores = probabilities(outputs, card).cpu().numpy()
                    predictions = _ranked([image.name for image in batch], scores, card, top)
                mine.append(_Answers.of(predictions, problems, batch))
                done = min(done + group.size * size, len(listed))
                on_progress(done, len(listed))
        answers = _in_order(group.gathered(mine, "at the predictions"))
    noted = {name: note for part in answers for name, note in part.noted.items()}
    return Predictions(
        tuple(one for part in answers for one in part.predictions),
        tuple(one for part in answers for one in part.unreadable),
        (*notes, *describe_notes(noted)),
        tuple(one for part in answers for one in part.thumbnails),
    )


@dataclass(frozen=True)
class _Answers:
    """What is known of the images of one batch."""

    predictions: list[Prediction]
    unreadable: list[tuple[str, str]]
    thumbnails: list[Image.Image]
    noted: dict[str, str]

    @classmethod
    def of(
        cls,
        predictions: list[Prediction],
        unreadable: list[tuple[str, str]],
        images: "Sequence[_Loaded]",
    ) -> "_Answers":
        thumbnails = [image.thumbnail for image in images if image.thumbnail]
        noted = {image.name: image.note for image in images if image.note}
        return cls(predictions, unreadable, thumbnails, noted)


def _in_order(of_processes: Sequence[Sequence[_Answers]]) -> list[_Answers]:
    """The batches in order, which the processes took in turn."""
    turns = itertools.zip_longest(*of_processes)
    return [answers for turn in turns for answers in turn if answers is not None]


@dataclass(frozen=True)
class _Loaded:
    """An image for the network (h, w, c), what is to say of it, and a small copy of the first."""

    name: str
    pixels: NDArray[np.uint8]
    note: str
    thumbnail: Image.Image | None


def find_images(images: ImageLike | Iterable[ImageLike]) -> tuple[list[ImageLike], list[str]]:
    """All images that are meant, in order: each file once, folders sorted; and notes on others."""
    if isinstance(images, TorchDataset | DataLoader):
        raise RequestError(
            "`predict` takes images. For a data set with labels there is `evaluate(run, "
            "dataset).per_image`; else `predict(run, [image for image, _ in dataset])`."
        )
    listed = list_images(images)
    if not listed:
        raise RequestError("Pass at least one image: a file, folder, glob pattern, or an array.")
    found: dict[object, ImageLike] = {}
    left_out: Counter[str] = Counter()
    for index, image in enumerate(listed):
        if isinstance(image, str | os.PathLike):
            files = find_image_files(image)
            found |= {path: path for path in files.paths}
            left_out += files.left_out
        else:
            found[index] = image
    notes = [f"Left out files that are not read as images: {describe_left_out(left_out)}."]
    return list(found.values()), notes if left_out else []


def _load_batches(
    images: Sequence[ImageLike], card: Card, size: int, group: Group
) -> Iterator[tuple[list[_Loaded], list[tuple[str, str]]]]:
    """Per batch that is this process's: its readable images, and (name, reason) of the others."""

    def load(index: int) -> _Loaded | tuple[str, str]:
        name = name_image(images[index], index)
        try:
            image = open_image(images[index], card)
            pixels = resize_image(image, card)
            small = thumbnail(to_bytes(image, card.value_range)) if index < THUMBNAILS else None
        except UnreadableImage as error:
            return name, str(error)
        return _Loaded(name, pixels, note_of(image), small)

    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="convscope-decode") as pool:
        for start in range(0, len(images), size)[group.rank :: group.size]:
            results = list(pool.map(load, range(start, min(start + size, len(images)))))
            yield (
                [result for result in results if isinstance(result, _Loaded)],
                [result for result in results if isinstance(result, tuple)],
            )


def _ranked(
    names: Sequence[str], probabilities: NDArray[np.float64], card: Card, top: int
) -> list[Prediction]:
    order = np.argsort(-probabilities, axis=1, kind="stable")
    predictions: list[Prediction] = []
    for name, row, ranked in zip(names, probabilities, order, strict=True):
        labels, count = None, top
        if card.task == "multi-label":
            is_label = row >= np.array(card.label_thresholds)
            first = [int(index) for index in ranked if is_label[index]]
            ranked = [*first, *(index for index in ranked if not is_label[index])]  # noqa: PLW2901
            labels = tuple(card.classes[index] for index in first)
            count = max(top, len(labels))
        grade = expected_grade(row) if card.task == "ordinal" else None
        best = tuple((card.classes[int(index)], float(row[int(index)])) for index in ranked[:count])
        predictions.append(Prediction(name, best, labels, grade))
    return predictions
