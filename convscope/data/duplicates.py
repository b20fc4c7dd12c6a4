"""The same picture in two splits, or under two labels: what makes an accuracy a lie."""

from collections.abc import Sequence
from itertools import combinations

from convscope.data.dataset import SPLITS, Dataset

SHOWN = 3


def find_duplicates(dataset: Dataset, digests: Sequence[bytes | None]) -> tuple[str, ...]:
    """Sentences about pictures of equal content in two splits, and about those with two labels.

    Args:
        digests: (n,) as `ImageSource.digest` gives them; None or b"" for what could not be read.

    Returns:
        At most one sentence for each pair of splits and one for labels, with the number of pictures
        concerned and the keys of the first few pairs.
    """
    same: dict[bytes, list[int]] = {}
    for index, digest in enumerate(digests):
        if digest:
            same.setdefault(digest, []).append(index)
    repeated = [indices for indices in same.values() if len(indices) > 1]
    sentences: list[str] = []
    for one, other in combinations(SPLITS, 2):
        pairs = [
            (here[0], there)
            for indices in repeated
            if (here := [i for i in indices if dataset.split[i] == one])
            for there in indices
            if dataset.split[there] == other
        ]
        if pairs:
            what = f"{len(pairs):,} pictures of {other} are in {one} too"
            sentences.append(_sentence(dataset, what, pairs))
    twice = [
        (indices[0], i)
        for indices in repeated
        for i in indices
        if dataset.labels[i] != dataset.labels[indices[0]]
    ]
    if twice:
        what = f"{len(twice):,} pictures appear with another label too"
        sentences.append(_sentence(dataset, what, twice))
    return tuple(sentences)


def _sentence(dataset: Dataset, what: str, pairs: list[tuple[int, int]]) -> str:
    key = dataset.images.key
    shown = ", ".join(f"{key(one)!r} = {key(other)!r}" for one, other in pairs[:SHOWN])
    more = f" and {len(pairs) - SHOWN:,} more" if len(pairs) > SHOWN else ""
    return f"{dataset.name}: {what}: {shown}{more}."
