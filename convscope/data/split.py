"""Which picture trains, which validates, which tests: decided by a hash, stratified by class."""

import csv
import io
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import SPLITS, Dataset, Split
from convscope.data.grouping import deal_groups
from convscope.errors import RequestError

COLUMNS = ("key", "label", "split")


def fill_splits(dataset: Dataset, *, val: float = 0.1, test: float = 0.1, seed: int = 0) -> Dataset:
    """Give every picture a split, carving the ones that the source does not have out of train.

    The pool is what the source calls "train" and what it leaves open. Of each class with n pictures
    in the pool, round(n · test) go to test unless the source has a test split, round(n · val) to
    val likewise, the rest to train; each of them gets at least one. Which ones is decided by a hash
    of (seed, key), so the order in which pictures are listed does not matter. What the source calls
    val or test stays so.

    Where the dataset has groups, a group goes to one split as a whole, shares are as near as whole
    groups allow, and an open picture follows its group into a given split. A picture whose group
    is "" is its own group.

    Args:
        val: share of the pool for validation, 0..0.9; 0 makes no such split.
        test: likewise; what is carved out must be at most 0.9 together.
        seed: another one gives another division.

    Raises RequestError for shares out of range and for a class with fewer pictures (or groups) in
    the pool than splits to fill.
    """
    dataset = _follow_groups(dataset)
    shares = _missing(dataset, {"test": test, "val": val})
    pool = np.flatnonzero((dataset.split == "train") | (dataset.split == ""))
    keys = [dataset.images.key(int(index)) for index in pool]
    groups = _groups_of(dataset, pool, keys)
    labels = dataset.labels[pool]
    _refuse_few(dataset, labels, groups, shares)
    split = dataset.split.astype("<U5")
    if groups is None:
        split[pool] = _deal(labels, stable_hash(keys, seed), shares)
    else:
        names, places = np.unique(groups, return_inverse=True)
        order = stable_hash(names.tolist(), seed)
        split[pool] = deal_groups(labels, places, order, shares)[places]
    return dataset.with_split(split)


def _missing(dataset: Dataset, shares: dict[Split, float]) -> dict[Split, float]:
    """The shares of the splits that are wanted and that the source does not have."""
    given = set(dataset.split.tolist())
    missing: list[Split] = [name for name in shares if shares[name] != 0 and name not in given]
    wanted: dict[Split, float] = {name: shares[name] for name in missing}
    if not all(0 < share <= 0.9 for share in wanted.values()) or sum(wanted.values()) > 0.9 + 1e-9:
        told = " and ".join(f"{name}={share}" for name, share in wanted.items())
        raise RequestError(f"{told}: each must be in 0..0.9, and their sum at most 0.9.")
    return wanted


def _follow_groups(dataset: Dataset) -> Dataset:
    """Put open pictures where the source has put others of their group, if not in train."""
    if dataset.groups is None:
        return dataset
    groups = np.array(dataset.groups, dtype=object)
    split = dataset.split.copy()
    for given in ("val", "test"):
        there = set(groups[dataset.split == given].tolist()) - {""}
        follows = np.array([group in there for group in groups], dtype=bool)
        split[follows & (dataset.split == "")] = given
    return dataset.with_split(split)


def _groups_of(
    dataset: Dataset, pool: NDArray[np.int64], keys: Sequence[str]
) -> NDArray[np.object_] | None:
    """The group of each picture in the pool; None where each is its own."""
    if dataset.groups is None:
        return None
    named = [dataset.groups[int(index)] for index in pool]
    return np.array(
        [f"group {name}" if name else f"key {key}" for name, key in zip(named, keys, strict=True)],
        dtype=object,
    )


