"""A run on 12-bit images in 16-bit files: one range from training to serving."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope.errors import Interrupted
from convscope.runs.folder import Run
from convscope.training.callbacks.base import Callback
from convscope.training.events import StepEnd
from convscope.training.state import TrainState


class StopAtOnce(Callback):
    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 12 scans of 12 bits, most of them dark: alone they would have other ranges."""
    root, random = tmp_path_factory.mktemp("data") / "scans", np.random.default_rng(0)
    for label, mean in (("healthy", 100), ("ill", 900)):
        (root / label).mkdir(parents=True)
        for number in range(12):
            pixels = random.normal(mean, 50, (16, 16)).clip(0, 4095).astype(np.uint16)
            pixels[0, 0] = 3000 if number == 0 else pixels[0, 0]
            Image.fromarray(pixels).save(root / label / f"{number}.png")
    return root


def train(scans: Path, out: Path, **settings: Any) -> Path:
    return convscope.train(
        str(scans), out=out, model="tinyvgg", input_size=16, in_channels=1, epochs=2, threads=1,
        engine="torch", batch_size=8, **settings,
    ).run  # fmt: skip


def test_training_evaluation_and_prediction_scale_by_one_range(scans: Path, tmp_path: Path):
    run = train(scans, tmp_path / "run")
    card = Run.open(run).read_card()
    assert card.value_range == (0, 4095)
    files = sorted(scans.rglob("*.png"))
    deep = convscope.predict(run, files)
    arrays = [np.asarray(Image.open(path)) for path in files]
    assert convscope.predict(run, arrays).labels == deep.labels
    shifted = [(array >> 4).astype(np.uint8) for array in arrays]  # what 12 bits are as bytes
    same = convscope.predict(run, shifted)
    assert [p.top_k for p in same] == [p.top_k for p in deep]
    right = sum(Path(p.path).parent.name == p.label for p in deep)
    assert convscope.evaluate(run, str(scans)).metrics.num_correct == right
    (_, reason), *_ = convscope.predict(run, [arrays[0] * 40]).unreadable
    assert "outside the range 0 to 4,095 of the images" in reason


def test_a_stopped_training_goes_on_with_the_range_of_its_card(scans: Path, tmp_path: Path):
    whole = train(scans, tmp_path / "whole", cache_fraction=0.0)
    with pytest.raises(Interrupted):
        train(scans, tmp_path / "stopped", callbacks=[StopAtOnce()])
    convscope.resume(tmp_path / "stopped")
    expected, weights = (
        Run.open(run).read_weights().tensors for run in (whole, tmp_path / "stopped")
    )
    assert all(torch.equal(weights[name], tensor) for name, tensor in expected.items())
