"""The routes of the screen Train: the form, the runs, their events and snapshots, commands."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict

from convscope.errors import RequestError
from convscope.runs import index
from convscope.runs.live_files import Command, Snapshot
from convscope.runs.tensor_file import TensorFile
from convscope.training.callbacks.time_estimate import in_words
from convscope.webapp.api.responses import Binary, Events, JSONResponse, Name, Png, binary
from convscope.webapp.inspect.open_run import RunOpener
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs import table_editor
from convscope.webapp.jobs.estimate import DATA, estimated_seconds
from convscope.webapp.jobs.events import Listener, Listeners, TooManyListeners
from convscope.webapp.jobs.form import FITTING, left_out, networks, setting_groups, sources
from convscope.webapp.jobs.jobs import TrainingJobs

_RUN = "/api/runs/{run}"
_FRESH = {"Cache-Control": "no-store"}
_EVENTS = {
    "content": {
        "text/event-stream": {
            "schema": {
                "type": "object",
                "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
                "required": ["event", "data"],
            }
        }
    }
}
_MISSING = {
    "look": "There are no layer statistics yet; they come while a page shows the training.",
    "filters": "There are no filters: the network has no convolution, or its training is older.",
    "wrong": "There are no misclassified images yet: the first validation has not ended.",
}


class NetworkTable(BaseModel):
    """The rows of a layer table, with its input (channels, height, width) and so many classes."""

    model_config = ConfigDict(extra="forbid")

    rows: list[dict[str, str]]
    input: list[int]
    classes: int = 10


class Start(BaseModel):
    """The data and settings of a new training, and its name; `table` in place of a network."""

    model_config = ConfigDict(extra="forbid")

    data: Name = "digits"
    settings: dict[str, Any] = {}
    name: str | None = None
    table: NetworkTable | None = None


class CommandBody(BaseModel):
    """A command to a training; with `lr` the learning rate that it is to go on with."""

    command: Command
    lr: float | None = None


def add_runs(app: FastAPI, jobs: TrainingJobs, store: ModelStore) -> None:
    """Add the routes of the screen Train.

    `app.state.ending` may be set to a function that returns whether the server ends: streams end
    with it.
    """
    app.state.ending = lambda: False
    _add_list(app, jobs)
    _add_run(app, jobs)
    _add_events(app, jobs)
    _add_snapshots(app, jobs)
    _add_commands(app, jobs, store)


def _add_list(app: FastAPI, jobs: TrainingJobs) -> None:
    @app.get("/api/training/form")
    def training_form() -> dict[str, Any]:
        """The data, networks and settings to choose from."""
        models = list(jobs.sources.models)
        return {
            "sources": sources(),
            "local_data": jobs.sources.local_data_rows(jobs.paths().values()),
            "networks": [FITTING, *networks(models)],
            "groups": setting_groups(models),
            "left_out": left_out(),
            "tables": table_editor.starts(),
        }

    @app.get("/api/training/estimate")
    def estimate(model: Name) -> dict[str, Any]:
        """About how long a network trains on the digits; seconds are null where it is unknown."""
        seconds = estimated_seconds(model, jobs.sources)
        words = "" if seconds is None else f"about {in_words(seconds)}"
        return {"data": DATA, "seconds": seconds, "words": words}

    @app.post("/api/training/table", response_model=None)
    def table(body: NetworkTable) -> dict[str, Any] | JSONResponse:
        """The sizes of the rows of a layer table, their parameters, and what is wrong with each."""
        try:
            return table_editor.sizes(body.rows, body.input, body.classes)
        except RequestError as error:
            return JSONResponse({"message": str(error)}, status_code=422)

    @app.post("/api/training/augmented", response_class=Png, response_model=None)
    def augmented(body: Start) -> Png | JSONResponse:
        """Training images beside what the first epochs of a training would show of them."""
        try:
            return Png(jobs.preview(body.data, body.settings))
        except RequestError as error:
            return JSONResponse({"message": str(error)}, status_code=422)

    @app.get("/api/runs")
    def runs() -> dict[str, Any]:
        """The runs and the cross-validations, the newest first."""
        return {"runs": jobs.list_runs(), "folds": jobs.list_folds()}

    @app.post("/api/runs", response_model=None)
    def start(body: Start) -> dict[str, str] | JSONResponse:
        """Start a training in its own process, which continues when the lab ends."""
        try:
            table = body.table
            text = table and table_editor.checked_text(table.rows, table.input, table.classes)
            name, message = jobs.start(body.data, body.settings, name=body.name, table=text)
        except RequestError as error:
            return JSONResponse({"message": str(error)}, status_code=422)
        return {"run": name, "message": message}


def _add_run(app: FastAPI, jobs: TrainingJobs) -> None:
    @app.get(_RUN)
    def run(run: Name) -> dict[str, Any]:
        """One run: its state, evaluations, settings, and the last lines of its log."""
        details = jobs.details(run)
        metrics = index.read_metrics(jobs.path(run))
        return {**details, "metrics": metrics, "settings": jobs.settings(run)}


def _add_events(app: FastAPI, jobs: TrainingJobs) -> None:
    listeners = Listeners()

    @app.get(_RUN + "/events", response_class=Events, responses={200: _EVENTS})
    async def events(run: Name, request: Request) -> Response:
        """Server-sent events: state, steps, evaluation, look, filters, wrong, end."""
        try:
            listeners.check_capacity()
        except TooManyListeners as error:
            return JSONResponse({"message": str(error)}, status_code=503)
        listener = await run_in_threadpool(Listener, jobs, run)
        stream = listeners.stream(
            listener, is_gone=request.is_disconnected, is_ending=app.state.ending
        )
        headers = {**_FRESH, "X-Accel-Buffering": "no"}
        return Events(stream, headers=headers)


def _add_snapshots(app: FastAPI, jobs: TrainingJobs) -> None:
    def read(run: Name, name: Snapshot) -> TensorFile:
        snapshot = index.read_snapshot(jobs.path(run), name)
        if snapshot is None:
            raise RequestError(_MISSING[name])
        return snapshot

    @app.get(_RUN + "/look")
    def look(run: Name) -> JSONResponse:
        """Activations and gradients layer by layer, and the shape of the batch."""
        snapshot = read(run, "look")
        batch = snapshot.tensors["batch"]
        return _fresh({**snapshot.metadata, "batch": _image_shape(batch.shape)})

    @app.get(_RUN + "/batch.bin", response_class=Binary)
    def batch(run: Name) -> Response:
        """Binary: the images of that batch, bytes, (count, height, width, channels)."""
        return _bytes(read(run, "look").tensors["batch"].numpy())

    @app.get(_RUN + "/wrong")
    def wrong(run: Name) -> JSONResponse:
        """The validation images with the largest losses at the last evaluation."""
        snapshot = read(run, "wrong")
        return _fresh({**snapshot.metadata, **_image_shape(snapshot.tensors["pixels"].shape)})

    @app.get(_RUN + "/wrong.bin", response_class=Binary)
    def wrong_pixels(run: Name) -> Response:
        """Binary: these images, bytes, (count, height, width, channels)."""
        return _bytes(read(run, "wrong").tensors["pixels"].numpy())

    @app.get(_RUN + "/filters")
    def filters(run: Name) -> JSONResponse:
        """The first convolution's filters: their steps, shape, and largest weight at each step."""
        snapshot = read(run, "filters")
        weights = [snapshot.tensors[str(step)] for step in snapshot.metadata["steps"]]
        peaks = [float(filters.abs().max()) for filters in weights]
        return _fresh({**snapshot.metadata, "shape": list(weights[0].shape), "peak": peaks})

    @app.get(_RUN + "/filters.bin", response_class=Binary)
    def filter_weights(run: Name) -> Response:
        """Binary: float32 little-endian, (steps, filters, channels, height, width)."""
        snapshot = read(run, "filters")
        weights = [snapshot.tensors[str(step)].numpy() for step in snapshot.metadata["steps"]]
        return _bytes(np.stack(weights).astype("<f4"))


