"""In 8 bits where an image has a grade, or any number of labels."""

import numpy as np
import pytest
import torch

import convscope
from convscope.conversion.calibration import calibration_images
from convscope.exported.classifier import open_classifier
from convscope.exported.pixels import normalize
from convscope.inference import probabilities
from convscope.models import open_model
from tests.conversion.test_trained_runs import labels, paint

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.slow


def grades(folder, out):
    for seed, name in enumerate(("0", "1", "2")):
        paint(folder / name, mode="RGB", seed=seed)
    convscope.train(
        folder, model="tinyvgg", input_size=24, epochs=2, out=out, progress=False, task="ordinal",
        batch_size=16, augment="none",
    )  # fmt: skip


def decided(shares, card):
    """Which classes a network gives, (n, classes) of labels or (n, 1) of grades."""
    if card.task == "multi-label":
        return shares >= np.array(card.label_thresholds)
    return shares.argmax(1)[:, None]


@pytest.mark.parametrize(
    ("train", "photos"), [(grades, "1"), (labels, "images")], ids=["ordinal", "multi-label"]
)
def test_what_is_counted_are_the_answers_of_the_exported_network(train, photos, tmp_path):
    run, out = tmp_path / "run", tmp_path / "out"
    train(tmp_path / "data", run)
    net, card = convscope.load(run)
    for folder in (None, tmp_path / "data" / photos):  # whose classes are not known
        exported = convscope.export(
            run, out / photos if folder else out / "run", int8=True, max_drop=100, threads=1,
            engine="onnxruntime", calibration=folder,
        )  # fmt: skip
        rounding = exported.candidates[0].rounding
        images = calibration_images(open_model(run), folder)
        answers = decided(open_classifier(exported.path, threads=1)(images.measured), card)
        with torch.inference_mode():
            outputs = net(torch.from_numpy(normalize(images.measured, card)))
        before = decided(probabilities(outputs, card).numpy(), card)
        assert rounding.agreement == pytest.approx((answers == before).all(1).mean())
        if folder:
            assert rounding.accuracy is None
            continue
        truth = images.truth.reshape(len(answers), -1)
        assert rounding.accuracy.num_images == len(truth) >= 4
        assert rounding.accuracy.before == (before == truth).all(1).sum()
        assert rounding.accuracy.after == (answers == truth).all(1).sum()
