"""A picture of what a network is shown: images beside what several epochs make of them."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Unpack

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from convscope import synonyms
from convscope.atomic import write_atomically
from convscope.card import Card
from convscope.data.augmentation.own_function import Transform
from convscope.data.augmentation.pipeline import Augmentation
from convscope.data.dataset import Dataset
from convscope.data.larger import whole_image
from convscope.data.loading import LoadedDataset, StreamingBatchSource
from convscope.data.normalize import pixel_statistics
from convscope.data.pixel_digests import SIZE
from convscope.data.source import DataLike
from convscope.device import choose_device
from convscope.errors import RequestError
from convscope.predictions.drawing import draw_on
from convscope.training.api import take_objects
from convscope.training.augmentation import augmentation_of, kept_side
from convscope.training.augmented_boxes import Row, augmented_boxes
from convscope.training.callbacks.base import Callback, CallbackList
from convscope.training.config import AUTO, TrainConfig
from convscope.training.default_network import choose_network
from convscope.training.division import divide
from convscope.training.image_sample import sample_images
from convscope.training.keywords import TrainSettings
from convscope.training.own_augmentation import RequestedAugmentation
from convscope.training.prepare import infer_preprocessing
from convscope.training.recipe import requested_config
from convscope.training.setting import settings_of
from convscope.training.start import open_data
from convscope.training.tasks import settle_task
from convscope.words import visible
from convscope.zoo import default_input

_CELL = 128  # pixels of a cell at least, if that is a whole multiple of the image's
_LARGEST_CELL = 320
_GAP, _LINE, _FONT = 6, 18, 13
_MOST = 64  # images or epochs


def show_augmented(
    data: DataLike = "digits",
    out: str | Path | None = None,
    *,
    count: int = 6,
    shown_epochs: int = 5,
    **settings: Unpack[TrainSettings],
) -> Image.Image:
    """Draw training images beside what the network is shown of them in several epochs.

    `count` images of all classes in turn, one in a row: whole, as it is evaluated, and as the first
    `shown_epochs` epochs have it, before normalization; with the boxes of their objects, gray of
    those that need not be found. `settings` are those of
    `convscope.train`; without `model` they are completed, as there, by the network that fits the
    images. mixup and cutmix are not shown. `out` is a PNG file to write.

    Raises RequestError for an invalid request.
    """
    given, _ = synonyms.translate(settings, ["data", "out", *settings_of(TrainConfig)])
    _, function = take_objects(given)
    config = requested_config(given)
    return draw_sheet(
        data, config, given=given.keys(), out=out, count=count, epochs=shown_epochs,
        function=function,
    )  # fmt: skip


def draw_sheet(
    data: DataLike,
    config: TrainConfig,
    *,
    given: Collection[str] = (),
    out: str | Path | None = None,
    count: int = 6,
    epochs: int = 5,
    function: Transform | None = None,
    callbacks: Sequence[Callback] = (),
) -> Image.Image:
    """`show_augmented` with its settings in one object; `given` are those that a person set."""
    for name, number in (("count", count), ("shown_epochs", epochs)):
        if not 1 <= number <= _MOST:
            raise RequestError(f"`{name}` must be between 1 and {_MOST}, not {number}.")
    own = RequestedAugmentation.of(config.augment, function)
    config = replace(config, augment=own.text)
    user = CallbackList(callbacks)
    named = replace(config, class_names=None) if config.pretrained else config
    opened = open_data(data, named, user)
    if opened.objects is not None:
        opened, config = settle_task(opened, config, user.message)
    dataset = divide(opened, config)
    sample = sample_images(dataset)
    if config.model == AUTO:
        device = choose_device(config.device)
        fitting = choose_network(dataset, sample, config, given=given, weights=None, device=device)
        config = fitting.applied(config)
        if fitting.reason and not (config.weights or config.pretrained):
            user.message(fitting.reason)
    config = config.with_defaults()
    default = default_input(config.model)
    card = infer_preprocessing(dataset, sample, config, user, default=default)
    own.check(card)
    chosen = _chosen(dataset, count)
    loaded = _loaded(dataset, card, config)
    [evaluated] = loaded.batch_source.batches([chosen])
    mean, std = pixel_statistics([evaluated])
    augmentation = augmentation_of(
        config.resolve(len(dataset)), replace(card, mean=mean, std=std), loaded, own.function
    )
    shown = [_epoch(loaded, augmentation, chosen, epoch) for epoch in range(epochs)]
    boxes = augmented_boxes(dataset, loaded, card, augmentation, chosen, epochs)
    sheet = _sheet(
        [_whole(dataset, index, card) for index in chosen.tolist()],
        [evaluated, *shown],
        [dataset.label_text(index) for index in chosen.tolist()],
        boxes or [[[]] * len(chosen)] * (2 + epochs),
    )
    if out is not None:
        content = BytesIO()
        sheet.save(content, "PNG")
        write_atomically(Path(out), content.getvalue())
    return sheet


def _chosen(dataset: Dataset, count: int) -> NDArray[np.int64]:
    """Training images of all classes in turn, in the order of the classes."""
    train = dataset.indices("train")
    by_class = [train[dataset.labels[train] == label] for label in np.unique(dataset.labels[train])]
    rounds = -(-count // len(by_class))
    spread = np.linspace(0, len(by_class) - 1, min(count, len(by_class))).astype(int)
    found: list[int] = []
    for turn in range(rounds):
        for place in spread:
            found.extend(map(int, by_class[place][turn::rounds][:1]))
    chosen = np.unique(np.array(found[:count], np.int64))
    return chosen[dataset.labels[chosen].argsort(kind="stable")]


def _loaded(dataset: Dataset, card: Card, config: TrainConfig) -> LoadedDataset:
    """The data with its images decoded when they are asked for."""
    side, digests = kept_side(config, card), np.zeros((len(dataset), SIZE), np.uint8)
    return LoadedDataset(
        dataset,
        StreamingBatchSource(dataset.images, card, 1),
        (),
        "",
        digests,
        larger=None if side is None else StreamingBatchSource(dataset.images, card, 1, side),
    )


def _epoch(
    loaded: LoadedDataset, augmentation: Augmentation, chosen: NDArray[np.int64], epoch: int
) -> Tensor:
    """The images (n, h, w, c) as an epoch, from 0, shows them."""
    if augmentation.crops is not None and loaded.larger is not None:
        [images] = loaded.larger.images([chosen])
        return augmentation.cut(images, chosen, epoch=epoch)
    [pixels] = loaded.batch_source.batches([chosen])
    return augmentation(pixels, chosen, epoch=epoch)


def _whole(dataset: Dataset, index: int, card: Card) -> NDArray[np.uint8]:
    """All of an image, reduced so that it can be shown."""
    decoded = dataset.images.image(index, replace(card, reading="whole"))
    return whole_image(decoded, card, _LARGEST_CELL)


def _sheet(
    originals: Sequence[NDArray[np.uint8]],
    columns: Sequence[Tensor],
    labels: Sequence[str],
    boxes: Sequence[Row],
) -> Image.Image:
    """The rows of images, with the class below the first and what is shown above each column; with
    their boxes, column by column.
    """
    height, width = columns[0].shape[1:3]
    scale = max(1, _CELL // max(height, width))
    shrink = max(1.0, max(height, width) / _LARGEST_CELL)
    cell = (round(width * scale / shrink), round(height * scale / shrink))
    step = cell[0] + _GAP, cell[1] + _GAP + _LINE
    size = _GAP + step[0] * (len(columns) + 1), _GAP + _LINE + step[1] * len(labels)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT)
    heads = ["image", "evaluated", *(f"epoch {number}" for number in range(1, len(columns)))]
    for place, head in enumerate(heads):
        draw.text((_GAP + place * step[0], 3), head, "black", font)
    for row, (original, label) in enumerate(zip(originals, labels, strict=True)):
        top = _LINE + _GAP + row * step[1]
        first = _picture(original, cell, keeps_ratio=True)
        draw_on(first, boxes[0][row])
        sheet.paste(first, (_GAP, top))
        for place, column in enumerate(columns, 1):
            shown = _picture(column[row].numpy(), cell)
            draw_on(shown, boxes[place][row])
            sheet.paste(shown, (_GAP + place * step[0], top))
        draw.text((_GAP, top + cell[1] + 1), visible(label), "black", font)
    return sheet


def _picture(
    pixels: NDArray[np.uint8], cell: tuple[int, int], *, keeps_ratio: bool = False
) -> Image.Image:
    """An image in the size of a cell: enlarged to plain squares, reduced by averages."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    size = cell
    if keeps_ratio:
        factor = min(cell[0] / image.width, cell[1] / image.height)
        size = max(1, int(image.width * factor)), max(1, int(image.height * factor))
    is_larger = size[0] >= image.width
    return image.resize(size, Image.Resampling.NEAREST if is_larger else Image.Resampling.BOX)
