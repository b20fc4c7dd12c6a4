"""Train, validation and test splits: decided by a hash, stratified by class."""

import csv
import io
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import SPLITS, Dataset, Split, keys_of
from convscope.data.group_hints import divided_groups, suggest_groups
from convscope.data.grouping import assign_groups, assign_labeled, label_counts
from convscope.errors import RequestError
from convscope.strict import shown
from convscope.words.csv_text import from_cell, to_csv

COLUMNS = ("key", "label", "split")


def fill_splits(
    dataset: Dataset,
    *,
    val: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    copies: Sequence[Sequence[int]] = (),
) -> Dataset:
    """Give every image a split; a split that the source lacks is taken from its training images.

    The pool is the source's train split and its undecided images. Of each class with n images in
    the pool, round(n · test) go to test unless the source has a test split, round(n · val) to val
    likewise, the rest to train; each split gets at least one. A hash of (seed, key) decides which,
    so the order of the images does not matter. The source's val and test splits stay as they are.

    Where an image has several labels, every label comes near its share: see `assign_labeled`.

    If the data set has groups, a group goes to one split, shares are as near as that allows, and an
    undecided image follows its group into the source's val or test. An image with the group "" is a
    group of its own. `copies` are kept together likewise: they count as one image, and follow one
    of them that the source has in val or test. Warnings tell of groups that the source itself has
    divided, and of file names that seem to show groups where none were given.

    Args:
        val: share of the pool for validation, 0..0.9; 0 makes no such split.
        test: likewise; the shares must add up to at most 0.9.
        seed: of the hash.
        copies: indices of equal images.

    Raises RequestError for shares out of range, and for a class with fewer images (or groups) in
    the pool than splits to fill.
    """
    dataset = _follow_copies(_follow_groups(dataset), copies)
    shares = _missing(dataset, {"test": test, "val": val})
    pool = np.flatnonzero((dataset.split == "train") | (dataset.split == ""))
    all_keys = keys_of(dataset.images)
    keys = [all_keys[index] for index in pool.tolist()]
    leaders = leading_copies(pool, keys, copies)
    groups = joined_groups(dataset, pool, keys, leaders)
    labels = dataset.labels[pool]
    split = dataset.split.astype("<U5")
    if dataset.targets is not None:
        groups = leaders if groups is None else groups
        _refuse_few_with_label(dataset, dataset.targets[pool], groups, shares)
    else:
        _refuse_few(dataset, labels, leaders if groups is None else groups, shares)
    if groups is None:
        alone = np.unique(leaders)
        split[pool[alone]] = _assign(
            labels[alone], stable_hash([keys[index] for index in alone], seed), shares
        )
        split[pool] = split[pool][leaders]
    else:
        names, group_indices = np.unique(groups, return_inverse=True)
        order = stable_hash([_name(name, keys) for name in names.tolist()], seed)
        parts = np.array([*shares, "train"], dtype="<U5")
        sizes = [*shares.values(), 1 - sum(shares.values())]
        if dataset.targets is None:
            each = assign_groups(labels, group_indices, order, sizes)
        else:
            counts = label_counts(dataset.targets[pool], group_indices)
            each = assign_labeled(counts, order, sizes)
        split[pool] = parts[each][group_indices]
    filled = dataset.with_split(split)
    return filled.with_warnings([*divided_groups(filled), *suggest_groups(filled)])


def _name(group: str | int, keys: Sequence[str]) -> str:
    """The name of a group; of an image without one, its key."""
    return group if isinstance(group, str) else keys[group]


def _missing(dataset: Dataset, shares: dict[Split, float]) -> dict[Split, float]:
    """The shares of the splits that are requested and that the source lacks."""
    existing = set(dataset.split.tolist())
    names: list[Split] = [name for name in shares if shares[name] != 0 and name not in existing]
    missing: dict[Split, float] = {name: shares[name] for name in names}
    if (
        not all(0 < share <= 0.9 for share in missing.values())
        or sum(missing.values()) > 0.9 + 1e-9
    ):
        given = " and ".join(f"{name}={share}" for name, share in missing.items())
        raise RequestError(f"{given}: each must be in 0..0.9, and their sum at most 0.9.")
    return missing


