"""File names that show which images belong together, and names that do not."""

import re

import numpy as np
import pytest

from convscope.data.dataset import Dataset, FileImages
from convscope.data.group_hints import divided_groups
from convscope.data.split import fill_splits


def made(names: list[str], *, groups: list[str] | None = None) -> Dataset:
    """Two classes, each with half of the names."""
    labels = [index * 2 // len(names) for index in range(len(names))]
    keys = [f"{'ab'[label]}/{name}" for label, name in zip(labels, names, strict=True)]
    return Dataset(
        name="DATA",
        classes=("a", "b"),
        images=FileImages(None, tuple(keys)),  # pyright: ignore[reportArgumentType]
        labels=np.array(labels),
        split=np.array([""] * len(names), dtype="<U5"),
        groups=groups,
    )


def each(*forms: str, count: int = 20) -> list[str]:
    return [
        form.format(n=n, n2=n // 10, m=n % 10) for n in range(100, 100 + count) for form in forms
    ]


@pytest.mark.parametrize(
    ("names", "stem"),
    [
        (each("{n}_left.jpg", "{n}_right.jpg"), "100"),
        (each("{n}-OD.png", "{n}-OS.png"), "100"),
        (each("P{n}L.png", "P{n}_L.png", "P{n}_R.png"), "P100"),
        (each("P{n}_1.png", "P{n}_2.png"), "P100"),
        (each("IMG_{n}.jpg", "IMG_{n} (2).jpg"), "IMG_100"),
        (each("IMG_{n}.jpg", "IMG_{n} - Copy.jpg"), "IMG_100"),
        (each("patient{n}_slice3.png", "patient{n}_slice4.png"), "patient100"),
        (each("person{n}_virus_7.jpeg", "person{n}_bacteria_8.jpeg"), "person100"),
        (each("sub-{n}_T1.png", "sub-{n}_T2.png"), "sub-100"),
        (each("a{n}_jpg.rf.0a1b.jpg", "a{n}_jpg.rf.77ff.jpg"), "a100"),
        (each("v{n}frame1.png", "v{n}frame22.png"), "v100"),
        (each("P{n}/one.png", "P{n}/two.png"), "P100"),
    ],
)
def test_names_of_images_that_belong_together_are_warned_about(names: list[str], stem: str):
    data = made(names)
    [warning] = fill_splits(data).warnings
    pattern = re.search(r"`group_pattern='(.*)'`", warning)
    assert pattern
    expression = re.compile(pattern[1])
    texts = [data.images.key(i) for i in range(len(data))]
    texts = texts if "/" in pattern[1] else [text.split("/", 1)[1] for text in texts]
    found = [match[1] for text in texts if (match := expression.search(text))]
    assert found.count(stem) >= 2
    assert "20 groups" in warning


@pytest.mark.parametrize(
    "names",
    [
        each("cat{n}.jpg"),
        each("img_{n}.jpg", "img_1{n}.jpg"),
        each("cat.{n}.jpg"),
        each("ISIC_0024{n}.jpg"),
        each("{n}.png"),
        each("great_pyrenees_{n}.jpg"),
        each("image ({n}).jpg"),
        each("frame{n}.png"),
        each("IMG_20190101_120{n}.jpg"),
        each("DSC0{n}.JPG"),
        each("showcase{n}.png"),
        [f"n02085620_{n}.jpg" for n in range(20)] + [f"n02085782_{n}.jpg" for n in range(20)],
        ["x.png", "y.png"] * 10,
        [f"{n:02}.png" for n in range(20)] * 2,
        [f"a7b{n}f{n}.png" for n in range(40)],
    ],
)  # fmt: skip
def test_plain_numbering_is_not_warned_about(names: list[str]):
    assert fill_splits(made(names)).warnings == ()


def test_groups_that_are_given_are_not_guessed():
    names = each("{n}_left.jpg", "{n}_right.jpg")
    data = made(names, groups=[name.split("_")[0] for name in names])
    assert fill_splits(data).warnings == ()


def test_a_group_that_the_data_divide_is_named_with_both_paths():
    data = made(["1.png", "2.png", "3.png", "4.png"], groups=["x", "x", "y", ""])
    data = data.with_split(np.array(["train", "test", "val", "test"]))
    [warning] = divided_groups(data)
    assert "1 groups are in several splits" in warning
    assert "'x': 'a/1.png' in train, 'a/2.png' in test" in warning
    assert divided_groups(data.with_split(np.array(["train", "train", "val", "test"]))) == ()


def test_names_whose_groups_lie_in_one_split_are_not_warned_about():
    data = made(each("{n}_left.jpg", "{n}_right.jpg"))
    split = ["train" if n % 40 < 30 else "test" for n in range(40)]
    assert fill_splits(data.with_split(np.array(split)), val=0).warnings == ()
