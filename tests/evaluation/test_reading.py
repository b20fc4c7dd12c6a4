"""A network gets the same pixels of a file in training, evaluation, prediction and explanation."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import convscope
from convscope.data.decode import decode_image
from convscope.data.normalize import normalize
from convscope.data.reduced import ReducedImage
from convscope.data.resize import resize_image
from convscope.data.samples import photograph
from convscope.runs.folder import Run

FILES = 6  # of each class


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """JPEGs that LeNet-5 reads at a quarter of their size."""
    root = tmp_path_factory.mktemp("photographs")
    for name in ("flower", "palace"):
        (root / name).mkdir()
        for number in range(FILES):
            part = photograph(name).crop((10 * number, 5 * number, 400 + 7 * number, 320))
            part.save(root / name / f"{number}.jpg")
    return root


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run"
    return convscope.train(folder, model="lenet5", epochs=1, out=path, threads=1).run


def test_a_training_reads_fast_and_everything_else_follows_its_card(run, folder):
    card = Run.open(run).read_card()
    assert card.reading == "fast"
    paths = sorted(folder.rglob("*.jpg"))
    decoded = [decode_image(path, card) for path in paths]
    assert all(isinstance(image, ReducedImage) for image in decoded)
    pixels = torch.from_numpy(np.stack([resize_image(image, card) for image in decoded]))
    net = convscope.load(run)[0]
    with torch.inference_mode():
        fed = normalize(pixels, card, channels_last=False)
        expected = torch.softmax(net(fed).double(), 1).numpy()
    predicted = convscope.predict(run, paths)
    order = [card.classes.index(name) for name, _ in predicted[0].top_k]
    found = np.array([[share for _, share in each.top_k] for each in predicted])
    assert np.allclose(found[0], expected[0, order], atol=1e-6)
    whole = replace(card, reading="whole")
    assert not np.array_equal(resize_image(decode_image(paths[0]), whole), pixels[0].numpy())


def test_an_evaluation_knows_the_reduced_images_of_a_training(run, folder):
    found = convscope.evaluate(run, folder)
    assert found.metrics.num_images == 2 * FILES
    card = Run.open(run).read_card()
    splits = [line.split(",") for line in (run / "splits.csv").read_text().splitlines()]
    assert found.in_training == sum("train" in cells for cells in splits)
    assert found.in_training > 4
    assert card.input_size == (32, 32)


def test_a_training_from_weights_reads_as_these_were_trained(run, folder, tmp_path):
    net, card = convscope.load(run)
    vars(net)["card"] = replace(card, reading="whole")
    again = convscope.train(folder, model=net, epochs=1, out=tmp_path / "run", threads=1)
    assert Run.open(again.run).read_card().reading == "whole"
