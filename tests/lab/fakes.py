"""Run folders as trainings leave them, without a training; and a lab that serves them."""

import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response

from convscope.card import Card
from convscope.evaluation.metrics import wilson_interval
from convscope.lab.api.compare import add_compare
from convscope.lab.api.runs import add_runs
from convscope.lab.inspect.store import ModelStore
from convscope.lab.jobs.jobs import TrainingJobs
from convscope.lab.server import add_error_handlers
from convscope.runs.folder import Run
from convscope.runs.live_files import Live
from convscope.runs.step_history import StepHistory
from convscope.training.config import TrainConfig

CLASSES = tuple("0123456789")
DATASET = {"name": "digits", "fingerprint": "ab" * 16, "train": 8, "val": 4, "test": 4}
MACHINE = {"device": "cpu", "threads": 1, "cpu": "AVX2", "torch": "2.9.0"}


def fake_run(
    path: Path,
    *,
    now: dict[str, Any] | None = None,
    beat: float = 0.0,
    metrics: int = 0,
    test: tuple[int, int] | None = None,
    dataset: dict[str, Any] | None = None,
    data: str = "digits",
    tested: str = "c",
    **settings: Any,
) -> Run:
    """A run of LeNet-5; `beat` is how many seconds ago it told of itself, `test` hits and images.

    `tested` names the picture that was set aside for the test.
    """
    path.mkdir(parents=True)
    run = Run(path)
    config = {
        "data": data,
        **TrainConfig(**settings).to_dict(),
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
    splits = {"a": "train", "b": "val", "c": "train", "d": "train", tested: "test"}
    lines = "".join(f"{key},0,{split}\n" for key, split in splits.items())
    run.write("splits.csv", f"key,label,split\n{lines}")
    run.write_config(config)
    if metrics:
        run.write_metrics([line(epoch) for epoch in range(1, metrics + 1)])
    if test is not None:
        run.write("test.json", json.dumps(tested_as(*test)))
    if now is not None:
        tell(path, now, beat=beat)
    return run


def line(epoch: int) -> dict[str, Any]:
    """An evaluation; the second is the best."""
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


def tested_as(hits: int, images: int) -> dict[str, Any]:
    low, high = wilson_interval(hits, images)
    confusion = [[0] * 10 for _ in CLASSES]
    confusion[3][3], confusion[3][4] = hits, images - hits
    return {
        "images": images,
        "top1": hits / images,
        "top1_interval": [low, high],
        "loss": 0.1,
        "classes": list(CLASSES),
        "confusion": confusion,
    }


def tell(path: Path, now: dict[str, Any], *, beat: float = 0.0) -> None:
    """What a training says of itself, `beat` seconds ago."""
    live = Live(path)
    live.folder.mkdir(exist_ok=True)
    fields = {
        "message": "",
        "step": 0,
        "saved_step": 0,
        "acknowledged": 0,
        "updated_at": time.time() - beat,
    }
    (live.folder / "now.json").write_text(json.dumps({**fields, **now}))


def series_of(losses: list[float], *, most: int = 1024, first: int = 1) -> StepHistory:
    """Steps from `first` with these losses, 4 images each, 3 of them right, in half a second."""
    series = StepHistory(max_buckets=most)
    for step, loss in enumerate(losses, first):
        series.add(step, loss=loss, num_correct=3, num_images=4, lr=0.1 / step, seconds=0.5)
    return series


def lab(jobs: TrainingJobs, store: ModelStore | None = None) -> FastAPI:
    """The routes of runs alone, behind a guard that lets everybody in."""
    app = FastAPI()
    add_error_handlers(app)

    @app.middleware("http")
    async def on(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        return await answer(request)

    store = store or ModelStore()
    add_runs(app, jobs, store)
    add_compare(app, jobs)
    return app


def wait_for(what: Any, *, seconds: float = 120.0) -> Any:
    """What a question answers as soon as it is true; nothing where it never was."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    return None
