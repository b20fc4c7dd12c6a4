"""Laws of dividing: proportions, disjointness, groups, and what must not matter."""

import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convscope.data.dataset import ArrayImages, Dataset, FileImages
from convscope.data.split import apply_splits, fill_splits, stable_hash, write_splits
from convscope.errors import RequestError


def made(
    labels: list[int] | NDArray[np.int64],
    *,
    split: list[str] | None = None,
    groups: list[str] | None = None,
    keys: list[str] | None = None,
) -> Dataset:
    return Dataset(
        name="made",
        classes=tuple(f"c{n}" for n in range(int(max(labels)) + 1)),
        images=FileImages(None, tuple(keys or (f"k{n}" for n in range(len(labels))))),
        labels=np.array(labels, dtype=np.int64),
        split=np.array(split or [""] * len(labels), dtype="<U5"),
        groups=groups,
    )


def shuffled(data: Dataset, order: NDArray[np.int64]) -> Dataset:
    return replace(
        data,
        images=FileImages(None, tuple(data.images.key(int(n)) for n in order)),
        labels=data.labels[order],
        split=data.split[order],
        groups=None if data.groups is None else [data.groups[int(n)] for n in order],
    )


def by_key(data: Dataset) -> dict[str, str]:
    return {data.images.key(n): str(split) for n, split in enumerate(data.split)}


counts = st.lists(st.integers(3, 60), min_size=2, max_size=6)
shares = st.sampled_from([0.0, 0.05, 0.1, 0.2, 0.3, 0.45])


@given(counts=counts, val=shares, test=shares, seed=st.integers(0, 5), random=st.randoms())
@settings(max_examples=150)
def test_the_laws_of_a_division(counts: list[int], val: float, test: float, seed: int, random):
    data = made([label for label, count in enumerate(counts) for _ in range(count)])
    filled = fill_splits(data, val=val, test=test, seed=seed)
    wanted = {"val": val, "test": test}
    assert set(filled.split.tolist()) == {"train", *(name for name in wanted if wanted[name])}
    for name, share in wanted.items():
        for label, count in enumerate(counts):
            have = int(filled.counts(name)[label])
            assert have == 0 if share == 0 else have >= 1
            # One image from exact, unless train would be left with none.
            assert abs(have - count * share) <= 1 or filled.counts("train")[label] == 1
    assert (filled.counts("train") >= 1).all()
    order = list(range(len(data)))
    random.shuffle(order)
    again = fill_splits(shuffled(data, np.array(order)), val=val, test=test, seed=seed)
    assert by_key(again) == by_key(filled)


def test_another_seed_divides_otherwise_and_the_same_seed_alike():
    data = made([0, 1] * 200)
    one, two, other = (fill_splits(data, seed=seed) for seed in (1, 1, 2))
    assert (one.split == two.split).all()
    assert (one.split != other.split).any()
    assert one.counts("val").tolist() == other.counts("val").tolist() == [20, 20]


