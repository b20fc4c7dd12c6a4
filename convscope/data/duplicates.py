"""Duplicates across splits and labels, which make measured accuracies wrong."""

from collections.abc import Sequence
from itertools import combinations

from convscope.data.dataset import SPLITS, Dataset

MAX_SHOWN = 3  # pairs


def find_duplicates(dataset: Dataset, digests: Sequence[bytes | None]) -> tuple[str, ...]:
    """Warnings about equal images in two splits, and about equal images with two labels.

    Args:
        digests: (n,) of the images' content; None or b"" for an image that could not be read.

    Returns:
        At most one sentence for each pair of splits and one for labels, with the number of images
        and the keys of the first few pairs.
    """
    by_digest: dict[bytes, list[int]] = {}
    for index, digest in enumerate(digests):
        if digest:
            by_digest.setdefault(digest, []).append(index)
    repeated = [indices for indices in by_digest.values() if len(indices) > 1]
    sentences: list[str] = []
    for first, second in combinations(SPLITS, 2):
        pairs = [
            (originals[0], copy)
            for indices in repeated
            if (originals := [i for i in indices if dataset.split[i] == first])
            for copy in indices
            if dataset.split[copy] == second
        ]
        if pairs:
            what = f"{_count(pairs)} of {second} also in {first}"
            sentences.append(_sentence(dataset, what, pairs))
    relabeled = [
        (indices[0], i)
        for indices in repeated
        for i in indices
        if dataset.labels[i] != dataset.labels[indices[0]]
    ]
    if relabeled:
        what = f"{_count(relabeled)} also under another label"
        sentences.append(_sentence(dataset, what, relabeled))
    return tuple(sentences)


def _count(pairs: list[tuple[int, int]]) -> str:
    return f"{len(pairs):,} image{'' if len(pairs) == 1 else 's'}"


def _sentence(dataset: Dataset, what: str, pairs: list[tuple[int, int]]) -> str:
    key = dataset.images.key
    shown = ", ".join(f"{key(i)!r} = {key(j)!r}" for i, j in pairs[:MAX_SHOWN])
    more = f" and {len(pairs) - MAX_SHOWN:,} more" if len(pairs) > MAX_SHOWN else ""
    return f"{dataset.name}: {what}: {shown}{more}."
