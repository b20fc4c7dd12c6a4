"""ImageNet's own layouts, with truth in each of the files in which it comes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convscope.data.source import open_source
from convscope.data.spellings import match_names
from convscope.data.synsets import CALLED
from convscope.errors import RequestError
from convscope.weights.imagenet_names import imagenet_names, timm_names

Plant = Callable[..., Path]
SYNSETS = ("n01440764", "n02012849", "n03126707")
NUMBERS = {"n01440764": 449, "n02012849": 7, "n03126707": 12}  # ILSVRC2012_ID has another order
WORDS = "n01440764 tench, Tinca tinca\nn02012849 crane\nn03126707 crane\n"
VAL = ["n03126707", "n01440764", "n02012849", "n01440764"]


@pytest.fixture
def ilsvrc(plant: Plant) -> Callable[[str], Path]:
    """The images of two for training in each class, and four for validation."""

    def write(base: str) -> Path:
        train = [f"{base}train/{s}/{s}_{n}.JPEG" for s in SYNSETS for n in (9, 10)]
        val = [f"{base}val/ILSVRC2012_val_{n:08d}.JPEG" for n in range(1, 5)]
        return plant(*train, *val, root="imagenet")

    return write


def check(root: Path, names: tuple[str, ...] = SYNSETS) -> Any:
    data = open_source(root)
    assert data.classes == names
    assert data.counts("train").tolist() == [2, 2, 2]
    assert [SYNSETS[label] for label in data.labels[data.indices("val")]] == VAL
    return data


def test_kaggles_files_are_read(ilsvrc: Callable[[str], Path]):
    root = ilsvrc("ILSVRC/Data/CLS-LOC/")
    rows = [f"ILSVRC2012_val_{n:08d},{s} 1 2 3 4 {s} 5 6 7 8" for n, s in enumerate(VAL, 1)]
    (root / "LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *rows[::-1]]))
    (root / "LOC_synset_mapping.txt").write_text(WORDS)
    (root / "ILSVRC/Data/CLS-LOC/test").mkdir()
    for here in ("", "ILSVRC", "ILSVRC/Data/CLS-LOC"):
        data = check(root / here, ("tench", "crane bird", "crane"))
        assert "test has no labels" in data.warnings[0]
    assert data.images.key(0) == "train/n01440764/n01440764_10.JPEG"


@pytest.mark.parametrize("table", ["meta.mat", "map_clsloc.txt"])
def test_the_devkits_numbers_are_not_the_order(ilsvrc: Callable[[str], Path], table: str):
    root = ilsvrc("")
    devkit = root / "ILSVRC2012_devkit_t12" / "data"
    devkit.mkdir(parents=True)
    truth = "\n".join(str(NUMBERS[synset]) for synset in VAL)
    (devkit / "ILSVRC2012_validation_ground_truth.txt").write_text(truth)
    words = {line[:9]: line[10:] for line in WORDS.splitlines()}
    if table == "meta.mat":
        kinds = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"),
                 ("num_children", "O")]  # fmt: skip
        rows: Any = [(NUMBERS[s], s, words[s], "", 0) for s in SYNSETS]
        rows.append((1001, "n00001740", "entity", "", 3))  # an inner node of the hierarchy
        io: Any = pytest.importorskip("scipy.io")
        io.savemat(devkit / table, {"synsets": np.array(rows, dtype=kinds)})
    else:
        lines = [f"{s} {NUMBERS[s]} {words[s].partition(',')[0]}" for s in SYNSETS]
        (devkit / table).write_text("\n".join(lines))
    check(root, ("tench", "crane bird", "crane"))


def test_tiny_imagenet_is_read(plant: Plant):
    train = [f"train/{s}/images/{s}_{n}.JPEG" for s in SYNSETS for n in (0, 1)]
    root = plant(*train, *(f"val/images/val_{n}.JPEG" for n in range(4)), root="tiny")
    rows = [f"val_{n}.JPEG\t{synset}\t0\t0\t62\t62" for n, synset in enumerate(VAL)]
    (root / "val" / "val_annotations.txt").write_text("\n".join(rows))
    tabs = [line.replace(" ", "\t", 1) for line in WORDS.splitlines()]
    (root / "words.txt").write_text("\n".join(tabs))
    check(root, ("tench", "crane bird", "crane"))


def test_folders_of_synsets_have_names_where_a_file_says_them(plant: Plant):
    root = plant(*(f"{split}/{s}/{split}.png" for s in SYNSETS for split in ("train", "val")))
    data = open_source(root)
    assert data.classes == SYNSETS
    assert "called by their synsets, such as n01440764" in data.warnings[0]
    (root / "synset_words.txt").write_text(WORDS)
    assert open_source(root).classes == ("tench", "crane bird", "crane")


def test_validation_without_truth_is_refused(ilsvrc: Callable[[str], Path]):
    root = ilsvrc("")
    with pytest.raises(RequestError, match=r"val has images and no file that says their classes"):
        open_source(root)
    (root / "LOC_val_solution.csv").write_text("a,b\nILSVRC2012_val_00000001,n01440764 1 2 3 4\n")
    with pytest.raises(RequestError, match=r"solution\.csv has no class for .*_00000002\.JPEG"):
        open_source(root)
    (root / "LOC_val_solution.csv").unlink()
    (root / TRUTH).write_text("449\n7\n")
    with pytest.raises(RequestError, match=r"neither meta\.mat nor map_clsloc\.txt"):
        open_source(root)
    (root / "map_clsloc.txt").write_text("n01440764 449 tench\n")
    with pytest.raises(RequestError, match=r"has the class 7, which the devkit does not have"):
        open_source(root)
    (root / TRUTH).write_text("449\n449\n449\n")
    with pytest.raises(RequestError, match=r"truth\.txt has no class for .*_00000004\.JPEG"):
        open_source(root)


TRUTH = "ILSVRC2012_validation_ground_truth.txt"


def test_names_are_those_of_pretrained_weights():
    """So that a network with the weights of others is evaluated on the images by names."""
    known, firsts = imagenet_names(), timm_names()
    if known is None or firsts is None:
        pytest.skip("torchvision and timm, which have the names, are not both installed")
    numbers = {134: "n02012849", 639: "n03710721"}
    names = [CALLED[numbers[n]] if n in numbers else name for n, name in enumerate(firsts)]
    assert match_names(names, known) == list(range(1000))
