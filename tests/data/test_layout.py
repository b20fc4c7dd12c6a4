"""Folders as people have them: which are splits, which are classes, which are asked about."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.data.dataset import Dataset
from convscope.data.folder import read_folder
from convscope.errors import RequestError

Plant = Callable[..., Path]
CLASSES = ("glioma", "notumor")


def images(*folders: str) -> list[str]:
    return [f"{folder}/{name}/1.png" for folder in folders for name in CLASSES]


def splits(data: Dataset) -> Counter[str]:
    return Counter(data.split.tolist())


@pytest.mark.parametrize(
    "folders",
    [
        ("Training", "Testing"),
        ("training_set", "test_set"),
        ("training", "tests"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("fundus_train", "fundus_test"),
        ("data/train", "data/test"),
        ("archive/dataset/dataset/TRAIN", "archive/dataset/dataset/TEST"),
        ("images/train", "images/holdout"),
        ("brain/Training/images", "brain/Testing/images"),
        ("train2017", "test2017"),
    ],
)
def test_splits_are_found_however_they_are_spelled_and_wrapped(
    plant: Plant, folders: tuple[str, str]
):
    data = read_folder(plant(*images(*folders)))
    assert data.classes == CLASSES
    assert splits(data) == {"train": 2, "test": 2}
    assert all(data.images.image(index).size == (2, 2) for index in range(4))


def test_a_wrapper_around_class_folders_is_opened_and_said(plant: Plant):
    data = read_folder(plant("a/b/cat/1.png", "a/b/dog/1.png", "a/b/dog/deep/2.png"))
    assert data.classes == ("cat", "dog")
    assert data.warnings[0].endswith("its images are in " + str(data.images.root / "a/b") + ".")


def test_folders_of_annotations_beside_the_images_are_passed_over(plant: Plant):
    root = plant(*images("images/train", "images/val"))
    (root / "labels").mkdir()
    (root / "labels" / "1.txt").touch()
    assert splits(read_folder(root)) == {"train": 2, "val": 2}


def test_what_splits_of_unusual_names_were_taken_for_is_said(plant: Plant):
    data = read_folder(plant(*images("seg_train", "seg_test"), "seg_pred/1.png"))
    assert "ignored folders beside the splits: 'seg_pred'" in data.warnings[1]
    assert "taken 'seg_test' as test, 'seg_train' as train" in data.warnings[0]


@pytest.mark.parametrize("test", ["test/1.png", "test/test/1.png", "test/unknown/1.png"])
def test_a_test_folder_without_labels_is_not_used(plant: Plant, test: str):
    data = read_folder(plant(*images("train"), test))
    assert data.classes == CLASSES
    assert splits(data) == {"train": 2}
    assert "test has no class folders, so its images have no labels" in " ".join(data.warnings)


def test_classes_may_hold_the_splits(plant: Plant):
    data = read_folder(
        plant("cat/train/1.png", "cat/Test/1.png", "dog/train/1.png", "dog/Test/2.png")
    )
    assert data.classes == ("cat", "dog")
    assert splits(data) == {"train": 2, "test": 2}


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (("fold0", "fold1", "fold2"), r"they look like folds, .*`folds=5` makes folds"),
        (("siteA", "siteB"), "they look like sites"),
        (("hospital1", "hospital2"), "they look like sites"),
        (("entrainement", "essai"), "look like splits, folds or sites"),
        (("2019", "2020", "2021"), "look like splits, folds or sites"),
        (("A/train", "B/train"), "look like"),
        (
            ("train/images", "train/masks", "test/images", "test/masks"),
            "'images', 'masks' all hold",
        ),
    ],
)
def test_folders_that_all_hold_the_same_folders_are_asked_about(
    plant: Plant, folders: tuple[str, ...], words: str
):
    keys = images(*folders)
    if folders == ("A/train", "B/train"):
        keys += images("A/test", "B/test")
    with pytest.raises(RequestError, match=words) as caught:
        read_folder(plant(*keys))
    assert "call them train, val and test" in str(caught.value)
    assert "CSV file" in str(caught.value)


def test_sites_that_lack_a_class_are_asked_about_too(plant: Plant):
    with pytest.raises(RequestError, match="'siteA', 'siteB', 'siteC' all hold the same folders"):
        read_folder(plant(*images("siteA", "siteB"), "siteC/glioma/1.png", "siteB/other/1.png"))


def test_folds_without_class_folders_are_no_classes(plant: Plant):
    with pytest.raises(RequestError, match="called like folds"):
        read_folder(plant("fold_1/1.png", "fold_2/2.png"))


@pytest.mark.parametrize(
    "keys",
    [
        ["cat/images/1.png", "dog/images/1.png"],  # Tiny ImageNet
        ["cat/persian/1.png", "cat/siamese/1.png", "dog/poodle/1.png", "dog/beagle/1.png"],
        ["cat/1.png", "cat/new/2.png", "dog/1.png", "dog/new/2.png"],
    ],
)
def test_folders_in_class_folders_belong_to_the_class(plant: Plant, keys: list[str]):
    data = read_folder(plant(*keys))
    assert data.classes == ("cat", "dog")
    assert len(data) == len(keys)
    nested = "cat/persian/1.png" in keys
    assert any("are not told apart" in warning for warning in data.warnings) == nested


def test_a_class_called_train_with_folders_in_it_is_asked_about(plant: Plant):
    with pytest.raises(RequestError, match=r"'train' with folders in it, and 'bus' with images"):
        read_folder(plant("bus/1.png", "train/steam/1.png", "train/electric/1.png"))


def test_class_folders_of_other_case_in_test_are_those_of_train(plant: Plant):
    data = read_folder(
        plant("train/Cat/1.png", "train/no_dog/1.png", "test/cat/1.png", "test/No Dog/1.png")
    )
    assert data.classes == ("Cat", "no_dog")
    assert data.counts("test").tolist() == [1, 1]
    assert "taken: 'No Dog' as 'no_dog', 'cat' as 'Cat'" in " ".join(data.warnings)


def test_classes_that_differ_in_case_are_warned_about(plant: Plant):
    data = read_folder(plant("Cat/1.png", "cat/1.png"))
    assert len(data.classes) == 2
    assert "'Cat' and 'cat' are trained as different classes" in data.warnings[0]


def test_class_folders_that_differ_in_spaces_are_one_class(plant: Plant):
    data = read_folder(plant("no tumor/1.png", "no  tumor /2.png", "tumor/1.png"))
    assert data.classes == ("no tumor", "tumor")
    assert data.counts("").tolist() == [2, 1]
    assert "taken as the same class: 'no  tumor ', 'no tumor'" in data.warnings[0]


def test_a_table_beside_flat_images_is_pointed_at(plant: Plant):
    root = plant("train/1.png", "train/2.png", "test/3.png")
    (root / "train.csv").write_text("id,label\n")
    with pytest.raises(
        RequestError, match=r"Are their labels in .*train\.csv\? Then pass that file"
    ):
        read_folder(root)


@pytest.mark.parametrize("folder", ["", "train/"])
def test_classes_in_file_names_are_told_with_what_to_do(plant: Plant, folder: str):
    names = [f"{c}{n}.png" for c in ("cat.", "Great_Dane_", "dog (") for n in (1, 2)]
    with pytest.raises(RequestError, match=r"begin with the class \('Great_Dane', 'cat', 'dog'\)"):
        read_folder(plant(*(folder + name.replace("dog (1", "dog (1)") for name in names)))
    with pytest.raises(RequestError) as caught:
        read_folder(plant(*(f"{folder}IMG_{n}.png" for n in range(3)), root="plain"))
    assert "begin with" not in str(caught.value)


def test_data_to_evaluate_on_need_no_train_split(plant: Plant):
    root = plant(*images("Test", "valid"))
    data = read_folder(root, for_training=False)
    assert data.classes == CLASSES
    assert splits(data) == {"test": 2, "val": 2}
    with pytest.raises(RequestError, match="but no folder 'train'"):
        read_folder(root)
