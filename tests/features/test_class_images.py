"""What is usual for a class is the mean over the run's own images of it."""

import numpy as np
import torch

import convscope
from convscope.data.digits import read_digits
from convscope.data.resize import resize_image
from convscope.runs.folder import Run
from convscope.webapp.inspect.maps import rank_maps, volume_of
from convscope.webapp.inspect.store import ModelStore


def test_maps_are_compared_with_training_images_of_the_class_that_is_answered(digits_run):
    store = ModelStore()
    model = store.open(digits_run)
    card = model.card
    pictures = read_digits().images
    recorded = store.add(model, "a digit", resize_image(pictures.image(7), card))
    row = model.row("conv2")
    answer = model.predictions(recorded)[0]
    found = rank_maps(
        "distance_from_mean",
        recorded.recording,
        row,
        model.net,
        lambda: model.mean_volume(recorded, row),
    )
    assert found.note == f"Compared with the mean of 12 training images of class {answer['class']}."
    chosen = training_images(digits_run, answer["index"])[:12]
    volumes = [seen(model, pictures.image(int(index))) for index in chosen]
    difference = volume_of(recorded.recording, row) - np.mean(volumes, axis=0)
    expected = np.sqrt(np.square(difference).mean((1, 2)))
    assert np.allclose(found.scores, expected, atol=1e-6)


def training_images(run, label):
    lines = Run.open(run).read("splits.csv").splitlines()
    labels = read_digits().labels
    keys = [line.split(",")[0] for line in lines if line.split(",")[-1] == "train"]
    indices = sorted(int(key.rpartition("/")[2]) for key in keys)
    return [index for index in indices if labels[index] == label]


def seen(model, picture):
    pixels = torch.tensor(resize_image(picture, model.card)).permute(2, 0, 1)[None] / 255
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (model.card.mean, model.card.std))
    with torch.no_grad():
        net = model.net
        x = net.pool1(net.tanh1(net.conv1((pixels - mean) / std)))
        return net.tanh2(net.conv2(x.float()))[0].numpy()


def test_a_run_whose_images_are_gone_compares_with_the_others(image_folder, tmp_path):
    run = convscope.train(
        image_folder, model="tinyvgg", input_size=32, epochs=1, out=tmp_path / "run"
    ).run
    store = ModelStore()
    model = store.open(run)
    one, two = (np.full((32, 32, 3), level, np.uint8) for level in (10, 200))
    recorded = store.add(model, "one", one)
    row = model.rows[1]
    image_folder.rename(tmp_path / "elsewhere")
    assert model.mean_volume(recorded, row)[0] is None
    other = store.add(model, "two", two)
    mean, told = model.mean_volume(recorded, row)
    assert "1 other" in told
    assert np.array_equal(mean, volume_of(other.recording, row))
