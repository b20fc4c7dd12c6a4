"""Trained runs, exported: from image files on, the answers are those of `predict` with PyTorch."""

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.engines import ENGINES, is_installed, open_engine
from convscope.exported.folder import ExportedModel
from convscope.exported.pixels import network_input
from convscope.exported.probabilities import probabilities

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SHAPES = [(21, 34), (64, 48), (12, 10), (90, 31), (7, 7)]
"""(height, width) of files whose sizes are not those of the images that were trained on."""


def paint(folder, *, mode, seed):
    """Files of bright and dark halves, JPEG and PNG, in turn."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for number in range(40):
        height, width = SHAPES[number % len(SHAPES)]
        pixels = rng.integers(0, 90, (height, width, 3))
        pixels[: height // 2 or 1, :, number % 3] += 120
        suffix = "jpg" if number % 2 else "png"
        image = Image.fromarray(pixels.astype(np.uint8)).convert(mode)
        image.save(folder / f"{number:02d}.{suffix}")


def colors(folder, out):
    for seed, name in enumerate(("apple", "leaf", "plum")):
        paint(folder / name, mode="RGB", seed=seed)
    convscope.train(
        folder, model="tinyvgg", input_size=24, epochs=2, out=out, progress=False, batch_size=16
    )


def grays(folder, out):
    for seed, name in enumerate(("0", "1", "2")):
        paint(folder / name, mode="L", seed=seed)
    convscope.train(
        folder, model="resnet20_cifar", input_size=20, epochs=1, out=out, progress=False,
        task="ordinal", in_channels=1, batch_size=16,
    )  # fmt: skip


def labels(folder, out):
    paint(folder / "images", mode="RGB", seed=0)
    files = sorted((folder / "images").iterdir())
    rows = [
        f"images/{file.name},{n % 2},{n // 2 % 2},{n % 3 == 0:d}" for n, file in enumerate(files)
    ]
    (folder / "labels.csv").write_text("\n".join(["image,a,b,c", *rows]))
    convscope.train(
        str(folder / "labels.csv"), label_column=("a", "b", "c"), model="tinyvgg", input_size=24,
        epochs=2, out=out, progress=False, batch_size=16, augment="none",
    )  # fmt: skip


@pytest.mark.parametrize("train", [colors, grays, labels])
def test_answers_from_files_are_pytorchs(train, tmp_path):
    train(tmp_path / "data", tmp_path / "run")
    convscope.export(tmp_path / "run", tmp_path / "exported")
    paint(tmp_path / "new", mode="RGB", seed=9)
    files = sorted((tmp_path / "new").iterdir())
    expected = convscope.predict(tmp_path / "run", [*map(str, files)], top=3)
    exported = ExportedModel.open(tmp_path / "exported")
    classes = exported.card.classes
    for name in filter(is_installed, ENGINES):
        engine = open_engine(name, exported.file(name), threads=1)
        for file, prediction in zip(files, expected, strict=True):
            shares = probabilities(engine(network_input(file, exported.card)), exported.card)[0]
            found = dict(zip(classes, shares.tolist(), strict=True))
            assert found == pytest.approx(dict(prediction.top_k), abs=2e-3), (name, file.name)
