"""In 8 bits on real images: what `export --int8` says it costs, and what the test images say."""

import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.data.idx import read_idx
from convscope.evaluation.paired import PairedAccuracy
from convscope.exported.classifier import open_classifier
from convscope.exported.pixels import fitted_pixels

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.slow


def check(run, folder, files, truth, *, at_least):
    """Export in 8 bits; the answers for test images, in each engine, lose at most what they may."""
    exported = convscope.export(run, folder, int8=True, max_drop=1.0, threads=1)
    predictions = convscope.predict(run, [*map(str, files)], top=1)
    before = np.array(predictions.labels) == truth
    assert before.mean() > at_least
    for candidate in exported.candidates:
        accuracy = candidate.rounding.accuracy
        assert accuracy.change >= -0.01
        assert accuracy.num_images >= 1000
        classify = open_classifier(folder, engine=candidate.engine, threads=1)
        card = classify.card
        pixels = np.stack([fitted_pixels(file, card) for file in files])
        answers = np.array(card.classes)[classify(pixels).argmax(1)]
        paired = PairedAccuracy.of(before, answers == truth)
        print(candidate.engine, "validation:", accuracy, "| test:", paired)  # noqa: T201 -- for -s
        assert paired.interval[1] >= -0.01


def test_lenet5_on_mnist(tmp_path, mnist_folder):
    convscope.train("mnist", data_dir=str(mnist_folder), out=tmp_path / "run", epochs=1)
    images = read_idx(mnist_folder / "t10k-images-idx3-ubyte.gz")[:1000]
    labels = read_idx(mnist_folder / "t10k-labels-idx1-ubyte.gz")[:1000]
    files = []
    for number, image in enumerate(images):
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(image).save(files[-1])
    check(tmp_path / "run", tmp_path / "out", files, labels.astype(str), at_least=0.95)


def extract(archive, folder, **counts):
    """So many images of each class of each split, those that stand first."""
    taken = Counter()
    with tarfile.open(archive) as files:
        for file in files:
            above = Path(file.name).parent
            taken[above] += file.isfile()
            if file.isfile() and taken[above] <= counts[above.parts[0]]:
                files.extract(file, folder, filter="data")


def test_tinyvgg_on_cifar10(tmp_path, cifar10_archive):
    extract(cifar10_archive, tmp_path / "data", train=1000, test=100)
    convscope.train(
        tmp_path / "data", model="tinyvgg", input_size=32, epochs=3, out=tmp_path / "run"
    )
    files = sorted((tmp_path / "data" / "test").glob("*/*"))
    truth = np.array([file.parent.name for file in files])
    assert len(files) == 1000
    check(tmp_path / "run", tmp_path / "out", files, truth, at_least=0.35)
