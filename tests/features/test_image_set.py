"""The images on which features are studied: those that `evaluate` would take."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import convscope
from convscope.errors import RequestError
from convscope.evaluation.selection import DataRequest
from convscope.features.image_set import open_images
from convscope.features.layer_pass import LayerPass
from convscope.models import open_model

EVERYTHING = DataRequest(split=None, data_dir=None, image_column=None, label_column=None)


def test_a_pass_over_the_test_images_of_a_run_gives_the_accuracy_that_evaluate_gives(digits_run):
    opened = open_model(digits_run)
    images = open_images(opened, None, EVERYTHING)
    layer_pass = LayerPass(opened.net, opened.card, ["conv1"])
    is_right = [
        batch.logits.argmax(1).numpy() == images.loaded.dataset.truth(batch.indices)
        for batch in layer_pass.batches(images.loaded.batch_source, images.indices)
    ]
    metrics = convscope.evaluate(digits_run).metrics
    assert "test split" in images.description
    assert np.concatenate(is_right).mean() == pytest.approx(metrics.top1)


def test_unreadable_files_are_left_out_and_keys_name_files(image_folder: Path):
    (image_folder / "leaf" / "05.png").write_bytes(b"no image")
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))
    opened = open_model(net, input_size=8)
    opened = replace(opened, card=replace(opened.card, classes=("apple", "leaf", "plum")))
    images = open_images(opened, image_folder, EVERYTHING)
    keys = images.keys([int(index) for index in images.indices])
    assert len(keys) == 35
    assert "leaf/05.png" not in keys
    assert "leaf/04.png" in keys
    with pytest.raises(RequestError, match="is not a run"):
        open_images(opened, None, EVERYTHING)
