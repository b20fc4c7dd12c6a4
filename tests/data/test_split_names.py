"""The words for train, val and test."""

import pytest

from convscope.data.split_names import find_splits, split_of


@pytest.mark.parametrize(
    ("split", "spellings"),
    [
        (
            "train",
            "train Train TRAIN training Training train_set train-set trainset TrainingSet "  # noqa: ISC004
            "training_set training-data train_images train2017 trainval TrainData train_1",
        ),
        ("val", "val valid validation Validation VAL dev val_set valset validation_set eval Dev"),
        ("test", "test Testing TEST test_set testset test-images holdout hold_out held-out test1"),
    ],
)
def test_a_split_is_known_by_the_spellings_that_people_use(split: str, spellings: str):
    for spelling in spellings.split():
        assert split_of(spelling) == split, spelling


@pytest.mark.parametrize(
    "word", ["cat", "trainer", "trains", "contest", "bullet_train", "train_test", "", "devil", "7"]
)
def test_other_words_are_no_splits(word: str):
    assert split_of(word) is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Testing", "Training"], {"Testing": "test", "Training": "train"}),
        (["seg_pred", "seg_test", "seg_train"], {"seg_test": "test", "seg_train": "train"}),
        (["fundus-TRAIN", "fundus-TEST"], {"fundus-TRAIN": "train", "fundus-TEST": "test"}),
        (["imagesTr_train", "x"], {}),
        (["train", "eval"], {"train": "train", "eval": "val"}),
        (["train", "val", "evaluation"], {"train": "train", "val": "val", "evaluation": "test"}),
        (["tr", "te"], {"tr": "train", "te": "test"}),
        (["tr", "te", "en"], {}),
        (["bus", "bullet_train", "steam_train"], {}),
        (["bus", "train_station", "bus_test"], {}),
        (["train", "val", "val_copy"], {"train": "train", "val": "val"}),
        ([], {}),
    ],
)  # fmt: skip
def test_folders_are_splits_if_they_fit_together(names: list[str], expected: dict[str, str]):
    assert find_splits(names) == expected