def _fresh(data: Mapping[str, Any]) -> JSONResponse:
    return JSONResponse(data, headers=_FRESH)


def _image_shape(shape: tuple[int, ...]) -> dict[str, int]:
    return dict(zip(("count", "height", "width", "channels"), shape, strict=True))


def _bytes(values: np.ndarray[Any, Any]) -> Response:
    shape = ",".join(map(str, values.shape))
    return binary(np.ascontiguousarray(values).tobytes(), {**_FRESH, "X-Shape": shape})


def _add_commands(app: FastAPI, jobs: TrainingJobs, store: ModelStore) -> None:
    opener = RunOpener(store)

    @app.post(_RUN + "/commands")
    def command(run: Name, body: CommandBody) -> dict[str, int]:
        """Ask the training to pause, resume, save, stop, or go on with another learning rate.

        `now.acknowledged` shows when it has.
        """
        return {"id": jobs.request(run, body.command, lr=body.lr)}

    @app.post(_RUN + "/resume")
    def resume(run: Name) -> dict[str, str]:
        """Resume a run that was stopped or interrupted."""
        return {"run": run, "message": jobs.resume(run)}

    @app.post(_RUN + "/open")
    def open_(run: Name) -> dict[str, str]:
        """Open the run's best weights as a network to inspect, with images."""
        return {"network": opener.open(path := jobs.path(run), jobs.consent(path)).id}