def _follow_groups(dataset: Dataset) -> Dataset:
    """Put undecided images into the val or test split in which the source has their group."""
    if dataset.groups is None:
        return dataset
    groups = np.array(dataset.groups, dtype=object)
    split = dataset.split.copy()
    for name in ("val", "test"):
        members = set(groups[dataset.split == name].tolist()) - {""}
        follows = np.array([group in members for group in groups], dtype=bool)
        split[follows & (dataset.split == "")] = name
    return dataset.with_split(split)


def _follow_copies(dataset: Dataset, copies: Sequence[Sequence[int]]) -> Dataset:
    """Put undecided images into the val or test split in which the source has a copy of them."""
    split = dataset.split.copy()
    for indices in copies:
        for name in ("val", "test"):
            if (dataset.split[indices] == name).any():
                split[[index for index in indices if not dataset.split[index]]] = name
    return dataset.with_split(split)


def leading_copies(
    pool: NDArray[np.int64], keys: Sequence[str], copies: Sequence[Sequence[int]]
) -> NDArray[np.int64]:
    """For each image of the pool, the position of its copy with the first key, or its own."""
    leaders = np.arange(len(pool))
    positions = {int(index): position for position, index in enumerate(pool)} if copies else {}
    for indices in copies:
        inside = [positions[index] for index in indices if index in positions]
        leaders[inside] = min(inside, key=lambda position: keys[position], default=0)
    return leaders


def joined_groups(
    dataset: Dataset, pool: NDArray[np.int64], keys: Sequence[str], leaders: NDArray[np.int64]
) -> NDArray[np.object_] | None:
    """The group of each image in the pool; None if the data set has no groups.

    Groups with copies of one image are one.
    """
    if dataset.groups is None:
        return None
    names = [dataset.groups[int(index)] for index in pool]
    groups = [
        f"group {name}" if name else f"key {key}" for name, key in zip(names, keys, strict=True)
    ]
    joined = {group: group for group in groups}

    def root(group: str) -> str:
        while joined[group] != group:
            group = joined[group]
        return group

    for position in np.flatnonzero(leaders != np.arange(len(leaders))):
        pair = root(groups[position]), root(groups[leaders[position]])
        joined[max(pair)] = min(pair)
    return np.array([root(group) for group in groups], dtype=object)


