"""The digits of the package: those of the source, as bytes, always in the same order."""

import numpy as np
import pytest

from convscope.card import Card
from convscope.data.digits import read_digits
from convscope.data.loading import load_images
from convscope.data.samples import photograph


@pytest.fixture(scope="module")
def data():
    return read_digits()


def test_the_digits_are_scikit_learns_scaled_to_bytes(data):
    datasets = pytest.importorskip("sklearn.datasets")  # has the same file of the source
    source = datasets.load_digits()
    assert data.labels.tolist() == source.target.tolist()
    scale = np.array([round(value * 255 / 16) for value in range(17)])
    images = np.stack([np.asarray(data.images.image(index)) for index in range(len(data))])
    assert images.tolist() == scale[source.images.astype(int)].tolist()


def test_the_digits_have_ten_classes_and_no_split(data):
    assert data.classes == tuple("0123456789")
    assert data.images.key(1796) == "digits/01796"
    assert set(data.split.tolist()) == {""}
    # as the source counts them
    assert np.bincount(data.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_fingerprint_of_the_digits_is_that_of_earlier_runs(data):
    card = Card(
        classes=data.classes,
        input_size=(8, 8),
        in_channels=1,
        resize_mode="pad",
        mean=(0.0,),
        std=(1.0,),
    )
    assert load_images(data, card).fingerprint == "76cba39e0308b2efe9642e3113bd4a92"


@pytest.mark.parametrize(("name", "theirs"), [("palace", "china.jpg"), ("flower", "flower.jpg")])
def test_the_photographs_are_those_of_scikit_learn(name, theirs):
    datasets = pytest.importorskip("sklearn.datasets")
    assert np.array_equal(np.asarray(photograph(name)), datasets.load_sample_image(theirs))