def test_pythons_own_hash_does_not_matter():
    program = (
        "from convscope.data.split import stable_hash; print(stable_hash(['a', '\\udcff'], 3))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert said == {f"{stable_hash(['a', chr(0xDCFF)], 3)}\n"}


def test_what_the_source_gives_stays():
    given_test = ["test"] * 20 + ["train"] * 80
    filled = fill_splits(made([0, 1] * 50, split=given_test))
    assert (filled.split[:20] == "test").all()
    assert not (filled.split[20:] == "test").any()
    assert filled.counts("val").tolist() == [4, 4]  # a tenth of the 80, not of the 100
    given_val = ["val"] * 20 + ["train"] * 80
    filled = fill_splits(made([0, 1] * 50, split=given_val))
    assert (filled.split[:20] == "val").all()
    assert filled.counts("test").tolist() == [4, 4]
    both = ["val"] * 20 + ["test"] * 20 + ["train"] * 30 + [""] * 30
    filled = fill_splits(made([0, 1] * 50, split=both))
    assert filled.split.tolist() == ["val"] * 20 + ["test"] * 20 + ["train"] * 60


def test_no_validation_may_be_wished():
    filled = fill_splits(made([0, 1] * 10), val=0, test=0)
    assert set(filled.split.tolist()) == {"train"}


@pytest.mark.parametrize(("val", "test"), [(-0.1, 0.1), (0.95, 0), (0.5, 0.5), (float("nan"), 0.1)])
def test_shares_out_of_range_are_refused(val: float, test: float):
    with pytest.raises(RequestError, match=r"must be in 0\.\.0\.9"):
        fill_splits(made([0, 1] * 10), val=val, test=test)


def test_a_class_with_too_few_images_is_named():
    data = made([0] * 10 + [1] * 2)
    with pytest.raises(
        RequestError,
        match=r"too few images of 'c1' \(2\): each class needs at least 3 .* train, val",
    ):
        fill_splits(data)
    assert fill_splits(data, val=0).counts("test").tolist() == [1, 1]
    only_in_test = made([0, 0, 0, 1], split=["train", "train", "train", "test"])
    with pytest.raises(RequestError, match=r"'c1' \(0\)"):
        fill_splits(only_in_test)


@given(
    members=st.lists(
        st.tuples(st.integers(1, 6), st.integers(0, 2)), min_size=9, max_size=40
    ).filter(lambda m: all(Counter(label for _, label in m)[c] >= 3 for c in range(3))),
    seed=st.integers(0, 3),
    random=st.randoms(),
)
@settings(max_examples=100)
def test_a_group_never_straddles(members: list[tuple[int, int]], seed: int, random):
    labels = [label for size, label in members for _ in range(size)]
    groups = [f"g{n}" for n, (size, _) in enumerate(members) for _ in range(size)]
    data = made(labels, groups=groups)
    filled = fill_splits(data, val=0.2, test=0.2, seed=seed)
    where: dict[str, set[str]] = {}
    for group, split in zip(groups, filled.split.tolist(), strict=True):
        where.setdefault(group, set()).add(split)
    assert all(len(splits) == 1 for splits in where.values())
    for name in ("train", "val", "test"):
        assert (filled.counts(name) >= 1).all()
    order = list(range(len(data)))
    random.shuffle(order)
    again = fill_splits(shuffled(data, np.array(order)), val=0.2, test=0.2, seed=seed)
    assert by_key(again) == by_key(filled)


def test_groups_come_near_their_shares():
    random = np.random.default_rng(5)
    sizes = random.integers(1, 12, 300)
    labels = np.repeat(random.integers(0, 4, 300), sizes)
    groups = np.repeat([f"p{n}" for n in range(300)], sizes).tolist()
    filled = fill_splits(made(labels, groups=groups), val=0.1, test=0.2)
    for name, share in (("val", 0.1), ("test", 0.2)):
        got = filled.counts(name) / np.bincount(labels)
        assert np.abs(got - share).max() < 0.02
    other = fill_splits(made(labels, groups=groups), val=0.1, test=0.2, seed=1)
    assert (other.split != filled.split).any()


def test_groups_of_several_classes_spread_every_class():
    labels, groups = [0, 1] * 12 + [2, 2, 2], [f"p{n // 2}" for n in range(24)] + ["q", "r", "s"]
    filled = fill_splits(made(labels, groups=groups), val=0.1, test=0.1)
    for name in ("train", "val", "test"):
        assert (filled.counts(name) >= 1).all()


def test_too_few_groups_are_named():
    with pytest.raises(RequestError, match=r"too few groups of 'c1' \(2\)"):
        fill_splits(made([0] * 9 + [1] * 9, groups=list("abcabcabc") + list("deedededd")))


def test_images_of_no_group_are_their_own():
    filled = fill_splits(made([0, 1] * 20, groups=[""] * 40))
    assert filled.counts("val").tolist() == [2, 2]


def test_open_images_follow_their_group_into_a_given_split():
    split = ["test", "test", ""] + [""] * 40
    groups = ["p", "q", "p", *(f"g{n}" for n in range(40))]
    filled = fill_splits(made([0, 1, 0] + [0, 1] * 20, split=split, groups=groups))
    assert filled.split[:3].tolist() == ["test"] * 3
    assert not (filled.split[3:] == "test").any()


def test_sixty_thousand_take_less_than_a_second():
    labels = np.arange(60_000) % 10
    data = Dataset(
        name="many",
        classes=tuple("0123456789"),
        images=ArrayImages(np.zeros((60_000, 1, 1), np.uint8)),
        labels=labels,
        split=np.full(60_000, "", dtype="<U5"),
    )
    start = time.perf_counter()
    fill_splits(data)
    assert time.perf_counter() - start < 2  # 0.2 s on a quiet machine


KEYS = st.text(min_size=1, max_size=8)


@given(keys=st.lists(KEYS, min_size=6, max_size=20, unique=True))
def test_written_splits_come_back(keys: list[str]):
    data = made([n % 2 for n in range(len(keys))], keys=keys)
    filled = fill_splits(data)
    text = write_splits(filled)
    order = np.arange(len(keys))[::-1].copy()
    assert by_key(apply_splits(shuffled(data, order), text)) == by_key(filled)


def test_odd_names_survive_a_file(tmp_path: Path):
    keys = [*"abcde", "\udcff\udcfe.png", "Icon\r", "two\r\nlines", "back\\nslash", 'a,"b']
    filled = fill_splits(made([0, 1] * 5, keys=keys))
    path = tmp_path / "splits.csv"
    path.write_text(write_splits(filled), "utf-8", "surrogateescape")
    text = path.read_text("utf-8", "surrogateescape")
    assert len(text.splitlines()) == 11
    assert by_key(apply_splits(made([0, 1] * 5, keys=keys), text)) == by_key(filled)


def test_a_list_of_an_earlier_version_is_read():
    keys = ["two\r\nlines", "back\\nslash", "\udcff.png", *"abcde"]
    filled = fill_splits(made([0, 1] * 4, keys=keys))
    rows = [
        f"{key},{filled.classes[filled.labels[n]]},{filled.split[n]}\n"
        for n, key in enumerate([r"two\r\nlines", r"back\\nslash", *keys[2:]])
    ]
    text = "key,label,split\n" + "".join(rows)
    assert by_key(apply_splits(made([0, 1] * 4, keys=keys), text)) == by_key(filled)


def test_splits_of_other_data_are_refused():
    data = fill_splits(made([0, 1] * 5))
    text = write_splits(data)
    assert text.startswith("key,label,split\nk0,c0,")
    third = next(line for line in text.splitlines() if line.startswith("k3,"))
    for changed, message in [
        (
            text + "new,c0,train\n",
            r"Images in splits.csv that are not in made: 1, .* 'new'",
        ),
        (
            text.replace("k3", "x3"),
            r"Images of made that are not in splits.csv: 1, .* 'k3'",
        ),
        (text.replace(third, "k3,c0,val"), r"with another label than in splits.csv: 1, .* 'k3'"),
        (
            text.replace(third, "k3,c1,all"),
            r"splits.csv, row 5: split is 'all', not train, val, test",
        ),
        ("a,b\n", "must have the columns"),
        ("", "is not CSV"),
        (text + "k,c0\n", "row 12 has 2 cells, not 3"),
        (text + third + "\n", "row 12 has 'k3' a second time"),
        (text + '"k', "is not CSV"),
    ]:
        with pytest.raises(RequestError, match=message):
            apply_splits(data, changed)
