"""Run folders as a training writes them, without a training; and an app that serves them."""

import json
import time
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from convscope.card import Card
from convscope.evaluation.metrics import wilson_interval
from convscope.http_server.guard import Guard
from convscope.runs.folder import Run
from convscope.runs.live_files import Live
from convscope.runs.step_history import StepHistory
from convscope.training.config import TrainConfig
from convscope.webapp.api.compare import add_compare
from convscope.webapp.api.layer_views import add_layer_views
from convscope.webapp.api.runs import add_runs
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.webapp.server import add_error_handlers

CLASSES = tuple("0123456789")
DATASET = {"name": "digits", "fingerprint": "ab" * 16, "train": 8, "val": 4, "test": 4}
MACHINE = {"device": "cpu", "threads": 1, "cpu": "AVX2", "torch": "2.9.0"}


def fake_run(
    path: Path,
    *,
    now: dict[str, Any] | None = None,
    age: float = 0.0,
    metrics: int = 0,
    test: tuple[int, int] | None = None,
    dataset: dict[str, Any] | None = None,
    data: str = "digits",
    test_image: str = "c",
    **settings: Any,
) -> Run:
    """A run of LeNet-5.

    Args:
        path: the folder to make.
        now: fields of its last status, see `write_status`; None for a run that never wrote one.
        age: seconds since that status.
        metrics: number of evaluations.
        test: correct and all images of its test; None before the test.
        dataset: metadata of the data that differ from the default.
        data: the setting.
        test_image: key of the image that was set aside for the test.
        settings: settings that differ from the default.
    """
    path.mkdir(parents=True)
    run = Run(path)
    config = {
        "data": data,
        **TrainConfig(**{"model": "lenet5", "metric": "top1", **settings}).to_dict(),
        "dataset": {**DATASET, **(dataset or {})},
        "machine": MACHINE,
        "versions": {"convscope": "0.1.0", "torch": "2.9.0"},
    }
    card = Card(
        classes=CLASSES,
        input_size=(32, 32),
        in_channels=1,
        resize_mode="pad",
        mean=(0.1,),
        std=(0.3,),
    )
    run.write("card.json", card.to_json())
    splits = {"a": "train", "b": "val", "c": "train", "d": "train", test_image: "test"}
    lines = "".join(f"{key},0,{split}\n" for key, split in splits.items())
    run.write("splits.csv", f"key,label,split\n{lines}")
    run.write_config(config)
    if metrics:
        run.write_metrics([line(epoch) for epoch in range(1, metrics + 1)])
    if test is not None:
        run.write("test.json", json.dumps(result_of_test(*test)))
    if now is not None:
        write_status(path, now, age=age)
    return run


def line(epoch: int) -> dict[str, Any]:
    """A line of metrics.jsonl; the second is the best."""
    return {
        "epoch": epoch,
        "step": 10 * epoch,
        "seconds": 2.0 * epoch,
        "lr": 0.1,
        "images_per_second": 100.0 if epoch % 2 else 300.0,
        "train_loss": 1 / epoch,
        "train_top1": 0.5,
        "val_loss": 1.0,
        "val_top1": 0.9 - abs(epoch - 2) / 100,
        "best": epoch <= 2,
    }


def result_of_test(correct: int, images: int) -> dict[str, Any]:
    low, high = wilson_interval(correct, images)
    confusion = [[0] * 10 for _ in CLASSES]
    confusion[3][3], confusion[3][4] = correct, images - correct
    return {
        "images": images,
        "top1": correct / images,
        "top1_interval": [low, high],
        "loss": 0.1,
        "classes": list(CLASSES),
        "confusion": confusion,
    }


def write_status(path: Path, now: dict[str, Any], *, age: float = 0.0) -> None:
    """Write a training's status as of `age` seconds ago."""
    live = Live(path)
    live.folder.mkdir(exist_ok=True)
    fields = {
        "message": "",
        "step": 0,
        "saved_step": 0,
        "acknowledged": 0,
        "updated_at": time.time() - age,
    }
    (live.folder / "now.json").write_text(json.dumps({**fields, **now}))


def step_history(losses: list[float], *, most: int = 1024, first: int = 1) -> StepHistory:
    """Steps from `first` with these losses: 4 images each, 3 of them correct, half a second."""
    history = StepHistory(max_buckets=most)
    for step, loss in enumerate(losses, first):
        history.add(step, loss=loss, num_correct=3, num_images=4, lr=0.1 / step, seconds=0.5)
    return history


def lab(jobs: TrainingJobs, store: ModelStore | None = None) -> FastAPI:
    """An app with the routes of runs and comparisons, without access control."""
    app = FastAPI()
    add_error_handlers(app)
    app.add_middleware(Guard, hosts=None)
    store = store or ModelStore()
    add_runs(app, jobs, store)
    add_compare(app, jobs)
    add_layer_views(app, jobs)
    return app


def wait_for(condition: Any, *, seconds: float = 120.0) -> Any:
    """The value of `condition()` as soon as it is true; None if it is not within `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    return None
