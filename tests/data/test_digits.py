"""scikit-learn's digits as bytes."""

import numpy as np
from sklearn.datasets import load_digits

from convscope.data.digits import read_digits


def test_the_digits_are_scikit_learns_scaled_to_bytes():
    data, source = read_digits(), load_digits()
    assert len(data) == 1797
    assert data.classes == tuple("0123456789")
    assert data.labels.tolist() == source.target.tolist()
    assert set(data.split.tolist()) == {""}
    scale = [round(value * 255 / 16) for value in range(17)]
    for index in (0, 7, 1796):
        wanted = [[scale[int(value)] for value in row] for row in source.images[index]]
        assert np.asarray(data.images.image(index)).tolist() == wanted
    assert scale[16] == 255
    assert data.images.key(1796) == "digits/01796"
