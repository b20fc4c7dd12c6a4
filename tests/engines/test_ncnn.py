"""ncnn computes on copies of the images, never in the memory of the caller."""

import numpy as np
import pytest

from convscope.engines import open_engine

ncnn = pytest.importorskip("ncnn")

MEANS = "7767517\n2 2\nInput in0 0 1 in0\nPooling mean 1 1 in0 out0 0=1 4=1\n"


class View:
    """A matrix in the memory of an array, which ncnn refuses; a copy of it is one of ncnn's own."""

    matrix = ncnn.Mat

    def __init__(self, image):
        self.image = image

    def clone(self):
        return self.matrix(self.image).clone()


def test_images_are_copied(tmp_path, monkeypatch):
    path = tmp_path / "model.ncnn.param"
    path.write_text(MEANS)
    path.with_suffix(".bin").touch()
    images = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
    run = open_engine("ncnn", path, threads=1)
    monkeypatch.setattr(ncnn, "Mat", View)
    assert np.array_equal(run(images), images.mean((2, 3)))
