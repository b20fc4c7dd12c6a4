"""What identifies a data set: a digest of its images, labels and classes."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import (
    ArrayImages,
    ConcatImages,
    Dataset,
    ImageSource,
    SubsetImages,
    keys_of,
)


def fingerprint_of(dataset: Dataset, digests: Sequence[bytes]) -> str:
    """A digest of the data: of files with their paths, of images in memory in their order."""
    hasher = blake2b(digest_size=16)
    hasher.update("\0".join(dataset.classes).encode("utf-8", "surrogateescape"))
    if (objects := dataset.objects) is not None:
        for array in (objects.starts, objects.labels, objects.states, objects.sizes):
            hasher.update(np.ascontiguousarray(array).data)
    pixels = _arrays(dataset.images)
    if pixels is not None:
        labels = dataset.labels.astype("<i8") if dataset.targets is None else dataset.targets
        for array in [labels, *pixels]:
            hasher.update(np.ascontiguousarray(array).data)
        return hasher.hexdigest()
    keys = keys_of(dataset.images)
    labels = dataset.labels.tolist() if dataset.targets is None else _texts(dataset.targets)
    for key, label, digest in sorted(zip(keys, labels, digests, strict=True)):
        hasher.update(f"{key}\0{label}\0".encode("utf-8", "surrogateescape") + digest)
    return hasher.hexdigest()


def _texts(targets: NDArray[np.uint8]) -> list[str]:
    """Each row of 0 and 1 as a text."""
    return ["".join(map(str, row)) for row in targets.tolist()]


def _arrays(images: ImageSource) -> list[NDArray[Any]] | None:
    """The arrays that determine images in memory; None if any image is not in one."""
    match images:
        case ArrayImages():
            return [images.pixels]
        case ConcatImages():
            parts = [_arrays(part) for part in images.parts]
            known = [part for part in parts if part is not None]
            return [array for part in known for array in part] if len(known) == len(parts) else None
        case SubsetImages():
            inner = _arrays(images.source)
            return None if inner is None else [images.indices, *inner]
        case _:
            return None
