"""A run folder, a copy of it for each mutation, and everything that reads one."""

import contextlib
import json
import os
import resource
import shutil
import signal
import tomllib
from collections.abc import Callable, Generator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from starlette.testclient import TestClient

import convscope
from convscope.card import Card
from convscope.data.decode import UnreadableImage
from convscope.data.source import open_source
from convscope.errors import ConvscopeError
from convscope.runs import index
from convscope.runs.bound_card import provenance_of
from convscope.runs.live_files import Live
from convscope.runs.status import StatusReader
from convscope.runs.step_table import steps_of
from convscope.runs.tensor_file import load_tensors, save_tensors
from convscope.training.callbacks.base import Callback
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.events import Listener, encode_event
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.weights.class_names import parse_class_names
from convscope.weights.source import open_weights
from convscope.zoo import create_model
from tests import snapshots
from tests.webapp.fakes import lab

SECONDS = 20  # for one verb; the slowest takes a tenth of one
MEMORY = 3 << 30  # bytes of address space above what the process has

TABLE = """input = "1x12x10"
layers = '''
layer  filters  size  stride  padding  activation
conv1        4     3       1     same  relu
pool1        .     2       2        .  .
fc1    classes     .       .        .  .
'''
"""


class Stop(Callback):
    """Ends a training after its first step, or stops it there as a signal does."""

    def __init__(self, number: int | None = None) -> None:
        self.number = number

    def on_step_end(self, state: Any, event: Any) -> None:
        if self.number is None:
            state.stop("enough")
        elif event.step == 3:
            os.kill(os.getpid(), self.number)


