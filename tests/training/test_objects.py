"""A training on data that were handed over as objects, and what its run knows of them."""

import gc
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.errors import RequestError


@pytest.fixture(scope="module")
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Color images of 8x8 in three classes, which differ in their channels."""
    labels = np.arange(30) % 3
    images = np.random.default_rng(0).integers(0, 60, (30, 8, 8, 3), dtype=np.uint8)
    images[np.arange(30), :, :, labels] += 150
    return images, labels


@pytest.fixture(scope="module")
def run(arrays, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "arrays"
    settings = {"model": "tinyvgg", "input_size": 8, "epochs": 1, "engine": "torch"}
    return convscope.train(arrays, out=out, **settings).run


def test_a_run_says_that_its_data_were_handed_over(run):
    assert (run / "config.toml").read_text().startswith('data = "<arrays>"')
    for verb in (convscope.evaluate, partial(convscope.resume, epochs=2)):
        with pytest.raises(RequestError, match="handed over in Python and are not kept") as caught:
            verb(run)
        assert "moved" not in str(caught.value)


def test_a_run_goes_on_with_the_same_objects_and_no_others(run, arrays, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(run, out)
    images, labels = arrays
    with pytest.raises(RequestError, match="are not those that"):
        convscope.resume(out, epochs=2, data=(images[::-1], labels))
    assert len(convscope.resume(out, epochs=2, data=arrays).history) == 2
    assert (out / "config.toml").read_text().startswith('data = "<arrays>"')


def test_a_run_is_evaluated_on_objects_of_any_kind(run, arrays):
    images, labels = arrays
    found = convscope.evaluate(run, (images, labels)).metrics
    assert found.num_images == 30
    assert np.array_equal(
        found.confusion, convscope.evaluate(run, (images / 255, labels)).metrics.confusion
    )


def test_class_names_name_integer_labels(arrays, tmp_path):
    names, settings = ["red", "green", "blue"], {"model": "tinyvgg", "input_size": 8, "epochs": 1}
    result = convscope.train(
        arrays, out=tmp_path / "run", class_names=names, engine="torch", **settings
    )
    assert result.test.classes == tuple(names)
    found = convscope.evaluate(result, arrays)
    assert found.metrics.classes == tuple(names)
    assert "0 is red, 1 is green ..." in found.notes[0]
    longer = convscope.resume(result, data=arrays, epochs=2)
    assert longer.test.classes == tuple(names)
    assert len(longer.history) == 2


def test_class_names_of_a_folder_are_refused(image_folder):
    with pytest.raises(RequestError, match="or of labels that are handed over in Python"):
        convscope.train(image_folder, class_names=["a", "b", "c"])


def test_a_run_of_a_network_that_no_name_builds_goes_on_with_one_like_it(arrays, tmp_path):
    class Own(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))

    settings = {"epochs": 1, "engine": "torch", "progress": False, "lr_schedule": "constant"}
    out = convscope.train(arrays, model=Own(), out=tmp_path / "run", **settings).run
    del settings
    gc.collect()
    with pytest.raises(RequestError, match="no name builds it again"):
        convscope.resume(out, epochs=2, data=arrays)
    net = Own()
    result = convscope.resume(out, epochs=2, data=arrays, model=net, progress=False)
    assert len(result.history) == 2
    best = convscope.load(out, model=Own())[0].state_dict()
    assert all(torch.equal(value, best[name]) for name, value in net.state_dict().items())
    with pytest.raises(RequestError, match="of another network"):
        convscope.resume(
            out, epochs=3, data=arrays, model=nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
        )
