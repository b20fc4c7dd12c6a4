"""Runs with figures that the tests chose, beside those that were really trained."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from convscope.runs.folder import Run
from convscope.runs.live_files import Live
from convscope.runs.step_history import StepHistory
from convscope.runs.tensor_file import TensorFile

BATCHES = 40  # steps of an epoch


def copied(source: Path, folder: Path, name: str) -> Run:
    """The run at `source` once more, under another name, with nothing told of its training."""
    shutil.copytree(source, folder / name)
    shutil.rmtree(folder / name / "live", ignore_errors=True)
    run = Run.open(folder / name)
    Live(run.path).begin()
    return run


def tell(run: Run, losses: Iterable[float], **change: Any) -> None:
    """Steps with these losses: one image of ten right in each, at a rate of 0.01."""
    series = StepHistory()
    for step, loss in enumerate(losses, 1):
        series.add(step, loss=float(loss), num_correct=1, num_images=10, lr=0.01, seconds=0.002)
    live = Live(run.path)
    live.write_step_history(series)
    live.write_now(now(series.last, **change))


def now(step: int, **change: Any) -> dict[str, Any]:
    """What a training at `step` of 8,000 tells."""
    return {
        "state": "training",
        "message": "",
        "description": "lenet5 on digits",
        "step": step,
        "steps": 8000,
        "epoch": step // BATCHES + 1,
        "epochs": 200,
        "batches": BATCHES,
        "progress": step / 8000,
        "seconds": 75.0,
        "seconds_left": 3723.0,
        "images_per_second": 5000.0,
        "lr": 0.01,
        "loss": 0.5,
        "top1": 0.1,
        "saved_step": 0,
        "acknowledged": 0,
        **change,
    }


def show_layers(run: Run, layers: Mapping[str, Mapping[str, Any]]) -> None:
    """A look at layers, each with its share of zeros and its gradient, and a batch of two."""
    told = [
        {
            "name": name,
            "kind": "Conv2d",
            "shape": [4, 8, 8],
            "activation": {"mean": 0.0, "std": 1.0, "zeros": facts["zeros"], "largest": 3.0},
            "gradient": facts["gradient"],
            "weight": 0.1,
            "update": 0.001,
        }
        for name, facts in layers.items()
    ]
    history = [
        {
            "step": step,
            "layers": {
                name: {"gradient": facts["gradient"], "std": 1.0, "zeros": facts["zeros"]}
                for name, facts in layers.items()
            },
        }
        for step in (1, 2)
    ]
    facts = {"step": 2, "labels": ["left", "right"], "layers": told, "history": history}
    stored = TensorFile({"batch": torch.zeros(2, 4, 4, 1, dtype=torch.uint8)}, facts)
    Live(run.path).write_snapshot("look", stored)


def show_wrong(run: Run, pixels: np.ndarray, said: Sequence[tuple[str, str, float]]) -> None:
    """The most wrong images: what each is, what the network said, with which probability."""
    images = [
        {"index": i, "name": f"image {i}", "is": truth, "said": word, "probability": p, "loss": 5.0}
        for i, (truth, word, p) in enumerate(said)
    ]
    stored = TensorFile(
        {"pixels": torch.from_numpy(pixels)}, {"step": 40, "epoch": 1, "images": images}
    )
    Live(run.path).write_snapshot("wrong", stored)


def show_filters(run: Run, weights: Mapping[int, np.ndarray]) -> None:
    """The filters of a first layer at some steps."""
    tensors = {str(step): torch.from_numpy(one) for step, one in weights.items()}
    stored = TensorFile(tensors, {"layer": "conv1", "steps": list(weights)})
    Live(run.path).write_snapshot("filters", stored)