def make_base(folder: Path) -> Path:
    """Labeled images, a finished run, a stopped one, and files beside weights, in one folder."""
    noise = np.random.default_rng(0)
    rows = ["file,label"]
    for place, name in enumerate(("ant", "bee")):
        (folder / "data" / name).mkdir(parents=True)
        for number in range(8):
            pixels = noise.integers(0, 100, (12, 10), dtype=np.uint8) + 120 * place
            Image.fromarray(pixels.astype(np.uint8)).save(folder / "data" / name / f"{number}.png")
            rows.append(f"{name}/{number}.png,{name}")
    (folder / "data" / "labels.csv").write_text("\n".join(rows) + "\n")
    (folder / "net.toml").write_text(TABLE)
    given: Any = dict(
        model=str(folder / "net.toml"), epochs=2, val=0.25, test=0.25, engine="torch",
        batch_size=4, threads=1, progress=False, checkpoint_seconds=0.0,
    )  # fmt: skip
    data = str(folder / "data" / "labels.csv")
    convscope.train(data, out=folder / "done", **given)
    with contextlib.suppress(ConvscopeError):
        convscope.train(data, out=folder / "stopped", callbacks=[Stop(signal.SIGTERM)], **given)
    for name in ("done", "stopped"):
        batch = torch.zeros(2, 12, 10, 1, dtype=torch.uint8)
        Live(folder / name).write_snapshot("look", snapshots.look(batch, step=3))
    hub = folder / "hub"
    hub.mkdir()
    shutil.copy(folder / "done" / "model.safetensors", hub)
    (hub / "config.json").write_text(json.dumps(TIMM))
    (hub / "names.json").write_text(json.dumps({"0": "ant", "1": "bee"}))
    (hub / "names.txt").write_text("ant\nbee\n")
    files = {"fc1.weight": "model.safetensors", "fc1.bias": "model.safetensors"}
    (hub / "shards.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))
    return folder


TIMM = {
    "architecture": "resnet18",
    "num_classes": 2,
    "label_names": ["ant", "bee"],
    "pretrained_cfg": {
        "input_size": [3, 32, 32], "interpolation": "bilinear", "crop_pct": 0.95,
        "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "num_classes": 2, "crop_mode": "center",
    },
}  # fmt: skip


def load(base: Path) -> None:
    convscope.load(base / "done")


def predict(base: Path) -> None:
    str(convscope.predict(base / "done", base / "data" / "ant" / "0.png"))


def evaluate(base: Path) -> None:
    str(convscope.evaluate(base / "done"))


def resume_finished(base: Path) -> None:
    result = convscope.resume(base / "done", callbacks=[Stop()], progress=False)
    _ = repr(result), result._repr_html_(), result.plot().html


def resume_stopped(base: Path) -> None:
    _ = repr(convscope.resume(base / "stopped", callbacks=[Stop()], progress=False))


def summary(base: Path) -> None:
    str(convscope.summary(base / "done"))


def explain(base: Path) -> None:
    str(convscope.explain(base / "done", base / "data" / "bee" / "1.png"))


def statuses(base: Path) -> None:
    for name in ("done", "stopped"):
        status = StatusReader().read(base / name)
        sendable(status.now)
        index.count_parameters(base / name)
        live = Live(base / name)
        _ = live.read_command(), steps_of(base / name), live.read_step_history()


def listed(base: Path) -> None:
    """What the lab says of the runs."""
    api = _client(base)
    for path in ("/api/runs", "/api/training/form", "/api/runs/done", "/api/runs/stopped"):
        _answered(api.get(path))
    for path in ("look", "batch.bin", "wrong", "wrong.bin", "filters", "filters.bin"):
        _answered(api.get(f"/api/runs/done/{path}"))


def viewed(base: Path) -> None:
    """What the lab shows of a run's layers, now and after its epochs."""
    api = _client(base)
    for path in ("confusion", "examples", "examples.bin", "layers.bin", "layers.bin?step=0"):
        _answered(api.get(f"/api/runs/done/{path}"))


def compared(base: Path) -> None:
    _answered(_client(base).get("/api/compare", params={"runs": ["done", "stopped"]}))


def opened(base: Path) -> None:
    _answered(_client(base).post("/api/runs/done/open"))


def streamed(base: Path) -> None:
    """What the lab sends of the runs while a page shows them."""
    jobs = TrainingJobs(base)
    for name in ("done", "stopped"):
        for event in Listener(jobs, name).poll():
            encode_event(event).encode()
            assert "NaN" not in encode_event(event)


def images(base: Path) -> None:
    dataset = open_source(str(base / "data" / "labels.csv"))
    for number in range(len(dataset)):
        with contextlib.suppress(UnreadableImage):
            dataset.images.image(number)


def hub(base: Path) -> None:
    open_weights(base / "hub")


def shards(base: Path) -> None:
    open_weights(base / "hub" / "shards.json")


def names(base: Path) -> None:
    for file in ("names.json", "names.txt"):
        parse_class_names(base / "hub" / file)


def card(base: Path) -> None:
    Card.from_json((base / "done" / "card.json").read_text("utf-8", "surrogateescape"))


def table(base: Path) -> None:
    """A layer table of the user's own; built without values, up to the limit on its size."""
    path = str(base / "net.toml")
    str(convscope.summary(path))
    with torch.device("meta"):
        create_model(path)


def sendable(value: object) -> None:
    """What a page can be sent: JSON without NaN, in UTF-8."""
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


def _client(base: Path) -> TestClient:
    return TestClient(lab(TrainingJobs(base), ModelStore()))


def _answered(answer: Any) -> None:
    assert not answer.text.startswith('{"message":"Internal error'), answer.text
    if answer.headers["content-type"] == "application/json":
        sendable(answer.json())


RUN: tuple[Callable[[Path], None], ...] = (
    load, predict, evaluate, resume_finished, resume_stopped, summary, explain, statuses, listed,
    compared, opened, streamed,
)  # fmt: skip


@contextlib.contextmanager
def bounded() -> Generator[None]:
    """End what hangs by TimeoutError, and what takes far too much memory by MemoryError."""

    def stop(_number: int, _frame: object) -> None:
        raise TimeoutError(f"{SECONDS} s were not enough")

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, stop)
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, limits[1]))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, limits)


def bind(run: Path) -> None:
    """Make a run believe that its card, splits and layers are those that it was trained with.

    It ends the protection of digests, which a stranger can write as well as we, so that a mutation
    comes to where the files are read. Where the card cannot be written into weights, nothing is.
    """
    card = json.loads((run / "card.json").read_text())
    texts = [_text(run / name) for name in ("splits.csv", "network.toml")]
    with contextlib.suppress(TypeError, AttributeError, KeyError):
        card["provenance"] |= provenance_of(splits=texts[0] or "", layers=texts[1])
        (run / "card.json").write_text(json.dumps(card))
    for path in [run / "model.safetensors", *(run / "last").iterdir()]:
        stored = load_tensors(path)
        metadata = {**stored.metadata, "card": card}
        if "made_with" in metadata:
            metadata["made_with"] = _made_with(run, metadata["made_with"])
        save_tensors(path, stored.tensors, metadata)


def _made_with(run: Path, before: dict[str, Any]) -> dict[str, Any]:
    config = before["config"]
    with contextlib.suppress(ValueError):
        config = tomllib.loads((run / "config.toml").read_text())
    files = {name: sha256((run / name).read_bytes()).hexdigest() for name in before["files"]}
    return {"config": config, "files": files}


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")