def _refuse_few(
    dataset: Dataset,
    labels: NDArray[np.int64],
    units: NDArray[Any],
    shares: dict[Split, float],
) -> None:
    """Refuse a class with fewer units, groups or different images, than there are splits."""
    needed = len(shares) + 1
    different, numbers = np.unique(units, return_inverse=True)
    if dataset.groups is not None:
        unit = "groups"
    else:
        unit = "images" if len(different) == len(units) else "different images"
    pairs = np.unique(labels * max(1, len(different)) + numbers)
    counts = np.bincount(pairs // max(1, len(different)), minlength=len(dataset.classes))
    _refuse_counts(dataset, counts, needed, unit, shares)


def _refuse_few_with_label(
    dataset: Dataset, targets: NDArray[np.uint8], units: NDArray[Any], shares: dict[Split, float]
) -> None:
    """The same where an image has several labels, for each of them."""
    counts = np.array([len(np.unique(units[column == 1])) for column in targets.T])
    unit = "images" if dataset.groups is None else "groups"
    _refuse_counts(dataset, counts, len(shares) + 1, unit, shares)


def _refuse_counts(
    dataset: Dataset,
    counts: NDArray[np.int64],
    needed: int,
    unit: str,
    shares: dict[Split, float],
) -> None:
    few = np.flatnonzero(counts < needed)
    if not len(few):
        return
    named = ", ".join(f"{dataset.classes[label]!r} ({counts[label]})" for label in few[:5])
    more = f" and {len(few) - 5} more" if len(few) > 5 else ""
    splits = ", ".join(["train", *reversed(shares)])
    raise RequestError(
        f"{dataset.name} has too few {unit} of {named}{more}: each class needs at least {needed} "
        f"to fill {splits}. Add some, leave out the class, or provide the splits yourself."
    )


def _assign(
    labels: NDArray[np.int64], order: NDArray[np.uint64], shares: dict[Split, float]
) -> NDArray[np.str_]:
    """The split of each image, by its rank in `order` within its class."""
    split = np.full(len(labels), "train", dtype="<U5")
    ranked = np.lexsort((order, labels))
    start = 0
    for count in np.bincount(labels).tolist():
        stop = start
        for name, size in _sizes(count, shares).items():
            split[ranked[stop : stop + size]] = name
            stop += size
        start += count
    return split


def _sizes(count: int, shares: dict[Split, float]) -> dict[Split, int]:
    """How many of the `count` images of a class go to each split; no split, nor train, is empty."""
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

    One line per image; `convscope.words.csv_text` says how names are written.
    """
    rows = zip(keys_of(dataset.images), _class_names(dataset), dataset.split.tolist(), strict=True)
    return to_csv([COLUMNS, *rows])


def read_splits(text: str, *, where: str = "The list of splits") -> dict[str, tuple[str, str]]:
    """Class name and split by key, as `write_splits` wrote them; "" for an unreadable image.

    Raises RequestError, naming `where` and the line, for text that is not such a CSV, for a key
    that comes twice, and for a split that is none.
    """
    try:
        header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    except (csv.Error, ValueError) as error:
        raise RequestError(f"{where} is not CSV ({error}).") from error
    if tuple(header) != COLUMNS:
        raise RequestError(f"{where} must have the columns {', '.join(COLUMNS)}, and no others.")
    listed: dict[str, tuple[str, str]] = {}
    for number, row in enumerate(rows, start=2):
        if len(row) != len(COLUMNS):
            raise RequestError(f"{where}, row {number} has {len(row)} cells, not {len(COLUMNS)}.")
        key, label, name = map(from_cell, row)
        if name not in (*SPLITS, ""):
            allowed = ", ".join(SPLITS)
            raise RequestError(f"{where}, row {number}: split is {shown(name)}, not {allowed}.")
        if key in listed:
            raise RequestError(f"{where}, row {number} has {shown(key)} a second time.")
        listed[key] = label, name
    return listed


def apply_splits(dataset: Dataset, text: str, *, where: str = "splits.csv") -> Dataset:
    """Give every image the split that `write_splits` wrote for its key.

    Raises RequestError, with the number and the first key, for keys or images without a
    counterpart, for other labels, and for a text that is damaged; see `read_splits`.
    """
    listed_rows = read_splits(text, where=where)
    keys = [key if key in listed_rows else _as_before(key) for key in keys_of(dataset.images)]
    known = set(keys)
    _refuse(f"Images of {dataset.name} that are not in {where}", known - set(listed_rows))
    _refuse(f"Images in {where} that are not in {dataset.name}", set(listed_rows) - known)
    labels = dict(zip(keys, _class_names(dataset), strict=True))
    other = {k for k in keys if listed_rows[k][0] != labels[k]}
    _refuse(f"Images of {dataset.name} with another label than in {where}", other)
    return dataset.with_split(np.array([listed_rows[key][1] for key in keys], dtype="<U5"))


def _as_before(key: str) -> str:
    """A key as runs of convscope 0.1 list it: with line breaks escaped as in Python strings."""
    return key.replace("\\", r"\\").replace("\n", r"\n").replace("\r", r"\r")


def _class_names(dataset: Dataset) -> list[str]:
    """The name of each image's class, or of all of its labels."""
    if dataset.targets is not None:
        return [dataset.label_text(index) for index in range(len(dataset))]
    return [dataset.classes[label] for label in dataset.labels.tolist()]


def _refuse(problem: str, keys: set[str]) -> None:
    if keys:
        raise RequestError(
            f"{problem}: {len(keys):,}, first {shown(min(keys))}. The data, or the list, have "
            "changed since the splits were written."
        )
