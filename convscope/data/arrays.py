"""Images and labels in memory: numpy arrays, tensors, or lists of images or paths."""

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from convscope.data.dataset import ArrayImages, FileImages, ImageSource
from convscope.data.items import ItemImages, NumberedKeys, pixel_range_of
from convscope.data.label_values import read_label_values
from convscope.data.labeled import LabeledImages
from convscope.data.pixel_arrays import PixelRange, as_array, channels_last, without_alpha
from convscope.errors import RequestError


def read_arrays(
    images: Any, labels: Any, *, where: str, prefix: str = "", task: str = "auto"
) -> LabeledImages:
    """Images (n, h, w[, c]) or (n, c, h, w), or a list of images of any sizes, and their labels.

    Raises RequestError for values that are no pixels, for layouts of other shapes, and for labels
    that `read_label_values` refuses.
    """
    if isinstance(images, list | tuple) or _is_column(images):
        source, notes = _from_list(list(images), where, prefix)
    else:
        source, notes = _from_array(images, where, prefix)
    read = read_label_values(labels, where=where, task=task)
    return LabeledImages(where, source, read.labels, read.names, (*notes, *read.notes))


def _from_array(images: Any, where: str, prefix: str) -> tuple[ImageSource, tuple[str, ...]]:
    array = as_array(images)
    pixels = channels_last(array, is_tensor=isinstance(images, Tensor), where=where)
    if not len(pixels):
        raise RequestError(f"{where} has no images.")
    pixel_range = PixelRange([pixels], where=where)
    notes = () if pixel_range.note is None else (pixel_range.note,)
    if pixel_range.is_deep:
        return ItemImages(len(pixels), pixels.__getitem__, NumberedKeys(prefix), pixel_range), notes
    converted = pixel_range.to_bytes(pixels)
    if converted.ndim == 4:
        converted = without_alpha(converted)
    return ArrayImages(np.ascontiguousarray(converted), prefix), notes


def _from_list(images: list[Any], where: str, prefix: str) -> tuple[ImageSource, tuple[str, ...]]:
    """Images of a list: paths, PIL images, or arrays that may differ in size."""
    if images and all(isinstance(image, str | Path) for image in images):
        return FileImages(Path(), tuple(map(str, images))), ()
    pixel_range = pixel_range_of(images, where=where)
    notes = () if pixel_range.note is None else (pixel_range.note,)
    keys = NumberedKeys(prefix)
    return ItemImages(len(images), images.__getitem__, keys, pixel_range), notes


def _is_column(images: Any) -> bool:
    """Whether it is a one-dimensional array of objects or strings, as a column of pandas is."""
    return not isinstance(images, Tensor) and as_array(images).ndim == 1