def _refuse_few(
    dataset: Dataset,
    labels: NDArray[np.int64],
    groups: NDArray[np.object_] | None,
    shares: dict[Split, float],
) -> None:
    needed = len(shares) + 1
    what = "pictures"
    if groups is not None:
        what = "groups"
        pairs = set(zip(labels.tolist(), groups.tolist(), strict=True))
        labels = np.array([label for label, _ in pairs], dtype=np.int64)
    have = np.bincount(labels, minlength=len(dataset.classes))
    few = np.flatnonzero(have < needed)
    if not len(few):
        return
    told = ", ".join(f"{dataset.classes[label]!r} ({have[label]})" for label in few[:5])
    more = f" and {len(few) - 5} more" if len(few) > 5 else ""
    splits = ", ".join(["train", *reversed(shares)])
    raise RequestError(
        f"{dataset.name} has too few {what} of {told}{more}: at least {needed} of each class are "
        f"needed to fill {splits}. Add some, leave the class out, or give the splits yourself."
    )


def _deal(
    labels: NDArray[np.int64], order: NDArray[np.uint64], shares: dict[Split, float]
) -> NDArray[np.str_]:
    """The split of each picture: in the order of `order`, within its class."""
    split = np.full(len(labels), "train", dtype="<U5")
    ranked = np.lexsort((order, labels))
    start = 0
    for count in np.bincount(labels).tolist():
        place = start
        for name, size in _sizes(count, shares).items():
            split[ranked[place : place + size]] = name
            place += size
        start += count
    return split


def _sizes(count: int, shares: dict[Split, float]) -> dict[Split, int]:
    """How many of a class's `count` pictures go to each split; none is left empty, nor is train."""
    if not count:
        return {}
    sizes: dict[Split, int] = {
        name: max(1, int(count * share + 0.5)) for name, share in shares.items()
    }
    while sizes and sum(sizes.values()) >= count:
        sizes[max(sizes, key=lambda name: sizes[name])] -= 1
    return sizes


def stable_hash(keys: Sequence[str], seed: int) -> NDArray[np.uint64]:
    """(n,) 64-bit hashes of (seed, key), the same in every process and on every machine."""
    salt = blake2b(str(seed).encode(), digest_size=16).digest()
    digests = (
        blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8, key=salt).digest()
        for key in keys
    )
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def write_splits(dataset: Dataset) -> str:
    """The splits as CSV text with the columns key, label, split.

    One line a picture: ends of lines within a key are spelled out. A key that is no valid Unicode
    (a file's name of other bytes) holds surrogates: use `errors="surrogateescape"` with files.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(zip(_keys(dataset), _names(dataset), dataset.split.tolist(), strict=True))
    return text.getvalue()


def apply_splits(dataset: Dataset, text: str) -> Dataset:
    """Give every picture the split that `write_splits` wrote for its key.

    Raises RequestError where text and pictures do not match: unknown keys, missing ones, another
    label, an unknown split. It tells how many, and the first.
    """
    try:
        header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    except (csv.Error, ValueError) as error:
        raise RequestError(f"The list of splits is not CSV ({error}).") from error
    if tuple(header) != COLUMNS or any(len(row) != 3 for row in rows):
        raise RequestError(f"The list of splits needs the columns {', '.join(COLUMNS)}.")
    listed_rows = {key: (label, split) for key, label, split in rows}
    keys = _keys(dataset)
    known = set(keys)
    _refuse(f"pictures of {dataset.name} are not in the list of splits", known - set(listed_rows))
    _refuse(f"pictures in the list of splits are not in {dataset.name}", set(listed_rows) - known)
    now = dict(zip(keys, _names(dataset), strict=True))
    _refuse("pictures have another label now", {k for k in keys if listed_rows[k][0] != now[k]})
    _refuse("pictures have an unknown split", {k for k in keys if listed_rows[k][1] not in SPLITS})
    return dataset.with_split(np.array([listed_rows[key][1] for key in keys], dtype="<U5"))


def _keys(dataset: Dataset) -> list[str]:
    """The keys, with ends of lines spelled as they are in Python's strings."""
    keys = map(dataset.images.key, range(len(dataset)))
    return [k.replace("\\", r"\\").replace("\n", r"\n").replace("\r", r"\r") for k in keys]


def _names(dataset: Dataset) -> list[str]:
    """The name of each picture's class."""
    return [dataset.classes[int(label)] for label in dataset.labels]


def _refuse(what: str, keys: set[str]) -> None:
    if keys:
        raise RequestError(
            f"{len(keys):,} {what}, the first is {min(keys)!r}. The data have changed since the "
            "splits were written."
        )
